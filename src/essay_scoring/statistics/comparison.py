"""A candidate against a reference on the same essays: paired differences with intervals.

Either may be several runs that differ by their seed alone. Each figure is then computed for each
run and averaged over the seeds, in every resample anew. Intervals come from swapping whole prompts
between the two (`intervals`), cut-points fitted again (`reweighted`); those of plain differences
also from leaving each prompt out, and those of the worst prompt from drawing prompts and essays
anew (`bootstrap`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from essay_scoring.core.record import Record, Share
from essay_scoring.core.scale import FloatArray
from essay_scoring.statistics import counts as c
from essay_scoring.statistics.agreement import Estimate
from essay_scoring.statistics.alignment import ARMS, Arm, Side, aligned_arms
from essay_scoring.statistics.bootstrap import resample
from essay_scoring.statistics.counts import (
    Layout,
    Sums,
    Tables,
    figure_weights,
    observed,
    sums_of,
    tabulate,
)
from essay_scoring.statistics.difference_intervals import (
    DifferenceResamples,
    difference_interval,
    drawn_figures,
)
from essay_scoring.statistics.figures import (
    fold_qwk,
    mean_of_defined,
    mean_of_lowest,
    overall_figures,
    prompt_qwk,
    prompt_variance,
    shrunken_lowest,
)
from essay_scoring.statistics.hypothesis_tests import (
    ROUNDING,
    CorrectedT,
    SignFlip,
    corrected_t,
    sign_flip,
)
from essay_scoring.statistics.intervals import (
    FEWEST_PROMPTS,
    AddedNoise,
    effective_prompts,
    left_out,
    prompt_swaps,
    swap_error,
    swap_interval,
)
from essay_scoring.statistics.metrics import finite_or_none
from essay_scoring.statistics.reweighted import Reweighted
from essay_scoring.statistics.threshold_free import (
    PRMSE,
    THRESHOLD_FREE,
    doubly_rated,
    prompt_sums,
    swapped_sums,
    threshold_free_figures,
)

Metric = Literal[
    "mean_qwk",
    "pooled_qwk",
    "worst_prompt_qwk",
    "bottom_k_mean",
    "shrunken_worst_qwk",
    "low_tail_adjacent",
    "high_tail_adjacent",
    "continuous_qwk",
    "prmse",
]
"""The deltas a check may stand on: those for which more is better."""

COUNTED: tuple[str, ...] = (
    *(name for name in get_args(Metric) if name not in THRESHOLD_FREE),
    "mae",
    "rmse",
    "smd",
)
"""The figures of labels. More is better, but for `mae` and `rmse` (less) and `smd` (nearer 0)."""

DELTAS = (*COUNTED, *THRESHOLD_FREE)
"""The figures compared; `prmse` where essays have a second rating."""

LOWEST_DRAWS = 1000


class Spread(Record):
    """How a figure differs over the seeds of an arm; null where a seed has no such figure."""

    n_seeds: int = Field(description="runs of the arm")
    sd: float | None = Field(description="sample standard deviation; null for a single seed")
    minimum: float | None = Field(description="the lowest")
    maximum: float | None = Field(description="the highest")


class Delta(Record):
    """One figure of both arms, and candidate minus reference; null where a run has none.

    `swapped` (R,) are the deltas of both with prompts swapped between them, NaN where undefined;
    they are not written.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    metric: str = Field(description="the figure")
    reference: float | None = Field(description="of the reference, mean over seeds")
    candidate: float | None = Field(description="of the candidate, mean over seeds")
    estimate: float | None = Field(description="candidate minus reference")
    low: float | None = Field(
        description="lower end of the 95% interval over prompts, and over seeds where an arm has "
        "several; null with fewer than 6 prompts"
    )
    high: float | None = Field(description="upper end")
    n: int = Field(description="essays the figure rests on")
    prompts: float = Field(
        default=0.0, description="how many prompts of equal weight it rests on (Kish 1965)"
    )
    seeds: dict[Side, Spread] = Field(description="spread over seeds of each arm")
    share_at_least_zero: Share | None = Field(
        default=None,
        description="how often a delta with the errors of this one is at least 0; null without an "
        "interval",
    )
    swapped: SkipJsonSchema[FloatArray] = Field(
        default_factory=lambda: np.empty(0), exclude=True, repr=False
    )

    def __eq__(self, other: object) -> bool:
        """Tell whether all that is written is the same."""
        return isinstance(other, Delta) and self.model_dump() == other.model_dump()

    __hash__ = None  # type: ignore[assignment]

    def studentised(self, threshold: float) -> tuple[float, FloatArray]:
        """Return the distance from `threshold` and the swapped deltas (R,), in standard errors.

        What widens the interval beyond the swaps shortens the distance alike; nothing lengthens it,
        so that no p is below what swaps can show.
        """
        if self.low is None or self.high is None or self.estimate is None:
            raise ValueError("a delta without an interval has no standard error")
        variance = float(np.nanmean(self.swapped**2))
        wider = self._wider()
        values = np.concatenate([[self.estimate], self.swapped])
        errors = swap_error(values, variance, self.prompts)
        distances = np.concatenate([[(self.estimate - threshold) / wider], self.swapped])
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = np.where(errors > 0, distances / errors, np.sign(distances) * np.inf)
        scaled = np.where(distances == 0, 0.0, scaled)
        return float(scaled[0]), scaled[1:]

    def share_at_least(self, margin: float) -> float | None:
        """Return how often a delta with the errors of this one is at least `margin`.

        A confidence distribution: the estimate with the errors that swapped runs show.
        """
        if self.low is None or self.estimate is None:
            return None
        known = self.swapped[np.isfinite(self.swapped)]
        spread = math.sqrt(float((known**2).mean()))
        error = self._wider() * float(swap_error(self.estimate, spread**2, self.prompts))
        errors = np.concatenate([known, -known]) * (error / spread if spread else 0.0)
        return float((self.estimate + errors >= margin - ROUNDING).mean())

    def _wider(self) -> float:
        """Return how much wider the interval is than the swaps alone would make it, 1 at least."""
        plain = swap_interval(self.estimate or 0.0, self.swapped, self.prompts)
        if plain is None or plain[1] <= plain[0] or self.low is None or self.high is None:
            return 1.0
        return max(1.0, (self.high - self.low) / (plain[1] - plain[0]))


