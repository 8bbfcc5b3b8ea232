"""`explain`: why a finished run predicts as it does, and where it fails, as one record."""

from __future__ import annotations

from pathlib import Path

from essay_scoring.audits.audited_run import FinishedRun, open_finished
from essay_scoring.audits.contributions import explained_families
from essay_scoring.audits.drop_column import N_SEEDS, drop_column_section, refitting
from essay_scoring.audits.failure_cards import card_material, failure_cards
from essay_scoring.audits.shap_values import out_of_fold_contributions, shap_section
from essay_scoring.core.errors import InputError
from essay_scoring.core.progress import Progress
from essay_scoring.records.audit_record import ExplainRecord, ExplainSettings
from essay_scoring.records.workspace import Workspace


def explain_run(
    folder: Path, workspace: Workspace, progress: Progress, *, refit_seeds: int = N_SEEDS
) -> ExplainRecord:
    """Return the run's identity and sections, without any essay text.

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
    settings = ExplainSettings(refit_seeds=refit_seeds)
    return ExplainRecord(run=finished.identity, settings=settings, sections=tuple(sections))


def _require_explainable(finished: FinishedRun) -> None:
    """Raise InputError for a family that nothing can be told of, before anything is computed."""
    settings = finished.run.config.scorer
    if settings.explained_by is None:
        what = "cannot be taken apart by column" if settings.reads_columns else "reads no columns"
        raise InputError(
            f"a {settings.family} scorer {what}, so nothing can be told of them",
            where=str(finished.record.folder),
            mend=f"explain a run of one of {explained_families()}",
        )
