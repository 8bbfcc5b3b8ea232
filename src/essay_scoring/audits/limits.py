"""The limits of Williamson, Xi and Breyer (2012), each passed or failed."""

from __future__ import annotations

from essay_scoring.audits.audit_evidence import Evidence, Group
from essay_scoring.audits.ceilings import degradation
from essay_scoring.audits.resamples import Limit
from essay_scoring.records.audit_record import AuditSection, Figure
from essay_scoring.statistics import weighted

NAME, TITLE = "limits", "Limits of Williamson, Xi and Breyer (2012)"

AGREEMENT = Limit(0.70, at_least=True)
SMD_LIMIT, SUBGROUP_LIMIT = Limit(0.15), Limit(0.10)


def limits(evidence: Evidence) -> AuditSection:
    """Return each limit with the run's figure.

    QWK of final scores and r of predictions before mapping at least 0.70, both at most 0.10 below
    two raters', |SMD| at most 0.15 over all essays and 0.10 in every subgroup. SMD is divided by
    the root of the mean variance of both sides, as they define it. The point estimate decides,
    which is how the limits are meant; the interval says how surely.
    """
    true, final, raw = evidence.common
    measure = evidence.resamples.figure
    figures = [
        measure("QWK, at least", evidence.qwk, limit=AGREEMENT),
        measure("r, at least", lambda w: weighted.pearson(w, true, raw), limit=AGREEMENT),
        *degradation(evidence),
        measure("SMD, at most", lambda w: weighted.pooled_smd(w, true, final), limit=SMD_LIMIT),
        *_subgroups(evidence),
    ]
    judged = [figure for figure in figures if figure.passes is not None]
    failed = [figure for figure in judged if not figure.passes]
    unsure = [figure for figure in judged if _straddles(figure)]
    said = ", ".join(_words(figure) for figure in failed[:3]) or "none"
    more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
    rater = "" if degradation(evidence) else "; degradation needs a second rater"
    return AuditSection(
        NAME,
        TITLE,
        f"{len(judged) - len(failed)} of {len(judged)} limits are kept; missed: {said}{more}. "
        f"The interval of {len(unsure)} of them holds its limit{rater}.",
        "fail" if failed else "pass",
        figures,
    )


def _subgroups(evidence: Evidence) -> list[Figure]:
    """Return the SMD of every group that is large enough."""
    large = [group for groups in evidence.large_groups().values() for group in groups]
    return [_subgroup(evidence, group) for group in large]


def _subgroup(evidence: Evidence, group: Group) -> Figure:
    true, final, _ = evidence.common
    return evidence.resamples.figure(
        "SMD of a subgroup, at most",
        lambda w: weighted.pooled_smd(w * group.members, true, final),
        group=group.name,
        members=group.members,
        limit=SUBGROUP_LIMIT,
    )


def _straddles(figure: Figure) -> bool:
    """Tell whether a figure's interval holds its limit, so that chance might decide it."""
    if figure.low is None or figure.high is None or figure.limit is None:
        return False
    bounds = (figure.limit,) if figure.at_least else (figure.limit, -figure.limit)
    return any(figure.low < bound < figure.high for bound in bounds)


def _words(figure: Figure) -> str:
    name = figure.name.split(",")[0]
    where = f" ({figure.group})" if figure.group else ""
    return f"{name}{where} {figure.estimate:.2f}"
