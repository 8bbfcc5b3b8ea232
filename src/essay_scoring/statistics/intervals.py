"""95% intervals with prompts as units: of one run by the jackknife, of two by swapping prompts.

Of one run (`jackknife_interval`): each prompt is left out once, labels as they are, which gives a
variance that is right for unequal prompts (MacKinnon, Nielsen and Webb 2023, CR3); what cut-points
add is measured apart, since an argmax has no jackknife. The quantile is that of t with as many
degrees of freedom as equal prompts would leave.

Of two runs (`swap_interval`): where they are equal, each prompt's predictions could as well have
been the other run's (Fisher 1935). Swapping whole prompts, cut-points fitted again, shows how far
figures of equal runs lie apart, for any figure and however few prompts. The interval is the set of
shifts that such a test does not refuse. Where the difference is plain (`is_plain`) the interval is
widened to the jackknife's, and of the worst prompt to what drawing prompts and essays anew gives
(`drawn_interval`). Where swaps cannot refuse anything (`is_tied`) the worst k prompts have the
jackknife's in its place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.scale import FloatArray
from essay_scoring.statistics.bootstrap import percentiles
from essay_scoring.statistics.student import t_quantile

FEWEST_PROMPTS = 6
"""With fewer prompts no outcome of a swap test has a two-sided p below 5%: 2 / 2^5 is 6%."""

LEVEL = 0.95

MOST = 0.8
"""The share of the variance under swaps beyond which a difference itself is most of it."""

MOST_GROUPS = 200
"""Beyond so many prompts they are left out by groups (Kott 2001), which costs no accuracy."""


@dataclass(frozen=True)
class AddedNoise:
    """Variance that prompts do not show, of seeds or of cut-points, and its degrees of freedom."""

    variance: float = 0.0
    freedom: float = math.inf

    @classmethod
    def of_seeds(cls, *arms: FloatArray) -> AddedNoise:
        """Return the noise of arms' figures by seed, each (S,); of a single seed none is known.

        Bouthillier et al. (2021): a mean over S seeds varies by their variance over S. Degrees of
        freedom by Satterthwaite (1946).
        """
        parts = [(arm.var(ddof=1) / len(arm), len(arm) - 1) for arm in arms if len(arm) > 1]
        total = float(sum(variance for variance, _ in parts))
        if not total > 0:
            return cls()
        return cls(total, total**2 / sum(v**2 / freedom for v, freedom in parts))


def prompt_swaps(n_prompts: int, most: int, seed: int) -> FloatArray:
    """Return which prompts two runs swap, (R, P) of 0 and 1; the first row swaps none.

    All ways of doing so, but for their opposites, which only change the sign, where that is at most
    `most`; else so many drawn at random.
    """
    if 2 ** (n_prompts - 1) <= most:
        bits = np.arange(2 ** (n_prompts - 1))[:, None] >> np.arange(n_prompts) & 1
        return bits.astype(np.float64)
    rng = np.random.default_rng(derive_seed(seed, "swaps"))
    swaps = rng.integers(0, 2, (most, n_prompts)).astype(np.float64)
    swaps[:1] = 0
    return swaps


def left_out(n_prompts: int, seed: int) -> FloatArray:
    """Return weights of prompts, (G, P), each row without one prompt, or one group of them."""
    n_groups = min(n_prompts, MOST_GROUPS)
    group = np.arange(n_prompts) % n_groups
    if n_groups < n_prompts:
        group = np.random.default_rng(derive_seed(seed, "groups")).permutation(group)
    return np.asarray(group != np.arange(n_groups)[:, None], dtype=np.float64)


def wilson(share: float, n: float, freedom: float = math.inf) -> tuple[float, float]:
    """Return Wilson's 95% interval of a share of `n` > 0 essays (Wilson 1927, JASA 22)."""
    z2 = t_quantile(freedom) ** 2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # At 0 and 1 an end is the share itself, but for rounding.
    return max(0.0, min(share, centre - reach)), min(1.0, max(share, centre + reach))


