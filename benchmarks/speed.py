"""Where users wait, beside another checkout of the project, by processor time.

    git worktree add --detach ../before c619fe1
    python benchmarks/speed.py --beside ../before --corpus ellipse --essays 60 --avx2

Checkouts take turns, and the least of some rounds is told: other work on the machine adds to a
time and never takes away. `--avx2` computes as processors do that have no AVX-512, in fp32. The
bounds are what a block's library takes by itself: the parser, the checker, and an encoder's
products at the rate of this machine's own. Writes benchmarks/speed.json and the table in
benchmarks/README.md with `--publish`; what is not run is kept.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from record import record

HERE = Path(__file__).resolve()
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
OUT, PAGE = HERE.with_name("speed.json"), HERE.with_name("README.md")
BEGIN = "<!-- speed: made by python benchmarks/speed.py -->"
END = "<!-- speed ends -->"
SETTINGS = {"sets": ["handcrafted", "embeddings"], "encoder": {"precision": "fp32"}}


def main() -> None:
    args = arguments()
    if args.child:
        print(json.dumps(CHILDREN[args.child](args)))
        return
    trees = {"here": HERE.parents[1]}
    if args.beside:
        trees["beside"] = args.beside.resolve()
    with tempfile.TemporaryDirectory() as home:
        folders = {name: Path(home) / name for name in trees}
        for name, tree in trees.items() if {"one", "many"} & {*args.stages} else ():
            child("train", tree, folders[name], args)
        for what in args.stages:
            found = tell(measured(what, trees, folders, args))
            if args.publish:
                keep(found, args)


def measured(
    what: str, trees: Mapping[str, Path], folders: Mapping[str, Path], args: argparse.Namespace
) -> dict[str, list[dict[str, float]]]:
    """Return what every round of a stage measured in each checkout; bounds are of this one."""
    trees = {"here": trees["here"]} if what == "bounds" else trees
    rounds = {name: list[dict[str, float]]() for name in trees}
    for _ in range(args.rounds):
        for name, tree in trees.items():
            rounds[name].append(child(what, tree, folders[name], args))
    return rounds


def keep(found: Mapping[str, Mapping[str, float]], args: argparse.Namespace) -> None:
    """Write measurements down beside the others, and the table of them all."""
    from essay_scoring.core.files import read_json, write_json, write_text
    from essay_scoring.records.provenance import git_state, machine

    known: dict[str, Any] = read_json(OUT) if OUT.is_file() else {"schema": 1, "kinds": {}}
    kind = known["kinds"].setdefault("avx2" if args.avx2 else "all", {"rows": {}})
    kind["machine"] = machine().model_dump(exclude={"host"})
    kind |= {"commit": git_state().commit, "essays": args.essays, "corpus": args.corpus}
    kind["rows"] |= found
    write_json(OUT, known)
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    _, end, after = rest.partition(END)
    write_text(PAGE, f"{before}{BEGIN}\n\n{table(known)}\n\n{end}{after}")


def table(known: Mapping[str, Any]) -> str:
    """Return the processor seconds of both kinds of processor as a table."""
    kinds = [(name, known["kinds"][name]) for name in ("all", "avx2") if name in known["kinds"]]
    words = {"all": "all instructions", "avx2": "AVX2"}
    header = [f"{words[name]}: {part}" for name, _ in kinds for part in ("before", "now", "times")]
    lines = [f"| processor seconds | {' | '.join(header)} |", "|---" * (len(header) + 1) + "|"]
    for what in dict.fromkeys(what for _, kind in kinds for what in kind["rows"]):
        cells = [cell for _, kind in kinds for cell in _cells(kind["rows"].get(what, {}))]
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cells(row: Mapping[str, float]) -> tuple[str, str, str]:
    here, beside = row.get("here"), row.get("beside")
    times = f"{beside / here:.1f}" if here and beside else ""
    return *("" if one is None else f"{one:.3f}" for one in (beside, here)), times


def tell(rounds: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Print and return the least processor time of each measurement, side by side."""
    found = {}
    for what in rounds["here"][0]:
        least = {name: min(one[what] for one in every) for name, every in rounds.items()}
        found[what] = {name: round(seconds, 4) for name, seconds in least.items()}
        line = "".join(f"{name} {seconds:9.3f} s   " for name, seconds in least.items())
        ratio = f"{least['beside'] / least['here']:6.1f} times" if "beside" in least else ""
        print(f"{what:<44} {line}{ratio}", flush=True)
        record(what, **{f"{name}_cpu_seconds": round(value, 3) for name, value in least.items()})
    return found


