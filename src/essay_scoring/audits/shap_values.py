"""Which constructs move the predictions: Shapley values of the out-of-fold models, by construct.

Each essay is explained by the model that never saw its fold, at its best iteration. The values of
a construct's columns are added up for each essay before their size is taken.
"""

from __future__ import annotations

import numpy as np

from essay_scoring.audits.audited_run import FinishedRun
from essay_scoring.audits.constructs import construct_of, positions_by_construct
from essay_scoring.audits.contributions import Contributions, contributions_of
from essay_scoring.audits.resamples import Resamples
from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.scale import TRAINING_WIDTH, FloatArray
from essay_scoring.models.context import Job
from essay_scoring.models.registry import load_scorer
from essay_scoring.records.audit_record import AuditSection, Cell, DetailTable, Figure
from essay_scoring.statistics import weighted
from essay_scoring.statistics.agreement import unit
from essay_scoring.statistics.metrics import spearman
from essay_scoring.statistics.predictions import Predictions

NAME = "shap_by_construct"
TOLERANCE = 1e-4
"""How far, on the training scale, the parts of a prediction may be from the recorded whole."""

N_COLUMNS = 15

MEAN_SIZE = "mean |phi|"


def out_of_fold_contributions(finished: FinishedRun) -> Contributions:
    """Return what each column adds to each out-of-fold prediction of a run, in order of its essays.

    Raises InputError for a family without contributions by column, EvidenceError where the saved
    models and today's columns do not add up to the recorded predictions.
    """
    run, essays = finished.run, finished.run.prepared.train.essays
    parts, rows = [], []
    with run.progress.stage("contributions", len(run.design.folds), "folds") as advance:
        for fold in run.design.folds:
            scorer = load_scorer(
                finished.models / f"fold-{fold}" / "model", run.context(Job(f"explain fold {fold}"))
            )
            rows.append(run.design.held_out_rows([fold]))
            parts.append(contributions_of(scorer, essays.take(rows[-1])))
            advance(1)
    order = np.argsort(np.concatenate(rows))
    whole = Contributions(
        parts[0].names,
        np.concatenate([part.values for part in parts])[order],
        np.concatenate([part.phi for part in parts])[order],
        np.concatenate([part.base for part in parts])[order],
    )
    _require_recorded(finished, whole)
    return whole


def shap_section(contributions: Contributions, predictions: Predictions, seed: int) -> AuditSection:
    """Return the mean |contribution| of each construct and of the columns that matter most.

    `predictions` are those taken apart, row by row. In score points, or points of the common scale
    from 0 to 4 where each prompt has its own.
    """
    phi = contributions.phi * _points_per_target(predictions)
    points = unit(predictions)
    resamples = Resamples.of(predictions, derive_seed(seed, "shap"))
    groups = positions_by_construct(contributions.names)
    figures = sorted(
        (_mean_size(resamples, name, phi[:, at].sum(axis=1)) for name, at in groups.items()),
        key=lambda figure: -_size(figure),
    )
    total = sum(map(_size, figures)) or 1.0
    rows = [(f.group, len(groups[f.group]), _size(f) / total) for f in figures]
    leading = ", ".join(f"{name} {share:.0%}" for name, _, share in rows[:3])
    return AuditSection(
        NAME,
        "What moves the predictions",
        f"Of all that moves out-of-fold predictions: {leading}. The first of them, "
        f"{figures[0].group}, moves a prediction by {_size(figures[0]):.2f} {points} on average.",
        figures=figures,
        tables=[
            DetailTable(
                "Columns of each construct, and its share of all mean |phi|",
                ("construct", "columns", "share"),
                rows,
            ),
            _column_table(resamples, contributions, phi, points),
        ],
    )


def _mean_size(resamples: Resamples, group: str, phi: FloatArray) -> Figure:
    """Return mean |phi| over essays (n,) with its interval by prompts."""
    size = np.abs(phi)
    return resamples.figure(MEAN_SIZE, lambda weights: weighted.mean(weights, size), group=group)


def _size(figure: Figure) -> float:
    """Return an estimate that is never missing: a mean over all essays."""
    return 0.0 if figure.estimate is None else figure.estimate


def _column_table(
    resamples: Resamples, contributions: Contributions, phi: FloatArray, points: str
) -> DetailTable:
    """Return the columns with the largest mean |phi|, and which way each pushes."""
    top = np.argsort(-np.abs(phi).mean(axis=0), kind="stable")[:N_COLUMNS]
    rows: list[tuple[Cell, ...]] = []
    for at in top:
        name, values = contributions.names[at], contributions.values[:, at].astype(np.float64)
        known = np.isfinite(values)
        direction = spearman(values[known], phi[known, at])
        size = _mean_size(resamples, name, phi[:, at])
        found = (size.estimate, direction, size.low, size.high, int(known.sum()))
        rows.append((name, construct_of(name), *found))
    return DetailTable(
        f"The {len(top)} columns that move predictions most, in {points}; direction is Spearman's "
        "correlation of a column with its own contribution: above 0, more of it raises the score",
        ("column", "construct", MEAN_SIZE, "direction", "low", "high", "n"),
        rows,
    )


def _points_per_target(predictions: Predictions) -> float:
    """Return how many points of `agreement.unit` one point of the training scale is worth."""
    shared = predictions.scales.shared
    return 1.0 if shared is None else (shared.high - shared.low) / TRAINING_WIDTH


def _require_recorded(finished: FinishedRun, contributions: Contributions) -> None:
    """Raise EvidenceError unless the parts add up to what the run recorded."""
    p = finished.predictions
    gap = contributions.totals - p.scales.to_training(p.raw, p.prompts)
    worst = float(np.abs(gap).max())
    if not worst <= TOLERANCE:
        raise EvidenceError(
            f"its models give other predictions on today's columns than it recorded (by {worst:.2g}"
            " points of the training scale)",
            where=str(finished.record.folder),
            mend="run it again with the installed versions, or install those of provenance.json",
        )
