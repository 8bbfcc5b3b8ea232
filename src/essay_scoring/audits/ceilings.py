"""Human ceilings: how far two raters agree, and how much of that the machine reaches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from essay_scoring.audits.audit_evidence import Evidence
from essay_scoring.audits.resamples import Limit, Statistic
from essay_scoring.core.number_text import held
from essay_scoring.core.scale import FloatArray
from essay_scoring.records.audit_record import AuditSection, Figure, verdict_on
from essay_scoring.statistics import weighted
from essay_scoring.statistics.counts import Mask
from essay_scoring.statistics.moments import pooled
from essay_scoring.statistics.true_scores import TrueScores, true_scores

NAME, TITLE = "ceilings", "Human ceilings"

DEGRADATION = Limit(0.10, one_sided=True)
"""How far below two raters' agreement the machine's may lie (Williamson, Xi and Breyer 2012)."""

QWK_LOSS, R_LOSS = "degradation of QWK", "degradation of r"
FEWEST_DOUBLES = 30


def ceilings(evidence: Evidence) -> AuditSection:
    """Return two raters' agreement, the machine's loss against it, QWK's ceilings, and PRMSE.

    Agreement, losses and disattenuated r rest on the essays that both raters scored; PRMSE and the
    ceilings on all (Loukina et al. 2020; Uto 2026). Degradation is human-human less human-machine
    agreement.
    """
    doubled = both_rated(evidence)
    if doubled is None:
        return AuditSection(
            NAME, TITLE, "The corpus has one rater, so there is no ceiling to reach."
        )
    n = int(doubled.sum())
    if n < FEWEST_DOUBLES:
        return AuditSection(
            NAME, TITLE, f"Two raters scored {n} essays only, too few for a ceiling."
        )
    figures = [
        *degradation(evidence),
        *_agreement(evidence, doubled),
        *_achievable(evidence, doubled),
        *_truth(evidence, doubled),
    ]
    losses = figures[:2]
    prmse = next(figure for figure in figures if figure.name == "PRMSE, before mapping")
    said = "; ".join(f"{figure.name} {_shown(figure)}" for figure in (*losses, prmse))
    return AuditSection(
        NAME,
        TITLE,
        f"Against the agreement of two raters on {n} essays: {said}.",
        verdict_on(losses),
        figures,
    )


def both_rated(evidence: Evidence) -> Mask | None:
    """Return which essays, (n,), have a second rater's score; None where none has."""
    second = evidence.second_scores
    if second is None or not np.isfinite(second).any():
        return None
    return np.isfinite(second)


def degradation(evidence: Evidence) -> list[Figure]:
    """Return how much less than two raters machine and rater agree: in QWK, and in r.

    r is of predictions before mapping, QWK of final scores; both on the essays rated twice. Empty
    where there are fewer than FEWEST_DOUBLES of them. Only a loss counts against the limit.
    """
    doubled = both_rated(evidence)
    if doubled is None or doubled.sum() < FEWEST_DOUBLES:
        return []
    human_qwk, human_r, machine_qwk, machine_r = _sides(evidence, doubled)
    made = (
        (QWK_LOSS, lambda w: human_qwk(w) - machine_qwk(w)),
        (R_LOSS, lambda w: human_r(w) - machine_r(w)),
    )
    measure = evidence.resamples.figure
    return [measure(name, found, members=doubled, limit=DEGRADATION) for name, found in made]


def _sides(evidence: Evidence, doubled: Mask) -> tuple[Statistic, Statistic, Statistic, Statistic]:
    """Return QWK and r of both raters, and of first rater and machine, on essays rated twice."""
    true, _, raw = evidence.common
    rated = _second(evidence, doubled)
    own, other = evidence.positions(evidence.predictions.true), evidence.positions(rated)
    second = evidence.predictions.in_common_unit(rated)

    def human_qwk(weights: FloatArray) -> FloatArray:
        return weighted.qwk(weights * doubled, own, other, evidence.scale_of)

    def human_r(weights: FloatArray) -> FloatArray:
        return weighted.pearson(weights * doubled, true, second)

    def machine_qwk(weights: FloatArray) -> FloatArray:
        return evidence.qwk(weights * doubled)

    def machine_r(weights: FloatArray) -> FloatArray:
        return weighted.pearson(weights * doubled, true, raw)

    return human_qwk, human_r, machine_qwk, machine_r


