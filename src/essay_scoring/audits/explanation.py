"""`explain`: why a finished run predicts as it does, and where it fails, as one record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from essay_scoring.audits.audited_run import FinishedRun, open_finished
from essay_scoring.audits.contributions import EXPLAINABLE
from essay_scoring.audits.drop_column import N_SEEDS, drop_column_section, refitting
from essay_scoring.audits.failure_cards import card_material, failure_cards
from essay_scoring.audits.resamples import REPLICATES
from essay_scoring.audits.shap_values import out_of_fold_contributions, shap_section
from essay_scoring.core.errors import InputError
from essay_scoring.core.progress import Progress
from essay_scoring.records.workspace import Workspace

SCHEMA_VERSION = 1


def explain_run(
    folder: Path, workspace: Workspace, progress: Progress, *, refit_seeds: int = N_SEEDS
) -> dict[str, Any]:
    """Return what explain.json holds: the run's identity and sections, without any essay text.

    Sections: contributions by construct, importance by refitting without each construct under
    `refit_seeds` seeds (0: left out), and a card for each of the worst prompts. Raises InputError
    for a run whose scorer reads no columns or predicts classes, EvidenceError for one that was
    changed.
    """
    finished = open_finished(folder, workspace, progress)
    _require_explainable(finished)
    finished.run.columns.warm(finished.run.prepared.train.essays)
    config, contributions = finished.run.config, out_of_fold_contributions(finished)
    sections = [shap_section(contributions, finished.predictions, config.seed)]
    if refit_seeds:
        sections.append(drop_column_section(refitting(finished), refit_seeds))
    sections += failure_cards(card_material(finished), config.evaluation.bottom_k)
    return {
        "schema_version": SCHEMA_VERSION,
        "run": finished.identity,
        "settings": {"replicates": REPLICATES, "refit_seeds": refit_seeds},
        "sections": [section.record() for section in sections],
    }


def _require_explainable(finished: FinishedRun) -> None:
    """Raise InputError for a family without feature columns, before anything is computed."""
    family = finished.record.metrics.family
    if family not in EXPLAINABLE:
        raise InputError(
            f"a {family} scorer reads no feature columns, so nothing can be told of them",
            where=str(finished.record.folder),
            mend=f"explain a run of one of {', '.join(EXPLAINABLE)}",
        )
