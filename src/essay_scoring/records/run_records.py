"""The records of a run folder, field by field, with units: what its files promise to hold."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, JsonValue

from essay_scoring.core.names import FolderName
from essay_scoring.core.record import Record, Scheme, Sha256
from essay_scoring.core.scale import ScoreScales
from essay_scoring.records.fits import Fit
from essay_scoring.records.provenance import Environment
from essay_scoring.statistics.linking import Linking
from essay_scoring.statistics.summary import CovariateCorrelation, OverFolds, Summary


class Manifest(Record):
    """manifest.json, written last: every file of a finished folder."""

    schema_: Literal[1] = Field(alias="schema", description="version of this record")
    files: dict[str, Sha256] = Field(description="sha256 by path relative to the folder")


class SessionEntry(Record):
    """One process that worked in a folder."""

    started: str = Field(description="UTC, ISO 8601, to the microsecond")
    host: str = Field(description="the machine's name")


class Failure(Record):
    """How a session failed."""

    type: str = Field(description="the error's class")
    message: str = Field(description="what, where, how to mend it; no essay text")


class Status(Record):
    """status.json: how the work in a folder stands, kept true by a heartbeat."""

    state: Literal["running", "complete", "interrupted", "failed"] = Field(
        description="`running` is left behind by a killed process: ask `essay-scoring status`"
    )
    stage: str = Field(description="what is being done")
    pid: int | None = Field(description="process number of the last session; null while in parts")
    host: str = Field(description="machine of the last session")
    started: str = Field(description="start of the last session, UTC, ISO 8601")
    sessions: list[SessionEntry] = Field(description="every session, the first first")
    resume: str = Field(description="the command that goes on")
    heartbeat: str = Field(description="last sign of life, UTC, ISO 8601")
    finished: str | None = Field(default=None, description="end of the last session, UTC, ISO 8601")
    failure: Failure | None = Field(default=None, description="only where the state is `failed`")
    data_folder: str | None = Field(
        default=None, description="where the corpus's files were, for commands on the run"
    )


class ProgressRecord(Record):
    """progress.json: how far the present stage has come."""

    stage: str = Field(description="its name")
    done: int = Field(ge=0, description="units done")
    total: int = Field(ge=0, description="units in all")
    unit: str = Field(description="what is counted")
    time: str = Field(description="UTC, ISO 8601")


class DataSource(Record):
    """Which essays a run trained on."""

    kind: str = Field(description="the corpus: ellipse, table or synthetic")
    data_sha256: Sha256 = Field(description="of id, text, prompt and score of every essay")
    n: int = Field(description="training essays")


class BlockIdentity(Record):
    """What decides the columns of a feature block."""

    fingerprint: Sha256 = Field(description="of the identity")
    identity: dict[str, Any] = Field(description="settings, packages and revisions of the block")


class Provenance(Record):
    """provenance.json: all that a run comes from besides its config, as its first session saw it.

    What each fit was made with stands in its own record.
    """

    schema_: Literal[2] = Field(default=2, alias="schema", description="version of this record")
    data: DataSource = Field(description="the essays")
    splits_sha256: Sha256 = Field(description="of who is held out when")
    features: dict[str, BlockIdentity] = Field(description="each feature block in use")
    environment: Environment = Field(description="where it was started")
    seeds: dict[str, int] = Field(description="of the run and of the splits")


class RunName(Record):
    """Which run it is."""

    name: str = Field(description="its name")
    folder: FolderName = Field(description="name and fingerprint of config, data, splits and code")
    scheme: Scheme = Field(description="how essays were held out")


class MetricsData(Record):
    """The essays that metrics are of; null where predictions were imported."""

    kind: str = Field(description="the corpus")
    data_sha256: Sha256 | None = Field(description="of id, text, prompt and score")
    splits_sha256: Sha256 | None = Field(description="of who is held out when")
    predictions_sha256: Sha256 = Field(description="of id, prompt, fold and true score")
    n: int = Field(description="essays")
    n_prompts: int = Field(description="prompts")


class FitRow(Fit):
    """How one fold's fit went."""

    fold: int = Field(description="the fold held out")


class SecondScores(Record):
    """artifacts/second_scores.json: a second rater's scores, of a run whose essays have them."""

    schema_: Literal[1] = Field(default=1, alias="schema", description="version of this record")
    scores: dict[str, float] = Field(
        description="by essay id, own scale; essays without such a score are left out"
    )


class AppliedMapping(Record):
    """How raw predictions became scores."""

    name: str = Field(description="the mapping; `as_imported` where scores came with a file")
    cutpoints: dict[int, list[float]] = Field(description="by fold, score points")
    linkings: dict[int, Linking] = Field(
        default_factory=dict, description="by fold, the line of a `mean_sigma` mapping"
    )
    inner_vs_lfo: dict[str, dict[str, OverFolds]] | None = Field(
        default=None, description="means over folds with `inner` cut-points and with `lfo` ones"
    )


class CvMetrics(Record):
    """artifacts/cv_metrics.json: what a run is and what it came to."""

    schema_: Literal[2] = Field(default=2, alias="schema", description="version of this record")
    run: RunName = Field(description="which run")
    family: str = Field(description="the scorer's family; `imported` for another scorer's")
    hyperparameters: dict[str, JsonValue] = Field(
        description="the scorer's and training's settings"
    )
    config: dict[str, JsonValue] = Field(description="config.json")
    data: MetricsData = Field(description="the essays")
    transductive: bool = Field(description="whether held-out essays were used without scores")
    scales: ScoreScales = Field(description="score scale, or one for each prompt")
    code_revision: Sha256 = Field(description="of the code that the fits ran")
    versions: dict[str, str] = Field(description="versions of Python and of packages")
    mapping: AppliedMapping = Field(description="how raw predictions became scores")
    summary: Summary = Field(description="the figures")
    covariates: list[CovariateCorrelation] = Field(description="what residuals go with")
    baselines: dict[str, Summary] = Field(description="the same figures of each baseline")
    fits: list[FitRow] = Field(description="of the scorer, by fold; empty for imported ones")
