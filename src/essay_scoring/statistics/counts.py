"""Contingency tables of predictions, and the sums from which every figure of agreement follows.

An essay counts only through its prompt, its fold, its true label and its predicted labels, so a
resample of the essays is a new count for each distinct row of that table, and the figures of all
resamples follow from a few matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from essay_scoring.core.scale import (
    HIGH_TAIL,
    LOW_TAIL,
    TRAINING_WIDTH,
    FloatArray,
    IntArray,
    ScoreScale,
    ScoreScales,
)
from essay_scoring.statistics.predictions import Predictions

Mask = npt.NDArray[np.bool_]

N, TRUE, TRUE2, FINAL, FINAL2, PRODUCT, ABSOLUTE, EXACT, ADJACENT = range(9)
LOW, LOW_ADJACENT, HIGH, HIGH_ADJACENT = range(9, 13)
SS, SP, PP, SI, SJ, PI, PJ = range(13, 20)
N_MOMENTS = 20
"""What is summed for an essay: 1, i, i^2, j, j^2, ij, |i - j|, and marks that i = j, that |i - j|
<= 1, that i is in the low tail, there and adjacent, and so for the high tail; then, for the
variance of QWK, the products s^2, sp, p^2, si, sj, pi, pj of s = i^2 + j^2 and p = ij; i and j are
the positions of the true and the final label on the full label list of the essay's scale."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Which prompts, folds and scales there are, and which (prompt, fold) cells hold essays.

    P prompts of `sizes` essays, F folds, S scales, C cells sorted by prompt. A step of scale s is
    worth `widths[s]` in overall figures (see `unit_width`).
    """

    prompts: tuple[str, ...]
    sizes: IntArray
    folds: IntArray
    scale_of_prompt: IntArray
    widths: FloatArray
    cell_prompt: IntArray
    cell_fold: IntArray

    @property
    def nested(self) -> bool:
        """Whether every prompt lies in one fold, as in `prompt_holdout`."""
        return len(self.cell_fold) == len(self.prompts)

    @property
    def one_by_one(self) -> bool:
        """Whether every fold holds one whole prompt: each is left out by itself."""
        return self.nested and len(self.folds) == len(self.prompts)

    def peers(self, groups: int) -> FloatArray | None:
        """Return how many prompts lie in the fold of each, (P,), for `jackknife_error`.

        None where folds share prompts, where these are left out in fewer groups than there are, and
        where each fold holds one: a mean over folds is then one over all prompts.
        """
        if not self.nested or self.one_by_one or groups < len(self.prompts):
            return None
        return np.bincount(self.cell_fold)[self.cell_fold].astype(np.float64)


@dataclass(frozen=True, eq=False)
class Tables:
    """The distinct rows of one run, or of several runs of the same essays, sorted by cell.

    u rows; row r stands for `counts[r]` essays and has `moments[r]`, shape (runs, N_MOMENTS).
    Cell c begins at row `cell_starts[c]`, prompt p at row `prompt_starts[p]`. `values` holds the
    columns true, each run's final, and each run's raw if asked for, in the unit of overall figures.
    """

    layout: Layout
    counts: IntArray
    moments: FloatArray
    values: FloatArray
    cell_starts: IntArray
    prompt_starts: IntArray

    @property
    def rows_of_prompts(self) -> IntArray:
        """How many rows each prompt has, (P,)."""
        return np.diff(np.append(self.prompt_starts, len(self.counts)))


@dataclass(frozen=True, eq=False)
class Draws:
    """R resamples of the rows of a table.

    `counts` (R, u) holds whole numbers; an essay of prompt p counted there stands for 1 /
    `times[p]` of an essay. `drawn` (R, P) says how often each prompt is there.
    """

    counts: FloatArray
    times: IntArray
    drawn: IntArray


@dataclass(frozen=True, eq=False)
class Sums:
    """Moments summed over each of R resamples of the essays.

    `prompts` (R, P, runs, N_MOMENTS), `groups` (R, F, S, runs, N_MOMENTS) by fold and scale, and
    `drawn` (R, P) as in `Draws`.
    """

    layout: Layout
    prompts: FloatArray
    groups: FloatArray
    drawn: IntArray


def unit_width(scales: ScoreScales, scale: ScoreScale) -> float:
    """Return what one step of `scale` is worth in figures over essays of several prompts.

    One shared scale: its step, so that errors are score points. Scales that differ by prompt: its
    share of the common scale from 0 to TRAINING_WIDTH, or a 0-60 prompt would drown a 0-3 prompt.
    """
    return scale.step if scales.shared is not None else TRAINING_WIDTH / (scale.n_labels - 1)


def exactly_tied(values: FloatArray) -> FloatArray:
    """Return values without their last bits: 4 * 1 / 3 of one scale ties with 4 * 20 / 60."""
    return np.round(values, 12)


def tabulate(runs: Sequence[Predictions], *, with_raw: bool = False) -> Tables:
    """Return the table of aligned runs: the same ids, prompts, folds and true scores, row by row.

    Rows differ in prompt, fold, true or final label of a run, and in raw predictions if
    `with_raw`. The order of the essays does not matter to the result.
    """
    first = runs[0]
    prompts, prompt_of = first.numbered_prompts()
    folds, fold_of = np.unique(first.folds, return_inverse=True)
    scales, scale_of_prompt = _scales(first.scales, prompts)
    columns: list[FloatArray | IntArray] = [prompt_of, fold_of]
    columns += positions(runs, scales, scale_of_prompt[prompt_of])
    if with_raw:
        columns += [run.in_common_unit(run.raw) for run in runs]
    rows, counts = np.unique(np.column_stack(columns), axis=0, return_counts=True)
    cells, cell_starts = np.unique(rows[:, :2].astype(np.int64), axis=0, return_index=True)
    widths = np.array([unit_width(first.scales, scale) for scale in scales])
    layout = Layout(
        prompts=prompts,
        sizes=np.bincount(prompt_of, minlength=len(prompts)),
        folds=folds,
        scale_of_prompt=scale_of_prompt,
        widths=widths,
        cell_prompt=cells[:, 0],
        cell_fold=cells[:, 1],
    )
    scale_of_row = scale_of_prompt[rows[:, 0].astype(np.int64)]
    top = np.array([scale.n_labels - 1.0 for scale in scales])[scale_of_row]
    labels = np.asarray(rows[:, 2 : 3 + len(runs)], dtype=np.float64)
    return Tables(
        layout,
        counts,
        np.stack([label_moments(labels[:, 0], final, top) for final in labels.T[1:]], axis=1),
        np.column_stack(
            [exactly_tied(labels * widths[scale_of_row][:, None]), rows[:, 3 + len(runs) :]]
        ),
        cell_starts,
        cell_starts[np.searchsorted(cells[:, 0], np.arange(len(prompts)))],
    )


def sums_of(tables: Tables, draws: Draws) -> Sums:
    """Return the sums of every resample; two runs with equal labels get equal sums, bit for bit."""
    layout, runs = tables.layout, tables.moments.shape[1]
    flat = tables.moments.reshape(len(tables.counts), runs * N_MOMENTS)
    ends = np.append(tables.cell_starts, len(flat))[1:]
    cells = np.empty((len(draws.counts), len(ends), flat.shape[1]))
    for cell, (start, end) in enumerate(zip(tables.cell_starts, ends, strict=True)):
        cells[:, cell] = draws.counts[:, start:end] @ flat[start:end]
    cells /= draws.times[layout.cell_prompt, None]
    return sums_of_cells(layout, cells.reshape(len(cells), len(ends), runs, N_MOMENTS), draws.drawn)


def sums_of_cells(layout: Layout, cells: FloatArray, drawn: IntArray) -> Sums:
    """Return the sums of moments by cell (R, C, runs, N_MOMENTS) over prompts, folds and scales."""
    runs = cells.shape[2]
    flat = cells.reshape(*cells.shape[:2], runs * N_MOMENTS)
    n_scales, n_prompts, n_folds = len(layout.widths), len(layout.prompts), len(layout.folds)
    group = layout.cell_fold * n_scales + layout.scale_of_prompt[layout.cell_prompt]
    prompts = _summed_by(layout.cell_prompt, flat, n_prompts)
    groups = _summed_by(group, flat, n_folds * n_scales)
    return Sums(
        layout,
        prompts.reshape(len(cells), n_prompts, runs, N_MOMENTS),
        groups.reshape(len(cells), n_folds, n_scales, runs, N_MOMENTS),
        drawn,
    )


def figure_weights(tables: Tables) -> dict[str, FloatArray]:
    """Return the essays of each prompt, (P,), that a figure over all essays rests on, by figure.

    `low_tail_adjacent` and `high_tail_adjacent` rest on their tails, any other on "all".
    """
    of_rows = tables.counts[:, None] * tables.moments[:, 0]
    essays = np.add.reduceat(of_rows, tables.prompt_starts, axis=0).T
    return {
        "all": essays[N],
        "low_tail_adjacent": essays[LOW],
        "high_tail_adjacent": essays[HIGH],
    }


def observed(tables: Tables) -> Draws:
    """Return the one draw that is the essays as they are."""
    return whole_prompts(tables, np.ones((1, len(tables.layout.prompts)), dtype=np.int64))


def whole_prompts(tables: Tables, drawn: IntArray) -> Draws:
    """Return the draws that hold the essays of each prompt `drawn` (R, P) times."""
    counts = tables.counts * np.repeat(drawn, tables.rows_of_prompts, axis=1)
    once = np.ones(len(tables.layout.prompts), dtype=np.int64)
    return Draws(counts.astype(np.float64), once, drawn)


def _summed_by(group: IntArray, cells: FloatArray, n_groups: int) -> FloatArray:
    """Return sums of cells (R, C, m) by group, (R, n_groups, m), added in one order for all m."""
    out = np.zeros((len(cells), n_groups, cells.shape[2]))
    order = np.argsort(group, kind="stable")
    present, starts = np.unique(group[order], return_index=True)
    out[:, present] = np.add.reduceat(cells[:, order], starts, axis=1)
    return out


def _scales(scales: ScoreScales, prompts: Sequence[str]) -> tuple[list[ScoreScale], IntArray]:
    """Return the scales in use and the position of each prompt's among them."""
    groups = scales.for_prompts(prompts)
    of_prompt = np.empty(len(prompts), dtype=np.int64)
    for position, rows in enumerate(groups.values()):
        of_prompt[rows] = position
    return list(groups), of_prompt


