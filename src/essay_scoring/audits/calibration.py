"""Calibration: whether a score means the same from the machine as from the raters."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from essay_scoring.audits.audit_evidence import MIN_GROUP, Evidence
from essay_scoring.audits.resamples import Limit, Statistic
from essay_scoring.audits.subgroups import differs
from essay_scoring.core.number_text import held
from essay_scoring.core.scale import FloatArray
from essay_scoring.records.audit_record import AuditSection, Cell, DetailTable, Figure, verdict_on
from essay_scoring.statistics import weighted
from essay_scoring.statistics.agreement import unit
from essay_scoring.statistics.slices import by_band, by_predicted_band, rows_by_prompt
from essay_scoring.statistics.student import mean_interval

NAME, TITLE = "calibration", "Calibration"

SMD_LIMIT = 0.15
"""What the standardised mean difference over all essays may come to (Williamson et al. 2012)."""

SLOPE_LIMIT = 0.15
"""How far the slope of human on machine scores may lie from 1."""

SLOPE = "slope of human on machine scores, less 1"
OfValues = Callable[[FloatArray, FloatArray], FloatArray]

PROMPT = "bias of a prompt (machine less human)"


def calibration(evidence: Evidence) -> AuditSection:
    """Return means and deviations of both sides, slope and intercept, bands, and bias by prompt.

    Slope and intercept are of human scores on predictions before mapping: 1 and 0 where a point of
    prediction is worth a point. The SMD over all essays is held against SMD_LIMIT, and how far the
    slope is off 1 against SLOPE_LIMIT.
    """
    figures, prompts = _figures(evidence), _by_prompt(evidence)
    smd, slope = figures[0], figures[1]
    off = [figure for figure in prompts if differs(figure)]
    means, slope_is = _shown(smd), _shown(slope)
    return AuditSection(
        NAME,
        TITLE,
        f"Machine scores lie {means} human deviations from the raters' on average; the slope of "
        f"human on machine scores is off 1 by {slope_is}; {len(off)} of {len(prompts)} prompts of "
        f"{MIN_GROUP} essays or more are scored too high or too low beyond the noise.",
        verdict_on((smd, slope)),
        [*figures, *prompts],
        _tables(evidence),
    )


def _figures(evidence: Evidence) -> list[Figure]:
    """Return SMD, slope and intercept, and means and deviations of both sides."""
    (true, final, raw), measure = evidence.common, evidence.resamples.figure
    design, outcome = np.column_stack([np.ones(len(raw)), raw]), true[:, None]

    def coefficient(place: int, less: float) -> Statistic:
        return lambda w: weighted.regression(w, design, outcome)[:, place, 0] - less

    def ratio(weights: FloatArray) -> FloatArray:
        return weighted.deviation(weights, final) / weighted.deviation(weights, true)

    sides = {"human": true, "machine": final, "machine before mapping": raw}
    moments = [
        measure(f"{what}, {name}", partial(_of_side, statistic, side))
        for what, statistic in (("mean", weighted.mean), ("deviation", weighted.deviation))
        for name, side in sides.items()
    ]
    return [
        evidence.overall("SMD", "smd", lambda w: weighted.smd(w, true, final), Limit(SMD_LIMIT)),
        measure(SLOPE, coefficient(1, 1.0), limit=Limit(SLOPE_LIMIT)),
        measure("intercept of human on machine scores", coefficient(0, 0.0)),
        measure("deviation of machine over human scores", ratio),
        *moments,
    ]


def _of_side(statistic: OfValues, side: FloatArray, weights: FloatArray) -> FloatArray:
    return statistic(weights, side)


def _by_prompt(evidence: Evidence) -> list[Figure]:
    """Return the mean of machine less human in each prompt of MIN_GROUP essays, furthest first.

    The intervals are Student's of the essays within the prompt, which is fixed here.
    """
    true, final, _ = evidence.common
    figures = []
    for prompt, rows in rows_by_prompt(evidence.predictions.prompts).items():
        if len(rows) < MIN_GROUP:
            continue
        error = final[rows] - true[rows]
        low, high = mean_interval(error)
        figures.append(Figure(PROMPT, prompt, float(error.mean()), len(rows), low, high))
    return sorted(figures, key=lambda figure: (-abs(figure.estimate or 0), figure.group))


def _tables(evidence: Evidence) -> list[DetailTable]:
    """Return residuals by true band, and what a predicted band is worth."""
    true: list[tuple[Cell, ...]] = [
        (row.band, row.n, row.mae, row.mean_residual, row.adjacent)
        for row in by_band(evidence.predictions)
    ]
    predicted: list[tuple[Cell, ...]] = [
        (row.band, row.n, row.mean_true, row.mean_raw)
        for row in by_predicted_band(evidence.predictions)
    ]
    where = unit(evidence.predictions)
    return [
        DetailTable(
            f"By true band, machine less human in {where}",
            ("true band", "n", "MAE", "mean residual", "adjacent"),
            true,
        ),
        DetailTable(
            f"By predicted band, in {where}",
            ("predicted band", "n", "mean true score", "mean before mapping"),
            predicted,
        ),
    ]


def _shown(figure: Figure) -> str:
    if figure.estimate is None:
        return "an undefined number of"
    return held(figure.estimate, *figure.limits, sign=True, digits=2)
