"""A folder of prepared data, read back and checked against its own checksums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.files import atomic_path, read_json
from essay_scoring.core.fingerprint import file_sha256, rows_sha256
from essay_scoring.core.scale import FloatArray
from essay_scoring.core.text import text_hash
from essay_scoring.data.corpora import scales_of
from essay_scoring.data.data_settings import DataSettings
from essay_scoring.data.parquet import open_parquet

PREPARED_VERSION = 2
MANIFEST = "prepared.json"
TRAIN, LOCKED, SPLITS = "train.parquet", "locked.parquet", "splits.json"


@dataclass(frozen=True, eq=False)
class PreparedData:
    """Essays ready for training, and the ids of those that are locked away.

    `data_sha256` covers id, text, prompt and score of every training essay in order; `manifest` is
    the content of `prepared.json`.
    """

    folder: Path
    settings: DataSettings
    train: ScoredEssays
    locked_ids: tuple[str, ...]
    data_sha256: str
    manifest: Mapping[str, Any] = field(repr=False)

    @property
    def prompt_texts(self) -> Mapping[str, str]:
        """What prompts asked, by their names, as far as the table says."""
        return dict(self.manifest.get("prompt_texts", {}))


def load_prepared(folder: Path) -> PreparedData:
    """Return the data of a prepared folder; InputError if it is incomplete or any file differs."""
    manifest = read_json(folder / MANIFEST)
    try:
        _check_files(folder, manifest)
        settings = DataSettings.model_validate(manifest["settings"])
        recorded = str(manifest["data_sha256"])
    except (KeyError, TypeError, AttributeError, ValidationError):
        raise _unusable(folder, f"{MANIFEST} is not as it was written") from None
    try:
        train, locked = _read_train(folder / TRAIN, settings), read_essays(folder / LOCKED)
    except (KeyError, TypeError, ValueError):
        raise _unusable(folder, f"{TRAIN} or {LOCKED} is not as it was written") from None
    if scored_sha256(train) != recorded:
        raise _unusable(folder, f"{TRAIN} does not have the recorded data_sha256")
    return PreparedData(folder, settings, train, locked.ids, recorded, manifest)


def _check_files(folder: Path, manifest: Any) -> None:
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if version != PREPARED_VERSION:
        raise _unusable(folder, f"the schema version is {version!r}, not {PREPARED_VERSION}")
    for name, recorded in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise _unusable(folder, f"{name} is missing")
        if file_sha256(path) != recorded:
            raise _unusable(folder, f"{name} does not have the recorded sha256")


def _unusable(folder: Path, what: str) -> InputError:
    return InputError(what, where=str(folder), mend="run prepare-dataset again")


def scored_sha256(train: ScoredEssays) -> str:
    """Return the hash of ordered id, text hash, prompt and score.

    What is learnt instead and weights count where there are any.
    """
    essays = train.essays
    columns = [
        essays.ids,
        list(map(text_hash, essays.texts)),
        essays.prompts,
        list(map(repr, train.scores.tolist())),
    ]
    if train.softened is not None:
        columns.append(list(map(repr, train.softened.tolist())))
    if train.weights is not None:
        columns.append([f"weight {weight!r}" for weight in train.weights.tolist()])
    return rows_sha256(zip(*columns, strict=True))


def essays_sha256(essays: Essays) -> str:
    """Return the hash of ordered id, text hash and prompt."""
    return rows_sha256(zip(essays.ids, map(text_hash, essays.texts), essays.prompts, strict=True))


def write_essays(path: Path, essays: Essays) -> None:
    """Write id, text and prompt as Parquet."""
    _write(path, _essay_columns(essays))


def read_essays(path: Path) -> Essays:
    """Return the essays of a Parquet file that `write_essays` wrote."""
    return _essays(_read(path))


def write_train(path: Path, train: ScoredEssays) -> None:
    """Write scored essays as Parquet: traits as `trait:NAME`, writer groups as `writer:NAME`.

    `target` is what is learnt where that is no label, on the training scale; `weight` the essays'
    own weight in training, where they have one.
    """
    columns: dict[str, Any] = {**_essay_columns(train.essays), "score": train.scores}
    if train.second_scores is not None:
        columns["second_score"] = train.second_scores
    if train.softened is not None:
        columns["target"] = train.softened
    if train.weights is not None:
        columns["weight"] = train.weights
    columns |= {f"trait:{name}": values for name, values in train.traits.items()}
    columns |= {f"writer:{name}": list(labels) for name, labels in train.writers.items()}
    _write(path, columns)


def _read_train(path: Path, settings: DataSettings) -> ScoredEssays:
    columns = _read(path)
    return ScoredEssays(
        _essays(columns),
        np.asarray(columns["score"], dtype=np.float64),
        scales_of(settings.corpus),
        _optional(columns, "second_score"),
        {
            name.removeprefix("trait:"): np.asarray(values, dtype=np.float64)
            for name, values in columns.items()
            if name.startswith("trait:")
        },
        {
            name.removeprefix("writer:"): tuple(values)
            for name, values in columns.items()
            if name.startswith("writer:")
        },
        _optional(columns, "target"),
        _optional(columns, "weight"),
    )


def _optional(columns: Mapping[str, list[Any]], name: str) -> FloatArray | None:
    return np.asarray(columns[name], dtype=np.float64) if name in columns else None


def _essays(columns: Mapping[str, list[Any]]) -> Essays:
    return Essays(tuple(columns["id"]), tuple(columns["text"]), tuple(columns["prompt"]))


def _essay_columns(essays: Essays) -> dict[str, Any]:
    return {"id": list(essays.ids), "text": list(essays.texts), "prompt": list(essays.prompts)}


def _write(path: Path, columns: Mapping[str, Any]) -> None:
    import pyarrow
    from pyarrow import parquet

    text = pyarrow.string()
    arrays = {
        name: pyarrow.array(values, type=text if isinstance(values, list) else pyarrow.float64())
        for name, values in columns.items()
    }
    with atomic_path(path) as temporary:
        parquet.write_table(pyarrow.table(arrays), temporary)


def _read(path: Path) -> dict[str, list[Any]]:
    with open_parquet(path) as file:
        columns: dict[str, list[Any]] = file.read().to_pydict()
    return columns