class Slice(Record):
    """A prompt and its agreement."""

    prompt: str = Field(description="its name")
    qwk: float = Field(description="quadratic weighted kappa, mean over seeds")
    n: int = Field(description="essays")


class Comparison(Record):
    """A candidate against a reference: deltas, tests, and how they were computed."""

    rows: tuple[Delta, ...] = Field(alias="deltas", description="each figure, in a fixed order")
    fold_test: CorrectedT | None = Field(description="of mean QWK over folds; null: no meaning")
    prompt_test: SignFlip | None = Field(
        description="of mean QWK over large prompts; null: no meaning"
    )
    worst_prompts: dict[Side, Slice | None] = Field(
        description="each arm's own worst prompt; null where none is large enough"
    )
    n: int = Field(description="essays")
    n_prompts: int = Field(description="prompts")
    n_folds: int = Field(description="folds")
    min_prompt_n: int = Field(description="essays that make a prompt large enough to judge")
    bottom_k: int = Field(description="how many of the worst prompts are averaged")
    replicates: int = Field(description="resamples")
    seed: int = Field(description="of the resamples")

    @property
    def deltas(self) -> dict[str, Delta]:
        """The deltas by figure."""
        return {delta.metric: delta for delta in self.rows}


class _Support(NamedTuple):
    """What a figure rests on: essays, prompts, and prompts of equal weight that vary as much."""

    n: int
    present: int
    units: float


@dataclass(frozen=True, eq=False)
class _Pair:
    """The rows of all runs of both arms, which runs are whose, and how figures are made of them.

    `free` (P, runs, k) are the sums of the figures that no label touches.
    """

    tables: Tables
    arms: tuple[slice, slice]
    large: c.Mask
    bottom_k: int
    free: FloatArray

    @property
    def sizes(self) -> tuple[int, int]:
        """How many runs each arm has."""
        first = int(self.arms[0].stop)
        return first, self.tables.moments.shape[1] - first

    def figures(self, sums: Sums) -> dict[str, FloatArray]:
        """Return the figures of COUNTED of a block of resamples, each (R, runs)."""
        return figures_of(sums, self.large, self.bottom_k, strict=False)