def _agreement(evidence: Evidence, doubled: Mask) -> list[Figure]:
    """Return the agreement of both sides, the raters' SMD, and disattenuated r."""
    human_qwk, human_r, machine_qwk, machine_r = _sides(evidence, doubled)
    rated = _second(evidence, doubled)
    true, second = evidence.common[0], evidence.predictions.in_common_unit(rated)

    def disattenuated(weights: FloatArray) -> FloatArray:
        ceiling = human_r(weights)
        return machine_r(weights) / np.sqrt(np.where(ceiling > 0, ceiling, np.nan))

    made: dict[str, Statistic] = {
        "human-human QWK": human_qwk,
        "human-machine QWK": machine_qwk,
        "human-human AC2": lambda w: evidence.ac2(w * doubled, rated),
        "human-machine AC2": lambda w: evidence.ac2(w * doubled, evidence.predictions.final),
        "human-human r": human_r,
        "human-machine r, before mapping": machine_r,
        "disattenuated r": disattenuated,
        "human-human SMD": lambda w: weighted.pooled_smd(w * doubled, true, second),
    }
    measure = evidence.resamples.figure
    figures = [measure(name, statistic, members=doubled) for name, statistic in made.items()]
    if not doubled.all():
        return figures
    recorded = {"human-machine QWK": "qwk", "human-machine r, before mapping": "pearson_raw"}
    return [
        evidence.overall(one.name, recorded[one.name], made[one.name])
        if one.name in recorded
        else one
        for one in figures
    ]


def _achievable(evidence: Evidence, doubled: Mask) -> list[Figure]:
    """Return what QWK with one rater's scores comes to for true scores, and for one more rater.

    Uto (2026, Has automated essay scoring reached sufficient accuracy?): with the reliability rho =
    V_T / (V_T + V_e) of one rater, from `true_scores`, exact true scores reach 2 rho / (1 + rho)
    and a machine that errs as a rater does reaches rho.
    """
    ratings = np.column_stack([evidence.predictions.true, _second(evidence, doubled)])
    ratings[~doubled, 1] = np.nan

    def reliability(weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        scales = [evidence.scale_of == scale for scale in np.unique(evidence.scale_of)]
        parts = [true_scores(weights * rows, ratings[:, 0], ratings) for rows in scales]
        truth, error = (
            np.stack([getattr(part, name) for part in parts])
            for name in ("true_variance", "error_variance")
        )
        held = np.stack([weights @ rows for rows in scales])
        return np.where(truth > 0, truth / (truth + error), np.nan), held

    def of_true_scores(weights: FloatArray) -> FloatArray:
        rho, held = reliability(weights)
        return pooled(2 * rho / (1 + rho), held, axis=0)

    made: dict[str, Statistic] = {
        "achievable QWK, of exact true scores": of_true_scores,
        "achievable QWK, of one more rater": lambda w: pooled(*reliability(w), axis=0),
    }
    return [evidence.resamples.figure(name, statistic) for name, statistic in made.items()]


def _truth(evidence: Evidence, doubled: Mask) -> list[Figure]:
    """Return PRMSE before and after mapping, and the variances that it rests on."""
    true, final, raw = evidence.common
    second = evidence.predictions.in_common_unit(_second(evidence, doubled))
    ratings = np.column_stack([true, np.where(doubled, second, np.nan)])

    def of(system: FloatArray, part: Callable[[TrueScores], FloatArray]) -> Statistic:
        return lambda weights: part(true_scores(weights, system, ratings))

    made: dict[str, Statistic] = {
        "PRMSE, before mapping": of(raw, lambda found: found.prmse),
        "PRMSE": of(final, lambda found: found.prmse),
        "variance of raters' errors": of(raw, lambda found: found.error_variance),
        "variance of true scores": of(raw, lambda found: found.true_variance),
    }
    return [evidence.resamples.figure(name, statistic) for name, statistic in made.items()]


def _second(evidence: Evidence, doubled: Mask) -> FloatArray:
    """Return the second rater's scores, own scale, and the first one's where there are none.

    What stands for a missing score never counts: the essay has no weight there.
    """
    first, second = evidence.predictions.true, evidence.second_scores
    return first if second is None else np.where(doubled, second, first)


def _shown(figure: Figure) -> str:
    if figure.estimate is None:
        return "undefined"
    return held(figure.estimate, *figure.limits, sign=True, digits=2)
