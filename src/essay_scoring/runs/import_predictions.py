"""`import-predictions`: out-of-fold predictions of any scorer as a run that can be judged."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import JsonValue

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import write_json
from essay_scoring.core.fingerprint import file_sha256, fingerprint
from essay_scoring.core.names import require_name
from essay_scoring.core.progress import Progress
from essay_scoring.core.scale import FloatArray, IntArray, ScoreScales
from essay_scoring.core.text import name_key
from essay_scoring.data import cells
from essay_scoring.data.data_settings import TableFormat
from essay_scoring.data.prompt_names import listed, merged, near_names, one_spelling, respelled
from essay_scoring.data.rows import AUTO, shown
from essay_scoring.data.splits import Scheme
from essay_scoring.data.survey_words import PREDICTION_NAMES
from essay_scoring.data.tables import Table, read_table
from essay_scoring.models.mapping import FittedMapping, map_out_of_fold
from essay_scoring.models.scorer_settings import MappingName
from essay_scoring.records import provenance
from essay_scoring.records.config import EvaluationSettings
from essay_scoring.records.finished_run import (
    RunRecord,
    read_run,
    write_run,
)
from essay_scoring.records.manifest import is_complete
from essay_scoring.records.run_records import AppliedMapping, CvMetrics, RunName
from essay_scoring.runs.artifacts import all_covariates, metrics_data, summary_of
from essay_scoring.runs.cv import WriteReports
from essay_scoring.runs.mapped_predictions import applied_mapping
from essay_scoring.runs.session import Session, finish
from essay_scoring.statistics.predictions import Predictions, is_transductive, refit_of

AS_IMPORTED = "as_imported"
ALL = "all essays"
"""The prompt of essays whose prompts are not told."""

COLUMNS = ("record_id", "prompt", "fold", "y_true", "y_pred_raw", "y_pred", "second_score")
_NEEDED = frozenset({"record_id", "y_true"})
_MANY, _SOME = 0.25, 0.05
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImportRequest:
    """What to import: the file, the run's name, the scheme and scales, and how raw values map.

    `columns` names the file's column for any of COLUMNS that is called something else there.
    `mapping` None takes cut-points where there are folds of one scale, else rounds.
    """

    path: Path
    name: str
    scheme: Scheme
    scales: ScoreScales
    mapping: MappingName | None
    columns: Mapping[str, str]
    form: TableFormat = AUTO
    similar_prompts: Literal["refuse", "merge", "keep"] = "refuse"


def import_predictions(
    request: ImportRequest,
    runs: Path,
    progress: Progress,
    *,
    report: WriteReports,
    resume: str,
) -> RunRecord:
    """Return the run made of a file of predictions; compare and report take it like any.

    The file has one row per essay with record_id, prompt, fold, y_true (own scale) and y_pred_raw,
    y_pred or both, or what PREDICTION_NAMES calls them. Where y_pred is absent, the raw values are
    mapped by `request.mapping`.
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
        "similar_prompts": request.similar_prompts,
        "code": provenance.code_revision(),
    }
    folder = runs / f"{request.name}-{fingerprint(identity)[:12]}"
    # A file that is at fault leaves no folder behind, so it is read before there is one.
    read = None if is_complete(folder) else _predictions(table, request)

    def work(session: Session) -> RunRecord:
        predictions, mapping = read or _predictions(table, request)
        write_json(folder / "config.json", {"imported": identity, "name": request.name})
        session.stage("artifacts")
        record = _record(request, folder, identity, predictions, mapping)
        session.wrote(*write_run(record))
        session.stage("reports")
        report(record)
        return record

    return finish(folder, resume, progress, work, read=read_run)


def _record(
    request: ImportRequest,
    folder: Path,
    identity: dict[str, JsonValue],
    predictions: Predictions,
    mapping: AppliedMapping,
) -> RunRecord:
    """Return the record of imported predictions, of which no fit, data or covariate is known."""
    metrics = CvMetrics(
        run=RunName(name=request.name, folder=folder.name, scheme=request.scheme),
        family="imported",
        hyperparameters={},
        config={"imported": identity},
        data=metrics_data(predictions, kind="imported", data_sha256=None, splits_sha256=None),
        transductive=is_transductive(predictions.refit),
        scales=predictions.scales,
        code_revision=provenance.code_revision(),
        versions=provenance.package_versions(),
        mapping=mapping,
        summary=summary_of(predictions, EvaluationSettings(), seed=0),
        covariates=[],
        baselines={},
        fits=[],
    )
    return RunRecord(folder, metrics, predictions, all_covariates({}, len(predictions)), probe=None)


