"""The mapping of a run's raw out-of-fold predictions to scores."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from essay_scoring.core.scale import FloatArray
from essay_scoring.models.mapping import FittedMapping, fit_mapping, map_out_of_fold
from essay_scoring.models.scorer_settings import MappingName
from essay_scoring.records.fits import FitRecord
from essay_scoring.records.run_records import AppliedMapping
from essay_scoring.runs.cross_validation import Design
from essay_scoring.statistics.predictions import Predictions, refit_of
from essay_scoring.statistics.summary import OverFolds


@dataclass(frozen=True)
class MappedRun:
    """Out-of-fold predictions under one mapping, and what it was for each fold."""

    name: MappingName
    predictions: Predictions
    fitted: dict[int, FittedMapping]


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
        final, fitted = _map_inner(name, design, raw, inner)
    else:
        train = design.train
        mapped = map_out_of_fold(
            raw, train.scores, design.fold_of, train.prompts, train.scales, name
        )
        final, fitted = mapped.final, mapped.fitted
    rows = replace(as_predictions(design, raw, final), refit=refit_of(name))
    return MappedRun(name, rows, fitted)


def as_predictions(design: Design, raw: FloatArray, final: FloatArray) -> Predictions:
    """Return the rows that judging sees."""
    train = design.train
    return Predictions(
        train.essays.ids,
        train.prompts,
        design.fold_of,
        train.scores,
        raw,
        final,
        train.scales,
        second=train.second_scores,
    )


def applied_mapping(
    name: str,
    fitted: Mapping[int, FittedMapping],
    inner_vs_lfo: dict[str, dict[str, OverFolds]] | None = None,
) -> AppliedMapping:
    """Return the record of a mapping and of what was fitted for each fold."""
    cuts = {fold: one.cutpoints for fold, one in fitted.items()}
    links = {fold: one.linking for fold, one in fitted.items()}
    return AppliedMapping(
        name=name,
        cutpoints={fold: list(map(float, of)) for fold, of in cuts.items() if of is not None},
        linkings={fold: of for fold, of in links.items() if of is not None},
        inner_vs_lfo=inner_vs_lfo,
    )


def _map_inner(
    name: MappingName, design: Design, raw: FloatArray, inner: Sequence[FitRecord]
) -> tuple[FloatArray, dict[int, FittedMapping]]:
    """Map each fold with cut-points fitted on inner out-of-fold predictions of the other folds."""
    train = design.train
    row_of = {essay: row for row, essay in enumerate(train.essays.ids)}
    final, fitted = np.empty_like(raw), {}
    for fold in design.folds:
        pairs = [
            (row_of[essay], value)
            for job in inner
            if fold in job.folds
            for essay, value in zip(job.ids, job.raw, strict=True)
            if design.fold_of[row_of[essay]] != fold
        ]
        rows, values = zip(*pairs, strict=True)
        seen, held_out = train.take(rows), design.held_out_rows([fold])
        one = fit_mapping(name, np.array(values), seen.scores, seen.prompts, train.scales)
        prompts = [train.prompts[row] for row in held_out]
        final[held_out] = one.scores(raw[held_out], prompts, train.scales)
        fitted[fold] = one
    return final, fitted
