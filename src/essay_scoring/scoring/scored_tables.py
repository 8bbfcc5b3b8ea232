"""Where the imported columns of new essays are: in the tables of training, or in others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from essay_scoring.core.errors import InputError
from essay_scoring.data.corpora import data_folder
from essay_scoring.features.feature_settings import FeatureSettings
from essay_scoring.features.imported import NAME, ImportedBlock, located
from essay_scoring.records.config import RunConfig
from essay_scoring.records.run_records import BlockIdentity
from essay_scoring.runs.session import remembered_data
from essay_scoring.scoring.input_table import InputTable


def scoring_features(
    folder: Path,
    config: RunConfig,
    trained: Mapping[str, BlockIdentity],
    tables: Sequence[Path] = (),
) -> FeatureSettings:
    """Return a model's feature settings with tables of imported columns that lie where they are.

    `tables` stand for those of training, in their order, and give the columns that those gave.
    """
    known = config.features.imported if _reads_tables(config) else ()
    if not tables:
        return located(config.features, remembered_data(folder) or data_folder())
    if len(tables) != len(known):
        raise InputError(
            f"the model reads {len(known)} tables of imported columns, and {len(tables)} are named",
            where=str(folder),
            mend="name as many, in the order of features.imported" if known else "name none",
        )
    names = trained[NAME].identity["columns"] if NAME in trained else [t.columns for t in known]
    others = [
        table.model_copy(update={"path": str(path), "sha256": None, "columns": tuple(columns)})
        for table, path, columns in zip(known, tables, names, strict=True)
    ]
    return config.features.model_copy(update={"imported": tuple(others)})


def require_covered(config: RunConfig, features: FeatureSettings, table: InputTable) -> None:
    """Raise InputError unless the tables have the columns of every essay to score."""
    if _reads_tables(config):
        block = ImportedBlock(features.imported)
        block.require([essay for row in table.rows() for essay in table.essays([row]).ids])


def _reads_tables(config: RunConfig) -> bool:
    return config.scorer.reads_columns and NAME in config.features.sets
