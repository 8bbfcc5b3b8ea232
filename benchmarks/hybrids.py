"""Fine-tuned and frozen arms beside each other, and the one as a member of the other.

    python benchmarks/hybrids.py TUNED_STUDY FROZEN_STUDY [--out FILE.json]

Both are study.json of the same essays and folds; their runs lie in the folder that
ESSAY_SCORING_RUNS names. Every fine-tuned arm of the first becomes one more member, of equal
weight, of each frozen arm named below; nothing is chosen, so nothing leaks. Cut-points are fitted
on the other folds, as for the parents. Prints pooled QWK of each hybrid, its difference from both
parents, and by how much every method of invariance differs from fine-tuning without one.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from own_runs import own_workspace

from essay_scoring.core.files import write_json
from essay_scoring.core.number_text import with_interval
from essay_scoring.models.mapping import mapped_by
from essay_scoring.records.finished_run import read_run
from essay_scoring.records.study_results import StudyRecord, read_study
from essay_scoring.statistics.comparison import compare
from essay_scoring.statistics.predictions import Predictions

FROZEN = {"frozen-text": 1, "blend-svr": 4, "blend-surprisal": 4}
"""The frozen arms, and how many members each is the mean of."""

METRICS = ("pooled_qwk", "mae")
SCHEME = "prompt_holdout"
PLAIN = "g3.1-none"


def predictions_of(study: StudyRecord, arms: Collection[str], runs: Path) -> dict[str, Predictions]:
    """Return the first seed's predictions of each arm, prompts held out."""
    found: dict[str, Predictions] = {}
    for run in study.runs:
        if run.arm in arms and run.scheme == SCHEME and run.arm not in found:
            found[run.arm] = read_run(runs / run.run).predictions
    return found


def joined(tuned: Predictions, frozen: Predictions, members: int) -> Predictions:
    """Return the frozen arm with one more member, mapped as it was."""
    at = {name: row for row, name in enumerate(frozen.ids)}
    theirs = frozen.raw[[at[name] for name in tuned.ids]]
    raw = (tuned.raw + members * theirs) / (1 + members)
    return mapped_by(replace(tuned, raw=raw), tuned.refit or "round_half_band")


def row_of(tuned: Predictions, frozen: Predictions, members: int) -> dict[str, Any]:
    """Return a hybrid's figures, and all differences between it and its parents."""
    hybrid = joined(tuned, frozen, members)
    over_tuned = _differences(tuned, hybrid)
    return {
        **{name: over_tuned[name]["candidate"] for name in METRICS},
        "over_tuned": over_tuned,
        "over_frozen": _differences(frozen, hybrid),
        "tuned_over_frozen": _differences(frozen, tuned),
    }


def _differences(reference: Predictions, candidate: Predictions) -> dict[str, Any]:
    deltas = compare(reference, candidate, seed=0).deltas
    return {name: deltas[name].model_dump(mode="json") for name in METRICS}


def _shown(deltas: dict[str, Any]) -> str:
    of = deltas["pooled_qwk"]
    return with_interval(of["estimate"], of["low"], of["high"], sign=True)


def main() -> None:
    """Print and write a row for each pair of a fine-tuned and a frozen arm."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("tuned", type=Path)
    parser.add_argument("frozen", type=Path)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    runs = own_workspace().runs
    first, second = read_study(asked.tuned), read_study(asked.frozen)
    arms = {run.arm for run in first.runs if run.family == "transformer"}
    tuned = predictions_of(first, arms, runs)
    frozen = predictions_of(second, FROZEN, runs) | predictions_of(first, FROZEN, runs)
    rows = []
    for arm, ours in tuned.items():
        for other, members in FROZEN.items():
            found = row_of(ours, frozen[other], members)
            row = {"tuned": arm, "frozen": other, "members": members, **found}
            rows.append(row)
            over = ", ".join(_shown(row[key]) for key in ("over_tuned", "over_frozen"))
            print(f"{arm} with {other}: {row['pooled_qwk']:.3f}; over each {over}")
    methods = {arm: _differences(tuned[PLAIN], tuned[arm]) for arm in tuned if arm != PLAIN}
    for arm, deltas in methods.items():
        print(f"{arm} over {PLAIN}: {_shown(deltas)}")
    if asked.out is not None:
        write_json(asked.out, {"schema": 1, "plain": PLAIN, "rows": rows, "methods": methods})


if __name__ == "__main__":
    main()
