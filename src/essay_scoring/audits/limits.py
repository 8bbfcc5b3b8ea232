"""The limits of Williamson, Xi and Breyer (2012), each passed or failed."""

from __future__ import annotations

from collections.abc import Sequence

from essay_scoring.audits.audit_evidence import Evidence, Group
from essay_scoring.audits.ceilings import degradation
from essay_scoring.audits.resamples import Limit, Statistic
from essay_scoring.core.number_text import held
from essay_scoring.records.audit_record import AuditSection, Figure, verdict_on
from essay_scoring.statistics import weighted

NAME, TITLE = "limits", "Limits of Williamson, Xi and Breyer (2012)"

AGREEMENT = Limit(0.70, at_least=True)
POOLED_SMD = "SMD by both sides' deviations, at most"
SMD_LIMIT, SUBGROUP_LIMIT = Limit(0.15), Limit(0.10)


def limits(evidence: Evidence) -> AuditSection:
    """Return each limit with the run's figure.

    QWK of final scores and r of predictions before mapping at least 0.70, both at most 0.10 below
    two raters', |SMD| at most 0.15 over all essays and 0.10 in every subgroup. SMD is divided by
    the root of the mean variance of both sides, as they define it. A limit is kept or missed where
    the whole interval says so.
    """
    true, final, _ = evidence.common
    measure = evidence.resamples.figure
    figures = [
        evidence.overall("QWK, at least", "qwk", evidence.qwk, AGREEMENT),
        evidence.overall("r, at least", "pearson_raw", _r(evidence), AGREEMENT),
        *degradation(evidence),
        measure(POOLED_SMD, lambda w: weighted.pooled_smd(w, true, final), limit=SMD_LIMIT),
        *_subgroups(evidence),
    ]
    by_result = {
        result: [figure for figure in figures if figure.result == result]
        for result in ("pass", "fail", "undecided")
    }
    rater = "" if degradation(evidence) else " Degradation needs a second rater."
    return AuditSection(
        NAME,
        TITLE,
        f"{len(by_result['pass'])} of {sum(map(len, by_result.values()))} limits are kept; missed: "
        f"{_listed(by_result['fail'])}; undecided, as the interval holds the limit: "
        f"{_listed(by_result['undecided'])}.{rater}",
        verdict_on(figures),
        figures,
    )


def _subgroups(evidence: Evidence) -> list[Figure]:
    """Return the SMD of every group that is large enough."""
    large = [group for groups in evidence.large_groups().values() for group in groups]
    return [_subgroup(evidence, group) for group in large]


def _subgroup(evidence: Evidence, group: Group) -> Figure:
    true, final, _ = evidence.common
    return evidence.resamples.figure(
        POOLED_SMD,
        lambda w: weighted.pooled_smd(w * group.members, true, final),
        group=group.name,
        members=group.members,
        limit=SUBGROUP_LIMIT,
    )


def _r(evidence: Evidence) -> Statistic:
    true, _, raw = evidence.common
    return lambda weights: weighted.pearson(weights, true, raw)


def _listed(figures: Sequence[Figure]) -> str:
    """Return up to three figures in words, and how many more there are."""
    more = f" and {len(figures) - 3} more" if len(figures) > 3 else ""
    return f"{', '.join(map(_words, figures[:3]))}{more}" if figures else "none"


def _words(figure: Figure) -> str:
    name = figure.name.split(",")[0]
    where = f" ({figure.group})" if figure.group else ""
    return f"{name}{where} {held(figure.estimate, *figure.limits, digits=2)}"
