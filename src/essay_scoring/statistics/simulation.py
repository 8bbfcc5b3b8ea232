"""Pairs of made scorers on made essays, whose true agreement is known.

Prompts, their essays and the scorers' errors are drawn anew each time from a `Population`. A drawn
prompt's shares of true labels are a draw from the posterior of an observed prompt picked at random.

Both scorers have the same distributions, and their errors on an essay, and their effects on a
prompt, are what they share plus what is each one's own: sqrt(r) g + sqrt(1 - r) h, a Gaussian
copula of correlation r. The two are then exchangeable, so no figure, however odd, can favour one of
them: they are *equal in the population*, in every figure at once and whatever the numbers of
prompts and essays. Any one prompt may still suit one of them better, as with any two models; with
`shared_prompts` they are equal on every single prompt.

A better candidate keeps its latent errors but shrinks its errors in steps by a share: one of d
steps becomes d (1 - share), rounded at random so that its mean is right.

Prompt sizes and folds are the design, known before anything runs, and stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray, ScoreScale, ScoreScales
from essay_scoring.statistics.counts import Draws, Mask, Sums, Tables, sums_of, tabulate
from essay_scoring.statistics.metrics import qwk_of_counts
from essay_scoring.statistics.power_population import Population
from essay_scoring.statistics.predictions import Predictions

Where = Literal["everywhere", "worst_prompts", "low_tail"]
"""Which essays a better candidate is better on."""

REFERENCE, CANDIDATE = 0, 1

_MUCH = 1e6
"""Essays for each one there is, where the figures of endlessly many are wanted."""


@dataclass(frozen=True)
class Likeness:
    """How alike two equal scorers are: the correlation of their errors, on essays and on prompts.

    `shared_prompts`: prompts affect both alike, whatever the correlation.
    """

    correlation: float
    shared_prompts: bool = False


@dataclass(frozen=True, eq=False)
class Places:
    """Where essays stand: the rows, P prompts in order of name, and each essay's prompt (n,)."""

    rows: Predictions
    prompts: tuple[str, ...]
    prompt_of: IntArray

    @classmethod
    def of(cls, rows: Predictions) -> Places:
        """Return the places of a run's essays."""
        return cls(rows, *rows.numbered_prompts())

    @property
    def sizes(self) -> IntArray:
        """The essays of each prompt, (P,)."""
        return np.bincount(self.prompt_of)


@dataclass(frozen=True, eq=False)
class ScaleWorlds:
    """The p prompts of one scale of K labels in each of W worlds.

    `prompts` (p,) are positions in `Places`, `labels` (W, p, K) the shares of true labels, and
    `tables` (W, p, 2, K, K) those of predicted labels by true label, of reference and candidate.
    """

    scale: ScoreScale
    prompts: IntArray
    labels: FloatArray
    tables: FloatArray


def enlarged(run: Predictions, *, essays: int = 1, prompts: int = 1) -> Predictions:
    """Return a run with `essays` times the essays in a prompt and `prompts` times the prompts.

    Added prompts have the sizes and folds of those there are. Scores are repeated: only the places
    mean anything.
    """
    if essays * prompts == 1:
        return run
    copy = np.repeat(np.arange(essays * prompts), len(run))
    out = run.take(np.tile(np.arange(len(run)), essays * prompts))
    # The number comes first: no name, whatever it holds, can then look like another's copy.
    names = tuple(
        f"{number}~{name}"
        for name, number in zip(out.prompts, (copy % prompts).tolist(), strict=True)
    )
    scales = out.scales
    if scales.shared is None:
        own = {new: scales.of(old) for new, old in zip(names, out.prompts, strict=True)}
        scales = ScoreScales(by_prompt=own)
    ids = tuple(f"{number}~{name}" for name, number in zip(out.ids, copy.tolist(), strict=True))
    return replace(out, ids=ids, prompts=names, scales=scales)


def draw_worlds(
    population: Population, places: Places, likeness: Likeness, n: int, rng: np.random.Generator
) -> list[ScaleWorlds]:
    """Return n draws of new prompts for the places, with two equal scorers."""
    shared = 1.0 if likeness.shared_prompts else likeness.correlation
    parts = []
    for scale, at in places.rows.scales.for_prompts(places.prompts).items():
        model = population.models[scale]
        donors = rng.integers(0, len(model.labels), (n, len(at)))
        labels = rng.gamma(model.labels[donors] + model.prior)
        labels /= labels.sum(axis=-1, keepdims=True)
        shift, stretch = _alike(shared, (2, n, len(at)), rng)
        tables = _tables(model.cuts, population.shift * shift, population.accuracy * stretch)
        parts.append(ScaleWorlds(scale, at, labels, tables))
    return parts


