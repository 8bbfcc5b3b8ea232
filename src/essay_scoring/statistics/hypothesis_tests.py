"""Tests of a paired difference over folds and over prompts, and a correction for several of them.

A fold and a prompt are the units here, not an essay: scorers differ by prompt, and the training
sets of cross-validation overlap.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from pydantic import Field

from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.record import Record
from essay_scoring.core.scale import FloatArray
from essay_scoring.statistics.student import half_interval, two_sided_p

N_FLIPS = 10_000
"""How many sign flips are drawn where there are more; up to as many are enumerated."""

_BLOCK_NUMBERS = 4_000_000
"""How many signs are held at once."""

ROUNDING = 1e-12
"""By how much sums of the same numbers in another order may differ."""


class CorrectedT(Record):
    """The corrected resampled t-test over folds (Nadeau and Bengio 2003)."""

    estimate: float = Field(description="mean difference over folds")
    low: float = Field(description="lower end of its 95% interval")
    high: float = Field(description="upper end")
    t: float | None = Field(
        description="the statistic; null where all folds differ by the same amount"
    )
    p: float | None = Field(description="two-sided; null where t is")
    n_folds: int = Field(description="folds")
    test_train_ratio: float = Field(description="mean over folds of held-out by training essays")


class SignFlip(Record):
    """The sign-flip test over prompts: with few, no difference has a small p (2 / 2^n_prompts)."""

    estimate: float = Field(description="mean difference over prompts")
    p: float = Field(description="two-sided")
    n_prompts: int = Field(description="prompts")
    n_flips: int = Field(description="assignments of signs")
    exact: bool = Field(description="whether they are all there are")


def corrected_t(differences: FloatArray, sizes: FloatArray) -> CorrectedT | None:
    """Return the test of `differences` (J,) between two scorers over J folds of `sizes` essays.

    Nadeau and Bengio (2003), the corrected resampled t-test: the variance of the mean is
    (1 / J + n_test / n_train) * S^2 with J - 1 degrees of freedom, since training sets overlap and
    folds are no independent sample (S^2 / J finds differences far too often). None for fewer than
    two folds or a fold without a difference.
    """
    n_folds = len(differences)
    if n_folds < 2 or not np.isfinite(differences).all():
        return None
    ratio = float((sizes / (sizes.sum() - sizes)).mean())
    mean, spread = float(differences.mean()), float(differences.std(ddof=1))
    error = math.sqrt(1 / n_folds + ratio) * spread
    reach = half_interval(error, n_folds - 1)
    t: float | None = None
    if error > ROUNDING or abs(mean) <= ROUNDING:
        t = mean / error if error > ROUNDING else 0.0
    p = None if t is None else two_sided_p(t, n_folds - 1)
    return CorrectedT(
        estimate=mean,
        low=mean - reach,
        high=mean + reach,
        t=t,
        p=p,
        n_folds=n_folds,
        test_train_ratio=ratio,
    )


def sign_flip(differences: FloatArray, seed: int) -> SignFlip | None:
    """Return the test of `differences` (P,), one a prompt, undefined ones (NaN) left out.

    Under the null the scorers are exchangeable within each prompt, so that every assignment of
    signs to the differences is as likely (Fisher 1935; Good 2005): p is the share of assignments
    whose mean is at least as far from zero. All 2^P are enumerated up to N_FLIPS; beyond it
    N_FLIPS are drawn and the observed one is counted among them, (b + 1) / (m + 1) (Phipson and
    Smyth 2010). None without a prompt.
    """
    defined = differences[np.isfinite(differences)]
    n_prompts = len(defined)
    if not n_prompts:
        return None
    exact = n_prompts <= math.log2(N_FLIPS)
    n_flips = 2**n_prompts if exact else N_FLIPS
    rng = np.random.default_rng(derive_seed(seed, "sign flips"))
    estimate, as_far = float(defined.mean()), 0
    at_once = max(1, _BLOCK_NUMBERS // n_prompts)
    for first in range(0, n_flips, at_once):
        rows = np.arange(first, min(first + at_once, n_flips))
        if exact:
            bits = rows[:, None] >> np.arange(n_prompts) & 1
        else:
            bits = rng.integers(0, 2, (len(rows), n_prompts))
        means = (2.0 * bits - 1) @ defined / n_prompts
        as_far += int((np.abs(means) >= abs(estimate) - ROUNDING).sum())
    p = as_far / n_flips if exact else (as_far + 1) / (n_flips + 1)
    return SignFlip(estimate=estimate, p=p, n_prompts=n_prompts, n_flips=n_flips, exact=exact)


def holm(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return p-values adjusted for being read together, by name and in the same order.

    Holm (1979), step-down: the i-th smallest of m becomes the largest (m - j + 1) * p_(j) of all
    j <= i, at most 1; the chance of any false finding stays below the level it is held against. A
    test without a p-value stays without, yet counts among the m: it was asked.
    """
    known = sorted((p, name) for name, p in p_values.items() if p is not None)
    adjusted: dict[str, float | None] = dict.fromkeys(p_values)
    highest = 0.0
    for place, (p, name) in enumerate(known):
        highest = max(highest, min(1.0, (len(p_values) - place) * p))
        adjusted[name] = highest
    return adjusted
