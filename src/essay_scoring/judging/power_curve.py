"""From simulated margins to power: rates with binomial intervals, and detectable deltas."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from essay_scoring.core.scale import FloatArray
from essay_scoring.judging.plans import GatePlan
from essay_scoring.judging.power_pairs import Simulated, SimulatedCandidate
from essay_scoring.records.power_results import (
    CandidatePower,
    CheckPower,
    Detectable,
    DetectableDelta,
    Rate,
    ResultCounts,
)

Pairs = Sequence[tuple[SimulatedCandidate, Simulated]]

POWER = 0.8
"""How often a plan or a check should pass a candidate for its delta to count as detectable."""

STILL = 0.005
"""A scenario that moves a figure by less than this says nothing of what is detectable in it."""


def rate_of(passed: int, n: int) -> Rate:
    """Return a share with its exact 95% binomial interval (Clopper and Pearson 1934)."""
    from scipy.special import betaincinv

    low = float(betaincinv(passed, n - passed + 1, 0.025)) if passed else 0.0
    high = float(betaincinv(passed + 1, n - passed, 0.975)) if passed < n else 1.0
    return Rate(passed=passed, n=n, rate=passed / n, low=low, high=high)


def detectable(true: Sequence[float], margins: Sequence[FloatArray]) -> Detectable | None:
    """Return the detectable delta of a check or a plan; None where the scenario leaves it still.

    `true` holds the true delta of each simulated candidate, `margins` by how much each of its
    simulations cleared its thresholds, below zero where it fell short, NaN where it had no figure.
    Power is POWER where the quantile 1 - POWER of the margin is zero. That quantile moves almost in
    a straight line with the true delta, so that few candidates are enough; it is interpolated.
    """
    if max(true) < STILL:
        return None
    order = np.argsort(true, kind="stable")
    at = np.asarray(true, dtype=np.float64)[order]
    cleared = [np.where(np.isnan(margins[i]), -np.inf, margins[i]) for i in order]
    off = [1.96 * np.sqrt(POWER * (1 - POWER) / len(margin)) for margin in cleared]

    def crossing(side: int) -> float | None:
        levels = [np.clip(1 - POWER + side * more, 0, 1) for more in off]
        pairs = zip(cleared, levels, strict=True)
        quantile = [np.quantile(margin, level, method="inverted_cdf") for margin, level in pairs]
        return _zero(at, np.maximum.accumulate(np.array(quantile)))

    return Detectable(delta=crossing(0), low=crossing(1), high=crossing(-1), tried=float(at[-1]))


def candidate_record(
    plan: GatePlan, candidate: SimulatedCandidate, simulated: Simulated
) -> CandidatePower:
    """Return how often a candidate passed, by the whole plan and by each check."""
    n = len(simulated.results)
    kinds = ("pass", "fail", "inconclusive", "invalid")
    checks = []
    for place, check in enumerate(plan.checks):
        deltas = simulated.deltas[:, place][np.isfinite(simulated.deltas[:, place])]
        checks.append(
            CheckPower(
                metric=check.metric,
                kind=check.kind,
                true_delta=candidate.deltas[place],
                mean_delta=float(deltas.mean()) if len(deltas) else None,
                sd_delta=float(deltas.std(ddof=1)) if len(deltas) > 1 else None,
                **dict(rate_of(int(simulated.passed[:, place].sum()), n)),
            )
        )
    return CandidatePower(
        scenario=candidate.scenario,
        gain=candidate.gain,
        errors_removed=candidate.share,
        results=ResultCounts(**{kind: simulated.results.count(kind) for kind in kinds}),
        checks=tuple(checks),
        **dict(rate_of(simulated.results.count("pass"), n)),
    )


def detectable_records(plan: GatePlan, pairs: Pairs) -> list[DetectableDelta]:
    """Return what the plan and each check can detect in each scenario.

    `pairs` holds equal scorers first. A plan's delta is that of its first superiority check, or of
    its first check; `check` is None for the plan as a whole.
    """
    out = []
    lead = leading_check(plan)
    equal, *better = pairs
    for scenario in dict.fromkeys(candidate.scenario for candidate, _ in better):
        tried = [equal, *(pair for pair in better if pair[0].scenario == scenario)]
        for place, at in ((None, lead), *((i, i) for i in range(len(plan.checks)))):
            margins = [
                s.margins.min(axis=1) if place is None else s.margins[:, place] for _, s in tried
            ]
            power = detectable([candidate.deltas[at] for candidate, _ in tried], margins)
            if power is not None:
                check = plan.checks[at]
                out.append(
                    DetectableDelta(
                        scenario=scenario,
                        check=place,
                        metric=check.metric,
                        kind="plan" if place is None else check.kind,
                        **dict(power),
                    )
                )
    return out


def leading_check(plan: GatePlan) -> int:
    """Return the position of the first superiority check, or of the first check without one."""
    kinds = [check.kind for check in plan.checks]
    return kinds.index("superiority") if "superiority" in kinds else 0


def _zero(at: FloatArray, values: FloatArray) -> float | None:
    """Return where rising values first reach zero, None if they never do."""
    reached = np.flatnonzero(values >= 0)
    if not len(reached):
        return None
    i = int(reached[0])
    if i == 0 or not np.isfinite(values[i - 1]):
        return float(at[i])
    part = values[i - 1] / (values[i - 1] - values[i])
    return float(at[i - 1] + part * (at[i] - at[i - 1]))
