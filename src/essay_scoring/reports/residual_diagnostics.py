"""`residual_diagnostics.md`: where and how a run's predictions miss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from essay_scoring.core.number_text import number, share, with_interval
from essay_scoring.records.run_records import CvMetrics
from essay_scoring.reports.table_cells import markdown_table
from essay_scoring.reports.words import figure_names, markdown, score
from essay_scoring.statistics.agreement import step_errors
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.summary import CovariateCorrelation, Summary

N_WORST = 20


def residual_diagnostics(metrics: CvMetrics, predictions: Predictions) -> str:
    """Return the Markdown: ids, prompts and scores, never a text."""
    summary = metrics.summary
    least = summary.settings.min_prompt_n
    parts = [
        f"# Residuals of {markdown(metrics.run.name)}",
        _opening(metrics),
        "## Overall",
        _overall(summary),
        f"## By prompt (n >= {least})",
        prompts_table(summary),
        "## By score band",
        bands_table(summary),
        "## Covariates",
        _covariates(metrics.covariates),
        f"## The {min(N_WORST, len(predictions))} worst",
        _worst(predictions),
    ]
    return "\n\n".join(parts) + "\n"


def _opening(metrics: CvMetrics) -> str:
    summary = metrics.summary
    return (
        f"Scheme `{metrics.run.scheme}`, {summary.n} essays, {summary.n_prompts} "
        "prompts, each essay predicted by a model that never saw its fold. A residual is "
        f"predicted minus true, in {summary.unit}: above zero is too generous."
    )


def _overall(summary: Summary) -> str:
    rows = [
        [
            figure_names(summary.unit)[name],
            number(figure.estimate),
            number(figure.low),
            number(figure.high),
            str(figure.n),
        ]
        for name, figure in summary.overall.items()
    ]
    return markdown_table(("figure", "estimate", "2.5%", "97.5%", "n"), rows)


def prompts_table(summary: Summary) -> str:
    """Return each prompt with its figures, then the prompts that are too small for any."""
    rows = [
        [
            markdown(row.prompt),
            str(row.n),
            with_interval(row.qwk, row.low, row.high),
            number(row.mae),
            number(row.mean_residual, sign=True),
            share(row.adjacent),
        ]
        for row in summary.prompts
    ]
    head = ("prompt", "n", "QWK [95%]", "MAE", "mean residual", "adjacent")
    table = markdown_table(head, rows) if rows else "No prompt has as many essays."
    small = summary.small_prompts
    if not small:
        return table
    names = ", ".join(f"{markdown(row.prompt)} ({row.n})" for row in small)
    return f"{table}\n\nToo few essays for a figure of their own: {names}."


def bands_table(summary: Summary) -> str:
    """Return each true band with its figures."""
    rows = [
        [
            row.band,
            str(row.n),
            number(row.mae),
            number(row.mean_residual, sign=True),
            share(row.adjacent),
        ]
        for row in summary.bands
        if row.n
    ]
    return markdown_table(("true band", "n", "MAE", "mean residual", "adjacent"), rows)


def _covariates(covariates: Sequence[CovariateCorrelation]) -> str:
    if not covariates:
        return "This run recorded no covariates."
    rows = [
        [
            row.covariate,
            str(row.n),
            number(row.residual, sign=True),
            number(row.abs_residual, sign=True),
        ]
        for row in covariates
    ]
    head = ("covariate", "n", "Spearman with residual", "Spearman with |residual|")
    return markdown_table(head, rows)


def _worst(predictions: Predictions) -> str:
    """Return the essays most steps off, the raw prediction and then the id breaking ties."""
    p = predictions
    steps = np.abs(step_errors(p))
    order = sorted(
        range(len(p)), key=lambda at: (-steps[at], -abs(p.raw[at] - p.true[at]), p.ids[at])
    )
    rows = [
        [
            markdown(p.ids[at]),
            markdown(p.prompts[at]),
            score(p.true[at]),
            score(p.final[at]),
            number(p.raw[at]),
        ]
        for at in order[:N_WORST]
    ]
    return markdown_table(("id", "prompt", "true", "predicted", "before mapping"), rows)
