"""`import-predictions`: out-of-fold predictions of any scorer as a run that can be judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import write_json
from essay_scoring.core.fingerprint import file_sha256, fingerprint
from essay_scoring.core.names import require_name
from essay_scoring.core.progress import Progress
from essay_scoring.core.record import write_record
from essay_scoring.core.scale import FloatArray, IntArray, ScoreScales
from essay_scoring.data import cells
from essay_scoring.data.data_settings import TableFormat
from essay_scoring.data.rows import AUTO, shown
from essay_scoring.data.splits import Scheme
from essay_scoring.data.tables import Table, read_table
from essay_scoring.models.mapping import map_out_of_fold
from essay_scoring.models.scorer_settings import MappingName
from essay_scoring.records import provenance
from essay_scoring.records.config import EvaluationSettings
from essay_scoring.records.manifest import is_complete
from essay_scoring.records.residuals import write_residuals
from essay_scoring.records.run_records import AppliedMapping, CvMetrics, RunName
from essay_scoring.runs.artifacts import metrics_data, summary_of
from essay_scoring.runs.cv import WriteReports
from essay_scoring.runs.mapped_predictions import as_json
from essay_scoring.runs.session import Session, finish
from essay_scoring.statistics.predictions import Predictions

AS_IMPORTED = "as_imported"
COLUMNS = ("record_id", "prompt", "fold", "y_true", "y_pred_raw", "y_pred")


@dataclass(frozen=True)
class ImportRequest:
    """What to import: the file, the run's name, the scheme and scales, and how raw values map.

    `columns` names the file's column for any of COLUMNS that is called something else there.
    """

    path: Path
    name: str
    scheme: Scheme
    scales: ScoreScales
    mapping: MappingName
    columns: Mapping[str, str]
    form: TableFormat = AUTO


def import_predictions(
    request: ImportRequest,
    runs: Path,
    progress: Progress,
    *,
    report: WriteReports,
    resume: str,
) -> Path:
    """Return the run folder made of a file of predictions; compare and report take it like any.

    The file has one row per essay with record_id, prompt, fold, y_true (own scale) and y_pred_raw,
    y_pred or both. Where y_pred is absent, the raw values are mapped by `request.mapping`.
    """
    require_name(request.name, "--run-name")
    table = read_table(request.path, request.form)
    identity: dict[str, JsonValue] = {
        "file": file_sha256(request.path),
        "scheme": request.scheme,
        "scales": request.scales.model_dump(mode="json"),
        "mapping": request.mapping,
        "columns": dict(request.columns),
        "form": request.form.model_dump(mode="json"),
        "code": provenance.code_revision(),
    }
    folder = runs / f"{request.name}-{fingerprint(identity)[:12]}"
    # A file that is at fault leaves no folder behind, so it is read before there is one.
    read = None if is_complete(folder) else _predictions(table, request)

    def work(session: Session) -> None:
        predictions, mapping = read or _predictions(table, request)
        write_json(folder / "config.json", {"imported": identity, "name": request.name})
        session.stage("artifacts")
        paths = write_residuals(folder / "artifacts", predictions, request.scheme, {})
        metrics = CvMetrics(
            run=RunName(name=request.name, folder=folder.name, scheme=request.scheme),
            family="imported",
            hyperparameters={},
            config={"imported": identity},
            data=metrics_data(predictions, kind="imported", data_sha256=None, splits_sha256=None),
            transductive=False,
            scales=predictions.scales,
            code_revision=provenance.code_revision(),
            versions=provenance.package_versions(),
            mapping=mapping,
            summary=summary_of(predictions, EvaluationSettings(), seed=0),
            covariates=[],
            baselines={},
            fits=[],
        )
        write_record(folder / "artifacts" / "cv_metrics.json", metrics)
        session.wrote(*paths, folder / "artifacts" / "cv_metrics.json")
        session.stage("reports")
        report(folder)

    return finish(folder, resume, progress, work)


def _predictions(table: Table, request: ImportRequest) -> tuple[Predictions, AppliedMapping]:
    """Return the checked rows, and how raw values became scores."""
    name_of = {column: request.columns.get(column, column) for column in COLUMNS}
    present = {column for column in COLUMNS if name_of[column] in table.names}
    if not present & {"y_pred_raw", "y_pred"}:
        raise InputError(
            f"neither a column '{name_of['y_pred_raw']}' nor '{name_of['y_pred']}'",
            where=str(table.path),
            mend="name the prediction with --column y_pred_raw=NAME or --column y_pred=NAME",
        )
    ids = cells.id_cells(table, name_of["record_id"])
    prompts = cells.prompt_cells(table, name_of["prompt"])
    folds = _folds(table, name_of["fold"])
    if request.scheme == "prompt_holdout":
        _note_divided_prompts(prompts, folds, table, name_of["fold"])
    true = cells.score_cells(table, name_of["y_true"], prompts, request.scales)
    cutpoints: dict[int, list[float]] = {}
    if "y_pred" in present:
        mapping: str = AS_IMPORTED
        final = cells.score_cells(table, name_of["y_pred"], prompts, request.scales)
        raw = _numbers(table, name_of["y_pred_raw"]) if "y_pred_raw" in present else final
        table.check()
    else:
        mapping = request.mapping
        raw = _numbers(table, name_of["y_pred_raw"])
        table.check()
        mapped = map_out_of_fold(raw, true, folds, prompts, request.scales, request.mapping)
        final, cutpoints = mapped.final, as_json(mapped.cutpoints)
    rows = Predictions(ids, prompts, folds, true, raw, final, request.scales)
    return rows, AppliedMapping(name=mapping, cutpoints=cutpoints)


def _note_divided_prompts(
    prompts: tuple[str, ...], folds: IntArray, table: Table, column: str
) -> None:
    """Note the rows of prompts that are not held out whole, as the scheme says."""
    fold_of: dict[str, int] = {}
    for row, (prompt, fold) in enumerate(zip(prompts, folds.tolist(), strict=True)):
        if fold_of.setdefault(prompt, fold) != fold:
            what = f"the prompt {shown(prompt)} is in folds {fold_of[prompt]} and {fold}"
            mend = "hold prompts out whole, or import it with --scheme stratified_text"
            table.fault(row, what, mend, column)


def _numbers(table: Table, column: str) -> FloatArray:
    """Return a column of numbers; a missing one is a fault of the table."""
    return cells.number_cells(table, column, required=True)


def _folds(table: Table, column: str) -> IntArray:
    """Return whole numbers, -1 for what is none and a fault of the table."""
    values = _numbers(table, column)
    for row in np.flatnonzero(values != np.floor(values)).tolist():
        if np.isfinite(values[row]):
            mend = "number the folds 0, 1, 2 ..."
            table.fault(row, f"fold {values[row]} is not a whole number", mend, column)
    return np.nan_to_num(values, nan=-1).astype(np.int64)