def _predictions(table: Table, request: ImportRequest) -> tuple[Predictions, AppliedMapping]:
    """Return the checked rows, how raw values became scores, and a second rater's if any."""
    name_of = _columns_of(table, request)
    if not {"y_pred_raw", "y_pred"} & set(name_of):
        raw_name, final_name = (
            request.columns.get(name, name) for name in ("y_pred_raw", "y_pred")
        )
        raise InputError(
            f"neither a column '{raw_name}' nor '{final_name}'",
            where=str(table.path),
            mend="name the prediction with --column y_pred_raw=NAME or --column y_pred=NAME",
        )
    ids = cells.id_cells(table, name_of["record_id"])
    folds = _folds(table, name_of.get("fold"))
    prompts = _prompts(table, name_of.get("prompt"), folds, request)
    scales = request.scales
    known = {name_key(name): name for name in scales.by_prompt}
    prompts = tuple(known.get(name_key(name), name) for name in prompts)
    true = cells.score_cells(table, name_of["y_true"], prompts, scales)
    final: FloatArray | None = None
    raw = np.empty(0)
    if "y_pred" in name_of:
        column, reading = name_of["y_pred"], cells.LABELS_ALONE
        final = raw = cells.score_cells(table, column, prompts, scales, reading)
    if "y_pred_raw" in name_of:
        raw = _numbers(table, name_of["y_pred_raw"])
        _tell_off_scale(raw, prompts, scales, f"{table.path}, column '{name_of['y_pred_raw']}'")
    second: FloatArray | None = None
    if "second_score" in name_of:
        column = name_of["second_score"]
        second = cells.score_cells(table, column, prompts, scales, may_be_missing=True)
    table.check()
    if second is not None:
        second = scales.round_known(second, prompts)
    true = scales.round(true, prompts)
    fitted: dict[int, FittedMapping] = {}
    mapping: str = AS_IMPORTED
    if final is None:
        mapping = chosen = _mapping(request, folds, table.path)
        mapped = map_out_of_fold(raw, true, folds, prompts, scales, chosen)
        final, fitted = mapped.final, mapped.fitted
    refit = refit_of(mapping)
    rows = Predictions(ids, prompts, folds, true, raw, final, scales, refit, second)
    return rows, applied_mapping(mapping, fitted)


def _columns_of(table: Table, request: ImportRequest) -> dict[str, str]:
    """Return what each of COLUMNS that is there is called in the file, and say what was guessed.

    A column that is neither named nor there under its own name may have one that RSMTool gives.
    """
    found: dict[str, str] = {}
    guessed = []
    for column in COLUMNS:
        named = request.columns.get(column)
        names = (column, *PREDICTION_NAMES[column]) if named is None else (named,)
        there = next((name for name in names if name in table.names), None)
        if there is not None:
            found[column] = there
        elif named is not None or column in _NEEDED:
            _require_predictions(table, request)
            table.column(named or column, f"name the column with --column {column}=NAME")
        if there not in (None, column, named):
            guessed.append(f"{column} = {there}")
    if guessed:
        _log.warning("%s: columns were taken by their names: %s", table.path, ", ".join(guessed))
    return found


def _require_predictions(table: Table, request: ImportRequest) -> None:
    """Raise InputError for a table that holds essays, and nothing that was predicted of them."""
    ours = ("y_pred_raw", "y_pred")
    names = {name for column in ours for name in (column, *PREDICTION_NAMES[column])}
    if not names & {*table.names} and not {*ours} & {*request.columns}:
        raise InputError(
            f"no column holds predictions; the columns are {', '.join(map(shown, table.names))}",
            where=str(table.path),
            mend="name it with --column y_pred_raw=NAME; a table of essays is for: essay-scoring "
            "init, or essay-scoring score",
        )


