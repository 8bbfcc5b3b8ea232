"""The scores of the locked test: the one place that reads them.

They are in no prepared file. They are read from the source the essays were prepared from, or made
again for a synthetic corpus; only the final test may import this module.
"""

from __future__ import annotations

from pathlib import Path

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import ScoredEssays
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.data.corpora import data_folder, read_scored, source_files
from essay_scoring.data.data_settings import SyntheticCorpus
from essay_scoring.data.prepared import PreparedData, essays_sha256
from essay_scoring.data.synthetic import generate


def open_locked(prepared: PreparedData, folder: Path | None = None) -> ScoredEssays:
    """Return the locked essays that were kept, with their scores, in the order of `locked_ids`.

    `folder` is the data folder. Raises InputError if there is no locked test, or if the source no
    longer holds what was prepared.
    """
    if not prepared.locked_ids:
        raise InputError(
            "there is no locked test", where=str(prepared.folder), mend="name one in [data.corpus]"
        )
    everyone = _read_all(prepared, data_folder() if folder is None else folder)
    row_of = {essay_id: row for row, essay_id in enumerate(everyone.essays.ids)}
    missing = [essay_id for essay_id in prepared.locked_ids if essay_id not in row_of]
    kept = everyone.take([row_of[i] for i in prepared.locked_ids if i in row_of])
    if missing or essays_sha256(kept.essays) != prepared.manifest["locked_sha256"]:
        raise InputError(
            "the locked essays are not those that were prepared",
            where=str(prepared.folder),
            mend="prepare the data again",
        )
    return kept


def _read_all(prepared: PreparedData, folder: Path) -> ScoredEssays:
    corpus = prepared.settings.corpus
    if isinstance(corpus, SyntheticCorpus):
        return generate(corpus, "locked")
    path = source_files(corpus, folder)[-1]
    if file_sha256(path) != prepared.manifest["sources"][-1]["sha256"]:
        raise InputError(
            "the file has changed since the data were prepared",
            where=str(path),
            mend="restore it, or prepare the data again",
        )
    return read_scored(corpus, path, prepared.manifest["prompt_names"])
