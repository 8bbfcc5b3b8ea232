"""model.json and provenance.json of a model folder: what it scores with, and its origin."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from essay_scoring.core.names import FolderName
from essay_scoring.core.record import Sha256
from essay_scoring.core.scale import ScoreScales
from essay_scoring.core.settings import Settings
from essay_scoring.models.scorer_settings import MappingName
from essay_scoring.records.run_records import Provenance
from essay_scoring.statistics.linking import Linking

MODEL = "model.json"


class ModelRecord(Settings):
    """What turns a scorer's raw predictions into scores.

    `cutpoints` or `linking` were fitted on all out-of-fold predictions of the run `cv_run`; without
    either, predictions are rounded.
    """

    schema_version: Literal[1] = 1
    name: str
    family: str
    scales: ScoreScales
    mapping: MappingName
    cutpoints: tuple[float, ...] | None
    linking: Linking | None = None
    n_essays: int
    n_prompts: int
    cv_run: FolderName
    cv_manifest_sha256: str


class ModelProvenance(Provenance):
    """provenance.json of a model: as a run's, and the run that gave the model its figures."""

    cv_run: FolderName = Field(description="the run's folder")
    cv_manifest_sha256: Sha256 = Field(description="of its manifest.json")
