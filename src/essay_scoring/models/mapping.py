"""From raw predictions to scores: rounding, cut-points of highest agreement, linear linking.

- `round_half_band`: the nearest score of the essay's own scale, halves upwards.
- `qwk_cutpoints_lfo`, `qwk_cutpoints_inner`: thresholds of highest QWK (`fit_cutpoints`); they need
  one scale.
- `qwk_cutpoints_shrunk`: those thresholds, a quarter of the way back to rounding.
- `mean_sigma_lfo`: mean/sigma linking (`statistics/linking.py`) of the predictions' usual mean and
  spread to those of scores, on the common scale; for scales that differ by prompt, or one.
- `mean_sigma_by_prompt`: the same, from the mean and spread of the predictions of the prompt that
  is scored. It is transductive: it needs that prompt's essays together, though not their scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from essay_scoring.core.errors import InputError, NotFiniteError
from essay_scoring.core.scale import FloatArray, IntArray, ScoreScale, ScoreScales
from essay_scoring.models.scorer_settings import MappingName
from essay_scoring.statistics.cutpoints import shrunken
from essay_scoring.statistics.linking import Linking, fit_linking, linked_scores, prompt_moments
from essay_scoring.statistics.predictions import (
    CUTPOINTS,
    SHRUNK,
    Predictions,
    is_transductive,
    refit_of,
)


@dataclass(frozen=True, eq=False)
class FittedMapping:
    """What turns raw predictions into scores: cut-points, a linking, or rounding without either.

    `by_prompt`: the linking matches the mean and spread of the predictions of each prompt that come
    together, so it is transductive.
    """

    cutpoints: FloatArray | None = None
    linking: Linking | None = None
    by_prompt: bool = False

    def scores(self, raw: FloatArray, prompts: Sequence[str], scales: ScoreScales) -> FloatArray:
        """Return the scores (n,) of raw predictions, both on each essay's own scale."""
        if self.linking is not None:
            return linked_scores(self.linking, raw, prompts, scales, by_prompt=self.by_prompt)
        if self.cutpoints is not None:
            scale = shared_scale(scales, "qwk_cutpoints_lfo")
            return apply_cutpoints(raw, self.cutpoints, scale)
        return scales.round(raw, prompts)


@dataclass(frozen=True, eq=False)
class Mapped:
    """Final scores, shape (n,), and for each fold the mapping that gave them, unless rounding."""

    final: FloatArray
    fitted: dict[int, FittedMapping] = field(default_factory=dict)


def needs_one_scale(mapping: MappingName) -> bool:
    """Tell whether a mapping's parameters are places on a scale, which prompts must then share."""
    return mapping in (*CUTPOINTS, "qwk_cutpoints_inner")


def fit_mapping(
    mapping: MappingName,
    raw: FloatArray,
    true: FloatArray,
    prompts: Sequence[str],
    scales: ScoreScales,
) -> FittedMapping:
    """Return the mapping that predictions and scores of n essays, on their own scales, teach.

    Raises InputError for cut-points where each prompt has its own scale, and for a linking without
    a prompt of enough essays.
    """
    _require_finite(raw)
    if mapping == "round_half_band":
        return FittedMapping()
    if needs_one_scale(mapping):
        scale = shared_scale(scales, mapping)
        cutpoints = fit_cutpoints(raw, scale.index(true), scale.n_labels)
        return FittedMapping(shrunken(cutpoints, scale.labels) if mapping == SHRUNK else cutpoints)
    linking = fit_linking(prompt_moments(raw, true, prompts, scales))
    return FittedMapping(linking=linking, by_prompt=is_transductive(mapping))


def fit_cutpoints(raw: FloatArray, true_positions: IntArray, n_labels: int) -> FloatArray:
    """Return the ascending thresholds, shape (n_labels - 1,), with the highest QWK there is.

    `true_positions` are positions in the scale's full label list. QWK = 1 - A/B: both A, the
    observed disagreement, and B, the disagreement expected by chance, are sums over essays of a
    cost that depends on the essay's own label alone (the true counts being fixed). Their ratio is
    minimised by fractional programming (Dinkelbach 1967): minimise A - r B over all monotone
    labellings, exactly, then set r to the A/B found, until it no longer falls. Equal raw values
    share a label. A label that is not used has coinciding thresholds, or lies beyond all raw
    values. Where no thresholds beat chance, all essays get the label of least squared error.
    """
    if not len(raw) or len(raw) != len(true_positions):
        raise ValueError("raw and true_positions must have one length, not zero")
    _require_finite(raw)
    values, place = np.unique(raw, return_inverse=True)
    observed, counts = _prefix_sums(place, true_positions, len(values), n_labels)
    # n times the expected disagreement of one essay at each label: whole numbers stay exact.
    expected = observed[:, -1]
    best = np.where(np.arange(1, n_labels) <= np.argmin(expected), 0, len(values))
    above, below = 1, 1
    while expected.all():
        splits = _cheapest_splits(
            len(raw) * observed - (above / below) * np.outer(expected, counts)
        )
        found, chance = _ratio(splits, observed, expected, counts)
        if found * below >= above * chance:
            break
        above, below, best = found, chance, splits
    return _thresholds(values, best)


def apply_cutpoints(raw: FloatArray, cutpoints: FloatArray, scale: ScoreScale) -> FloatArray:
    """Return scores, shape (n,); a raw value on a threshold gets the higher of the two labels."""
    if len(cutpoints) != scale.n_labels - 1:
        raise ValueError(f"a scale of {scale.n_labels} labels has {scale.n_labels - 1} cut-points")
    return scale.labels[np.searchsorted(cutpoints, raw, side="right")]


