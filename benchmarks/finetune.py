"""One epoch of LoRA fine-tuning, beside a plain loop of Hugging Face's Trainer and peft.

    python benchmarks/finetune.py --corpus ellipse --essays 800

Every arm trains the embedded encoder on the same essays, holds the same whole prompts out, and runs
in a process of its own, one after another, so that peak memory is its own. The plain loop is what
a first script would be: AutoModelForSequenceClassification under peft's LoRA of the same rank, the
Trainer with its defaults (fp32, the model's dropout, random batches of 8), dynamic padding,
essays cut at 512 tokens; only its learning rate is set, to ours, since the Trainer's own is too low
for LoRA to learn anything in an epoch. The project reads whole essays. Seconds are those of the
epoch, without loading, tokenising and predicting; the cached arm's frozen layers are timed apart,
since one cache serves all folds, epochs, arms and seeds.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from record import record

from essay_scoring.core.contracts import Columns
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.machine import cores
from essay_scoring.data.corpora import data_folder, load_train
from essay_scoring.data.data_settings import EllipseCorpus, SyntheticCorpus
from essay_scoring.data.grouping import groups_of
from essay_scoring.data.splits import cut_dev
from essay_scoring.features.encoders import resolve_encoder
from essay_scoring.models.context import ScorerContext
from essay_scoring.models.scorer_settings import TrainingSettings, TransformerSettings
from essay_scoring.statistics.metrics import pearson

RATE = 1e-3
ARMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "whole": {},
    "cut": {"layer": 4, "reading": "mix"},
    "cached": {"layer": 4, "reading": "mix", "trained_layers": 2, "cache_frozen_layers": True},
}
ARMS["one pass"] = ARMS["cached"]
SAID = {
    "plain": "Trainer and peft, its defaults",
    "whole": "this project, all 6 layers, uncached",
    "cut": "this project, cut at layer 4, uncached",
    "cached": "this project, cut at layer 4, top 2 learn, frozen_layers cached",
    "one pass": "the same, all threads in one pass at a time",
}


def main() -> None:
    args = arguments()
    if args.arm:
        print(json.dumps(measure(args.arm, *parts(args.corpus, args.essays))))
        return
    print(f"{args.essays} essays of {args.corpus} at most, {cores()} threads, one epoch each")
    with tempfile.TemporaryDirectory() as cache:
        found = {arm: in_own_process(arm, args, cache) for arm in args.arms}
    for arm, figures in found.items():
        report(arm, figures, found.get("plain"))
    if args.out:
        args.out.write_text(json.dumps({"arms": found}, indent=2) + "\n", encoding="utf-8")


def parts(corpus: str, most: int) -> tuple[ScoredEssays, ScoredEssays, ScoredEssays]:
    """Return essays to train on, to stop on, and of unseen prompts to predict."""
    settings = EllipseCorpus() if corpus == "ellipse" else SyntheticCorpus(n_essays=most)
    essays = load_train(settings, data_folder())
    order = np.random.default_rng(0).permutation(len(essays))[:most]
    essays = essays.take(order)
    rest, unseen = cut_dev(essays, groups_of(essays, "prompt_holdout"), 0.2, seed=1)
    train = essays.take(rest)
    fit, dev = cut_dev(train, groups_of(train, "prompt_holdout"), 0.1, seed=2)
    return train.take(fit), train.take(dev), essays.take(unseen)


def measure(
    arm: str, train: ScoredEssays, dev: ScoredEssays, unseen: ScoredEssays
) -> dict[str, float]:
    """Return an arm's seconds, tokens and correlation on unseen prompts."""
    run: Callable[[], dict[str, Any]] = (
        (lambda: plain(train, unseen))
        if arm == "plain"
        else (lambda: ours(arm, train, dev, unseen))
    )
    figures = run()
    figures["essays"] = len(train)
    figures["pearson"] = pearson(unseen.targets, np.asarray(figures.pop("predicted")))
    figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def ours(arm: str, train: ScoredEssays, dev: ScoredEssays, unseen: ScoredEssays) -> dict[str, Any]:
    """Train the project's scorer; its epoch's seconds are those between its first and last step."""
    from essay_scoring.models.transformer import torch_settings
    from essay_scoring.models.transformer.scorer import TransformerScorer
    from essay_scoring.models.transformer.training_loop import Training

    if arm == "one pass":
        torch_settings.MOST_WORKERS = 1  # type: ignore[attr-defined]
    seconds: list[float] = []
    epoch = Training._epoch  # noqa: SLF001

    def timed(self: Training, number: int) -> dict[str, float]:
        started = time.perf_counter()
        figures = epoch(self, number)
        seconds.append(time.perf_counter() - started)
        return figures

    Training._epoch = timed  # type: ignore[assignment, method-assign]  # noqa: SLF001
    settings = TransformerSettings(epochs=1, learning_rate=RATE, **ARMS[arm])
    cache = Path(os.environ["FINETUNE_CACHE"])
    context = ScorerContext(train.scales, no_columns, 42, cores(), cache=cache)
    scorer = TransformerScorer(settings, TrainingSettings(), context)
    started = time.perf_counter()
    scorer.fit(train, dev)
    whole = time.perf_counter() - started
    predicted = scorer.predict_targets(unseen.essays)
    return {
        "seconds": seconds[0],
        "before_seconds": whole - seconds[0],
        "precision": scorer.arithmetic.precision,
        "predicted": predicted,
    }


