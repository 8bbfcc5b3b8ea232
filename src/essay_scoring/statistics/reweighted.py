"""Runs of the same essays under other weights of prompts, with their cut-points fitted again.

A score that cut-points gave is an estimate: it depends on the essays of the other folds. Whatever
draws prompts anew, or swaps them between runs, must fit the cut-points anew too, or it leaves out
their noise. Essays count through their prompt, fold, true label and the bin that their raw
prediction lies in, so that the sums of thousands of resamples follow from a few matrix products.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from essay_scoring.core.scale import FloatArray
from essay_scoring.statistics.counts import (
    N_MOMENTS,
    Layout,
    Sums,
    Tables,
    label_moments,
    positions,
    sums_of_cells,
)
from essay_scoring.statistics.cutpoints import best_splits
from essay_scoring.statistics.predictions import CUTPOINTS, SHRUNK, Predictions

if TYPE_CHECKING:
    from scipy.sparse import csr_array

BINS = 256
"""Into how many bins raw predictions fall at most, of equal size: finer than cut-points are known
on a corpus of a few thousand essays."""

BLOCK_NUMBERS = 4_000_000
"""How many numbers a block of resamples may hold, which bounds memory at about 32 MB."""


class Reweighted:
    """Sums of aligned runs under other weights; `tables` are those of the runs, in their order."""

    def __init__(self, runs: Sequence[Predictions], tables: Tables) -> None:
        self.layout: Layout = tables.layout
        self._fixed = _summed_cells(tables)
        alike = len({run.refit for run in runs}) == 1
        cut = alike and runs[0].refit in CUTPOINTS
        self._binned = _Binned(runs, tables.layout) if cut else None

    def fixed(self, weights: FloatArray) -> Iterator[Sums]:
        """Yield sums of all runs under weights of prompts (R, P), their labels as they are."""
        n_runs = self._fixed.shape[1]
        for block in self._blocks(len(weights), n_runs):
            of_cells = weights[block][:, self.layout.cell_prompt]
            yield self._sums(self._fixed * of_cells[:, :, None, None], weights[block])

    def refitted(self, weights: FloatArray, counted: FloatArray | None = None) -> Iterator[Sums]:
        """Yield sums of all runs whose cut-points are fitted under weights of prompts (R, P).

        Essays then count by `counted` (R, P), or by the same weights.
        """
        counted = weights if counted is None else counted
        binned, n_runs = self._binned, self._fixed.shape[1]
        if binned is None:
            yield from self.fixed(counted)
            return
        for block in self._blocks(len(weights), n_runs):
            by_cell = weights[block][:, self.layout.cell_prompt]
            cells = np.stack([binned.cells({run: by_cell})[run] for run in range(n_runs)], axis=2)
            held = counted[block][:, self.layout.cell_prompt]
            yield self._sums(cells * held[:, :, None, None], counted[block])

    def swapped(self, swaps: FloatArray, one: int, other: int) -> Iterator[Sums]:
        """Yield sums of two runs with the prompts marked in `swaps` (R, P) changed between them.

        Everything happens to the runs so made that happened to the two: their cut-points are
        fitted on the prompts that each of them now holds.
        """
        for block in self._blocks(len(swaps), 2):
            moved = swaps[block][:, self.layout.cell_prompt]
            if self._binned is None:
                kept, away = self._fixed[:, one], self._fixed[:, other]
                pair = [
                    kept + moved[:, :, None] * (away - kept),
                    away + moved[:, :, None] * (kept - away),
                ]
            else:
                pair = []
                for share in (1 - moved, moved):
                    cells = self._binned.cells({one: share, other: 1 - share})
                    held = share[:, :, None]
                    pair.append(held * cells[one] + (1 - held) * cells[other])
            yield self._sums(np.stack(pair, axis=2), np.ones_like(swaps[block]))

    def _sums(self, cells: FloatArray, drawn: FloatArray) -> Sums:
        return sums_of_cells(self.layout, cells, drawn.astype(np.int64))

    def _blocks(self, n: int, n_runs: int) -> Iterator[slice]:
        """Yield the rows of n resamples block by block."""
        width = len(self.layout.cell_fold) * N_MOMENTS * n_runs
        if self._binned is not None:
            width += len(self.layout.cell_fold) * self._binned.n_labels**2 * 3 + BINS * 8
        size = max(1, BLOCK_NUMBERS // width)
        for start in range(0, n, size):
            yield slice(start, start + size)


class _Binned:
    """Counts of essays by run, cell, true label and bin of the raw prediction, as prefix sums.

    `below` (runs, C, V + 1, K) counts the essays in the lowest v bins by true label.
    """

    def __init__(self, runs: Sequence[Predictions], layout: Layout) -> None:
        first = runs[0]
        scale = first.scales.shared
        if scale is None:
            raise ValueError("cut-points need one score scale")
        self.n_labels, self._layout = scale.n_labels, layout
        self._shrunken_to = scale.labels if first.refit == SHRUNK else None
        prompt_of = first.numbered_prompts()[1]
        fold_of = np.searchsorted(layout.folds, first.folds)
        at = prompt_of * len(layout.folds) + fold_of
        cell = np.searchsorted(layout.cell_prompt * len(layout.folds) + layout.cell_fold, at)
        [true, *_] = positions(runs, [scale], np.zeros(len(first), dtype=np.int64))
        raw = np.concatenate([run.raw for run in runs])
        edges = _bin_edges(raw)
        place = np.searchsorted(edges, raw, side="right")
        self._values = np.bincount(place, raw) / np.bincount(place)
        shape = (len(layout.cell_fold), len(edges) + 2, self.n_labels)
        below = []
        for of_run in place.reshape(len(runs), -1):
            counts = np.zeros(shape)
            np.add.at(counts, (cell, of_run + 1, true), 1)
            below.append(np.cumsum(counts, axis=1))
        self.below = np.stack(below)
        label = np.arange(self.n_labels, dtype=np.float64)
        self._held = [np.flatnonzero(layout.cell_fold == f) for f in range(len(layout.folds))]
        self._sums = [
            [[_sparse(counts[held] @ label**power) for power in range(3)] for held in self._held]
            for counts in map(_by_value, self.below)
        ]
        final, truth = np.meshgrid(label, label, indexing="ij")
        self._moments = label_moments(truth.ravel(), final.ravel(), self.n_labels - 1.0)

    def cells(self, weights: dict[int, FloatArray]) -> dict[int, FloatArray]:
        """Return moments of each cell, (R, C, N_MOMENTS), of every run that `weights` name.

        All are labelled by the cut-points of one run that is put together of cells of several:
        `weights` (R, C) by run. A cell's cut-points are fitted on the cells of the other folds.
        """
        n = len(next(iter(weights.values())))
        shape = (n, len(self._layout.cell_fold), N_MOMENTS)
        out = {run: np.empty(shape) for run in weights}
        # All are sums of whole numbers: what the other folds hold is exactly the rest of them all.
        of_folds = self._weighted(weights)
        of_all = of_folds.sum(axis=0)
        for held, of_fold in zip(self._held, of_folds, strict=True):
            n_essays, total, squares = of_all - of_fold
            sums = (n_essays, total, squares)
            splits = best_splits(*sums, self.n_labels, self._values, self._shrunken_to)
            for run in weights:
                counts = np.diff(self.below[run][held[:, None, None], splits], axis=2)
                flat = counts.reshape(len(held) * n, -1) @ self._moments
                out[run][:, held] = np.moveaxis(flat.reshape(len(held), n, -1), 0, 1)
        return out

    def _weighted(self, weights: dict[int, FloatArray]) -> FloatArray:
        """Return sums of 1, y and y^2 over the lowest values of each fold, (F, 3, R, V + 1)."""
        n = len(next(iter(weights.values())))
        out = np.zeros((len(self._held), 3, n, len(self._values) + 1))
        for run, by_cell in weights.items():
            for fold, held in enumerate(self._held):
                for power, sums in enumerate(self._sums[run][fold]):
                    out[fold, power] += by_cell[:, held] @ sums
        return np.cumsum(out, axis=-1, out=out)


def _by_value(below: FloatArray) -> FloatArray:
    """Return what each value adds to prefix sums (C, V + 1, K)."""
    return np.diff(below, axis=1, prepend=0.0)


def _sparse(values: FloatArray) -> FloatArray | csr_array:
    """Return a matrix without its zeros where there is hardly anything else: a few essays a row."""
    if np.count_nonzero(values) >= values.size / 16:
        return values
    # Imported here: records know this module, and a command that reads one would wait for it.
    from scipy.sparse import csr_array

    return csr_array(values)


def _bin_edges(raw: FloatArray) -> FloatArray:
    """Return ascending edges, one fewer than the bins: a value on an edge lies above it."""
    values = np.unique(raw)
    if len(values) <= BINS:
        return values[1:]
    return np.unique(np.quantile(values, np.arange(1, BINS) / BINS, method="higher"))


def _summed_cells(tables: Tables) -> FloatArray:
    """Return moments summed over each cell of the table, (C, runs, N_MOMENTS)."""
    weighted = tables.moments * tables.counts[:, None, None]
    return np.asarray(np.add.reduceat(weighted, tables.cell_starts, axis=0))