def improved(
    parts: Sequence[ScaleWorlds], share: float, where: Where, large: Mask, bottom_k: int
) -> list[ScaleWorlds]:
    """Return worlds in which the candidate's errors are smaller by a share from 0 to 1.

    `worst_prompts` are the `bottom_k` prompts that the reference truly serves worst of those that
    `large` (P,) marks; `low_tail` means essays whose true label lies there.
    """
    worst = _worst(parts, large, bottom_k) if where == "worst_prompts" else None
    out = []
    for part in parts:
        chosen = np.ones((1, 1, part.scale.n_labels, 1), dtype=bool)
        if worst is not None:
            chosen = worst[:, part.prompts, None, None]
        if where == "low_tail":
            labels = part.scale.labels
            low, _ = ScoreScales(shared=part.scale).tails(labels, [""] * len(labels))
            chosen = low[:, None]
        tables = part.tables.copy()
        now = tables[:, :, CANDIDATE]
        better = _moved(now, _moves(part.scale.n_labels, share))
        tables[:, :, CANDIDATE] = np.where(chosen, better, now)
        out.append(replace(part, tables=tables))
    return out


def draw_pair(
    parts: Sequence[ScaleWorlds], places: Places, correlation: float, rng: np.random.Generator
) -> tuple[Predictions, Predictions]:
    """Return the reference's and the candidate's predictions of new essays in the first world.

    A raw prediction lies within half a step of its label, as far from the edge as its latent error
    is from those of other labels: cut-points midway between labels give the labels again, and
    cut-points fitted on the essays drawn vary about these.
    """
    from scipy.special import ndtr

    n = len(places.rows)
    at_true, at_final = rng.random(n), ndtr(_alike(correlation, (n,), rng))
    true, finals, raws = np.empty(n), np.empty((n, 2)), np.empty((n, 2))
    for part in parts:
        local = np.full(len(places.prompts), -1)
        local[part.prompts] = np.arange(len(part.prompts))
        rows = np.flatnonzero(local[places.prompt_of] >= 0)
        prompt = local[places.prompt_of[rows]]
        label = _picked(part.labels[0][prompt], at_true[rows])
        true[rows] = part.scale.labels[label]
        for run in (REFERENCE, CANDIDATE):
            shares = part.tables[0, :, run][prompt, label]
            label_of, within = _picked_within(shares, at_final[rows, run])
            finals[rows, run] = part.scale.labels[label_of]
            raws[rows, run] = finals[rows, run] + part.scale.step * (within - 0.5)
    empty = replace(places.rows, true=true, second=_drawn_second(places.rows, true, rng))
    reference, candidate = (
        replace(empty, raw=raw, final=final) for raw, final in zip(raws.T, finals.T, strict=True)
    )
    return reference, candidate


def _drawn_second(
    rows: Predictions, true: FloatArray, rng: np.random.Generator
) -> FloatArray | None:
    """Return second ratings of new essays (n,), where the essays in their places have them.

    The second rater errs in steps as on a real essay, picked at random, that the first gave the
    same label, or the nearest that there is one of.
    """
    if rows.second is None:
        return None
    out = np.full(len(rows), np.nan)
    for scale, at in rows.scales.for_prompts(rows.prompts).items():
        rated = at[np.isfinite(rows.second[at])]
        if not len(rated):
            continue
        label, drawn = scale.index(rows.true[rated]), scale.index(true[rated])
        away = scale.index(rows.second[rated]) - label
        known = np.unique(label)
        nearest = known[np.abs(drawn[:, None] - known).argmin(axis=1)]
        order = np.argsort(label, kind="stable")
        first = np.searchsorted(label[order], nearest)
        count = np.searchsorted(label[order], nearest, side="right") - first
        picked = order[first + (rng.random(len(rated)) * count).astype(np.int64)]
        out[rated] = scale.labels[np.clip(drawn + away[picked], 0, scale.n_labels - 1)]
    return out


def label_grid(places: Places) -> Tables:
    """Return a table with one row for each prompt, fold, true and predicted label, in that order.

    Counts are of one essay each: `true_sums` brings the real ones.
    """
    run = places.rows
    blocks, prompts, folds = [], list[str](), list[int]()
    for prompt, fold in np.unique(np.column_stack([places.prompt_of, run.folds]), axis=0):
        labels = run.scales.of(places.prompts[prompt]).labels
        blocks.append(np.stack(np.meshgrid(labels, labels, indexing="ij")).reshape(2, -1))
        prompts += [places.prompts[prompt]] * len(labels) ** 2
        folds += [int(fold)] * len(labels) ** 2
    true, final = np.concatenate(blocks, axis=1)
    ids, numbers = tuple(map(str, range(len(true)))), np.array(folds, dtype=np.int64)
    return tabulate([Predictions(ids, tuple(prompts), numbers, true, final, final, run.scales)])


