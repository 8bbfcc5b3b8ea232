"""The candidates of a study as one family: how often any of them would pass if none were better.

Each gate alone passes an equal candidate in at most 2.5 of 100 studies; among many candidates one
passes far more often. Every check is therefore also held against the largest statistic of all
candidates under the same swaps of prompts (the step of Westfall and Young 1993 that all share,
max-T), which keeps what the candidates have in common, or against Holm's bound (1979) where that is
lower. A candidate that has not run counts with its bound (Bonferroni), so that a study may stop
early. A gate passes where every check does (Berger 1982), so its p is the largest of its checks'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from essay_scoring.core.scale import FloatArray
from essay_scoring.judging.plans import Check, GatePlan
from essay_scoring.records.judgements import FAMILY_LEVEL, FamilyWise
from essay_scoring.statistics.comparison import Comparison
from essay_scoring.statistics.hypothesis_tests import ROUNDING, holm


def family_wise(
    plan: GatePlan, comparisons: Mapping[str, Comparison], size: int
) -> dict[str, FamilyWise]:
    """Return the p-values of each compared candidate's gate, alone and among `size` candidates.

    The comparisons are of one plan, so that all were swapped alike. A candidate without an interval
    in some check has no p-value and is left out.
    """
    names = [name for name, comparison in comparisons.items() if _complete(plan, comparison)]
    if not names:
        return {}
    alone, among = np.zeros(len(names)), np.zeros(len(names))
    for check in plan.checks:
        statistics = [_statistics(check, comparisons[name]) for name in names]
        own, joint = _p_values(statistics, size - len(names))
        alone, among = np.maximum(alone, own), np.maximum(among, joint)
    p_values: dict[str, float | None] = dict(zip(names, alone.tolist(), strict=True))
    # No arm's name begins with a space: these stand for candidates that have not run.
    bounds = holm(p_values | {f" {number}": None for number in range(size - len(names))})
    out = {}
    for name, p in zip(names, among.tolist(), strict=True):
        bound = bounds[name]
        adjusted = min(1.0, p if bound is None else min(p, bound))
        out[name] = FamilyWise(
            candidates=size,
            p=float(p_values[name] or 0.0),
            adjusted_p=adjusted,
            passes=adjusted <= FAMILY_LEVEL,
        )
    return out


def _complete(plan: GatePlan, comparison: Comparison) -> bool:
    return all(comparison.deltas[check.metric].low is not None for check in plan.checks)


def _statistics(check: Check, comparison: Comparison) -> tuple[float, FloatArray]:
    """Return a check's distance from its threshold in standard errors, and those of equal runs."""
    delta = comparison.deltas[check.metric]
    distance, swapped = delta.studentised(check.delta_at_least)
    return distance, np.concatenate([swapped, -swapped])


def _p_values(
    statistics: Sequence[tuple[float, FloatArray]], absent: int
) -> tuple[FloatArray, FloatArray]:
    """Return one-sided p-values, (candidates,) each: of each alone, and among all."""
    distances = np.array([distance for distance, _ in statistics])
    swapped = np.array([values for _, values in statistics])
    swapped = np.where(np.isnan(swapped), np.inf, swapped)  # What is unknown speaks for no one.
    at_least = distances[:, None] - ROUNDING
    alone = (swapped >= at_least).mean(axis=1)
    among = (swapped.max(axis=0) >= at_least).mean(axis=1)
    return alone, among + absent * alone
