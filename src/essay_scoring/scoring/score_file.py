"""`score`: a table of any length to the same table with scores, kept by parts until it is done."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from essay_scoring.core.errors import BusyError, InputError
from essay_scoring.core.files import (
    atomic_path,
    read_json,
    remove_locked,
    try_lock,
    write_json,
    write_text,
)
from essay_scoring.core.fingerprint import file_sha256, fingerprint
from essay_scoring.core.progress import Progress
from essay_scoring.core.record import read_record
from essay_scoring.core.text import name_key
from essay_scoring.data.data_settings import TableFormat
from essay_scoring.data.prompt_names import listed, near_names
from essay_scoring.data.rows import AUTO
from essay_scoring.records.config import RunConfig, load_run_config
from essay_scoring.records.manifest import LOCK, MANIFEST, require_outside
from essay_scoring.records.model_records import MODEL, ModelProvenance, ModelRecord
from essay_scoring.records.provenance import sources_sha256
from essay_scoring.scoring.flags import read_facts
from essay_scoring.scoring.input_table import (
    DEFAULT_COLUMNS,
    ColumnNames,
    InputTable,
    open_input,
)
from essay_scoring.scoring.model import COLUMNS, CONFIG, PROVENANCE, compared_texts
from essay_scoring.scoring.output_table import WRITERS, Cells, write_scored
from essay_scoring.scoring.scored_tables import require_covered, scoring_features
from essay_scoring.scoring.scoring_pool import LoadedModel, TablePart, score_parts
from essay_scoring.scoring.verified_folder import require_safe

_MOST_PROMPTS = 200
_log = logging.getLogger(__name__)

PART_ROWS = 16
"""Rows that are scored and kept at a time: what a kill may cost each worker."""

_FEW_ROWS = 2 * PART_ROWS
"""So many rows are scored sooner than another process has started."""


@dataclass(frozen=True)
class ScoreRequest:
    """Which model scores which file into which, and how the file is read.

    The essays' own column is left out of the output unless `keep_text`. `tables` hold the imported
    columns of essays that the model's own tables lack.
    """

    model: Path
    file: Path
    out: Path
    columns: ColumnNames = DEFAULT_COLUMNS
    form: TableFormat = AUTO
    keep_text: bool = False
    tables: tuple[Path, ...] = ()


def score_file(request: ScoreRequest, cache: Path, progress: Progress, *, workers: int) -> int:
    """Write the file's rows with COLUMNS added to `out`, whole or not at all; return their number.

    Scores lie in a hidden folder beside `out` until then, and a killed command goes on from them.
    The bytes do not depend on how often that was, nor on `workers`. Raises InputError before any
    essay is scored for a model or a row that cannot be used, BusyError while another process writes
    the same file.
    """
    require_safe(request.model)
    record = read_record(ModelRecord, request.model / MODEL)
    config = load_run_config(request.model / CONFIG)
    trained = compared_texts(config)
    table = open_input(request.file, request.columns, record.scales, request.form, trained)
    _check_output(request, table)
    _check_tables(request, config, table)
    _tell_near_prompts(table, read_facts(request.model).prompts)
    work = request.out.with_name(f".{request.out.name}.parts")
    with try_lock(work / LOCK) as mine:
        if not mine:
            raise BusyError(
                "another process is writing this file", where=str(request.out), mend="wait for it"
            )
        _claim(work, _identity(request, table))
        with progress.stage("scoring", table.n_rows) as advance:
            missing = _missing(table, work, advance)
            processes = 0 if table.n_rows <= _FEW_ROWS else workers
            texts = tuple(table.prompt_texts.items())
            loaded = LoadedModel(request.model, cache, request.tables, texts)
            for part, scores in score_parts(loaded, processes, missing):
                lines = (",".join(scored.cells()) for scored in scores)
                write_text(_path(work, part.number), "".join(f"{line}\n" for line in lines))
                advance(len(part.rows))
        _require_unchanged(table)
        with atomic_path(request.out) as temporary:
            write_scored(temporary, table, _scores(table, work), text=request.keep_text)
            _require_unchanged(table)
        remove_locked(work, work / LOCK)
    return table.n_rows


def _check_output(request: ScoreRequest, table: InputTable) -> None:
    out = request.out
    require_outside(request.model, out)
    if out.suffix.lower() not in WRITERS:
        raise InputError(
            "the output is written as CSV or Parquet",
            where=str(out),
            mend="name it NAME.csv or NAME.parquet",
        )
    if out.resolve() == request.file.resolve():
        raise InputError(
            "the output would replace the input", where=str(out), mend="name another file"
        )
    taken = [name for name in table.names if name in COLUMNS]
    if taken:
        raise InputError(
            f"the table has a column '{taken[0]}' already, which scoring would add",
            where=f"{table.path}, header row",
            mend="rename or remove it",
        )


def _check_tables(request: ScoreRequest, config: RunConfig, table: InputTable) -> None:
    trained = read_record(ModelProvenance, request.model / PROVENANCE).features
    features = scoring_features(request.model, config, trained, request.tables)
    require_covered(config, features, table)


def _tell_near_prompts(table: InputTable, known: Sequence[str]) -> None:
    """Warn of prompts whose names may be those of training with a typing error."""
    keys = set(map(name_key, known))
    new = [name for name in sorted(table.prompts) if name and name_key(name) not in keys]
    new = new[:_MOST_PROMPTS]
    pairs = [pair for pair in near_names([*known, *new]) if (pair[0] in new) != (pair[1] in new)]
    if pairs:
        _log.warning(
            "%s: prompts are named nearly as in training, and count as unseen: %s",
            table.path,
            listed(pairs),
        )


def _require_unchanged(table: InputTable) -> None:
    """Raise InputError if the file is not the one that was checked, so that parts may be mixed."""
    if file_sha256(table.path) != table.file.sha256:
        raise InputError(
            "the file changed while it was scored", where=str(table.path), mend="score it again"
        )


def _identity(request: ScoreRequest, table: InputTable) -> str:
    """Return the hash of all that decides what the parts hold."""
    return fingerprint(
        {
            "model": file_sha256(request.model / MANIFEST),
            "table": table.file.sha256,
            "columns": [table.columns.text, table.prompt_column, table.columns.same_prompt],
            "asked": table.columns.prompt_text,
            "id": table.columns.id,
            "imported": [file_sha256(path) for path in request.tables],
            "layout": dataclasses.asdict(table.file.layout),
            "rows": PART_ROWS,
            "code": sources_sha256(),
        }
    )


def _claim(work: Path, identity: str) -> None:
    """Keep the parts of this very work that a killed process left, and nothing else."""
    told = work / "request.json"
    mine = told.is_file() and read_json(told) == identity
    for path in work.iterdir():
        stray = path.name.startswith(".") and path.name != LOCK
        if stray or (not mine and path.name != LOCK):
            path.unlink()
    if not mine:
        write_json(told, identity)


def _missing(table: InputTable, work: Path, passed: Callable[[int], None]) -> Iterator[TablePart]:
    """Yield the parts that are not there yet; `passed` is told of the rows of those that are."""
    rows = table.rows()
    for number in itertools.count():
        mine = list(itertools.islice(rows, PART_ROWS))
        if not mine:
            return
        if _path(work, number).exists():
            passed(len(mine))
        else:
            yield TablePart(number, mine, table.essays(mine))


def _path(work: Path, number: int) -> Path:
    return work / f"part-{number:07d}.csv"


def _scores(table: InputTable, work: Path) -> Iterator[Cells]:
    """Yield the cells of every row's scores, from all parts in order."""
    for number in range(-(-table.n_rows // PART_ROWS)):
        for line in _path(work, number).read_text(encoding="utf-8").splitlines():
            yield line.split(",")