def wilson_of_error(
    share: float, error: float, n: float, freedom: float = math.inf
) -> tuple[float, float]:
    """Return Wilson's interval of a share whose standard error is known, of `n` essays in clusters.

    It is that of as many independent essays as would leave the error, with `freedom` degrees of
    freedom (Kott and Carr 1997; it covers as it says with few clusters, Dean and Pagano 2015). It
    stays within 0 and 1, and has width where all essays, or all clusters, are alike: clusters that
    differ by no more than chance leave the essays independent.
    """
    spread = share * (1 - share)
    if spread <= 0 or error**2 <= spread / n:
        return wilson(share, n)
    return wilson(share, spread / error**2, freedom)


def effective_prompts(weights: FloatArray) -> float:
    """Return how many prompts of equal weight vary as those of `weights` (P,) do (Kish 1965)."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def prompt_freedom(units: float) -> float:
    """Return the jackknife's degrees of freedom of a figure that rests on so many equal prompts.

    Two are lost, a mean and a slope: with fewer than ten prompts one less covers less than it says
    (Bell and McCaffrey 2002 find as few for a slope).
    """
    return units - 2


def swap_error(values: FloatArray | float, variance: float, units: float) -> FloatArray:
    """Return the standard error of a difference of so much, each of `values`.

    `variance` is that of swapped differences about 0. A difference that is there adds to it value^2
    / units, for `units` equal prompts; that is taken out.
    """
    left = np.maximum(variance - np.square(values) / units, 0.0)
    return np.asarray(np.sqrt(left * units / (units - 1)))


def swap_interval(
    estimate: float, swapped: FloatArray, units: float, seeds: AddedNoise | None = None
) -> tuple[float, float] | None:
    """Return the interval of a difference whose value under each swap is `swapped` (R,).

    `units` is the number of equal prompts that the figure rests on. It holds 0 exactly where the
    difference is no larger than 95% of the swapped ones. None where nothing could be refused, or
    where the figure is undefined under many swaps.
    """
    known = swapped[np.isfinite(swapped)]
    if len(known) < LEVEL * len(swapped) or units <= 1:
        return None
    variance = float((known**2).mean())
    bound = float(np.quantile(np.abs(known), LEVEL, method="higher"))
    room = units * variance - bound**2
    if variance == 0:
        return estimate, estimate
    if room <= 0:
        return None
    t = bound * math.sqrt((units - 1) / room)
    error = float(swap_error(estimate, variance, units))
    reach = _with_seeds(t, error, units - 1, seeds or AddedNoise())
    if abs(estimate) <= bound:
        reach = max(reach, abs(estimate))  # Not to lose 0 by rounding.
    return estimate - reach, estimate + reach


def is_plain(estimate: float, swapped: FloatArray, units: float) -> bool:
    """Tell whether a difference makes up most of what its swapped ones (R,) show.

    What is left of them once it is taken out (`swap_error`) is then too little to be its error.
    """
    known = swapped[np.isfinite(swapped)]
    return bool(len(known)) and estimate**2 > MOST * units * float((known**2).mean())


def is_tied(swapped: FloatArray) -> bool:
    """Tell whether swaps (R,) could refuse no difference: they come to too few.

    Fewer than FEWEST_PROMPTS prompts make up the figure then, as the worst five of eight do where
    they are the same in both runs: each swapped or not, and opposites alike but for the sign.
    """
    sizes = np.unique(np.round(np.abs(swapped[np.isfinite(swapped)]), 9))
    return bool(sizes.any()) and len(sizes) <= 2 ** (FEWEST_PROMPTS - 2)


def drawn_interval(estimate: float, drawn: FloatArray, units: float) -> tuple[float, float] | None:
    """Return the percentile interval of a difference from its values over prompts drawn anew (R,).

    Its ends lie further from the estimate by what t with `units` - 1 degrees of freedom exceeds the
    normal by (Hesterberg 2015). None where the figure is undefined in many draws.
    """
    low, high = percentiles(drawn)
    if low is None or high is None or units <= 1:
        return None
    wider = t_quantile(units - 1) / t_quantile(math.inf)
    return estimate + wider * (low - estimate), estimate + wider * (high - estimate)


def hull(one: tuple[float, float], other: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return the smallest interval that holds both; None where one is missing."""
    return None if other is None else (min(one[0], other[0]), max(one[1], other[1]))