def alone(parts: Sequence[ScaleWorlds], world: int) -> list[ScaleWorlds]:
    """Return one of the worlds by itself."""
    at = slice(world, world + 1)
    return [replace(part, labels=part.labels[at], tables=part.tables[at]) for part in parts]


def true_sums(parts: Sequence[ScaleWorlds], places: Places, grid: Tables) -> Sums:
    """Return the sums of endlessly many essays of each world's prompts, of both scorers.

    Figures computed from them are true ones: the noise of drawn essays is gone.
    """
    layout, worlds = grid.layout, len(parts[0].labels)
    cells = np.column_stack([places.prompt_of, places.rows.folds])
    _, sizes = np.unique(cells, axis=0, return_counts=True)
    where = {int(prompt): (part, i) for part in parts for i, prompt in enumerate(part.prompts)}
    once = np.ones((worlds, len(layout.prompts)), dtype=np.int64)
    both = []
    for run in (REFERENCE, CANDIDATE):
        counts = []
        for prompt, size in zip(layout.cell_prompt, sizes, strict=True):
            part, i = where[int(prompt)]
            joint = part.labels[:, i, :, None] * part.tables[:, i, run]
            counts.append(_MUCH * size * joint.reshape(worlds, -1))
        both.append(sums_of(grid, Draws(np.concatenate(counts, axis=1), once[0], once)))
    prompts = np.concatenate([sums.prompts for sums in both], axis=2)
    return Sums(layout, prompts, np.concatenate([sums.groups for sums in both], axis=3), once)


def _alike(correlation: float, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """Return pairs (..., 2) of standard normal numbers that share a part: exchangeable."""
    shared, own = rng.normal(size=(*shape, 1)), rng.normal(size=(*shape, 2))
    return np.asarray(np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own)


def _tables(cuts: FloatArray, shift: FloatArray, stretch: FloatArray) -> FloatArray:
    """Return shares of predicted by true labels, (W, p, 2, K, K), of effects (W, p, 2)."""
    from scipy.special import ndtr

    past = ndtr((cuts - shift[..., None, None]) * np.exp(-stretch)[..., None, None])
    return np.diff(past, prepend=0.0, append=1.0, axis=-1)


def _moves(n_labels: int, share: float) -> FloatArray:
    """Return the shares (K, K, K) of labels that predictions move to, by true and old label."""
    label = np.arange(n_labels)
    true, old = np.meshgrid(label, label, indexing="ij")
    at = old + share * (true - old)
    low = np.clip(np.floor(at).astype(np.int64), 0, n_labels - 2)
    out = np.zeros((n_labels, n_labels, n_labels))
    out[true, old, low] = 1 - (at - low)
    out[true, old, low + 1] = at - low
    return out


def _moved(tables: FloatArray, moves: FloatArray) -> FloatArray:
    """Return tables (W, p, K, K) after moves (K, K, K); a product for each true label is fast."""
    by_label = np.moveaxis(tables, 2, 0)
    rows = by_label.reshape(len(moves), -1, len(moves)) @ moves
    return np.moveaxis(rows.reshape(by_label.shape), 0, 2)


def _worst(parts: Sequence[ScaleWorlds], large: Mask, bottom_k: int) -> Mask:
    """Return which prompts (W, P) are the reference's truly worst of the large ones."""
    kappa = np.full((len(parts[0].labels), len(large)), np.nan)
    for part in parts:
        joint = part.labels[..., None] * part.tables[:, :, REFERENCE]
        kappa[:, part.prompts] = qwk_of_counts(joint)
    kappa = np.where(large, kappa, np.nan)
    places = np.argsort(np.argsort(kappa, axis=1, kind="stable"), axis=1)
    return np.asarray((places < bottom_k) & np.isfinite(kappa))


def _picked(shares: FloatArray, at: FloatArray) -> IntArray:
    """Return the label (n,) that each quantile `at` (n,) falls on, of shares (n, K)."""
    return np.asarray((at[:, None] > np.cumsum(shares, axis=1)[:, :-1]).sum(axis=1))


def _picked_within(shares: FloatArray, at: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the label (n,) that each quantile falls on, and how far into its share, 0 to 1."""
    label = _picked(shares, at)
    rows = np.arange(len(label))
    share = shares[rows, label]
    below = np.cumsum(shares, axis=1)[rows, label] - share
    return label, np.clip((at - below) / np.where(share > 0, share, 1.0), 0.0, 1.0)