def _prompts(
    table: Table, column: str | None, folds: IntArray, request: ImportRequest
) -> tuple[str, ...]:
    """Return the prompts, each in one spelling; InputError for what the scheme does not allow."""
    if column is None:
        if request.scheme == "prompt_holdout":
            raise InputError(
                "there is no column of prompts, so nothing shows that prompts were held out whole",
                where=str(table.path),
                mend="name it with --column prompt=NAME, or import with --scheme stratified_text",
            )
        return (ALL,) * table.n_rows
    spelled = cells.prompt_cells(table, column)
    names = one_spelling(spelled)
    if several := respelled(names):
        _log.warning(
            "%s: %d prompts are spelled in several ways and count as one", table.path, len(several)
        )
    prompts = tuple(names[name] for name in spelled)
    if request.similar_prompts != "keep":
        pairs = near_names(prompts)
        if pairs and request.similar_prompts == "merge":
            stands = merged(pairs, prompts)
            prompts = tuple(stands.get(name, name) for name in prompts)
        elif pairs:
            raise InputError(
                f"prompts are named nearly alike: {listed(pairs)}",
                where=f"{table.path}, column '{column}'",
                mend="correct the names, or import with --similar-prompts merge (one prompt) or "
                "keep (different prompts)",
            )
    if request.scheme == "prompt_holdout":
        _note_divided_prompts(prompts, folds, table, column)
    return prompts


def _tell_off_scale(
    raw: FloatArray, prompts: Sequence[str], scales: ScoreScales, where: str
) -> None:
    """Warn where many predictions lie off the scale: they may be on another one."""
    known = [row for row, name in enumerate(prompts) if scales.shared or name in scales.by_prompt]
    beyond = np.zeros(len(raw))
    for scale, rows in scales.for_prompts([prompts[row] for row in known]).items():
        at = np.array(known)[rows]
        beyond[at] = np.maximum(scale.low - raw[at], raw[at] - scale.high) / scale.step
    n = int((beyond > 0).sum())
    if n > _MANY * len(raw) or (beyond > 1).sum() > _SOME * len(raw):
        all_of = "all" if n == len(raw) else f"{n} of"
        _log.warning(
            "%s: %s %d predictions lie off the scale, at %g to %g: are they on another one (0 to "
            "1, or numbers of labels)? Then figures of rounded predictions mean nothing",
            where,
            all_of,
            len(raw),
            raw.min(),
            raw.max(),
        )


def _mapping(request: ImportRequest, folds: IntArray, path: Path) -> MappingName:
    """Return how raw values become scores: by cut-points of other folds unless that cannot be."""
    if request.mapping is not None:
        return request.mapping
    if request.scales.shared is not None and len(np.unique(folds)) > 1:
        return "qwk_cutpoints_lfo"
    _log.warning("%s: predictions are rounded, as cut-points need one scale and folds", path)
    return "round_half_band"


def _note_divided_prompts(
    prompts: tuple[str, ...], folds: IntArray, table: Table, column: str
) -> None:
    """Note the prompts that are not held out whole, as the scheme says, each once."""
    fold_of: dict[str, int] = {}
    told = set[str]()
    for row, (prompt, fold) in enumerate(zip(prompts, folds.tolist(), strict=True)):
        if fold_of.setdefault(prompt, fold) != fold and prompt not in told:
            told.add(prompt)
            what = f"the prompt {shown(prompt)} is in folds {fold_of[prompt]} and {fold}"
            mend = "hold prompts out whole, or import it with --scheme stratified_text"
            table.fault(row, what, mend, column)


def _numbers(table: Table, column: str) -> FloatArray:
    """Return a column of numbers; a missing one is a fault of the table."""
    return cells.number_cells(table, column, required=True)


def _folds(table: Table, column: str | None) -> IntArray:
    """Return whole numbers, -1 for what is none and a fault of the table; 0 without a column."""
    if column is None:
        _log.warning("%s has no column 'fold': its rows count as one fold", table.path)
        return np.zeros(table.n_rows, dtype=np.int64)
    values = _numbers(table, column)
    for row in np.flatnonzero(values != np.floor(values)).tolist():
        if np.isfinite(values[row]):
            mend = "number the folds 0, 1, 2 ..."
            table.fault(row, f"fold {values[row]} is not a whole number", mend, column)
    return np.nan_to_num(values, nan=-1).astype(np.int64)