def first_with_width(
    one: tuple[float, float] | None, other: tuple[float, float]
) -> tuple[float, float]:
    """Return `one`, or `other` where it is missing or has no width.

    Where no prompt left out moves a figure, the jackknife knows of no error; there is one.
    """
    return one if one is not None and one[0] < one[1] else other


def jackknife_interval(
    estimate: float,
    without: FloatArray,
    freedom: float,
    more: AddedNoise | None = None,
    peers: FloatArray | None = None,
) -> tuple[float, float] | None:
    """Return the interval of a figure from its values without each prompt or group, (G,).

    `more` is noise that leaving out does not show; `peers` as in `jackknife_error`. None without a
    degree of freedom, or where the figure is undefined without some prompt.
    """
    if len(without) < 2 or freedom < 1 or not np.isfinite(without).all():
        return None
    variance = jackknife_error(estimate, without, peers) ** 2
    total, of_all = _joined(variance, freedom, more or AddedNoise())
    reach = t_quantile(of_all) * math.sqrt(total)
    return estimate - reach, estimate + reach


def kappa_interval(
    estimate: float,
    without: FloatArray,
    freedom: float,
    more: AddedNoise | None = None,
    peers: FloatArray | None = None,
) -> tuple[float, float] | None:
    """Return `jackknife_interval` of a kappa or correlation, on the scale of Fisher's z (1921).

    There it is more nearly normal, and its ends stay within -1 and 1. Plain where one is 1 or -1.
    """
    if not (np.abs(np.append(without, estimate)) < 1).all():
        return jackknife_interval(estimate, without, freedom, more, peers)
    steep = 1 / (1 - estimate**2)
    noise = more and AddedNoise(more.variance * steep**2, more.freedom)
    ends = jackknife_interval(math.atanh(estimate), np.arctanh(without), freedom, noise, peers)
    return ends and (math.tanh(ends[0]), math.tanh(ends[1]))


def share_interval(
    share: float, without: FloatArray, n: float, freedom: float, more: AddedNoise | None = None
) -> tuple[float, float] | None:
    """Return `jackknife_interval` of a share of `n` essays, by Wilson's formula."""
    if jackknife_interval(share, without, freedom, more) is None:
        return None
    variance = jackknife_error(share, without) ** 2
    total, of_all = _joined(variance, freedom, more or AddedNoise())
    return wilson_of_error(share, math.sqrt(total), n, of_all)


def jackknife_error(estimate: float, without: FloatArray, peers: FloatArray | None = None) -> float:
    """Return the standard error of a figure from its values without each prompt, (G,).

    `peers` (G,) is how many prompts the one left out is averaged with, itself included: all of
    them, unless the figure is a mean over folds. A fold of m prompts moves by 1 / (m - 1) of a
    prompt's distance where it should count 1 / m of it (Jones 1974).
    """
    n = np.full(len(without), len(without)) if peers is None else peers
    return math.sqrt(float(((n - 1) / n * (without - estimate) ** 2).sum()))


def _with_seeds(t: float, error: float, freedom: float, seeds: AddedNoise) -> float:
    """Return half an interval: `t` errors of prompts, wider by what seeds add."""
    if not seeds.variance:
        return t * error
    total, both = _joined(error**2, freedom, seeds)
    wider = max(1.0, t_quantile(both) / t_quantile(freedom))
    return t * wider * math.sqrt(total)


def _joined(variance: float, freedom: float, more: AddedNoise) -> tuple[float, float]:
    """Return a variance with noise added, and its degrees of freedom (Satterthwaite 1946)."""
    total = variance + more.variance
    spread = variance**2 / freedom + more.variance**2 / more.freedom
    return total, total**2 / spread if spread else math.inf
