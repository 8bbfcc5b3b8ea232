"""How fast each feature block and the store are, beside a plain encoder loop.

    python benchmarks/features.py --corpus ellipse --essays 300
    python benchmarks/features.py --blocks embeddings --budgets 1024 2048 4096

The plain loop is what a first script would do: fp32, all layers, one essay at a time, cut at the
encoder's length. Compare figures of one run only: the machine drifts between runs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from record import record

from essay_scoring.core.contracts import FeatureBlock
from essay_scoring.core.essays import Essays
from essay_scoring.core.progress import Progress
from essay_scoring.data.corpora import data_folder, load_train
from essay_scoring.data.data_settings import EllipseCorpus, SyntheticCorpus
from essay_scoring.features.blocks import build_blocks
from essay_scoring.features.encoders import resolve_encoder
from essay_scoring.features.feature_settings import EncoderSettings, FeatureSettings
from essay_scoring.features.precision import device_in_use, resolve
from essay_scoring.features.store import FeatureStore

WARM_UP = 8


def main() -> None:
    args = arguments()
    corpus = EllipseCorpus() if args.corpus == "ellipse" else SyntheticCorpus()
    essays = load_train(corpus, data_folder()).essays
    essays = essays.take(range(min(args.essays, len(essays))))
    encoder = EncoderSettings(name=args.encoder, layers=tuple(args.layers))
    print(
        f"{len(essays)} essays of {args.corpus}, {device_in_use()}, "
        f"{resolve('auto', device_in_use())}, {args.encoder} at layers {args.layers}"
    )
    settings = FeatureSettings(sets=("handcrafted", "companions", "embeddings"), encoder=encoder)

    def blocks(budget: int | None = None) -> list[FeatureBlock]:
        return [b for b in build_blocks(settings, args.cache, budget) if b.name in args.blocks]

    if args.budgets:
        compare_budgets(blocks, essays, args.budgets)
        return
    with tempfile.TemporaryDirectory() as root:
        measure(blocks(), essays, FeatureStore(Path(root)))
    if args.plain:
        report("plain loop", plain_loop(encoder, args.cache, essays), len(essays))


def measure(blocks: list[FeatureBlock], essays: Essays, store: FeatureStore) -> None:
    """Print each block computed and stored, the handcrafted ones together, then all read back."""
    handcrafted = 0.0
    for block in blocks:
        block.columns(essays.take(range(WARM_UP)))
        seconds = fill(store, block, essays)
        report(f"{block.name}, cold", seconds, len(essays))
        handcrafted += seconds if block.name != "embeddings" else 0.0
    if handcrafted:
        report("handcrafted with all checkers, cold", handcrafted, len(essays))
    report("all blocks, warm", sum(fill(store, block, essays) for block in blocks), len(essays))


def compare_budgets(
    blocks: Callable[[int], list[FeatureBlock]], essays: Essays, budgets: list[int]
) -> None:
    """Print each block's speed with other numbers of tokens in a forward pass."""
    for budget in budgets:
        for block in blocks(budget):
            block.columns(essays.take(range(WARM_UP)))
            with tempfile.TemporaryDirectory() as root:
                seconds = fill(FeatureStore(Path(root)), block, essays)
            report(f"{block.name}, {budget} tokens a pass", seconds, len(essays))


def fill(store: FeatureStore, block: FeatureBlock, essays: Essays) -> float:
    """Return the seconds that the store took for a block's columns."""
    start = time.perf_counter()
    store.columns(block, essays, Progress())
    return time.perf_counter() - start


def plain_loop(settings: EncoderSettings, cache: Path, essays: Essays) -> float:
    """Return the seconds of a plain loop over the essays."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = resolve_encoder(settings, cache).path
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
    start = time.perf_counter()
    with torch.no_grad():
        for text in essays.texts:
            encoded = tokenizer(text, truncation=True, max_length=512, return_tensors="pt")
            model(**encoded).last_hidden_state[0].mean(dim=0)
    return time.perf_counter() - start


def report(what: str, seconds: float, n_essays: int) -> None:
    record(what, seconds=round(seconds, 3), essays=n_essays)
    print(f"{what:<36} {seconds:8.2f} s {n_essays / seconds:10.1f} essays/s", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    every = ["linguistic", "language_errors", "similarity", "embeddings"]
    parser.add_argument("--corpus", choices=["synthetic", "ellipse"], default="synthetic")
    parser.add_argument("--essays", type=int, default=300)
    parser.add_argument("--blocks", nargs="+", choices=every, default=every)
    parser.add_argument("--encoder", default=EncoderSettings().name)
    parser.add_argument("--layers", nargs="+", type=int, default=[3])
    parser.add_argument("--cache", type=Path, default=Path("cache/encoders"))
    parser.add_argument("--budgets", nargs="+", type=int, default=[])
    parser.add_argument("--plain", action=argparse.BooleanOptionalAction, default=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
