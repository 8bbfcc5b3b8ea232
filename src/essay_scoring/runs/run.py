"""Run: a configuration together with the data, splits and columns it works on."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from essay_scoring.core.contracts import FeatureBlock, Scorer
from essay_scoring.core.errors import InputError
from essay_scoring.core.machine import cores
from essay_scoring.core.progress import Progress
from essay_scoring.core.text import name_key
from essay_scoring.data.corpora import scales_of
from essay_scoring.data.preparation import PreparedData, prepare
from essay_scoring.data.prompt_texts import PromptTexts
from essay_scoring.data.splits import Splits, read_splits
from essay_scoring.features.coverage import CoverageBlock, truncation_coverage
from essay_scoring.features.feature_settings import EncoderSettings, FeatureSettings
from essay_scoring.features.imported import located, pinned
from essay_scoring.features.precision import device_in_use, resolve
from essay_scoring.features.store import FeatureStore
from essay_scoring.features.table import FeatureTable
from essay_scoring.models.context import Job
from essay_scoring.models.mapping import needs_one_scale, shared_scale
from essay_scoring.models.registry import ScorerContext, build_scorer
from essay_scoring.models.scorer_settings import (
    LengthSettings,
    MeanSettings,
    RidgeSettings,
    ScorerSettings,
)
from essay_scoring.records import provenance
from essay_scoring.records.config import (
    Baseline,
    RunConfig,
    config_values,
    run_folder_name,
    run_identity,
)
from essay_scoring.records.run_records import BlockIdentity, DataSource, Provenance
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.cross_validation import Design, Fitter, Origin

log = logging.getLogger(__name__)

BASELINES: dict[Baseline, ScorerSettings] = {
    "mean": MeanSettings(),
    "length": LengthSettings(),
    "ridge": RidgeSettings(),
}


@dataclass(frozen=True, eq=False)
class Run:
    """What a run works on: its config, its data and the columns its scorers ask for."""

    config: RunConfig
    prepared: PreparedData
    splits: Splits
    workspace: Workspace
    progress: Progress

    def on_same_data(self, config: RunConfig) -> Run:
        """Return the run of another config; data that both ask for is not loaded again.

        Raises InputError as `open_run` does.
        """
        asked = [(each.data, each.splits_path) for each in (self.config, config)]
        if asked[0] != asked[1]:
            return open_run(config, self.workspace, self.progress)
        _require_mapping(config)
        config = with_prompt_texts(_pinned(config, self.workspace), self.prepared)
        return replace(self, config=config)

    @cached_property
    def columns(self) -> FeatureTable:
        """The columns that scorers ask for."""
        return self._table(self.config.features)

    @cached_property
    def handcrafted(self) -> FeatureTable:
        """The handcrafted columns as they are: nothing dropped, nothing standardised."""
        return self._table(
            FeatureSettings(sets=("handcrafted",), encoder=self.config.features.encoder)
        )

    @cached_property
    def plain(self) -> FeatureTable:
        """The columns that scorers ask for as they are: nothing standardised."""
        return self._table(self.config.features.model_copy(update={"standardise_by_prompt": False}))

    @cached_property
    def covariates(self) -> FeatureTable | None:
        """What covariates of residuals are among, nothing dropped or standardised; None without."""
        settings = self.config.features
        if not self.needs_columns or not {"handcrafted", "imported"} & {*settings.sets}:
            return None
        if "handcrafted" in settings.sets:
            return self.handcrafted
        return self._table(settings.model_copy(update={"standardise_by_prompt": False, "drop": ()}))

    def _table(self, settings: FeatureSettings) -> FeatureTable:
        space = self.workspace
        settings = located(settings, space.data)
        return FeatureTable(settings, FeatureStore(space.features), space.encoders, self.progress)

    def truncation_coverage(self) -> dict[str, float | int]:
        """Return how many essays the encoder's length would cut, and the chunks that keep them."""
        store = FeatureStore(self.workspace.features)
        columns = store.columns(self._coverage, self.prepared.train.essays, self.progress)
        return truncation_coverage(columns, self._counted_encoder)

    @property
    def stored_blocks(self) -> tuple[FeatureBlock, ...]:
        """The blocks whose columns of the training essays the run reads from the feature store."""
        columns = self.columns.stored_blocks if self.needs_columns else ()
        return (*columns, self._coverage) if self.reads_encoder else columns

    @property
    def _coverage(self) -> CoverageBlock:
        return CoverageBlock(self._counted_encoder, self.workspace.encoders)

    @property
    def _counted_encoder(self) -> EncoderSettings:
        return self.config.scorer.encoder or self.config.features.encoder

    @cached_property
    def design(self) -> Design:
        """Who is held out when."""
        return Design.of(
            self.prepared.train,
            self.splits.folds(self.config.scheme),
            self.config.scheme,
            dev_share=self.config.training.dev_share,
            seed=self.config.seed,
        )

    @cached_property
    def identity(self) -> str:
        """The hash of config, data, splits, code and the packages that compute numbers."""
        return run_identity(
            config_values(self.config),
            data=self.prepared.data_sha256,
            splits=self.splits.sha256,
            code=provenance.code_revision(),
            versions=provenance.numeric_versions(),
        )

    @property
    def folder_name(self) -> str:
        """`<name>-<identity>`."""
        return run_folder_name(self.config.name, self.identity)

    def origin(self, settings: ScorerSettings) -> Origin:
        """Return what this run's fits of a scorer with these settings come from, here and now."""
        environment = provenance.environment(*device())
        asked = self.config.features.precision if settings.reads_columns else None
        precision = None if asked is None else resolve(asked, device_in_use())
        return Origin(self.identity, settings, environment, precision)

    @property
    def needs_columns(self) -> bool:
        """Whether any scorer of the run asks for feature columns."""
        scorers = [self.config.scorer, *(BASELINES[name] for name in self.config.baselines)]
        return any(scorer.reads_columns for scorer in scorers)

    @property
    def reads_encoder(self) -> bool:
        """Whether the scorer reads essays through an encoder, by itself or in its columns."""
        scorer, sets = self.config.scorer, self.config.features.sets
        return scorer.encoder is not None or (self.needs_columns and "embeddings" in sets)

    def fitter(self, settings: ScorerSettings, design: Design | None = None) -> Fitter:
        """Return what fits a scorer with these settings, on this run's design or another."""
        return Fitter(design or self.design, partial(self.build, settings), self.origin(settings))

    def build(self, settings: ScorerSettings, job: Job) -> Scorer:
        """Return an unfitted scorer of this run's scales, columns and seed."""
        return build_scorer(settings, self.config.training, self.context(job))

    def context(self, job: Job) -> ScorerContext:
        """Return what a scorer of this run is given besides its settings."""
        return ScorerContext(
            scales=self.prepared.train.scales,
            columns=self.columns,
            seed=self.config.seed,
            threads=cores(),
            cache=self.workspace.cache,
            progress=self.progress,
            job=job,
        )