def plain(train: ScoredEssays, unseen: ScoredEssays) -> dict[str, Any]:
    """Train as a first script would."""
    import torch
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    torch.set_num_threads(cores())
    torch.manual_seed(42)
    settings = TransformerSettings()
    folder = resolve_encoder(settings.encoder, Path("cache") / "encoders").path
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1)
    lora = settings.lora
    config = LoraConfig(task_type=TaskType.SEQ_CLS, r=lora.rank, lora_alpha=int(lora.alpha))
    model = get_peft_model(model, config)
    mean, deviation = train.targets.mean(), train.targets.std()

    def rows(essays: Essays, labels: Any) -> list[dict[str, Any]]:
        encoded = tokenizer(list(essays.texts), truncation=True, max_length=512)
        return [
            {"input_ids": ids, "attention_mask": mask, "labels": float(label)}
            for ids, mask, label in zip(
                encoded["input_ids"], encoded["attention_mask"], labels, strict=True
            )
        ]

    before = time.perf_counter()
    data = rows(train.essays, (train.targets - mean) / deviation)
    with tempfile.TemporaryDirectory() as folder_out:
        how = TrainingArguments(
            folder_out,
            num_train_epochs=1,
            learning_rate=RATE,
            report_to=[],
            disable_tqdm=True,
            save_strategy="no",
        )
        trainer = Trainer(
            model, how, train_dataset=data, data_collator=DataCollatorWithPadding(tokenizer)
        )
        started = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - started
        predicted = trainer.predict(rows(unseen.essays, np.zeros(len(unseen)))).predictions  # type: ignore[arg-type]
    values = np.asarray(predicted, dtype=np.float64).ravel() * deviation + mean
    return {
        "seconds": seconds,
        "before_seconds": started - before,
        "precision": "fp32",
        "predicted": values,
    }


def no_columns(essays: Essays) -> Columns:
    """Return no columns: a transformer reads texts."""
    return Columns((), np.empty((len(essays), 0), dtype=np.float32))


def in_own_process(arm: str, args: argparse.Namespace, cache: str) -> dict[str, Any]:
    """Return an arm's figures from a fresh process."""
    command = [sys.executable, __file__, "--arm", arm, "--corpus", args.corpus]
    command += ["--essays", str(args.essays)]
    environment = {**os.environ, "FINETUNE_CACHE": cache, "TRANSFORMERS_VERBOSITY": "error"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{arm} failed:\n{done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def report(arm: str, figures: dict[str, Any], base: dict[str, Any] | None) -> None:
    rate = figures["essays"] / figures["seconds"]
    record(arm, **{name: value for name, value in figures.items() if name != "what"})
    times = ""
    if base is not None:
        times = f", {rate / (base['essays'] / base['seconds']):.1f} times"
    print(
        f"{SAID[arm]:56s} {rate:6.2f} essays/s{times}; {figures['seconds']:.1f} s, "
        f"{figures['before_seconds']:.1f} s before; {figures['precision']}; "
        f"peak {figures['peak_mb']:.0f} MB; Pearson on unseen prompts {figures['pearson']:.3f}"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--corpus", choices=("synthetic", "ellipse"), default="synthetic")
    parser.add_argument("--essays", type=int, default=400)
    parser.add_argument("--arms", nargs="+", choices=tuple(ARMS), default=list(ARMS))
    parser.add_argument("--arm", choices=tuple(ARMS), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    main()