def child(what: str, tree: Path, home: Path, args: argparse.Namespace) -> dict[str, float]:
    """Return what one process of a checkout measured."""
    env = os.environ | (AVX2 if args.avx2 else {}) | {"PYTHONPATH": str(tree / "src")}
    env |= {"OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, str(HERE), "--child", what, "--home", str(home)]
    command += ["--corpus", args.corpus, "--essays", str(args.essays)]
    done = subprocess.run(command, env=env, cwd=tree, check=True, stdout=subprocess.PIPE)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def train(args: argparse.Namespace) -> dict[str, float]:
    """Train a model as the reference is, and write tables of its own new essays."""
    from essay_scoring.core.progress import Progress
    from essay_scoring.records.config import RunConfig
    from essay_scoring.records.workspace import Workspace
    from essay_scoring.scoring.train_model import TrainingOrder, train_model

    corpus = {"kind": "synthetic", "n_essays": 60, "n_locked": 0, "n_prompts": 5, "seed": 3}
    config = {
        "name": "reference",
        "data": {"corpus": corpus},
        "baselines": [],
        "evaluation": {"replicates": 100},
        "scorer": {"family": "xgboost", "min_child_weight": 2},
        "features": SETTINGS,
    }
    home: Path = args.home
    order = TrainingOrder(RunConfig.model_validate(config), home / "models")
    space = Workspace(home / "runs", home / "training", home)
    folder = train_model(order, space, Progress(), report=lambda _: None, resume="")
    (home / "model").symlink_to(folder)
    essays = essays_of(args)
    for name, n in (("one", 1), ("many", len(essays))):
        rows = zip(essays.prompts[:n], essays.texts[:n], strict=True)
        with (home / f"{name}.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([["prompt", "text"], *rows])
    return {}


def one(args: argparse.Namespace) -> dict[str, float]:
    """Score one essay from the shell."""
    return {"one essay from the shell": scored(args, "one")}


def many(args: argparse.Namespace) -> dict[str, float]:
    """Score all essays from the shell, and say what one more of them costs."""
    seconds = scored(args, "many") - scored(args, "one")
    return {"score, an essay more": seconds / (args.essays - 1)}


def scored(args: argparse.Namespace, table: str) -> float:
    """Return the processor time of `score` on a table, its workers' too."""
    out = args.home / f"{table}-scored.csv"
    command = [sys.executable, "-m", "essay_scoring.cli.main", "score"]
    command.append(str((args.home / "model").resolve()))
    command += [str(args.home / f"{table}.csv"), "-o", str(out), "--cache-dir", "nowhere"]
    before = spent(resource.RUSAGE_CHILDREN)
    subprocess.run([*command, "--workers", "2"], check=True, capture_output=True)
    return spent(resource.RUSAGE_CHILDREN) - before


def columns(args: argparse.Namespace) -> dict[str, float]:
    """Compute the reference's columns of all essays, block by block."""
    os.environ["ESSAY_SCORING_WORKERS"] = "1"
    from essay_scoring.core.progress import Progress
    from essay_scoring.features.blocks import build_blocks
    from essay_scoring.features.feature_settings import FeatureSettings
    from essay_scoring.features.store import FeatureStore

    essays, measured, total = essays_of(args), dict[str, float](), 0.0
    with tempfile.TemporaryDirectory() as root:
        store = FeatureStore(Path(root))
        blocks = build_blocks(FeatureSettings.model_validate(SETTINGS), Path("cache/encoders"))
        for block in blocks:
            block.columns(essays.take(range(4)))
            seconds = spent_by(lambda b=block: store.columns(b, essays, Progress()))
            measured[f"{block.name}, an essay cold"] = seconds / len(essays)
            total += seconds
        measured["all columns, an essay cold"] = total / len(essays)
        # As if the essay in the middle were new: every other one has been computed.
        more = essays.take([*range(1, len(essays)), 0])
        measured["the same essays in another order"] = sum(
            spent_by(lambda b=block: store.columns(b, more, Progress())) for block in blocks
        )
    return measured


def bounds(args: argparse.Namespace) -> dict[str, float]:
    """Return what the libraries below the columns take by themselves, an essay."""
    os.environ["ESSAY_SCORING_WORKERS"] = "1"
    import lingotweaker_data_en
    import lt_py

    from essay_scoring.features.annotation import annotate, unify
    from essay_scoring.features.language_errors import KIND_OF_CATEGORY

    texts = [unify(text) for text in essays_of(args).texts]
    annotate(texts[:4])
    style = [category for category, kind in KIND_OF_CATEGORY.items() if kind == "style"]
    folder = lingotweaker_data_en.data_dir()
    engine = lt_py.Engine("en-US", disabled_categories=style, data_dir=folder)
    spent_alone = {
        "linguistic: the parser alone": spent_by(lambda: annotate(texts)),
        "language_errors: the checker alone": spent_by(lambda: [*map(engine.check, texts)]),
        "embeddings: the encoder's products alone": products(texts),
    }
    return {what: seconds / len(texts) for what, seconds in spent_alone.items()}


def products(texts: Sequence[str]) -> float:
    """Return the seconds of the matrix products of an encoder's layers, at this machine's rate."""
    import torch

    from essay_scoring.features.feature_settings import FeatureSettings
    from essay_scoring.features.frozen_encoder import FrozenEncoder

    settings = FeatureSettings.model_validate(SETTINGS).encoder
    encoder = FrozenEncoder(settings, Path("cache/encoders"))
    tokens, width = int(encoder.means(texts)[1].sum()), encoder.shape[1]
    torch.set_num_threads(1)
    states, weights = torch.ones(512, width), torch.ones(width, 4 * width)
    n = 100
    seconds = min(spent_by(lambda: [states @ weights for _ in range(n)]) for _ in range(8))
    rate = n * 2 * states.numel() * 4 * width / seconds
    return tokens * max(settings.layers) * 24 * width**2 / rate


def essays_of(args: argparse.Namespace) -> Any:
    from essay_scoring.data.corpora import data_folder, load_train
    from essay_scoring.data.data_settings import EllipseCorpus, SyntheticCorpus

    made = SyntheticCorpus(n_essays=500, seed=91)
    corpus = EllipseCorpus() if args.corpus == "ellipse" else made
    return load_train(corpus, data_folder()).essays.take(range(100, 100 + args.essays))


def spent_by(work: Any) -> float:
    """Return the processor time of a call in this process."""
    before = time.process_time()
    work()
    return time.process_time() - before


def spent(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


CHILDREN = {"train": train, "one": one, "many": many, "columns": columns, "bounds": bounds}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    stages = [name for name in CHILDREN if name != "train"]
    parser.add_argument("--beside", type=Path, help="another checkout, to be measured in turn")
    parser.add_argument("--corpus", choices=["synthetic", "ellipse"], default="synthetic")
    parser.add_argument("--essays", type=int, default=60)
    parser.add_argument("--stages", nargs="+", choices=stages, default=stages)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--avx2", action="store_true")
    parser.add_argument("--publish", action="store_true", help="write speed.json and its table")
    parser.add_argument("--child", choices=list(CHILDREN), help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
