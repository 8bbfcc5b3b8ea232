"""The tables of a comparison: deltas, tests, seeds, and what errors follow.

They are made of records that study.json and the JSON of compare-cv-runs and judge hold alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from essay_scoring.judging.power import FIGURES
from essay_scoring.records.judgements import ArmComparison, SchemeComparison
from essay_scoring.reports.table_cells import Column, ReportTable
from essay_scoring.reports.words import plain
from essay_scoring.statistics.alignment import Side
from essay_scoring.statistics.covariate_regression import CovariateEffect
from essay_scoring.statistics.mixed_model import Variances

DELTA_NAMES = {**FIGURES, "mae": "MAE", "rmse": "RMSE", "smd": "SMD"}
"""The figures of a comparison in words."""

_ARM = Column("arm", "text")
_COMPONENTS = tuple(Variances.model_fields)
_OUTCOMES = ("residual", "absolute error")


def comparison_tables(record: SchemeComparison) -> list[ReportTable]:
    """Return every table of one comparison record that has rows."""
    made = (deltas, tests, seeds, worst_prompts, mixed_models, covariates)
    return [table for table in (make(record) for make in made) if table.rows]


def deltas(record: SchemeComparison) -> ReportTable:
    """Return every figure of every arm beside the reference's, with the delta's interval."""
    columns = (
        _ARM,
        Column("figure", "text"),
        Column("reference"),
        Column("candidate"),
        Column("delta [95%]", "interval", signed=True),
        Column("P(delta >= 0)"),
        Column("n", "count"),
    )
    rows = [
        [
            arm.arm,
            DELTA_NAMES[delta.metric],
            delta.reference,
            delta.candidate,
            (delta.estimate, delta.low, delta.high),
            delta.share_at_least_zero,
            delta.n,
        ]
        for arm in record.arms
        for delta in arm.rows
    ]
    return _table(record, "deltas", "Candidate minus reference", columns, rows)


def tests(record: SchemeComparison) -> ReportTable:
    """Return the tests over folds and over prompts, alone and adjusted for several candidates."""
    columns = (
        _ARM,
        Column("mean QWK over folds [95%]", "interval", signed=True),
        Column("p, folds", "p"),
        Column("p, folds, Holm", "p"),
        Column("mean QWK over prompts", signed=True),
        Column("prompts", "count"),
        Column("p, prompts", "p"),
        Column("p, prompts, Holm", "p"),
    )
    rows = []
    for arm in record.arms:
        fold, prompt = arm.fold_test, arm.prompt_test
        folds = None if fold is None else (fold.estimate, fold.low, fold.high)
        prompts = [None] * 3 if prompt is None else [prompt.estimate, prompt.n_prompts, prompt.p]
        by_fold = [arm.arm, folds, fold and fold.p, arm.holm.fold_test]
        rows.append([*by_fold, *prompts, arm.holm.prompt_test])
    caption = (
        "Tests of the difference in QWK: corrected resampled t over folds (Nadeau and Bengio), "
        "sign flips over prompts; Holm-adjusted over the candidates"
    )
    return _table(record, "tests", caption, columns, rows)


def seeds(record: SchemeComparison) -> ReportTable:
    """Return how figures spread over the seeds of arms that have several."""
    columns = (
        _ARM,
        Column("figure", "text"),
        Column("seeds", "count"),
        Column("mean"),
        Column("SD"),
        Column("lowest"),
        Column("highest"),
    )
    rows = []
    for name, side, arm in _sides(record):
        for delta in arm.rows:
            spread = delta.seeds[side]
            if spread.n_seeds > 1:
                mean = delta.reference if side == "reference" else delta.candidate
                cells = [spread.n_seeds, mean, spread.sd, spread.minimum, spread.maximum]
                rows.append([name, DELTA_NAMES[delta.metric], *cells])
    return _table(record, "seeds", "Spread over seeds", columns, rows)


def worst_prompts(record: SchemeComparison) -> ReportTable:
    """Return each arm's own worst prompt."""
    columns = (_ARM, Column("worst prompt", "text"), Column("QWK"), Column("n", "count"))
    rows = []
    for name, side, arm in _sides(record):
        worst = arm.worst_prompts[side]
        if worst is not None:
            rows.append([name, plain(worst.prompt), worst.qwk, worst.n])
    least = record.arms[0].min_prompt_n if record.arms else 0
    caption = f"The worst prompt of each arm, among those of at least {least} essays"
    return _table(record, "worst-prompts", caption, columns, rows)


def mixed_models(record: SchemeComparison) -> ReportTable:
    """Return the mixed model of absolute error of each arm."""
    columns = (
        _ARM,
        Column("more absolute error [95%]", "interval", signed=True),
        Column("p", "p"),
        *(Column(f"variance, {name.replace('_', ' ')}") for name in _COMPONENTS),
        Column("unit", "text"),
        Column("note", "text"),
    )
    rows = []
    for arm in record.arms:
        model = arm.mixed_model
        if model is None:
            continue
        variances = [None] * len(_COMPONENTS)
        if model.variances is not None:
            variances = list(dict(model.variances).values())
        effect = (model.effect, model.low, model.high) if model.converged else None
        rows.append([arm.arm, effect, model.p, *variances, model.unit, model.reason])
    caption = (
        "Mixed model of absolute error: arm as fixed effect, prompt, prompt by arm and essay as "
        "random ones; below zero the candidate errs less"
    )
    return _table(record, "mixed-model", caption, columns, rows)


def covariates(record: SchemeComparison) -> ReportTable:
    """Return what residuals and absolute errors follow, for the reference and each arm."""
    columns = (
        _ARM,
        Column("covariate", "text"),
        *(
            column
            for name in _OUTCOMES
            for column in (
                Column(f"{name} per SD [95%]", "interval", signed=True),
                Column(f"p, {name}", "p"),
            )
        ),
        Column("n", "count"),
        Column("note", "text"),
    )
    rows = [
        [name, follows.covariate, *_effects(follows), follows.n, follows.left_out]
        for name, measured in [
            (record.reference.arm, record.reference.covariates),
            *((arm.arm, arm.covariates) for arm in record.arms),
        ]
        for follows in measured or ()
    ]
    caption = (
        "What errors follow: least squares on all covariates, standardised, with errors clustered "
        "by prompt"
    )
    return _table(record, "covariates", caption, columns, rows)


def _sides(record: SchemeComparison) -> list[tuple[str, Side, ArmComparison]]:
    """Return name, side and comparison of the reference, by the first comparison, and each arm."""
    sides: list[tuple[str, Side, ArmComparison]] = [
        (record.reference.arm, "reference", arm) for arm in record.arms[:1]
    ]
    return sides + [(arm.arm, "candidate", arm) for arm in record.arms]


def _effects(follows: CovariateEffect) -> list[Any]:
    """Return the interval and p of a covariate for each outcome."""
    cells: list[Any] = []
    for effect in (follows.residual, follows.abs_residual):
        if effect is None:
            cells += [None, None]
        else:
            cells += [(effect.coefficient, effect.low, effect.high), effect.p]
    return cells


def _table(
    record: SchemeComparison,
    name: str,
    caption: str,
    columns: Sequence[Column],
    rows: list[list[Any]],
) -> ReportTable:
    scheme = record.scheme
    return ReportTable(f"{name}-{scheme}", f"{caption} ({scheme})", tuple(columns), rows)
