"""`cv_report.md`: what a cross-validated run came to, and from what."""

from __future__ import annotations

import math
from collections.abc import Sequence

from essay_scoring.core.number_text import MISSING, number, with_interval
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.probes import PromptProbe
from essay_scoring.records.run_records import AppliedMapping, CvMetrics, FitRow
from essay_scoring.reports.score_tables import scales_table
from essay_scoring.reports.study_table import HEADER, summary_row
from essay_scoring.reports.table_cells import ReportTable, markdown_table
from essay_scoring.reports.words import TRANSDUCTIVE, figure_names, headline, markdown
from essay_scoring.statistics.linking import Linking
from essay_scoring.statistics.summary import Summary

INTERVALS = "95% intervals, prompts as units; MAE and RMSE in {unit}."


PROBED = {
    "learnt": "learnt representation",
    "frozen": "the encoder before training",
    "tfidf": "words (TF-IDF)",
}


def cv_report(run: RunRecord) -> str:
    """Return the Markdown of a run's figures, and of its probe for the prompt if it has one."""
    metrics, probe = run.metrics, run.probe
    summary, scales = metrics.summary, scales_table(run.predictions)
    parts = [
        f"# {markdown(metrics.run.name)}",
        markdown(headline(metrics)),
        *([f"**Transductive**: {TRANSDUCTIVE}."] if metrics.transductive else []),
        "## Agreement",
        INTERVALS.format(unit=summary.unit),
        agreement_table(summary),
        *([] if scales is None else ["## By score scale", scales.caption, _table(scales)]),
        "## Beside baselines",
        _baselines(metrics),
        "## By fold",
        _folds(summary),
        f"## The {len(summary.bottom_k_prompts)} worst prompts",
        _bottom(summary),
        "## Mapping",
        _mapping(metrics),
        "## Fits",
        _fits(metrics.fits),
        *([] if probe is None else ["## Prompt probe", _probe(probe)]),
        "## Provenance",
        _provenance(metrics),
    ]
    return "\n\n".join(parts) + "\n"


def agreement_table(summary: Summary) -> str:
    """Return every figure over all essays with its interval and n."""
    rows = [
        [
            figure_names(summary.unit)[name],
            with_interval(figure.estimate, figure.low, figure.high),
            str(figure.n),
        ]
        for name, figure in summary.overall.items()
    ]
    return markdown_table(("figure", "estimate [95%]", "n"), rows)


def _table(table: ReportTable) -> str:
    return markdown_table(table.header, table.texts)


def _baselines(metrics: CvMetrics) -> str:
    rows = [summary_row(f"baseline: {name}", b) for name, b in metrics.baselines.items()]
    rows.append(summary_row(markdown(metrics.run.name), metrics.summary))
    return markdown_table(HEADER, rows)


def _folds(summary: Summary) -> str:
    names = ("qwk", "mae", "rmse", "exact", "adjacent")
    rows = [
        [str(row.fold), str(row.n), *(number(getattr(row, name)) for name in names)]
        for row in summary.folds
    ]
    over = summary.mean_over_folds
    rows.append(["mean", str(summary.n), *(number(over[name].mean) for name in names)])
    rows.append(["population sd", "", *(number(over[name].std) for name in names)])
    return markdown_table(
        ("fold", "n", *(figure_names(summary.unit)[name] for name in names)), rows
    )


def _bottom(summary: Summary) -> str:
    if not summary.bottom_k_prompts:
        return f"No prompt has {summary.settings.min_prompt_n} essays or more."
    rows = [[markdown(row.prompt), str(row.n), number(row.qwk)] for row in summary.bottom_k_prompts]
    table = markdown_table(("prompt", "n", "QWK"), rows)
    return f"{table}\n\nTheir mean QWK is {number(summary.bottom_k_mean)}."


def _mapping(metrics: CvMetrics) -> str:
    mapping, figures = metrics.mapping, metrics.summary.mappings
    names = {"final": f"{mapping.name} (this run)", "round_half_band": "plain rounding"}
    rows = [
        [name, number(figures[key]["qwk"]), number(figures[key]["mae"])]
        for key, name in names.items()
    ]
    parts = [markdown_table(("mapping", "pooled QWK", "MAE"), rows)]
    fitted = [
        [name, number(means["qwk"].mean), number(means["mae"].mean)]
        for name, means in (mapping.inner_vs_lfo or {}).items()
    ]
    if fitted:
        parts.append(markdown_table(("cut-points fitted", "mean QWK", "mean MAE"), fitted))
    if rows_of_folds := fitted_rows(mapping):
        parts.append("\n".join(f"- fold {fold}: {values}" for fold, values in rows_of_folds))
    return "\n\n".join(parts)


def fitted_rows(mapping: AppliedMapping) -> list[tuple[str, str]]:
    """Return each fold with its cut-points or its linking as text."""
    cuts = [
        (str(fold), ", ".join(f"{cut:.3f}" for cut in cuts))
        for fold, cuts in mapping.cutpoints.items()
        if cuts
    ]
    return cuts + [(str(fold), _line(linking)) for fold, linking in mapping.linkings.items()]


def _line(of: Linking) -> str:
    """Return a linking in words, in numbers of the common scale from 0 to 4."""
    steps, spread = math.exp(of.log_steps), math.exp(of.log_spread)
    return (
        f"predicted mean {of.raw_mean:.3f} to {of.true_mean:.3f}, predicted spread "
        f"{of.raw_spread:.3f} to {spread:.3f} * (steps / {steps:.1f})^{of.slope:.2f}"
    )


def _fits(fits: Sequence[FitRow]) -> str:
    if not fits:
        return "The predictions were made elsewhere."
    rows = [
        [
            str(fit.fold),
            MISSING if fit.rounds is None else str(fit.rounds),
            f"{fit.seconds:.1f}",
        ]
        for fit in fits
    ]
    return markdown_table(("fold held out", "rounds kept", "seconds"), rows)


def _probe(probe: PromptProbe) -> str:
    """Return accuracies of naming the prompt, each with its interval, and what guessing gives."""
    places = {"prompts held out": probe.held_out, "prompts trained on": probe.training}
    rows = []
    for where, probes in places.items():
        for name, words in PROBED.items():
            held = probes[name]
            accuracy = with_interval(held.accuracy, held.low, held.high)
            figure = MISSING if held.accuracy is None else accuracy
            counts = [number(held.majority), str(held.classes), str(held.n)]
            rows.append([where, words, figure, *counts])
    header = ("among", "from", "accuracy [95%]", "majority", "prompts", "n")
    note = "How well a linear classifier names the prompt of an essay, cross-validated."
    return f"{note}\n\n{markdown_table(header, rows)}"


def _provenance(metrics: CvMetrics) -> str:
    return "\n".join(f"- {name}: `{value}`" for name, value in provenance_rows(metrics))


def provenance_rows(metrics: CvMetrics) -> list[tuple[str, str]]:
    """Return what a run stands on, as names and values."""
    data, settings = metrics.data, metrics.summary.settings
    rows = [
        ("run folder", metrics.run.folder),
        ("family", metrics.family),
        ("data", f"{data.kind}, {data.n} essays, {data.n_prompts} prompts"),
        ("data sha256", data.data_sha256),
        ("splits sha256", data.splits_sha256),
        ("code revision", metrics.code_revision),
        ("resamples", f"{settings.replicates} of each prompt's essays, seed {settings.seed}"),
        *sorted(metrics.versions.items()),
    ]
    return [(name, "unknown" if value is None else str(value)) for name, value in rows]