def compare(
    reference: Arm,
    candidate: Arm,
    *,
    min_prompt_n: int = 30,
    bottom_k: int = 5,
    replicates: int = 2000,
    seed: int = 20_000,
) -> Comparison:
    """Return candidate minus reference, each figure with the interval that it has.

    Rows are matched by id. The worst prompt and the bottom k are each run's own, among prompts of
    at least `min_prompt_n` essays. Intervals come from at most `replicates` swaps of prompts; with
    none there are no intervals. Raises EvidenceError, naming what differs, for runs of other
    essays, prompts, true scores, folds or scales.
    """
    first, second = aligned_arms(reference, candidate)
    runs, arms = [*first, *second], (slice(len(first)), slice(len(first), None))
    tables = tabulate(runs)
    layout = tables.layout
    large = layout.sizes >= min_prompt_n
    sums = sums_of(tables, observed(tables))
    point = figures_of(sums, large, bottom_k, strict=True)
    free = prompt_sums(runs)
    point |= threshold_free_figures(free.sum(axis=0, keepdims=True))
    pair = _Pair(tables, arms, large, bottom_k, free)
    resampled = _resampled(pair, Reweighted(runs, tables), replicates, seed)
    support = _support(tables, large, doubly_rated(free))
    deltas = [
        _delta(name, [point[name][0, arm] for arm in arms], resampled[name], support[name])
        for name in DELTAS
        if name in point
    ]
    by_fold = _arm_means(fold_qwk(sums)[0].T, arms)
    by_prompt = _arm_means(np.where(large, prompt_qwk(sums)[0], np.nan).T, arms)
    return Comparison(
        deltas=tuple(deltas),
        fold_test=corrected_t(_difference(by_fold), sums.groups[0, :, :, 0, c.N].sum(axis=-1)),
        prompt_test=sign_flip(_difference(by_prompt), seed),
        worst_prompts={arm: _worst(layout, k) for arm, k in zip(ARMS, by_prompt, strict=True)},
        n=len(runs[0]),
        n_prompts=len(layout.prompts),
        n_folds=len(layout.folds),
        min_prompt_n=min_prompt_n,
        bottom_k=bottom_k,
        replicates=replicates,
        seed=seed,
    )


def _resampled(
    pair: _Pair, reweighted: Reweighted, replicates: int, seed: int
) -> dict[str, DifferenceResamples]:
    """Return every figure's differences under swaps, draws and without each prompt."""
    layout, sizes = pair.tables.layout, pair.sizes
    swaps = prompt_swaps(len(layout.prompts), replicates, seed)
    blocks = {name: [np.empty((0, 2))] for name in COUNTED}
    for one, other in _pairs_of(*sizes):
        for part in reweighted.swapped(swaps, one, other):
            _append(blocks, pair.figures(part))
        _append(blocks, threshold_free_figures(swapped_sums(pair.free, swaps, one, other)))
    drawn = _lowest_drawn(pair, min(replicates, LOWEST_DRAWS), seed)
    weights = left_out(len(layout.prompts), seed)
    parts: dict[str, list[FloatArray]] = {}
    for left in reweighted.fixed(weights):
        _append(parts, pair.figures(left))
    _append(parts, threshold_free_figures(np.tensordot(weights, pair.free, axes=1)))
    peers = {"mean_qwk": layout.peers(len(weights))}
    two = (slice(1), slice(1, None))
    return {
        name: DifferenceResamples(
            _difference(_arm_means(np.concatenate(values), two))
            .reshape(math.lcm(*sizes), -1)
            .mean(axis=0),
            drawn.get(name),
            _difference(_arm_means(np.concatenate(parts[name]), pair.arms)),
            peers.get(name),
        )
        for name, values in blocks.items()
    }


def _append(blocks: dict[str, list[FloatArray]], figures: dict[str, FloatArray]) -> None:
    for name, values in figures.items():
        blocks.setdefault(name, []).append(values)


def figures_of(sums: Sums, large: c.Mask, bottom_k: int, *, strict: bool) -> dict[str, FloatArray]:
    """Return those of COUNTED, each (R, runs); `strict`: a fold without QWK leaves no mean."""
    figures = every_figure(sums, large, bottom_k, strict=strict)
    return {name: figures[name] for name in COUNTED}


def every_figure(
    sums: Sums, large: c.Mask, bottom_k: int, *, strict: bool
) -> dict[str, FloatArray]:
    """Return `figures_of` with all other figures over all essays, each (R, runs)."""
    figures, folds = overall_figures(sums), fold_qwk(sums)
    figures["pooled_qwk"] = figures["qwk"]
    figures["mean_qwk"] = folds.mean(axis=-1) if strict else mean_of_defined(folds)
    return figures | lowest_figures(sums, large, bottom_k)


def lowest_figures(sums: Sums, large: c.Mask, bottom_k: int) -> dict[str, FloatArray]:
    """Return the figures of the worst of the large prompts, each (R, runs)."""
    kappa = np.where(large, prompt_qwk(sums), np.nan)
    drawn = np.broadcast_to(sums.drawn[:, None], kappa.shape)
    return {
        "worst_prompt_qwk": mean_of_lowest(kappa, drawn, 1),
        "bottom_k_mean": mean_of_lowest(kappa, drawn, bottom_k),
        "shrunken_worst_qwk": shrunken_lowest(kappa, prompt_variance(sums), drawn),
    }


