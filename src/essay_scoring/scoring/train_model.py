"""`train`: the decided configuration fitted on all training essays, as a folder to score with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from essay_scoring.core.contracts import Matrix, Scorer
from essay_scoring.core.errors import InputError
from essay_scoring.core.files import write_json
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.progress import Progress
from essay_scoring.core.record import write_record
from essay_scoring.models.blend import BlendScorer
from essay_scoring.models.context import Job
from essay_scoring.models.ensemble import EnsembleScorer
from essay_scoring.models.family import FamilyScorer
from essay_scoring.models.scorer_settings import BlendSettings, TransformerSettings
from essay_scoring.records.config import RunConfig, config_values
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.manifest import require_intact
from essay_scoring.records.model_records import MODEL, ModelProvenance, ModelRecord
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.cv import WriteReports, run_cv
from essay_scoring.runs.full_fit import final_mapping, fit_everything
from essay_scoring.runs.run import Run, open_run, provenance_of
from essay_scoring.runs.session import Session, finish
from essay_scoring.scoring.conformal import fit_interval
from essay_scoring.scoring.flags import learn_flags, reference_rows, write_flags
from essay_scoring.scoring.model import CONFIG, INTERVAL, PROVENANCE, SCORER
from essay_scoring.scoring.single_essay import Reader, load_fresh
from essay_scoring.statistics.predictions import is_transductive

VERSION = 2
"""Of what a model folder holds; another version has another name."""


@dataclass(frozen=True)
class TrainingOrder:
    """The configuration to train, the folder of model folders, and the intervals' coverage."""

    config: RunConfig
    models: Path
    coverage: float = 0.9


def train_model(
    order: TrainingOrder,
    workspace: Workspace,
    progress: Progress,
    *,
    report: WriteReports,
    resume: str,
) -> Path:
    """Return the complete model folder of an order, doing only what is not done yet.

    The run of the same config under prompt holdout comes first: its out-of-fold predictions give
    the mapping and prediction intervals. Raises InputError for columns that are standardised within
    prompts and for a transductive mapping, BusyError when another process is training the same
    model.
    """
    config = order.config.model_copy(update={"scheme": "prompt_holdout"})
    _require_single_essays(config)
    run = open_run(config, workspace, progress)
    folder = order.models / model_name(run, order.coverage)

    def work(session: Session) -> Path:
        session.plan(3)
        session.remember(workspace.data)
        session.stage("predictions of held-out prompts")
        cv = run_cv(run, report=report, resume=resume)
        write_json(folder / CONFIG, config_values(run.config))
        made_of = dict(provenance_of(run)) | _comes_from(cv)
        write_record(folder / PROVENANCE, ModelProvenance.model_validate(made_of))
        session.stage("training on all training essays")
        fit_everything(run, folder / SCORER.parent, save=_save)
        session.stage("interval and flags")
        write_json(folder / MODEL, _record(run, cv).model_dump(mode="json"))
        train = run.prepared.train
        groups = run.design.groups
        interval = fit_interval(cv.predictions, groups, order.coverage, train.writers)
        write_json(folder / INTERVAL, interval.model_dump(mode="json"))
        essays = train.essays
        write_flags(folder, learn_flags(essays, _vectors(run, folder), config.seed))
        return folder

    return finish(folder, resume, progress, work, read=require_intact)


def model_name(run: Run, coverage: float) -> str:
    """Return `<name>-<fingerprint>` over the run's own name, the coverage and this version."""
    identity = {"run": run.folder_name, "coverage": coverage, "version": VERSION}
    return f"{run.config.name}-{fingerprint(identity)[:12]}"


def _require_single_essays(config: RunConfig) -> None:
    if config.scorer.reads_columns and config.features.standardise_by_prompt:
        raise InputError(
            "columns standardised within prompts need all essays of a prompt at once, and a model "
            "scores single essays",
            where="features.standardise_by_prompt",
            mend="set it to false",
        )
    if is_transductive(config.training.mapping):
        raise InputError(
            f"the mapping {config.training.mapping} needs all essays of a prompt at once, and a "
            "model scores single essays",
            where="training.mapping",
            mend="set it to 'mean_sigma_lfo'",
        )


def _comes_from(cv: RunRecord) -> dict[str, str]:
    return {"cv_run": cv.folder.name, "cv_manifest_sha256": cv.manifest_sha256}


def _save(scorer: Scorer, folder: Path) -> None:
    _read_whole_essays(scorer)
    scorer.save(folder)


def _read_whole_essays(scorer: Scorer) -> None:
    """Let transformers that learnt from cached states read new essays from their words on."""
    if isinstance(scorer, EnsembleScorer):
        for member in scorer.members:
            _read_whole_essays(member)
    elif isinstance(scorer, FamilyScorer):
        scorer.settings = _without_frozen_layers(scorer.settings)
        for part in scorer.parts if isinstance(scorer, BlendScorer) else ():
            _read_whole_essays(part)


def _without_frozen_layers(settings: Any) -> Any:
    if isinstance(settings, TransformerSettings):
        return settings.model_copy(update={"cache_frozen_layers": False})
    if isinstance(settings, BlendSettings):
        members = [
            member.model_copy(update={"scorer": _without_frozen_layers(member.scorer)})
            for member in settings.members
        ]
        return settings.model_copy(update={"members": tuple(members)})
    return settings


def _record(run: Run, cv: RunRecord) -> ModelRecord:
    """Return how raw predictions become scores: as in the final test, by all held-out folds."""
    train, mapping = run.prepared.train, final_mapping(run, cv.predictions)
    cuts = mapping.cutpoints
    return ModelRecord(
        name=run.config.name,
        family=run.config.scorer.family,
        scales=train.scales,
        mapping=run.config.training.mapping,
        cutpoints=None if cuts is None else tuple(map(float, cuts)),
        linking=mapping.linking,
        n_essays=len(train),
        n_prompts=len(set(train.prompts)),
        cv_run=cv.folder.name,
        cv_manifest_sha256=cv.manifest_sha256,
    )


def _vectors(run: Run, folder: Path) -> Matrix:
    """Return how the fitted scorer sees the training essays that distances are measured to."""
    essays = run.prepared.train.essays
    if run.config.scorer.reads_columns:
        run.columns.warm(essays)
    context = run.context(Job("final"))
    reader = Reader(load_fresh(folder / SCORER, context), context)
    return reader.vectors(essays.take(reference_rows(len(essays), run.config.seed)))
