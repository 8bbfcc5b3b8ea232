"""A run's columns as a table without text, from which anyone fits the same scorers again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from essay_scoring.audits.audited_run import FinishedRun, identity_of, open_finished
from essay_scoring.core.contracts import Columns
from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.files import atomic_path, write_json, write_text
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.progress import Progress
from essay_scoring.core.record import read_record, write_record
from essay_scoring.core.spreadsheets import csv_line, harmless_cell
from essay_scoring.features.feature_settings import FeatureSettings, ImportedTable
from essay_scoring.features.imported import NAME, NO_FEATURES
from essay_scoring.models.context import Job
from essay_scoring.models.registry import load_scorer
from essay_scoring.records.config import RunConfig, config_values
from essay_scoring.records.exported import ExportedColumns
from essay_scoring.records.manifest import require_outside
from essay_scoring.records.residuals import COVARIATES
from essay_scoring.records.run_records import Provenance
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.run import Run

ID = "record_id"
KINDS = (".parquet", ".csv")
_SAME = 1e-9
"""Points of the training scale: what linear algebra rounds, and no column does."""


def export_columns(
    folder: Path, path: Path, workspace: Workspace, progress: Progress
) -> tuple[Path, Path, Path]:
    """Write a run's columns to `path`, and beside it their record and the config of the same run.

    The table has a row an essay: its id, prompt, fold and score, then the columns as float32. The
    config reads the columns from it and nothing from texts. Returns the paths of table, record and
    config. Raises InputError for a run without columns, EvidenceError for a run that was changed,
    and where the columns are not those that its models were fitted on.
    """
    _require_kind(path)
    require_outside(folder, path)
    finished = open_finished(folder, workspace, progress)
    columns = _columns_of(finished)
    if path.suffix == ".csv":
        write_text(path, "".join(map(csv_line, _lines(finished, columns))))
    else:
        _write_parquet(path, finished, columns)
    record, config = path.with_suffix(".json"), path.with_suffix(".config.json")
    write_record(record, _record(finished, path, columns))
    write_json(config, config_values(_config(finished.run, path, columns)))
    return path, record, config


def _require_kind(path: Path) -> None:
    if path.suffix not in KINDS:
        raise InputError(
            "columns are written as Parquet or CSV",
            where=str(path),
            mend="name it NAME.parquet or NAME.csv",
        )


def _columns_of(finished: FinishedRun) -> Columns:
    """Return the columns as they are before any standardising, once they are seen to be the run's.

    A cache may have been lost: what another processor computes is not what the models were fitted
    on, to the last bit.
    """
    run = finished.run
    if not run.config.scorer.reads_columns:
        raise InputError(
            f"a {run.config.scorer.family} scorer reads no columns",
            where=str(finished.record.folder),
            mend="name a run that reads columns",
        )
    told = read_record(Provenance, finished.record.folder / "provenance.json").features
    now = run.plain.identities()
    odd = [name for name in told if told[name].fingerprint != _fingerprint(now.get(name))]
    if odd or told.keys() != now.keys():
        raise _other_columns(finished, f"the blocks {', '.join(odd) or 'of columns'} differ")
    columns = run.plain(run.prepared.train.essays)
    _require_columns_of_the_models(finished)
    return _with_covariates(finished, columns)


def _with_covariates(finished: FinishedRun, columns: Columns) -> Columns:
    """Return the columns, and after them the covariates of residuals that the run drops."""
    run = finished.run
    if run.covariates is None:
        return columns
    every = run.covariates(run.prepared.train.essays)
    more = [name for name in COVARIATES if name in set(every.names) - {*columns.names}]
    values = every.values[:, [every.names.index(name) for name in more]]
    return Columns((*columns.names, *more), np.concatenate([columns.values, values], axis=1))


def _fingerprint(told: object) -> object:
    return told.get("fingerprint") if isinstance(told, dict) else None


def _require_columns_of_the_models(finished: FinishedRun) -> None:
    """Raise EvidenceError unless the models predict of the columns what the run recorded.

    Columns of a cache that was lost are computed anew, by another processor perhaps: they are then
    others in their last digits. Transformers compute for hours, and are not asked.
    """
    run, p = finished.run, finished.predictions
    if run.config.scorer.encoder is not None:
        return
    essays = run.prepared.train.essays
    for fold in run.design.folds:
        rows = run.design.held_out_rows([fold])
        path = finished.models / f"fold-{fold}" / "model"
        raw = load_scorer(path, run.context(Job("export"))).predict(essays.take(rows))
        gap = float(np.abs(raw - p.raw[rows]).max())
        if not gap <= _SAME:
            raise _other_columns(finished, f"predictions of fold {fold} differ by {gap:.2g} points")


def _other_columns(finished: FinishedRun, what: str) -> EvidenceError:
    return EvidenceError(
        f"today's columns are not those that its models were fitted on: {what}",
        where=str(finished.record.folder),
        mend="export with the cache of the run and the packages of its provenance.json, or run it "
        "again",
    )


def _named(finished: FinishedRun, columns: Columns) -> dict[str, Sequence[object]]:
    """Return what stands before the columns, by name; InputError where a column has such a name."""
    taken = {ID, *NO_FEATURES} & {*columns.names}
    if taken:
        raise InputError(
            f"a column is named {min(taken)!r}, as one that the table has of its own",
            where="features.imported",
            mend="give its table a prefix",
        )
    p = finished.predictions
    values = (p.ids, p.prompts, p.folds.tolist(), p.true.tolist())
    return dict(zip((ID, *NO_FEATURES), values, strict=True))


def _lines(finished: FinishedRun, columns: Columns) -> Iterator[Sequence[str]]:
    """Yield the rows of the CSV: nine digits tell every float32 from every other."""
    named = _named(finished, columns)
    yield [harmless_cell(name) for name in (*named, *columns.names)]
    for *row, fold, score, values in zip(*named.values(), columns.values.tolist(), strict=True):
        cells = ["" if math.isnan(value) else f"{value:.9g}" for value in values]
        yield [*map(harmless_cell, map(str, row)), str(fold), repr(score), *cells]


def _write_parquet(path: Path, finished: FinishedRun, columns: Columns) -> None:
    import pyarrow
    from pyarrow import parquet

    arrays = {name: pyarrow.array(values) for name, values in _named(finished, columns).items()}
    arrays |= {
        name: pyarrow.array(column)
        for name, column in zip(columns.names, columns.values.T.copy(), strict=True)
    }
    with atomic_path(path) as temporary:
        parquet.write_table(pyarrow.table(arrays), temporary)


def _record(finished: FinishedRun, path: Path, columns: Columns) -> ExportedColumns:
    metrics, folder = finished.record.metrics, finished.record.folder
    machines = [one.machine for fit in metrics.fits for one in fit.environments]
    return ExportedColumns(
        run=identity_of(finished.record),
        file=path.name,
        sha256=file_sha256(path),
        n=len(columns.values),
        columns=columns.names,
        blocks=read_record(Provenance, folder / "provenance.json").features,
        precisions=tuple(dict.fromkeys(name for fit in metrics.fits for name in fit.precisions)),
        instruction_sets=tuple(dict.fromkeys(machine.instruction_set for machine in machines)),
    )


def _config(run: Run, path: Path, columns: Columns) -> RunConfig:
    """Return a run's config with the table in the place of all that reads texts."""
    features = FeatureSettings(
        sets=(NAME,),
        drop=columns.names[len(run.plain.names) :],
        imported=(ImportedTable(path=str(path.resolve()), sha256=file_sha256(path), id=ID),),
        standardise_by_prompt=run.config.features.standardise_by_prompt,
    )
    return run.config.model_copy(update={"features": features})
