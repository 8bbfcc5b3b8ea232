"""Subgroups: whether writers of a group get other scores from the machine than from the raters."""

from __future__ import annotations

import numpy as np

from essay_scoring.audits.audit_evidence import MIN_GROUP, Evidence, Group
from essay_scoring.audits.resamples import Limit
from essay_scoring.core.number_text import held
from essay_scoring.core.scale import FloatArray
from essay_scoring.records.audit_record import AuditSection, Cell, DetailTable, Figure, verdict_on
from essay_scoring.statistics import weighted

NAME, TITLE = "subgroups", "Subgroup agreement and differences"

LIMIT = 0.10
"""What SMD and DSM of a subgroup may come to (Williamson, Xi and Breyer 2012)."""

WIDE = 0.15
"""Their limit for all essays together: a subgroup beyond it is far off."""

_LISTED = 40


def subgroups(evidence: Evidence) -> AuditSection:
    """Return QWK, SMD, DSM and the difference given the human score of every group of writers.

    SMD is in the human deviations of the group itself; DSM and the conditional difference use
    all essays' (the latter those of its column). Groups below MIN_GROUP essays are only named.
    """
    large = evidence.large_groups()
    if not evidence.groups:
        return AuditSection(NAME, TITLE, "The corpus keeps no group of writers.")
    figures: list[Figure] = []
    rows: list[tuple[Cell, ...]] = []
    for groups in large.values():
        given = conditional_differences(evidence, groups)
        for group in groups:
            found = [*_figures(evidence, group), given.get(group.label)]
            figures += [figure for figure in found if figure is not None]
            rows.append(_row(group, found))
    tables = [
        DetailTable(
            "Groups of 30 essays or more; above zero the machine is the more generous side",
            ("group", "n", "QWK", "SMD", "DSM", "given the human score", "worst of SMD and DSM"),
            rows,
        ),
        *_too_small(evidence),
    ]
    return AuditSection(NAME, TITLE, _finding(figures), verdict_on(figures), figures, tables)


def conditional_differences(evidence: Evidence, groups: list[Group]) -> dict[str, Figure]:
    """Return by label how much more the machine gives a group than the largest one, given H.

    Least squares of the final score on the human score and an indicator of each group, in human
    deviations: Loukina, Madnani and Zechner (2019), conditional score differences. Scorers that
    shrink towards the mean give low-scored groups a DSM above zero; this difference does not, but
    what raters err by leaves a little of it the other way round.
    """
    reference, *others = groups
    true, final, _ = evidence.common
    spread = float(weighted.deviation(np.ones((1, len(true))), true)[0])
    if not others or not np.isfinite(spread):
        return {}
    rows = np.any([group.members for group in groups], axis=0)
    marks = [group.members.astype(np.float64) for group in others]
    design = np.column_stack([np.ones(len(true)), (true - true.mean()) / spread, *marks])
    outcome = (final / spread)[:, None]
    found = {}
    for place, group in enumerate(others, start=2):

        def effect(weights: FloatArray, place: int = place) -> FloatArray:
            return weighted.regression(weights * rows, design, outcome)[:, place, 0]

        name = f"given the human score, against {reference.label}"
        found[group.label] = evidence.resamples.figure(
            name, effect, group=group.name, members=group.members
        )
    return found


def _figures(evidence: Evidence, group: Group) -> list[Figure]:
    """Return QWK, SMD and DSM of a group."""
    true, final, _ = evidence.common
    members, measure = group.members, evidence.resamples.figure

    def kappa(weights: FloatArray) -> FloatArray:
        return evidence.qwk(weights * members)

    def smd(weights: FloatArray) -> FloatArray:
        return weighted.smd(weights * members, true, final)

    def dsm(weights: FloatArray) -> FloatArray:
        return weighted.standardised_means_difference(weights, true, final, members)

    limit = Limit(LIMIT)
    return [
        measure("QWK", kappa, group=group.name, members=members),
        measure("SMD", smd, group=group.name, members=members, limit=limit),
        measure("DSM", dsm, group=group.name, members=members, limit=limit),
    ]


def _row(group: Group, found: list[Figure | None]) -> tuple[Cell, ...]:
    """Return a group's line: n, the estimates, and how far off the worse of SMD and DSM is."""
    estimates = [None if figure is None else figure.estimate for figure in found]
    sizes = [abs(value) for value in estimates[1:3] if value is not None]
    if not sizes:
        how_far = "undefined"
    elif max(sizes) <= LIMIT:
        how_far = f"within {LIMIT:.2f}"
    else:
        how_far = f"{LIMIT:.2f} to {WIDE:.2f}" if max(sizes) <= WIDE else f"beyond {WIDE:.2f}"
    return (group.name, group.n, *estimates, how_far)


def _too_small(evidence: Evidence) -> list[DetailTable]:
    """Return the table of groups that are too small to judge, if there are any."""
    small = [(group.name, group.n) for group in evidence.groups if group.n < MIN_GROUP]
    caption = f"Too small to judge: fewer than {MIN_GROUP} essays"
    if len(small) > _LISTED:
        caption += f" ({len(small)} groups, {_LISTED} shown)"
    return [DetailTable(caption, ("group", "n"), small[:_LISTED])] if small else []


def _finding(figures: list[Figure]) -> str:
    """Return how many figures exceed the limit, and how surely."""
    judged = [figure for figure in figures if figure.limit is not None]
    if not judged:
        return f"No group has {MIN_GROUP} essays."
    n_groups = len({figure.group for figure in judged})
    beyond = [figure for figure in judged if abs(figure.estimate or 0) > LIMIT]
    open_ = {figure.group for figure in judged if figure.result == "undecided"}
    unsure = (
        f"; whether they do in truth, the intervals of {len(open_)} groups leave open"
        if open_
        else ""
    )
    if not beyond:
        return f"SMD and DSM of all {n_groups} groups lie within {LIMIT:.2f}{unsure}."
    odd = {figure.group for figure in beyond}
    real = [figure for figure in beyond if differs(figure)]
    worst = max(real or beyond, key=lambda figure: abs(figure.estimate or 0))
    return (
        f"SMD or DSM exceeds {LIMIT:.2f} in {len(odd)} of {n_groups} groups, and is not zero "
        f"beyond the noise in {len({one.group for one in real})} of them; the "
        f"furthest{' of these' if real else ''} is the {worst.name} of {worst.group}, "
        f"{held(worst.estimate, *worst.limits, sign=True)}{unsure}."
    )


def differs(figure: Figure) -> bool:
    """Tell whether a figure's whole interval lies on one side of zero."""
    return figure.low is not None and figure.high is not None and figure.low * figure.high > 0
