"""Differential feature functioning: features that differ by group among equally scored essays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from essay_scoring.audits.audit_evidence import Evidence, Group
from essay_scoring.audits.resamples import Resampled
from essay_scoring.core.contracts import Columns
from essay_scoring.core.scale import FloatArray
from essay_scoring.records.audit_record import AuditSection, DetailTable, Figure
from essay_scoring.statistics import weighted
from essay_scoring.statistics.hypothesis_tests import holm
from essay_scoring.statistics.intervals import jackknife_error
from essay_scoring.statistics.student import two_sided_p

NAME, TITLE = "feature_functioning", "Differential feature functioning"

LIMIT = 0.20
"""A small effect (Cohen 1988): what a feature may differ by, in its deviations."""

LEVEL = 0.05

_LISTED = 12


@dataclass(frozen=True)
class _Effect:
    """The effect of one group on one feature, and its p, alone and adjusted for all of them."""

    feature: str
    contrast: str
    figure: Figure
    p: float | None


def feature_functioning(evidence: Evidence, columns: Columns | None) -> AuditSection:
    """Return each group's effect on each handcrafted feature, the human score held fixed.

    A feature is regressed on the human score and on an indicator of every group of a column but
    the largest; an effect is in deviations of the feature. Intervals and standard errors are those
    of the resampled prompts and essays, p of Student's t on them, adjusted by Holm over all
    features and groups. Such a difference says that groups write differently for the same score:
    whether that is fair depends on what the feature stands for. `columns` hold the features.
    """
    contrasts = {c: groups for c, groups in evidence.large_groups().items() if len(groups) > 1}
    if columns is None:
        return AuditSection(NAME, TITLE, "The run reads no handcrafted features.")
    if not contrasts:
        return AuditSection(
            NAME, TITLE, "No column of writers has two groups that are large enough."
        )
    effects = [
        effect
        for name, values in zip(columns.names, columns.values.T, strict=True)
        for groups in contrasts.values()
        for effect in _effects(evidence, name, values.astype(np.float64), groups)
    ]
    keys = [f"{effect.contrast} {effect.feature}" for effect in effects]
    adjusted = holm({key: one.p for key, one in zip(keys, effects, strict=True)})
    flagged = [
        one for key, one in zip(keys, effects, strict=True) if _is_flagged(one, adjusted[key])
    ]
    rows = [
        (one.feature, one.contrast, *_cells(one.figure), one.p, adjusted[key])
        for key, one in zip(keys, effects, strict=True)
    ]
    rows.sort(key=lambda row: -abs(row[2] or 0))
    return AuditSection(
        NAME,
        TITLE,
        _finding(flagged, effects),
        "fail" if flagged else "undecided" if any(map(_is_open, effects)) else "pass",
        [one.figure for one in sorted(flagged, key=_size)[:_LISTED]],
        [
            DetailTable(
                "Every effect, largest first, in deviations of the feature",
                ("feature", "group", "effect", "low", "high", "n", "p", "p, Holm"),
                rows,
            )
        ],
    )


def _effects(
    evidence: Evidence, name: str, values: FloatArray, groups: list[Group]
) -> list[_Effect]:
    """Return the effect of each group but the first on one feature (n,), NaN where undefined."""
    known = np.isfinite(values)
    rows = known & np.any([group.members for group in groups], axis=0)
    spread = float(values[rows].std(ddof=1)) if rows.sum() > 1 else 0.0
    if spread <= 1e-9 * max(1.0, float(np.abs(values[rows]).max(initial=0))):
        return []
    outcome = (np.where(known, values - values[rows].mean(), 0.0) / spread)[:, None]
    true = evidence.common[0]
    marks = [group.members.astype(np.float64) for group in groups[1:]]
    design = np.column_stack([np.ones(len(true)), true - true.mean(), *marks])
    drawn = weighted.regression(evidence.resamples.weights * rows, design, outcome)[..., 0]
    whole = weighted.regression(np.ones((1, len(true))) * rows, design, outcome)[..., 0]
    found = []
    for place, group in enumerate(groups[1:], start=2):
        members = group.members & known
        figure = evidence.resamples.figure_of(
            f"{name}, against {groups[0].label}",
            Resampled(float(whole[0, place]), drawn[:, place]),
            group=group.name,
            members=members,
        )
        units = evidence.resamples.units(rows)
        contrast = f"{group.name} against {groups[0].label}"
        found.append(_Effect(name, contrast, figure, _p(figure, drawn[:, place], units)))
    return found


def _p(figure: Figure, drawn: FloatArray, units: float) -> float | None:
    """Return the two-sided p of an effect by Student's t with its jackknife standard error."""
    if figure.estimate is None or figure.low is None:
        return None
    error = jackknife_error(figure.estimate, drawn)
    if not error > 0:
        return None
    return two_sided_p(figure.estimate / error, max(units - 1, 1))


def _is_flagged(effect: _Effect, adjusted: float | None) -> bool:
    """Tell whether an effect is larger than the limit and not chance."""
    estimate = effect.figure.estimate
    return adjusted is not None and adjusted < LEVEL and abs(estimate or 0) > LIMIT


def _is_open(effect: _Effect) -> bool:
    """Tell whether an effect may be larger than the limit for all its interval says."""
    low, high = effect.figure.low, effect.figure.high
    return low is None or high is None or max(-low, high) > LIMIT


def _cells(figure: Figure) -> tuple[float | None, float | None, float | None, int]:
    return figure.estimate, figure.low, figure.high, figure.n


def _size(effect: _Effect) -> float:
    return -abs(effect.figure.estimate or 0)


def _finding(flagged: list[_Effect], effects: list[_Effect]) -> str:
    """Return how many effects are flagged, the largest, and how many the intervals leave open."""
    asked = f"of {len(effects)} effects of groups on features, given the human score"
    if not flagged:
        none = f"None {asked}, exceeds {LIMIT:.2f} deviations at p < {LEVEL} (Holm)"
        n_open = sum(map(_is_open, effects))
        return f"{none}; the intervals of {n_open} reach beyond it." if n_open else f"{none}."
    largest = min(flagged, key=_size)
    return (
        f"{len(flagged)} {asked}, exceed {LIMIT:.2f} deviations at p < {LEVEL} (Holm); the "
        f"largest is {largest.feature} of {largest.contrast}, {largest.figure.estimate:+.2f}."
    )
