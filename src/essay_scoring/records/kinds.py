"""What a file or folder is, so that a command given another kind says which, and what takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from essay_scoring.core.errors import EssayScoringError, InputError
from essay_scoring.core.files import read_json
from essay_scoring.data.prepared import MANIFEST as PREPARED
from essay_scoring.records.config import read_extended_toml
from essay_scoring.records.finished_run import METRICS
from essay_scoring.records.locked_test import FINAL_TEST, OPENING
from essay_scoring.records.manifest import is_complete
from essay_scoring.records.model_records import MODEL
from essay_scoring.records.presets import settings_file
from essay_scoring.records.study_results import STUDY
from essay_scoring.records.trait_results import TRAITS

PathKind = Literal[
    "config",
    "data",
    "study",
    "plan",
    "search",
    "grid",
    "profile",
    "table",
    "splits",
    "record",
    "run",
    "final-test",
    "study-folder",
    "traits-folder",
    "search-folder",
    "model",
    "prepared",
    "runs-folder",
]


@dataclass(frozen=True)
class _Kind:
    """A kind in words, and what to do with one of it."""

    words: str
    use: str


_KINDS: dict[PathKind, _Kind] = {
    "config": _Kind("the config of a run", "essay-scoring cv {}"),
    "data": _Kind("the settings of a corpus alone", "essay-scoring prepare-dataset {}"),
    "study": _Kind("a study", "essay-scoring study {}"),
    "plan": _Kind("a gate plan", "name it in a study, or: essay-scoring power {} --reference RUN"),
    "search": _Kind("a search", "essay-scoring optuna-sweep {}"),
    "grid": _Kind("a grid", "essay-scoring xgb-sweep CONFIG --grid {}"),
    "profile": _Kind("a host profile", "essay-scoring launch CONFIG --profile {}"),
    "table": _Kind("a table", "essay-scoring init {}"),
    "splits": _Kind("a file of splits", "essay-scoring cv CONFIG --splits-path {}"),
    "record": _Kind("the record of a study", "essay-scoring tables {} --out FOLDER"),
    "run": _Kind("a run", "essay-scoring report {}"),
    "final-test": _Kind("a final test", "its figures are in {}/artifacts/final_test.json"),
    "study-folder": _Kind("the folder of a study", "essay-scoring report {}"),
    "traits-folder": _Kind("the folder of a study of traits", "essay-scoring report {}"),
    "search-folder": _Kind("the folder of a search", "essay-scoring report {}"),
    "model": _Kind("a model", "essay-scoring score {} ESSAYS --out SCORED"),
    "prepared": _Kind("a folder of prepared data", "essay-scoring make-splits {} --out SPLITS"),
    "runs-folder": _Kind(
        "a folder of runs", "name a folder in it, as this lists them: essay-scoring runs"
    ),
}

_INSTEAD: dict[tuple[PathKind, PathKind], str] = {
    ("run", "model"): "train one: essay-scoring train {}/config.json",
    ("config", "model"): "train one: essay-scoring train {}",
    ("table", "model"): "name the model first: essay-scoring score MODEL {} --out SCORED",
    ("table", "run"): "make a run of predictions: essay-scoring import-predictions {}",
    ("run", "config"): "name its config: {}/config.json",
    ("run", "study"): "name the study that ran it, or another: essay-scoring init ESSAYS",
    ("run", "study-folder"): "name the study that ran it, a folder of RUNS/studies",
    ("model", "config"): "name its config: {}/config.json",
    ("model", "run"): "name the run that it was trained after: cv_run in {}/model.json",
    ("search-folder", "config"): "name what it selected: {}/artifacts/selected_params.json",
    (
        "search-folder",
        "search",
    ): "name its file of configs/search/; to see it: essay-scoring report {}",
    ("study-folder", "study"): "name its file; to see what it decided: essay-scoring report {}",
    ("study-folder", "run"): "name one of its runs, which {}/study.json lists",
    ("study", "study-folder"): "run it, and name the folder that it writes: essay-scoring study {}",
    ("study", "plan"): "name a gate that it names",
    ("config", "run"): "run it, and name the folder that it writes: essay-scoring cv {}",
}
"""What to do where the general answer of a kind misses the point: by what is there, and wanted."""

_KEYS: tuple[tuple[str, PathKind], ...] = (
    ("scorer", "config"),
    ("candidates", "study"),
    ("checks", "plan"),
    ("space", "search"),
    ("grid", "grid"),
    ("backend", "profile"),
    ("data", "data"),
)
"""What a file of settings is that has a certain key, the first that it has."""

_FOLDERS: tuple[tuple[str, PathKind], ...] = (
    (STUDY, "study-folder"),
    (TRAITS, "traits-folder"),
    (MODEL, "model"),
    (OPENING, "final-test"),
    (str(FINAL_TEST), "final-test"),
    (str(METRICS), "run"),
    ("artifacts/search.json", "search-folder"),
    ("artifacts/sweep.json", "search-folder"),
    (PREPARED, "prepared"),
)
_UNFINISHED: dict[PathKind | None, PathKind] = {"config": "run", "study": "study-folder"}
"""What a folder without results is, by its config.json."""

_TABLES = {".csv", ".tsv", ".txt", ".jsonl", ".gz", ".xlsx", ".xls", ".ods", ".parquet"}


def require_kind(path: Path, *wanted: PathKind) -> None:
    """Raise InputError, naming what takes it, for a path that is plainly of another kind."""
    given = kind_of(path)
    if given is None or given in wanted:
        return
    mend = _INSTEAD.get((given, wanted[0]), _KINDS[given].use)
    raise InputError(
        f"this is {_KINDS[given].words}, not {_KINDS[wanted[0]].words}",
        where=str(path),
        mend=mend.format(path),
    )


def kind_of(path: Path) -> PathKind | None:
    """Return what a file or folder is, None where it is not plain or not there."""
    try:
        path = settings_file(path)
        if path.is_dir():
            return _of_folder(path)
        if not path.is_file():
            return None
        if path.suffix == ".toml":
            return _of_values(read_extended_toml(path))
        if path.suffix == ".json":
            return _of_json(read_json(path))
    except (EssayScoringError, OSError):
        return None
    return "table" if path.suffix.lower() in _TABLES else None


def _of_folder(folder: Path) -> PathKind | None:
    named = (kind for name, kind in _FOLDERS if (folder / name).is_file())
    if (kind := next(named, None)) is not None:
        return kind
    if (folder / "status.json").is_file() and (folder / "config.json").is_file():
        return _UNFINISHED.get(_of_json(read_json(folder / "config.json")))
    holds = (path for path in folder.glob("[!.]*") if path.name == "studies" or is_complete(path))
    return "runs-folder" if next(holds, None) is not None else None


def _of_json(values: object) -> PathKind | None:
    """Return what a JSON file is: settings that were written, or a record."""
    if not isinstance(values, Mapping):
        return None
    if "outcome" in values and "decided_arm" in values:
        return "record"
    if "splits_sha256" in values and "n_splits" in values:
        return "splits"
    if isinstance(values.get("study"), Mapping) and "configs" in values:
        return "study"
    return "config" if "scorer" in values else None


def _of_values(values: Mapping[str, object]) -> PathKind | None:
    return next((kind for key, kind in _KEYS if key in values), None)
