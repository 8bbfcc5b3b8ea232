"""Length: whether the machine counts words where raters read."""

from __future__ import annotations

from essay_scoring.audits.audit_evidence import Evidence
from essay_scoring.audits.resamples import Limit
from essay_scoring.core.number_text import held
from essay_scoring.core.scale import FloatArray
from essay_scoring.records.audit_record import AuditSection, DetailTable, Figure, verdict_on
from essay_scoring.statistics import weighted
from essay_scoring.statistics.predictions import Predictions

NAME, TITLE = "length", "Length"

PARTIAL_LIMIT = 0.50
"""A large effect (Cohen 1988): how far scores may follow length among equally rated essays."""


def length(evidence: Evidence, length_only: Predictions) -> AuditSection:
    """Return how scores follow the number of words, and what a scorer of length alone is worth.

    `length_only` are its out-of-fold predictions of the same essays in the same order. How machine
    scores (before mapping) correlate with length once the human score is held fixed is held against
    PARTIAL_LIMIT; and they should agree better than length alone.
    """
    other = Evidence(length_only, evidence.resamples, evidence.words)
    figures = [*_correlations(evidence), *_beside(evidence, other)]
    partial, gain = (_named(figures, name) for name in (PARTIAL, GAIN))
    rows = [
        (name, figure.estimate, figure.low, figure.high)
        for name, figure in (("this run", _named(figures, RUN)), ("length only", figures[-2]))
    ]
    return AuditSection(
        NAME,
        TITLE,
        _finding(figures, partial, gain),
        verdict_on((partial, gain)),
        figures,
        [DetailTable("Beside a scorer of length alone", ("scorer", "QWK", "low", "high"), rows)],
    )


PARTIAL = "machine with words, human score held fixed (Pearson)"
GAIN = "QWK above that of length alone"
RUN = "QWK of this run"
HUMAN, MACHINE = "human with words (Pearson)", "machine with words (Pearson)"


def _correlations(evidence: Evidence) -> list[Figure]:
    """Return the correlations of human and machine scores with words."""
    (true, _, raw), words, measure = evidence.common, evidence.words, evidence.resamples.figure

    def partial(weights: FloatArray) -> FloatArray:
        return weighted.partial_correlation(weights, raw, words, true)

    def excess(weights: FloatArray) -> FloatArray:
        machine = weighted.pearson(weights, raw, words)
        return machine - weighted.pearson(weights, true, words)

    return [
        measure(HUMAN, lambda w: weighted.pearson(w, true, words)),
        measure(MACHINE, lambda w: weighted.pearson(w, raw, words)),
        measure("human with words (Spearman)", lambda w: weighted.spearman(w, true, words)),
        measure("machine with words (Spearman)", lambda w: weighted.spearman(w, raw, words)),
        measure("machine less human (Pearson)", excess),
        measure(PARTIAL, partial, limit=Limit(PARTIAL_LIMIT)),
    ]


def _beside(evidence: Evidence, other: Evidence) -> list[Figure]:
    """Return QWK of the run, of length alone, and the difference on the same resamples."""
    measure = evidence.resamples.figure
    return [
        evidence.overall(RUN, "qwk", evidence.qwk),
        measure("QWK of length alone", other.qwk),
        measure(GAIN, lambda w: evidence.qwk(w) - other.qwk(w), limit=Limit(0.0, at_least=True)),
    ]


def _named(figures: list[Figure], name: str) -> Figure:
    return next(figure for figure in figures if figure.name == name)


def _is_better(gain: Figure) -> bool:
    """Tell whether the whole interval of the gain over length alone lies above zero."""
    reached = gain.low if gain.low is not None else gain.estimate
    return reached is not None and reached > 0


def _finding(figures: list[Figure], partial: Figure, gain: Figure) -> str:
    human, machine = (_shown(_named(figures, name)) for name in (HUMAN, MACHINE))
    better = "above" if _is_better(gain) else "not clearly above"
    return (
        f"Words correlate {human} with human and {machine} with machine scores, {_shown(partial)} "
        f"with the latter among equally rated essays; agreement is {better} that of length alone "
        f"({_shown(gain)} QWK)."
    )


def _shown(figure: Figure) -> str:
    if figure.estimate is None:
        return "undefined"
    return held(figure.estimate, *figure.limits, sign=True, digits=2)
