"""Figures and names as words: what the pages and the Markdown reports share."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Mapping

from essay_scoring.core.number_text import MISSING, number
from essay_scoring.records.run_records import CvMetrics
from essay_scoring.statistics.agreement import ONE_SCALE
from essay_scoring.statistics.summary import Summary

SCHEMES = {
    "prompt_holdout": "On prompts that training never saw",
    "stratified_text": "On unseen essays of prompts that training saw",
}

FIGURE_NAMES = {
    "qwk": "QWK",
    "mae": "MAE",
    "rmse": "RMSE",
    "exact": "exact agreement",
    "adjacent": "adjacent agreement",
    "pearson": "Pearson's r",
    "spearman": "Spearman's rank correlation",
    "pearson_raw": "Pearson's r, before mapping",
    "spearman_raw": "Spearman's rank correlation, before mapping",
    "smd": "standardised mean difference",
    "low_tail_adjacent": "adjacent agreement, low tail",
    "high_tail_adjacent": "adjacent agreement, high tail",
}
TRANSDUCTIVE = "a score uses the other, unlabelled essays of the held-out prompt"
_OWN_STEP = "within one step of the prompt's own scale"


def figure_names(unit: str) -> dict[str, str]:
    """Return the figures of a run in words, by what its errors are measured in.

    Where scales differ by prompt, a step of one is not a step of another, and the name says so.
    """
    if unit == ONE_SCALE:
        return FIGURE_NAMES
    tails = {f"{tail}_tail_adjacent": f"{_OWN_STEP}, {tail} tail" for tail in ("low", "high")}
    return FIGURE_NAMES | {"adjacent": _OWN_STEP} | tails


def headline(metrics: CvMetrics) -> str:
    """Return the answer of a run in one sentence, as plain text: it may hold a prompt's name."""
    where = SCHEMES.get(metrics.run.scheme, f"Under {metrics.run.scheme}")
    figure, folds = (
        metrics.summary.overall["qwk"],
        metrics.summary.mean_over_folds["qwk"],
    )
    who = f"{where}, the {metrics.family} scorer"
    if figure.estimate is None:
        return f"{who} has no defined agreement with the raters."
    text = f"{who} agrees with the raters at a QWK of {number(figure.estimate)}"
    if figure.low is not None:
        text += f" (95% interval {number(figure.low)} to {number(figure.high)})"
    text += f", {number(folds.mean)} as the mean of {folds.n_folds} folds"
    return f"{text}{_worst(metrics.summary)}{_baselines(metrics.baselines)}."


def plain(name: str) -> str:
    """Return a name on one line, without control or direction-changing characters."""
    kinds = ((mark, unicodedata.category(mark)) for mark in name)
    kept = (" " if kind == "Cc" else mark for mark, kind in kinds if kind != "Cf")
    return " ".join("".join(kept).split())


def markdown(name: str) -> str:
    """Return a name that Markdown and HTML show as it is; bars are left to the table."""
    text = html.escape(plain(name), quote=False)
    for mark in "\\`*_[]#":
        text = text.replace(mark, f"\\{mark}")
    return text or "(no name)"


def score(value: float | None) -> str:
    """Return a score without needless zeros."""
    return MISSING if value is None else f"{value:g}"


def size_on_disk(count: int) -> str:
    """Return a number of bytes in a unit that makes it short."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"


def _worst(summary: Summary) -> str:
    """Return the clause about the worst prompt."""
    worst, least = summary.worst_prompt, summary.settings.min_prompt_n
    if worst is None:
        return f"; no prompt has {least} essays, so there is no worst one"
    return (
        f"; the worst of the prompts with {least} essays or more is \u201c{plain(worst.prompt)}"
        f"\u201d at {number(worst.qwk)}"
    )


def _baselines(baselines: Mapping[str, Summary]) -> str:
    """Return the clause about the baselines."""
    if not baselines:
        return ""
    figures = (
        f"{name} {number(summary.overall['qwk'].estimate)}" for name, summary in baselines.items()
    )
    return f"; baselines reach {', '.join(figures)}"
