"""`final-test`: score the locked test with one decided run, once, and record the opening."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.essays import ScoredEssays
from essay_scoring.core.files import write_json
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.progress import Progress
from essay_scoring.core.record import read_record
from essay_scoring.data.locked import open_locked
from essay_scoring.data.splits import cut_dev
from essay_scoring.models.context import Job
from essay_scoring.models.mapping import apply_cutpoints, fit_cutpoints
from essay_scoring.records import provenance
from essay_scoring.records.config import config_values, load_run_config
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.records.ledger import Ledger
from essay_scoring.records.manifest import is_complete, require_intact
from essay_scoring.records.residuals import write_residuals
from essay_scoring.records.study_results import STUDY, StudyRecord
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.artifacts import summary_of
from essay_scoring.runs.run import Run, open_run
from essay_scoring.runs.session import Session, finish
from essay_scoring.statistics.predictions import Predictions

LOCKED_STEM = "residuals_locked"


@dataclass(frozen=True)
class Opening:
    """A wish to open a locked test: the run, the study that decided for it, and why again."""

    run: Path
    study: Path
    again: str | None = None


def run_final_test(
    opening: Opening, workspace: Workspace, progress: Progress, *, resume: str
) -> Path:
    """Return the folder with the locked test's figures for the decided run.

    The opening is written to the ledger before any locked score is read. Raises EvidenceError when
    the study did not decide for this run, when the run was made by other code or data, and when
    the locked test was opened before and no reason to open it again is given.
    """
    decided = read_run(opening.run)
    _require_decided(opening)
    config = load_run_config(opening.run / "config.json")
    run = open_run(config, workspace, progress)
    _require_same(run, decided)
    number = _number(opening, run, Ledger(workspace.ledger))
    folder = workspace.runs / f"{opening.run.name}-final-{number}"

    def work(session: Session) -> None:
        write_json(folder / "config.json", config_values(config))
        session.stage("training on all training essays")
        if run.needs_columns:
            run.columns.warm(run.prepared.train.essays)
        locked = open_locked(run.prepared, workspace.data)
        predictions = _score(run, decided, locked)
        session.stage("artifacts")
        write_residuals(folder / "artifacts", predictions, "locked", {}, stem=LOCKED_STEM)
        write_json(
            folder / "artifacts" / "final_test.json", _record(run, opening, predictions, locked)
        )

    return finish(folder, resume, progress, work)


def _require_decided(opening: Opening) -> None:
    """Raise EvidenceError unless the study is finished, untouched, and decided for the run."""
    require_intact(opening.study)
    study = read_record(StudyRecord, opening.study / STUDY)
    if study.decided_run != opening.run.name:
        raise EvidenceError(
            f"the study decided for {study.decided_run}, not for {opening.run.name}",
            where=str(opening.study),
            mend="name the decided run",
        )


def _require_same(run: Run, decided: RunRecord) -> None:
    """Raise EvidenceError if today's code or data are not those of the decided run."""
    recorded = decided.metrics
    now = {
        "code_revision": provenance.code_revision(),
        "data_sha256": run.prepared.data_sha256,
        "splits_sha256": run.splits.sha256,
    }
    then = {"code_revision": recorded.code_revision, **recorded.data.model_dump()}
    for key, value in now.items():
        if then[key] != value:
            raise EvidenceError(
                f"{key} differs from that of the decided run",
                where=str(decided.folder),
                mend="use the code and data that the run was decided on",
            )


def _number(opening: Opening, run: Run, ledger: Ledger) -> int:
    """Return the number of this opening, recording it unless it is the last one resumed."""
    key = {"locked_sha256": run.prepared.manifest["locked_sha256"], "run": opening.run.name}
    with ledger.held() as entries:
        past = [entry for entry in entries if entry["locked_sha256"] == key["locked_sha256"]]
        if past and opening.again is None:
            last = f"{opening.run.name}-final-{len(past)}"
            if past[-1]["run"] == opening.run.name and not is_complete(ledger.path.parent / last):
                return len(past)
            raise EvidenceError(
                f"the locked test was opened {len(past)} time(s), last on {past[-1]['time']} "
                f"for {past[-1]['run']}",
                where=str(ledger.path),
                mend="keep that figure, or open it --again with a reason",
            )
        ledger.append(
            {
                **key,
                "study": opening.study.name,
                "opening": len(past) + 1,
                "reason": opening.again or "the decided run",
                "git": provenance.git_state().model_dump(),
            }
        )
        return len(past) + 1


def _score(run: Run, decided: RunRecord, locked: ScoredEssays) -> Predictions:
    """Return the locked essays' predictions by one model trained on all training essays.

    Cut-points are fitted on all of the decided run's out-of-fold predictions.
    """
    design, train = run.design, run.prepared.train
    seed = derive_seed(run.config.seed, "dev", "final")
    fit, dev = cut_dev(train, design.groups, design.dev_share, seed)
    scorer = run.build(run.config.scorer, Job("final"))
    scorer.fit(train.take(fit), train.take(dev))
    raw = scorer.predict(locked.essays)
    final = locked.scales.round(raw, locked.prompts)
    scale = train.scales.shared
    if scale is not None and run.config.training.mapping != "round_half_band":
        past = decided.predictions
        cuts = fit_cutpoints(past.raw, scale.index(past.true), scale.n_labels)
        final = apply_cutpoints(raw, cuts, scale)
    folds = np.zeros(len(locked), dtype=np.int64)
    return Predictions(
        locked.essays.ids, locked.prompts, folds, locked.scores, raw, final, locked.scales
    )


def _record(
    run: Run, opening: Opening, predictions: Predictions, locked: ScoredEssays
) -> dict[str, Any]:
    return {
        "schema": 1,
        "decided_run": opening.run.name,
        "study": opening.study.name,
        "reason": opening.again or "the decided run",
        "n": len(locked),
        "locked_sha256": run.prepared.manifest["locked_sha256"],
        "summary": summary_of(predictions, run.config.evaluation, run.config.seed).model_dump(),
        "code_revision": provenance.code_revision(),
        "versions": provenance.package_versions(),
        "machine": provenance.machine().model_dump(),
    }
