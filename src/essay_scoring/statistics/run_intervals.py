"""The figures of one run with 95% intervals, prompts as units.

The variance has two parts. Prompts differ: each is left out once, labels as they are. And labels
that a fitted mapping gave would have been others with other prompts to fit it on: in resamples of
the prompts its cut-points or linking are fitted anew and applied to the essays there are.
`benchmarks/coverage.py` simulates the coverage that results.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from essay_scoring.core.scale import FloatArray
from essay_scoring.statistics import counts as c
from essay_scoring.statistics.agreement import METRICS, Estimate, overall_of
from essay_scoring.statistics.bootstrap import draw_prompts
from essay_scoring.statistics.comparison import every_figure, figures_of
from essay_scoring.statistics.counts import (
    Sums,
    Tables,
    figure_weights,
    tabulate,
    whole_prompts,
)
from essay_scoring.statistics.figures import rank_figures
from essay_scoring.statistics.intervals import (
    AddedNoise,
    effective_prompts,
    jackknife_interval,
    kappa_interval,
    left_out,
    prompt_freedom,
    share_interval,
)
from essay_scoring.statistics.linking import linked_anew
from essay_scoring.statistics.metrics import finite_or_none
from essay_scoring.statistics.predictions import CUTPOINTS, Predictions
from essay_scoring.statistics.reweighted import Reweighted

SLICES = ("mean_qwk", "worst_prompt_qwk", "bottom_k_mean")

SHARES = ("exact", "adjacent", "low_tail_adjacent", "high_tail_adjacent")
"""Figures that are shares of essays: their intervals stay within 0 and 1."""

KAPPAS = (
    "qwk",
    "mean_qwk",
    "bottom_k_mean",
    "pearson",
    "spearman",
    "pearson_raw",
    "spearman_raw",
)
"""Figures of agreement: their intervals stay within -1 and 1."""

REFITS = 200
"""How often a mapping is fitted anew: its variance is then known to a tenth."""

FEWEST_IN_A_FOLD = 2
"""A fold of one prompt is gone without it: the mean over folds has no jackknife then, unless every
fold is one prompt."""

_RANKS_OF_FINAL = {"spearman": "pearson"}
"""Cut-points move both correlations of final scores alike."""


Kind = Literal["plain", "share", "kappa"]


def kind_of(name: str) -> Kind:
    """Return which interval a figure has."""
    return "share" if name in SHARES else "kappa" if name in KAPPAS else "plain"


@dataclass(frozen=True, eq=False)
class Jackknifed:
    """A figure of one run, or a mean of several runs', with what its interval rests on.

    `without` (G,) are its values without each prompt or group, `peers` how many prompts the one
    left out is averaged with (see `jackknife_error`), `more` the variance that comes from where
    cut-points fell, and `n` the essays. Without a degree of `freedom` there is no interval.
    """

    estimate: float | None
    n: int
    without: FloatArray | None = None
    freedom: float = 0.0
    more: float = 0.0
    peers: FloatArray | None = None
    kind: Kind = "plain"

    def with_interval(self) -> Estimate:
        """Return the figure with its interval, where it has one."""
        ends = None
        if self.estimate is not None and self.without is not None:
            ends = self._ends(self.estimate, self.without)
        low, high = ends or (None, None)
        return Estimate(estimate=self.estimate, low=low, high=high, n=self.n)

    def _ends(self, estimate: float, without: FloatArray) -> tuple[float, float] | None:
        more = AddedNoise(self.more)
        if self.kind == "share":
            return share_interval(estimate, without, self.n, self.freedom, more)
        interval = kappa_interval if self.kind == "kappa" else jackknife_interval
        return interval(estimate, without, self.freedom, more, self.peers)


def run_figures(
    predictions: Predictions, *, min_prompt_n: int, bottom_k: int, seed: int
) -> dict[str, Estimate]:
    """Return every figure of METRICS and SLICES with its interval.

    The worst prompt of a run has none: the lowest of many noisy values is low by chance, and no
    interval around it covered as it says. `bottom_k_mean` rests on k prompts.
    """
    slices = {"min_prompt_n": min_prompt_n, "bottom_k": bottom_k}
    found = jackknifed_figures(predictions, seed=seed, **slices)
    return {name: figure.with_interval() for name, figure in found.items()}


def mean_over_runs(figures: Sequence[Jackknifed]) -> Estimate:
    """Return the mean of one figure over runs of the same prompts, such as one run a trait.

    Prompts are left out of all runs at once. Cut-points of two runs are taken to err together,
    which is the most they can.
    """
    known = [figure.without for figure in figures if figure.without is not None]
    estimates = [figure.estimate for figure in figures if figure.estimate is not None]
    if not len(known) == len(estimates) == len(figures):
        return Estimate(estimate=None, low=None, high=None, n=0)
    more = float(np.mean([math.sqrt(figure.more) for figure in figures])) ** 2
    return Jackknifed(
        estimate=float(np.mean(estimates)),
        n=min(figure.n for figure in figures),
        without=np.mean(known, axis=0),
        freedom=min(figure.freedom for figure in figures),
        more=more,
        peers=figures[0].peers,
        kind=figures[0].kind,
    ).with_interval()


def jackknifed_figures(
    predictions: Predictions, *, min_prompt_n: int, bottom_k: int, seed: int
) -> dict[str, Jackknifed]:
    """Return every figure of METRICS and SLICES with what its interval rests on."""
    tables = tabulate([predictions])
    layout = tables.layout
    large = layout.sizes >= min_prompt_n
    reweighted = Reweighted([predictions], tables)
    weights = left_out(len(layout.prompts), seed)
    with_raw = tabulate([predictions], with_raw=True)
    ranked = rank_figures(with_raw, whole_prompts(with_raw, weights.astype(np.int64)))
    without = _figures(reweighted.fixed(weights), large, bottom_k) | ranked
    strict = figures_of(c.sums_of(tables, c.observed(tables)), large, bottom_k, strict=True)
    # Without a prompt the k worst of the rest do better or as well: that is bias, no noise.
    lowest = without["bottom_k_mean"]
    without["bottom_k_mean"] = lowest - lowest.mean() + strict["bottom_k_mean"][0, 0]
    drawn = draw_prompts(len(layout.prompts), REFITS, seed).astype(np.float64)
    more = _of_mapping(_mapped_anew(predictions, reweighted, drawn), large, bottom_k)
    freedom = _freedom(tables, large, bottom_k)
    values = {name: (row.estimate, row.n) for name, row in overall_of(with_raw).items()}
    n_large = int(layout.sizes[large].sum())
    for name in SLICES:
        n = len(predictions) if name == "mean_qwk" else n_large
        values[name] = finite_or_none(float(strict[name][0, 0])), n
    return {
        name: Jackknifed(
            estimate=estimate,
            n=n,
            without=without[name],
            freedom=freedom[name],
            more=more.get(_RANKS_OF_FINAL.get(name, name), 0.0),
            peers=layout.peers(len(weights)) if name == "mean_qwk" else None,
            kind=kind_of(name),
        )
        for name, (estimate, n) in values.items()
    }


def _freedom(tables: Tables, large: c.Mask, bottom_k: int) -> dict[str, float]:
    """Return degrees of freedom by figure; 0 where a figure has no interval."""
    held, layout = figure_weights(tables), tables.layout
    out = {name: prompt_freedom(effective_prompts(held.get(name, held["all"]))) for name in METRICS}
    in_folds = np.bincount(layout.cell_fold)
    enough = not layout.nested or layout.one_by_one or in_folds.min() >= FEWEST_IN_A_FOLD
    out["mean_qwk"] = out["qwk"] if enough else 0.0
    out["worst_prompt_qwk"] = 0.0
    n_large = int(large.sum())
    out["bottom_k_mean"] = min(bottom_k, n_large) - 1.0 if n_large > 1 else 0.0
    return out


def _mapped_anew(
    predictions: Predictions, reweighted: Reweighted, drawn: FloatArray
) -> Iterator[Sums]:
    """Yield the sums of the essays as they are, their mapping fitted on prompts drawn (R, P)."""
    if predictions.refit in CUTPOINTS:
        yield from reweighted.refitted(drawn, np.ones_like(drawn))
    elif predictions.refit is not None:
        for final in linked_anew(predictions, drawn):
            tables = tabulate([replace(predictions, final=final)])
            yield c.sums_of(tables, c.observed(tables))


def _of_mapping(blocks: Iterable[Sums], large: c.Mask, bottom_k: int) -> dict[str, float]:
    """Return the variance by figure that comes from how the mapping was fitted."""
    values = _figures(blocks, large, bottom_k)
    return {name: float(np.nanvar(row)) for name, row in values.items() if np.isfinite(row).any()}


def _figures(blocks: Iterable[Sums], large: c.Mask, bottom_k: int) -> dict[str, FloatArray]:
    """Return the figures of one run in all resamples, each (R,)."""
    parts: dict[str, list[FloatArray]] = {}
    for sums in blocks:
        for name, values in every_figure(sums, large, bottom_k, strict=False).items():
            parts.setdefault(name, []).append(values[:, 0])
    return {name: np.concatenate(values) for name, values in parts.items()}
