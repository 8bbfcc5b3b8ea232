"""What is wrong with a run, in sentences: worst prompts, tails, bands, calibration, length.

They say what `cv_metrics.json` and a study's covariates hold, and compute nothing new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from essay_scoring.core.number_text import number, share
from essay_scoring.records.study_results import BriefSummary, StudyRecord
from essay_scoring.reports.words import plain
from essay_scoring.statistics.covariate_regression import CovariateEffect, Effect
from essay_scoring.statistics.slices import Band, PredictedBand, PromptRow
from essay_scoring.statistics.summary import Summary

AnyBand = TypeVar("AnyBand", Band, PredictedBand)

LEAST_IN_BAND = 10
"""A band with fewer essays says little of its own; it stays in the table."""


@dataclass(frozen=True)
class Shortcoming:
    """One way in which a model is off: a name for its figure, a title, what was found."""

    name: str
    title: str
    finding: str


def shortcomings(
    summary: Summary | BriefSummary, length: CovariateEffect | None = None
) -> list[Shortcoming]:
    """Return what is wrong with a run, of what its summary holds.

    `length` is the effect of `word_count` on its errors, as a study's comparison holds it.
    """
    found = [
        Shortcoming("prompts", "The worst prompts", _prompts(summary)),
        Shortcoming("tails", "Weak and strong essays", _tails(summary)),
    ]
    if isinstance(summary, Summary):
        found.append(Shortcoming("bands", "Bias by band", _bands(summary.bands)))
        found.append(
            Shortcoming("calibration", "Calibration", _calibration(summary.predicted_bands))
        )
    return [*found, Shortcoming("length", "Length", _length(length))]


def length_effect(study: StudyRecord) -> CovariateEffect | None:
    """Return how the errors of the arm decided for follow length, None where that is unknown."""
    scheme = study.runs[0].scheme
    for compared in study.comparisons:
        if compared.scheme != scheme:
            continue
        measured = {arm.arm: arm.covariates for arm in compared.arms}
        measured[compared.reference.arm] = compared.reference.covariates
        effects = measured.get(study.decided_arm) or ()
        return next((effect for effect in effects if effect.covariate == "word_count"), None)
    return None


def _prompts(summary: Summary | BriefSummary) -> str:
    worst, overall = summary.worst_prompt, summary.overall["qwk"]
    if worst is None:
        return "No prompt has essays enough to be judged alone."
    rows = summary.prompts if isinstance(summary, Summary) else []
    row = next((row for row in rows if row.prompt == worst.prompt), None)
    said = (
        f"“{plain(worst.prompt)}” is served worst: QWK {number(worst.qwk)}"
        f"{_interval(row)}, {worst.n} essays. The bottom prompts average "
        f"{number(summary.bottom_k_mean)}; all essays together reach "
        f"{number(overall.estimate)}."
    )
    small = summary.small_prompts if isinstance(summary, Summary) else []
    return f"{said} {len(small)} prompts have too few essays to be judged alone." if small else said


def _tails(summary: Summary | BriefSummary) -> str:
    said = []
    for key, name in (("low_tail_adjacent", "low"), ("high_tail_adjacent", "high")):
        figure = summary.overall[key]
        if figure.estimate is None:
            said.append(f"no essay lies in the {name} tail")
        else:
            low, high = share(figure.low), share(figure.high)
            said.append(
                f"{share(figure.estimate)} (95% interval {low} to {high}) of the "
                f"{figure.n} essays in the {name} tail"
            )
    return f"Within one step of the raters: {'; '.join(said)}."


def _bands(bands: Sequence[Band]) -> str:
    rows = _telling(bands)
    if len(rows) < 2:
        return "The essays lie in too few bands to tell."
    low, high = rows[0], rows[-1]
    drawn = (low.mean_residual or 0) > 0 > (high.mean_residual or 0)
    head = "Scores are drawn to the middle" if drawn else "Predicted minus true"
    ends = (
        f"{number(row.mean_residual, sign=True)} on average where raters gave {row.band} "
        f"(n {row.n})"
        for row in (low, high)
    )
    return f"{head}: {', '.join(ends)}."


def _calibration(bands: Sequence[PredictedBand]) -> str:
    rows = _telling(bands)
    if not rows:
        return "No score was given often enough to tell."
    worst = max(rows, key=lambda row: abs((row.mean_true or 0) - (row.mean_final or 0)))
    return (
        f"Furthest off is the score {worst.band}: the {worst.n} essays given it average "
        f"{number(worst.mean_true)} with the raters."
    )


def _length(effect: CovariateEffect | None) -> str:
    if effect is None or effect.residual is None:
        return "How errors follow length, other features held, is not in the study."
    off, size = effect.residual, effect.abs_residual
    said = (
        f"Per standard deviation of words, other features held, scores are off by "
        f"{number(off.coefficient, sign=True)} points ({_span(off)}): {_sign(off)}."
    )
    if size is None:
        return said
    coefficient = number(size.coefficient, sign=True)
    return f"{said} Absolute errors change by {coefficient} ({_span(size)})."


def _sign(off: Effect) -> str:
    if off.low is not None and off.low > 0:
        return "longer essays are scored too generously"
    if off.high is not None and off.high < 0:
        return "longer essays are scored too severely"
    return "no sign that longer essays are favoured or punished"


def _span(effect: Effect) -> str:
    low, high = (number(end, sign=True) for end in (effect.low, effect.high))
    return f"95% interval {low} to {high}"


def _interval(row: PromptRow | None) -> str:
    if row is None or row.low is None:
        return ""
    return f" (95% interval {number(row.low)} to {number(row.high)})"


def _telling(bands: Sequence[AnyBand]) -> list[AnyBand]:
    """Return the bands that hold enough essays to speak of, or else all that hold any."""
    held = [row for row in bands if row.n]
    return [row for row in held if row.n >= LEAST_IN_BAND] or held
