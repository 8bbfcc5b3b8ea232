"""Whether runs may be compared: their essays, matched by id, and what must not differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from essay_scoring.core.errors import EvidenceError
from essay_scoring.statistics.counts import Mask
from essay_scoring.statistics.predictions import Predictions

Arm = Predictions | Sequence[Predictions]
"""One run, or runs of the same configuration with other seeds."""

Side = Literal["reference", "candidate"]
ARMS: tuple[Side, Side] = ("reference", "candidate")


def aligned_arms(reference: Arm, candidate: Arm) -> tuple[list[Predictions], list[Predictions]]:
    """Return the runs of both arms, their rows in the order of the first run of the reference.

    Raises EvidenceError for an arm without runs, or naming the first thing that differs.
    """
    named = []
    for name, arm in zip(ARMS, (reference, candidate), strict=True):
        runs = [arm] if isinstance(arm, Predictions) else list(arm)
        if not runs:
            raise _differ(f"the {name} has no runs")
        many = len(runs) > 1
        named.append([(f"{name}, run {k}" if many else name, run) for k, run in enumerate(runs, 1)])
    first = named[0][0]
    reference_runs, candidate_runs = ([_aligned(first, run) for run in arm] for arm in named)
    return reference_runs, candidate_runs


def _aligned(first: tuple[str, Predictions], other: tuple[str, Predictions]) -> Predictions:
    """Return the other of two named runs, its rows in the order of the first."""
    (name, reference), (other_name, run) = first, other
    for ids, which in ((reference.ids, name), (run.ids, other_name)):
        if len(set(ids)) < len(ids):
            raise _differ(f"an essay occurs twice in the {which}")
    places = {record: row for row, record in enumerate(run.ids)}
    missing = [record for record in reference.ids if record not in places]
    extra = len(run) - (len(reference) - len(missing))
    if missing or extra:
        raise _differ(
            f"other essays: {len(missing)} only in the {name}, {extra} only in the {other_name}"
        )
    if not len(reference):
        raise _differ("there are no essays")
    if reference.scales != run.scales:
        raise _differ("other score scales")
    matched = run.take(np.array([places[record] for record in reference.ids]))
    prompts = np.array([a != b for a, b in zip(reference.prompts, matched.prompts, strict=True)])
    _same_column(reference, "prompts", prompts)
    _same_column(reference, "true scores", reference.true != matched.true)
    _same_column(reference, "folds", reference.folds != matched.folds)
    if reference.second is not None and matched.second is not None:
        apart = reference.second != matched.second
        neither = np.isnan(reference.second) & np.isnan(matched.second)
        _same_column(reference, "second ratings", apart & ~neither)
    return matched


def _same_column(reference: Predictions, what: str, differs: Mask) -> None:
    """Raise EvidenceError if any essay differs, naming the first one."""
    rows = np.flatnonzero(differs)
    if len(rows):
        first = reference.ids[rows[0]]
        raise _differ(f"other {what}: {len(rows)} essays differ, the first is {first!r}")


def _differ(how: str) -> EvidenceError:
    """Return the error for two runs that may not be compared."""
    return EvidenceError(
        f"the runs cannot be compared: {how}",
        mend="compare runs of the same prepared data and splits",
    )