def map_out_of_fold(
    raw: FloatArray,
    true: FloatArray,
    folds: IntArray,
    prompts: Sequence[str],
    scales: ScoreScales,
    mapping: MappingName,
) -> Mapped:
    """Return final scores of out-of-fold predictions; `raw` and `true` on each essay's own scale.

    Fold k is mapped by what all other folds teach (`fit_mapping`), so no label of fold k shapes its
    own scores. Raises InputError as that does, and where there are no other folds.
    """
    _require_finite(raw)
    if mapping == "round_half_band":
        return Mapped(scales.round(raw, prompts))
    if mapping == "qwk_cutpoints_inner":
        raise ValueError(f"{mapping} is fitted on inner predictions: use `fit_mapping`")
    names = np.asarray(prompts, dtype=object)
    final, fitted = np.empty(len(raw), dtype=np.float64), {}
    for fold in np.unique(folds):
        held_out = folds == fold
        if held_out.all():
            raise InputError(
                f"{mapping} needs at least two folds", mend="use mapping 'round_half_band'"
            )
        rest = ~held_out
        one = fit_mapping(mapping, raw[rest], true[rest], names[rest].tolist(), scales)
        final[held_out] = one.scores(raw[held_out], names[held_out].tolist(), scales)
        fitted[int(fold)] = one
    return Mapped(final, fitted)


def mapped_anew(run: Predictions) -> Predictions:
    """Return a run whose raw predictions were changed, its scores from a mapping fitted again.

    A run without a fitted mapping stays as it is.
    """
    return run if run.refit is None else mapped_by(run, run.refit)


def mapped_by(run: Predictions, mapping: MappingName) -> Predictions:
    """Return a run with the scores that a mapping gives its raw predictions.

    Raises InputError and ValueError as `map_out_of_fold` does.
    """
    values = (run.raw, run.true, run.folds, run.prompts, run.scales)
    final = map_out_of_fold(*values, mapping).final
    return replace(run, final=final, refit=refit_of(mapping))


def shared_scale(scales: ScoreScales, mapping: MappingName) -> ScoreScale:
    """Return the one scale that cut-points are places on; raise InputError if prompts differ."""
    if scales.shared is None:
        raise InputError(
            f"mapping {mapping!r} needs one score scale, but each prompt has its own",
            mend="use mapping 'mean_sigma_lfo', or 'round_half_band'",
        )
    return scales.shared


def _prefix_sums(
    place: IntArray, true_positions: IntArray, n_values: int, n_labels: int
) -> tuple[IntArray, IntArray]:
    """Return what the first u unique raw values bring, u = 0 .. n_values.

    Observed disagreement if all of them got label j, shape (n_labels, n_values + 1), and their
    number of essays, shape (n_values + 1,).
    """
    sums = np.zeros((3, n_values + 1), dtype=np.int64)
    for power in range(3):
        terms = np.bincount(place, weights=true_positions**power, minlength=n_values)
        sums[power, 1:] = np.cumsum(terms.astype(np.int64))
    label = np.arange(n_labels, dtype=np.int64)[:, None]
    return label**2 * sums[0] - 2 * label * sums[1] + sums[2], sums[0]


def _cheapest_splits(costs: FloatArray) -> IntArray:
    """Return how many values lie below each label but the first in the cheapest monotone labelling.

    `costs` (labels, values + 1) are prefix sums, so giving label j to values v .. u - 1 costs
    costs[j, u] - costs[j, v]. The cheapest way to label u values with labels up to j is then
    best_j[u] = costs[j, u] + min over v <= u of best_{j-1}[v] - costs[j, v]: one running minimum.
    """
    best, starts = costs[0], []
    for cost in costs[1:]:
        start = best - cost
        starts.append(start)
        best = cost + np.minimum.accumulate(start)
    splits = np.empty(len(starts), dtype=np.int64)
    end = costs.shape[1] - 1
    for label in reversed(range(len(starts))):
        end = splits[label] = int(np.argmin(starts[label][: end + 1]))
    return splits


def _ratio(
    splits: IntArray, observed: IntArray, expected: IntArray, counts: IntArray
) -> tuple[int, int]:
    """Return 1 - QWK of a labelling as two whole numbers, numerator and denominator."""
    value = np.arange(len(counts) - 1)
    label = np.searchsorted(splits, value, side="right")
    disagreement = (observed[label, value + 1] - observed[label, value]).sum()
    return int(counts[-1] * disagreement), int((expected[label] * np.diff(counts)).sum())


def _thresholds(values: FloatArray, splits: IntArray) -> FloatArray:
    """Return thresholds midway between neighbouring values; beyond them for unused end labels.

    Beyond is finite, so that JSON can hold it, and further off than predictions stray.
    """
    below, above = values[:-1], values[1:]
    middle = below + (above - below) / 2
    # Between two adjacent floats the middle rounds to one of them, and must be the upper.
    middle = np.where(middle > below, middle, above)
    reach = max(1.0, float(np.ptp(values)))
    places = np.concatenate([[values[0] - reach], middle, [values[-1] + reach]])
    return places[splits]


def _require_finite(raw: FloatArray) -> None:
    bad = np.flatnonzero(~np.isfinite(raw))
    if len(bad):
        raise NotFiniteError(f"{len(bad)} raw predictions are not finite", where=f"row {bad[0]}")