def positions(
    runs: Sequence[Predictions], scales: list[ScoreScale], scale_of: IntArray
) -> list[IntArray]:
    """Return label positions, each (n,): the true ones, then the final ones of each run."""
    scores = [runs[0].true, *(run.final for run in runs)]
    columns = [np.empty(len(scale_of), dtype=np.int64) for _ in scores]
    for position, scale in enumerate(scales):
        rows = scale_of == position
        for column, values in zip(columns, scores, strict=True):
            column[rows] = scale.index(values[rows])
    return columns


def label_moments(true: FloatArray, final: FloatArray, top: FloatArray | float) -> FloatArray:
    """Return what is summed, shape (u, N_MOMENTS), of label positions; `top` is the last label."""
    error = np.abs(true - final)
    adjacent = error <= 1
    low, high = true <= LOW_TAIL * top + 1e-9, true >= HIGH_TAIL * top - 1e-9
    squares, product = true**2 + final**2, true * final
    columns = (
        np.ones(len(true)),
        true,
        true**2,
        final,
        final**2,
        product,
        error,
        error == 0,
        adjacent,
        low,
        low & adjacent,
        high,
        high & adjacent,
        squares**2,
        squares * product,
        product**2,
        squares * true,
        squares * final,
        product * true,
        product * final,
    )
    return np.column_stack(columns).astype(np.float64)
