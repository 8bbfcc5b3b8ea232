"""Student's t: intervals of means and two-sided p-values."""

from __future__ import annotations

import numpy as np

from essay_scoring.core.scale import FloatArray


def half_interval(error: float, df: float) -> float:
    """Return half the width of a 95% interval, from a standard error and degrees of freedom."""
    return t_quantile(df) * error


def t_quantile(df: float) -> float:
    """Return how many standard errors half a 95% interval is."""
    from scipy.special import ndtri, stdtrit

    return float(stdtrit(df, 0.975) if np.isfinite(df) else ndtri(0.975))


def two_sided_p(t: float, df: float) -> float:
    """Return the chance of a statistic at least as far from zero."""
    from scipy.special import stdtr

    return 2 * float(stdtr(df, -abs(t)))


def mean_interval(values: FloatArray) -> tuple[float | None, float | None]:
    """Return the 95% interval of the mean of independent values (n,); None for fewer than two."""
    n = len(values)
    if n < 2:
        return None, None
    mean = float(values.mean())
    half = half_interval(float(values.std(ddof=1) / np.sqrt(n)), n - 1)
    return mean - half, mean + half
