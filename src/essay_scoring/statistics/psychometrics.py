"""The figures of RSMTool by its published definitions, for comparing results with it.

They differ from the project's own on purpose: QWK of continuous scores needs no rounding, SMD is in
deviations of the human scores alone, DSM asks how a subgroup fares on two standardised sides.
`true` are human scores H and `predicted` system scores M, each of shape (n,), in one unit.
"""

from __future__ import annotations

import numpy as np

from essay_scoring.core.scale import FloatArray
from essay_scoring.statistics.counts import Mask
from essay_scoring.statistics.metrics import finite_or_none

FLAT = 1e-7
"""Standard deviations up to this are none: RSMTool's tolerance for constant scores."""


def continuous_qwk(true: FloatArray, predicted: FloatArray, *, ddof: int = 0) -> float | None:
    """Return 2 Cov(H, M) / (Var(H) + Var(M) + (mean(M) - mean(H))^2) (Haberman 2019).

    Equals QWK for whole-step scores with `ddof` 0; RSMTool's reports use `ddof` 1. None for no more
    essays than `ddof`, or where both sides are the same constant.
    """
    if len(true) <= ddof:
        return None
    true_mean, mean = float(true.mean()), float(predicted.mean())
    together = float(((true - true_mean) * (predicted - mean)).sum()) / (len(true) - ddof)
    spread = float(true.var(ddof=ddof) + predicted.var(ddof=ddof)) + (mean - true_mean) ** 2
    return finite_or_none(2 * together / spread) if spread > FLAT**2 else None


def smd_in_human_deviations(true: FloatArray, predicted: FloatArray) -> float | None:
    """Return (mean(M) - mean(H)) / SD(H), RSMTool's SMD ("unpooled", sample deviation).

    `core.metrics.standardised_mean_difference` divides by the pooled deviation instead. None for
    fewer than two essays or constant human scores.
    """
    if len(true) < 2:
        return None
    deviation = float(true.std(ddof=1))
    return float(predicted.mean() - true.mean()) / deviation if deviation > FLAT else None


def standardised_means_difference(
    true: FloatArray, predicted: FloatArray, members: Mask
) -> float | None:
    """Return DSM of the essays in `members` (n,): their mean of z(M) - z(H).

    Each side is standardised by its own mean and sample deviation over all n essays. Above zero the
    system treats the subgroup more generously than the raters did. None for a subgroup without
    essays, fewer than two essays or a constant side.
    """
    if len(true) < 2 or not members.any():
        return None
    sides = (predicted, true)
    deviations = [float(side.std(ddof=1)) for side in sides]
    if min(deviations) <= FLAT:
        return None
    system, human = (
        float(np.mean((side[members] - side.mean()) / deviation))
        for side, deviation in zip(sides, deviations, strict=True)
    )
    return system - human