def open_run(config: RunConfig, workspace: Workspace, progress: Progress) -> Run:
    """Prepare the data (or find it prepared) and return the run on it, not yet started.

    Raises InputError for data or splits that cannot be used, and for a mapping that needs one
    score scale where each prompt has its own.
    """
    _require_mapping(config)
    config = _pinned(config, workspace)
    prepared = prepare(config.data, workspace.data, workspace.prepared, progress)
    config = with_prompt_texts(config, prepared)
    _tell_of_prompt_texts(config, prepared)
    path = Path(config.splits_path) if config.splits_path else prepared.folder / "splits.json"
    return Run(config, prepared, read_splits(path, prepared, config.scheme), workspace, progress)


def _pinned(config: RunConfig, workspace: Workspace) -> RunConfig:
    """Return the config with the hashes of its tables of columns, so that they name the run."""
    features = pinned(config.features, workspace.data)
    return config.model_copy(update={"features": features})


def with_prompt_texts(config: RunConfig, prepared: PreparedData) -> RunConfig:
    """Return the config with what prompts asked by their table, so that it names the run.

    Raises InputError for a prompt of which the config itself says something else.
    """
    if not prepared.prompt_texts:
        return config
    own = config.features.prompt_texts
    texts = PromptTexts(own, "in features.prompt_texts")
    for number, (name, text) in enumerate(prepared.prompt_texts.items()):
        if fault := texts.fault(name, text, number):
            raise InputError(
                fault.what,
                where="data.corpus.columns.prompt_text",
                mend="remove the text there, or leave the column out",
            )
    features = config.features.model_copy(update={"prompt_texts": {**own, **texts.by_name}})
    return config.model_copy(update={"features": features})


def _tell_of_prompt_texts(config: RunConfig, prepared: PreparedData) -> None:
    """Warn where some prompts have a text and others are compared by their names."""
    known = set(map(name_key, config.features.prompt_texts))
    names = {name_key(name): name for name in prepared.train.prompts}
    if known and (without := [name for key, name in names.items() if key not in known]):
        log.warning(
            "%d of %d prompts have no text of what they asked, the first is '%s': essays "
            "are compared with their names",
            len(without),
            len(names),
            without[0],
        )


def _require_mapping(config: RunConfig) -> None:
    """Raise InputError for a mapping that needs one scale where each prompt has its own."""
    if needs_one_scale(config.training.mapping):
        shared_scale(scales_of(config.data.corpus), config.training.mapping)


def device() -> tuple[str, str | None]:
    """Return cpu, cuda or rocm, and the name of the GPU; torch tells AMD's from NVIDIA's."""
    if device_in_use() == "cpu":
        return "cpu", None
    import torch

    return "cuda" if torch.version.hip is None else "rocm", torch.cuda.get_device_name()


def provenance_of(run: Run) -> Provenance:
    """Return all that a result comes from besides the config."""
    identities = run.columns.identities() if run.needs_columns else {}
    return Provenance(
        data=DataSource(
            kind=run.config.data.corpus.kind,
            data_sha256=run.prepared.data_sha256,
            n=len(run.prepared.train),
        ),
        splits_sha256=run.splits.sha256,
        features={block: BlockIdentity.model_validate(told) for block, told in identities.items()},
        environment=provenance.environment(*device()),
        seeds={"run": run.config.seed, "splits": run.config.data.splits.seed},
    )
