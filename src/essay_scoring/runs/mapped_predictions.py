"""The mapping of a run's raw out-of-fold predictions to scores."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from essay_scoring.core.scale import FloatArray
from essay_scoring.models.mapping import (
    apply_cutpoints,
    fit_cutpoints,
    map_out_of_fold,
    shared_scale,
)
from essay_scoring.models.scorer_settings import MappingName
from essay_scoring.records.fits import FitRecord
from essay_scoring.runs.cross_validation import Design
from essay_scoring.statistics.predictions import Predictions


@dataclass(frozen=True)
class MappedRun:
    """Out-of-fold predictions under one mapping, and the cut-points used for each fold."""

    name: MappingName
    predictions: Predictions
    cutpoints: dict[int, list[float]]


def inner_pairs(folds: Sequence[int]) -> list[tuple[int, int]]:
    """Return every pair of folds, each once."""
    return list(itertools.combinations(folds, 2))


def plain_mapping(name: MappingName) -> MappingName:
    """Return the mapping itself, or for the inner fit the one that needs no inner folds."""
    return "qwk_cutpoints_lfo" if name == "qwk_cutpoints_inner" else name


def map_run(
    name: MappingName, design: Design, raw: FloatArray, inner: Sequence[FitRecord]
) -> MappedRun:
    """Return raw out-of-fold predictions (own scale) mapped to scores.

    `inner` holds the pair jobs that `qwk_cutpoints_inner` needs, and is empty otherwise.
    """
    if name == "qwk_cutpoints_inner":
        final, cutpoints = _map_inner(name, design, raw, inner)
    else:
        train = design.train
        mapped = map_out_of_fold(
            raw, train.scores, design.fold_of, train.prompts, train.scales, name
        )
        final, cutpoints = mapped.final, mapped.cutpoints
    rows = replace(as_predictions(design, raw, final), refit=name == "qwk_cutpoints_lfo")
    return MappedRun(name, rows, as_json(cutpoints))


def as_predictions(design: Design, raw: FloatArray, final: FloatArray) -> Predictions:
    """Return the rows that judging sees."""
    train = design.train
    return Predictions(
        train.essays.ids, train.prompts, design.fold_of, train.scores, raw, final, train.scales
    )


def as_json(cutpoints: dict[int, FloatArray]) -> dict[int, list[float]]:
    """Return cut-points by fold as plain numbers."""
    return {fold: [float(cut) for cut in cuts] for fold, cuts in cutpoints.items()}


def _map_inner(
    name: MappingName, design: Design, raw: FloatArray, inner: Sequence[FitRecord]
) -> tuple[FloatArray, dict[int, FloatArray]]:
    """Map each fold with cut-points fitted on inner out-of-fold predictions of the other folds."""
    scale = shared_scale(design.train.scales, name)
    row_of = {essay: row for row, essay in enumerate(design.train.essays.ids)}
    final, cutpoints = np.empty_like(raw), {}
    for fold in design.folds:
        pairs = [
            (row_of[essay], value)
            for job in inner
            if fold in job.folds
            for essay, value in zip(job.ids, job.raw, strict=True)
            if design.fold_of[row_of[essay]] != fold
        ]
        rows, values = zip(*pairs, strict=True)
        true = scale.index(design.train.scores[list(rows)])
        cutpoints[fold] = fit_cutpoints(np.array(values), true, scale.n_labels)
        held_out = design.held_out_rows([fold])
        final[held_out] = apply_cutpoints(raw[held_out], cutpoints[fold], scale)
    return final, cutpoints