def mean_delta(deltas: Sequence[Delta]) -> Estimate:
    """Return the mean of deltas of the same prompts, such as one a trait, with its interval.

    All were swapped alike, so that their mean under each swap is known.
    """
    estimates = [delta.estimate for delta in deltas if delta.estimate is not None]
    if len(estimates) < len(deltas) or any(delta.low is None for delta in deltas):
        return Estimate(estimate=None, low=None, high=None, n=min(delta.n for delta in deltas))
    swapped = np.mean([delta.swapped for delta in deltas], axis=0)
    estimate = float(np.mean(estimates))
    ends = swap_interval(estimate, swapped, min(delta.prompts for delta in deltas))
    low, high = ends or (None, None)
    return Estimate(estimate=estimate, low=low, high=high, n=min(delta.n for delta in deltas))


def _arm_means(values: FloatArray, arms: tuple[slice, slice]) -> FloatArray:
    """Return means over the seeds of each arm, (R, runs) to (2, R); NaN where a seed has none."""
    return np.stack([values[:, arm].mean(axis=1) for arm in arms])


def _difference(arm_means: FloatArray) -> FloatArray:
    """Return candidate minus reference, (2, R) to (R,)."""
    return np.asarray(arm_means[1] - arm_means[0])


def _lowest_drawn(pair: _Pair, replicates: int, seed: int) -> dict[str, FloatArray]:
    """Return deltas of figures of few prompts, prompts and essays drawn anew, (R,) each."""
    blocks: dict[str, list[FloatArray]] = {name: [] for name in drawn_figures(pair.bottom_k)}
    for draws in resample(pair.tables, replicates, seed, "prompts"):
        figures = lowest_figures(sums_of(pair.tables, draws), pair.large, pair.bottom_k)
        for name, parts in blocks.items():
            parts.append(_difference(_arm_means(figures[name], pair.arms)))
    return {name: np.concatenate(parts) for name, parts in blocks.items() if parts}


def _pairs_of(n_reference: int, n_candidate: int) -> list[tuple[int, int]]:
    """Return pairs of a run of each arm, by their places: every run is in as many as the others."""
    n_pairs = math.lcm(n_reference, n_candidate)
    return [(pair % n_reference, n_reference + pair % n_candidate) for pair in range(n_pairs)]


def _delta(
    name: str, values: list[FloatArray], resampled: DifferenceResamples, support: _Support
) -> Delta:
    """Return one delta from each arm's figures by seed and the resampled differences."""
    reference, candidate = (finite_or_none(float(seeds.mean())) for seeds in values)
    estimate = None if reference is None or candidate is None else candidate - reference
    ends, swapped = None, resampled.swapped
    if estimate is not None and len(swapped) and support.present >= FEWEST_PROMPTS:
        swapped = np.concatenate([[estimate], swapped[1:]])  # The first swaps none: no binning.
        resampled = resampled._replace(swapped=swapped)
        seeds = AddedNoise.of_seeds(*values)
        ends = difference_interval(name, estimate, resampled, support.units, seeds)
    delta = Delta(
        metric=name,
        reference=reference,
        candidate=candidate,
        estimate=estimate,
        low=ends and ends[0],
        high=ends and ends[1],
        n=support.n,
        prompts=support.units,
        seeds={arm: _spread(seeds) for arm, seeds in zip(ARMS, values, strict=True)},
        swapped=swapped,
    )
    return delta.model_copy(update={"share_at_least_zero": delta.share_at_least(0.0)})


def _spread(seeds: FloatArray) -> Spread:
    """Return how a figure (S,) spreads over seeds."""
    sd = float(seeds.std(ddof=1)) if len(seeds) > 1 else np.nan
    return Spread(
        n_seeds=len(seeds),
        sd=finite_or_none(sd),
        minimum=finite_or_none(float(seeds.min())),
        maximum=finite_or_none(float(seeds.max())),
    )


def _worst(layout: Layout, kappa: FloatArray) -> Slice | None:
    """Return the first prompt, by name, with the lowest QWK (P,) of those that have one."""
    if np.isnan(kappa).all():
        return None
    at = int(np.nanargmin(kappa))
    return Slice(prompt=layout.prompts[at], qwk=float(kappa[at]), n=int(layout.sizes[at]))


def _support(tables: Tables, large: c.Mask, twice: FloatArray) -> dict[str, _Support]:
    """Return what each figure of DELTAS rests on; `large` prompts count alike in slices.

    `twice` (P,) are the essays of each prompt with a second rating.
    """
    held = figure_weights(tables)
    weights = {name: held.get(name, held["all"]) for name in DELTAS} | {PRMSE: twice}
    alike = large.astype(np.float64)
    weights |= dict.fromkeys(("worst_prompt_qwk", "bottom_k_mean", "shrunken_worst_qwk"), alike)
    sizes = tables.layout.sizes
    return {
        name: _Support(
            int((sizes if of is alike else of) @ (of > 0)),
            int((of > 0).sum()),
            effective_prompts(of),
        )
        for name, of in weights.items()
    }
