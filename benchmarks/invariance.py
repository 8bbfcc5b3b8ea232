"""What prompt invariance is worth end to end, on made essays with and without a planted shortcut.

    python benchmarks/invariance.py --out docs/results/invariance.json

The shortcut gives a prompt's topic words by score on the prompts that are trained on, and misleads
on others. Every arm fine-tunes the embedded encoder, cut low, on two thirds of the prompts and is
judged by its correlation with the scores of the others; dev holds essays of the training prompts,
where the shortcut works, so that stopping early does not do a method's work. An arm's figure is the
mean over three folds, with one row a seed. What is done lies in the file, and is not done again.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from finetune import no_columns
from scipy.stats import ttest_1samp

from essay_scoring.core.essays import ScoredEssays
from essay_scoring.core.files import read_json, write_json
from essay_scoring.core.machine import cores
from essay_scoring.data.data_settings import SyntheticCorpus
from essay_scoring.data.synthetic import generate
from essay_scoring.models.context import ScorerContext
from essay_scoring.models.invariance.invariance_settings import (
    Adversarial,
    GroupDro,
    InvarianceSettings,
    NoInvariance,
    PromptHead,
)
from essay_scoring.models.registry import build_scorer
from essay_scoring.models.scorer_settings import TrainingSettings, TransformerSettings
from essay_scoring.statistics.metrics import pearson

ARMS: dict[str, InvarianceSettings] = {
    "none": NoInvariance(),
    "adversarial": Adversarial(),
    "adversarial_linear": Adversarial(hidden=0),
    "group_dro": GroupDro(step_size=1.0),
    "prompt_head": PromptHead(),
}
PROMPTS, FOLDS, DEV, LAYER = 8, 3, 10, 2
"""Prompts are dealt out to folds in turn; every tenth essay that is trained on goes to dev."""

MADE = {"prompts": PROMPTS, "folds": FOLDS, "layer": LAYER}

Row = dict[str, Any]


def main() -> None:
    args = arguments()
    rows: list[Row] = read_json(args.out)["rows"] if args.out.is_file() else []
    done = {(row["shortcut"], row["arm"], row["seed"]) for row in rows}
    with tempfile.TemporaryDirectory() as cache:
        for shortcut in args.shortcuts:
            corpus = SyntheticCorpus(
                n_essays=args.essays, n_locked=0, n_prompts=PROMPTS, seed=7, shortcut=shortcut
            )
            essays = generate(corpus, "train")
            for arm, seed in ((arm, seed) for arm in args.arms for seed in args.seeds):
                if (shortcut, arm, seed) in done:
                    continue
                found = [one_fold(essays, k, arm, seed, Path(cache)) for k in range(FOLDS)]
                row = {"shortcut": shortcut, "arm": arm, "seed": seed, "n": len(essays)}
                rows.append(row | {"correlation": float(np.mean(found))})
                rows.sort(key=place_of)
                write_json(
                    args.out, {"schema": 1, "made": MADE, "rows": rows, "arms": summaries(rows)}
                )
                print(
                    f"shortcut {shortcut:g}, {arm}, seed {seed}: {np.mean(found):.3f}", flush=True
                )
    for arm in summaries(rows):
        print(line(arm))


def one_fold(essays: ScoredEssays, number: int, arm: str, seed: int, cache: Path) -> float:
    """Return the correlation on the prompts that a fold holds out."""
    prompts = np.unique(essays.prompts, return_inverse=True)[1]
    outside, held_out = (np.flatnonzero((prompts % FOLDS == number) == is_out) for is_out in (0, 1))
    rank = np.zeros(len(outside), dtype=int)
    for prompt in np.unique(prompts[outside]):
        own = prompts[outside] == prompt
        rank[own] = np.arange(own.sum())
    dev = rank % DEV == 0
    scorer = build_scorer(
        settings(arm),
        TrainingSettings(),
        ScorerContext(essays.scales, no_columns, seed, cores(), cache=cache),
    )
    scorer.fit(essays.take(outside[~dev]), essays.take(outside[dev]))
    unseen = essays.take(held_out)
    return pearson(unseen.scores, scorer.predict(unseen.essays)) or 0.0


def settings(arm: str) -> TransformerSettings:
    """Return settings that differ between arms in the method alone."""
    return TransformerSettings(
        layer=LAYER,
        reading="mix",
        trained_layers=1,
        cache_frozen_layers=True,
        max_length=256,
        chunk_overlap_tokens=64,
        epochs=8,
        patience=8,
        learning_rate=1e-3,
        head_learning_rate=3e-3,
        invariance=ARMS[arm],
    )


def place_of(row: Row) -> tuple[float, int, int]:
    """Return what rows are sorted by: the shortcut first, then arms as they are listed here."""
    return -row["shortcut"], list(ARMS).index(row["arm"]), row["seed"]


def summaries(rows: list[Row]) -> list[Row]:
    """Return each arm's mean over seeds, how far seeds differ, and its gain over no method.

    The gain is paired by seed; its interval is Student's t over them, so that one seed has none.
    """
    told: list[Row] = []
    for shortcut, arm in dict.fromkeys((row["shortcut"], row["arm"]) for row in rows):
        by_seed, none = by_seed_of(rows, shortcut, arm), by_seed_of(rows, shortcut, "none")
        found = list(by_seed.values())
        summary: Row = {"shortcut": shortcut, "arm": arm, "n_seeds": len(found)}
        summary["mean"] = float(np.mean(found))
        summary["sd"] = float(np.std(found, ddof=1)) if len(found) > 1 else None
        gains = [by_seed[seed] - none[seed] for seed in by_seed if seed in none]
        if arm != "none" and len(gains) > 1:
            interval = ttest_1samp(gains, 0.0).confidence_interval(0.95)
            ends = {"low": float(interval.low), "high": float(interval.high)}
            summary["gain"] = {"estimate": float(np.mean(gains)), **ends, "n": len(gains)}
        told.append(summary)
    return told


def by_seed_of(rows: list[Row], shortcut: float, arm: str) -> dict[int, float]:
    """Return an arm's correlations by seed."""
    mine = (row for row in rows if (row["shortcut"], row["arm"]) == (shortcut, arm))
    return {row["seed"]: row["correlation"] for row in mine}


def line(arm: Row) -> str:
    """Return an arm's summary on one line."""
    said = f"shortcut {arm['shortcut']:g}  {arm['arm']:18s} {arm['mean']:.3f}"
    if arm["sd"] is not None:
        said += f", SD over {arm['n_seeds']} seeds {arm['sd']:.3f}"
    if "gain" in arm:
        gain = arm["gain"]
        said += f", gain {gain['estimate']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"
    return said


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--essays", type=int, default=400)
    parser.add_argument("--shortcuts", nargs="+", type=float, default=[1.0, 0.0])
    parser.add_argument("--arms", nargs="+", choices=tuple(ARMS), default=list(ARMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    main()
