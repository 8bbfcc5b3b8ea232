"""From simulated margins to power: rates with binomial intervals, and detectable deltas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from essay_scoring.core.scale import FloatArray
from essay_scoring.judging.plans import GatePlan
from essay_scoring.judging.power_pairs import Candidate, Simulated

Found = Sequence[tuple[Candidate, Simulated]]

POWER = 0.8
"""How often a plan or a check should pass a candidate for its delta to count as detectable."""

STILL = 0.005
"""A scenario that moves a figure by less than this says nothing of what is detectable in it."""


@dataclass(frozen=True)
class Rate:
    """How many of n simulations passed, their share, and its 95% interval."""

    passed: int
    n: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class Detectable:
    """The smallest true delta that passes with POWER, and a 95% interval of it.

    `delta` is 0 where equal scorers already pass so often, None where it lies beyond `tried`, the
    largest true delta that was simulated; so for `low` and `high`.
    """

    delta: float | None
    low: float | None
    high: float | None
    tried: float


def rate_of(passed: int, n: int) -> Rate:
    """Return a share with its exact 95% binomial interval (Clopper and Pearson 1934)."""
    from scipy.special import betaincinv

    low = float(betaincinv(passed, n - passed + 1, 0.025)) if passed else 0.0
    high = float(betaincinv(passed + 1, n - passed, 0.975)) if passed < n else 1.0
    return Rate(passed, n, passed / n, low, high)


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

    return Detectable(crossing(0), crossing(1), crossing(-1), float(at[-1]))


def candidate_record(plan: GatePlan, candidate: Candidate, found: Simulated) -> dict[str, Any]:
    """Return how a candidate fared, by the whole plan and by each check, as JSON values."""
    n = len(found.results)
    kinds = ("pass", "fail", "inconclusive", "invalid")
    checks = []
    for place, check in enumerate(plan.checks):
        deltas = found.deltas[:, place][np.isfinite(found.deltas[:, place])]
        checks.append(
            {
                "metric": check.metric,
                "kind": check.kind,
                "true_delta": candidate.deltas[place],
                "mean_delta": float(deltas.mean()) if len(deltas) else None,
                "sd_delta": float(deltas.std(ddof=1)) if len(deltas) > 1 else None,
                **asdict(rate_of(int(found.passed[:, place].sum()), n)),
            }
        )
    return {
        "scenario": candidate.scenario,
        "gain": candidate.gain,
        "errors_removed": candidate.share,
        **asdict(rate_of(found.results.count("pass"), n)),
        "results": {kind: found.results.count(kind) for kind in kinds},
        "checks": checks,
    }


def detectable_records(plan: GatePlan, found: Found) -> list[dict[str, Any]]:
    """Return what the plan and each check can detect in each scenario, as JSON values.

    `found` holds equal scorers first. A plan's delta is that of its first superiority check, or of
    its first check; `check` is None for the plan as a whole.
    """
    out = []
    lead = leading_check(plan)
    equal, *better = found
    for scenario in dict.fromkeys(candidate.scenario for candidate, _ in better):
        pairs = [equal, *(pair for pair in better if pair[0].scenario == scenario)]
        for place, at in ((None, lead), *((i, i) for i in range(len(plan.checks)))):
            margins = [
                f.margins.min(axis=1) if place is None else f.margins[:, place] for _, f in pairs
            ]
            power = detectable([candidate.deltas[at] for candidate, _ in pairs], margins)
            if power is not None:
                check = plan.checks[at]
                out.append(
                    {
                        "scenario": scenario,
                        "check": None if place is None else place,
                        "metric": check.metric,
                        "kind": "plan" if place is None else check.kind,
                        **asdict(power),
                    }
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
