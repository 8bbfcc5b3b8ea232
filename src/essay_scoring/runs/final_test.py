"""`final-test`: score the locked test with a decided run and its reference, once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.essays import ScoredEssays
from essay_scoring.core.files import write_json
from essay_scoring.core.fingerprint import derive_seed, file_sha256
from essay_scoring.core.progress import Progress
from essay_scoring.core.record import write_record
from essay_scoring.data.locked import open_locked
from essay_scoring.records import provenance
from essay_scoring.records.config import config_values, load_run_config
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.records.locked_test import FINAL_TEST, FinalTest, LockedRun, Opening
from essay_scoring.records.manifest import MANIFEST, require_intact
from essay_scoring.records.residuals import write_residuals
from essay_scoring.records.study_results import StudyRecord, StudyRun, read_study
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.artifacts import summary_of
from essay_scoring.runs.full_fit import fit_everything, predictions_of
from essay_scoring.runs.openings import Wish, enter
from essay_scoring.runs.run import Run, open_run
from essay_scoring.runs.session import Session, finish
from essay_scoring.statistics.comparison import Comparison, compare
from essay_scoring.statistics.predictions import Predictions

CONFIG = "config.json"
STEMS = {"decided": "residuals_locked", "reference": "residuals_locked_reference"}


@dataclass(frozen=True)
class Decided:
    """A run, the study that decided for it, and why its locked test is opened again, if it is."""

    run: Path
    study: Path
    again: str | None = None


@dataclass(frozen=True, eq=False)
class _Arm:
    """A finished run, and what it works on today."""

    record: RunRecord
    run: Run

    @property
    def name(self) -> str:
        return self.record.folder.name

    def score(self, session: Session, folder: Path, locked: ScoredEssays) -> _Scored:
        """Return the locked essays' predictions by one fit on all training essays."""
        fit = fit_everything(self.run, folder, locked.essays)
        session.wrote(folder)
        predictions = predictions_of(self.run, fit, locked, self.record.predictions)
        config = self.run.config
        summary = summary_of(predictions, config.evaluation, config.seed)
        kept = LockedRun(
            run=self.name,
            manifest_sha256=self.record.manifest_sha256,
            fit=fit.identity,
            summary=summary,
        )
        return _Scored(kept, predictions)


@dataclass(frozen=True, eq=False)
class _Scored:
    record: LockedRun
    predictions: Predictions


def run_final_test(
    decided: Decided, workspace: Workspace, progress: Progress, *, resume: str
) -> Path:
    """Return the folder with the locked test's figures for the decided run and its reference.

    The opening is written to the ledger before any locked score is read. Raises EvidenceError when
    the study did not decide for this run, when a run was made by other code or data, and when any
    of the locked essays was opened before and no new reason to open them again is given.
    """
    arms = _arms(decided, workspace, progress)
    wish = Wish(
        prepared=arms["decided"].run.prepared,
        run=arms["decided"].name,
        reference=arms["reference"].name if "reference" in arms else None,
        study=decided.study.resolve().name,
        again=decided.again,
    )
    folder, opening = enter(wish, workspace)

    def work(session: Session) -> Path:
        session.remember(workspace.data)
        write_json(folder / CONFIG, config_values(arms["decided"].run.config))
        session.stage("training on all training essays")
        locked = open_locked(wish.prepared, workspace.data)
        scored = {
            side: arm.score(session, folder / "models" / side, locked) for side, arm in arms.items()
        }
        session.stage("artifacts")
        for side, result in scored.items():
            session.wrote(
                *write_residuals(
                    folder / "artifacts", result.predictions, "locked", {}, stem=STEMS[side]
                )
            )
        write_record(folder / FINAL_TEST, _record(opening, decided, arms["decided"].run, scored))
        session.wrote(folder / FINAL_TEST)
        return folder

    return finish(folder, resume, progress, work, read=require_intact)


def _arms(decided: Decided, workspace: Workspace, progress: Progress) -> dict[str, _Arm]:
    """Return the decided run and, unless it is the same, the reference, both as the study had them.

    Raises EvidenceError unless the study is finished, untouched, and decided for the run.
    """
    require_intact(decided.study)
    study, name = read_study(decided.study), decided.run.resolve().name
    if study.decided_run != name:
        raise EvidenceError(
            f"the study decided for {study.decided_run}, not for {name}",
            where=str(decided.study),
            mend="name the decided run",
        )
    rows = {"decided": next(run for run in study.runs if run.run == name)}
    if (reference := _reference(study, rows["decided"])).run != name:
        rows["reference"] = reference
    runs = decided.run.resolve().parent
    arms: dict[str, _Arm] = {}
    for side, row in rows.items():
        record, config = _compared(runs / row.run, row), load_run_config(runs / row.run / CONFIG)
        known = next(iter(arms.values()), None)
        run = known.run.on_same_data(config) if known else open_run(config, workspace, progress)
        _require_same(run, record)
        arms[side] = _Arm(record, run)
    if len({arm.run.prepared.manifest["locked_sha256"] for arm in arms.values()}) > 1:
        raise EvidenceError(
            "the decided run and the reference have other locked tests",
            where=str(decided.study),
            mend="prepare the data of both alike",
        )
    return arms


def _reference(study: StudyRecord, decided: StudyRun) -> StudyRun:
    """Return the reference's run under the decided run's scheme, of its seed where there is one."""
    runs = [run for run in study.runs if (run.role, run.scheme) == ("reference", decided.scheme)]
    return next((run for run in runs if run.seed == decided.seed), runs[0])


def _compared(folder: Path, row: StudyRun) -> RunRecord:
    """Return a run of the study; EvidenceError if it is not the one that the study compared."""
    record = read_run(folder)
    if record.manifest_sha256 != row.manifest_sha256:
        raise EvidenceError(
            "not the run that the study compared (its manifest differs)",
            where=str(folder),
            mend="restore it, or run the study again",
        )
    return record


def _require_same(run: Run, past: RunRecord) -> None:
    """Raise EvidenceError if today's code, data or splits are not those of a run."""
    now = {
        "code_revision": provenance.code_revision(),
        "data_sha256": run.prepared.data_sha256,
        "splits_sha256": run.splits.sha256,
    }
    then = {"code_revision": past.metrics.code_revision, **past.metrics.data.model_dump()}
    for key, value in now.items():
        if then[key] != value:
            raise EvidenceError(
                f"{key} differs from that of the run",
                where=str(past.folder),
                mend="use the code and data that the study decided on",
            )


def _record(opening: Opening, decided: Decided, run: Run, scored: dict[str, _Scored]) -> FinalTest:
    candidate, reference = scored["decided"], scored.get("reference")
    return FinalTest(
        study=opening.study,
        study_manifest_sha256=file_sha256(decided.study / MANIFEST),
        opening=opening.opening,
        reason=opening.reason,
        n=len(candidate.predictions),
        locked_sha256=opening.locked_sha256,
        decided=candidate.record,
        reference=None if reference is None else reference.record,
        comparison=None if reference is None else _compare(run, reference, candidate),
        code_revision=provenance.code_revision(),
        versions=provenance.package_versions(),
        machine=provenance.machine(),
    )


def _compare(run: Run, reference: _Scored, candidate: _Scored) -> Comparison:
    settings = run.config.evaluation
    return compare(
        reference.predictions,
        candidate.predictions,
        min_prompt_n=settings.min_prompt_n,
        bottom_k=settings.bottom_k,
        replicates=settings.replicates,
        seed=derive_seed(run.config.seed, "comparison", "locked"),
    )
