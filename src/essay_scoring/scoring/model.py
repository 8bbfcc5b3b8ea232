"""A trained model: loaded from its folder once that is verified, and asked for scores."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from essay_scoring.core.contracts import Columns, ColumnSource
from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.record import read_record
from essay_scoring.core.scale import ScoreScales
from essay_scoring.core.text import name_key
from essay_scoring.core.worker_pool import in_this_process
from essay_scoring.features.feature_settings import FeatureSettings
from essay_scoring.features.imported import TABLES
from essay_scoring.models.context import ScorerContext
from essay_scoring.models.mapping import FittedMapping
from essay_scoring.records.config import RunConfig, load_run_config
from essay_scoring.records.model_records import MODEL, ModelProvenance, ModelRecord
from essay_scoring.records.run_records import BlockIdentity
from essay_scoring.scoring.conformal import PredictionInterval
from essay_scoring.scoring.flags import FLAGS, Flags, read_flags
from essay_scoring.scoring.fresh_columns import FreshColumns
from essay_scoring.scoring.scored_tables import scoring_features
from essay_scoring.scoring.single_essay import Reader, load_fresh, on_one_thread
from essay_scoring.scoring.verified_folder import require_safe

INTERVAL, CONFIG, PROVENANCE = "interval.json", "config.json", "provenance.json"
RAW_DIGITS = 4
SCORER = Path("scorer") / "model"
COLUMNS = ("predicted_band", "predicted_raw", "interval_low", "interval_high", *FLAGS)
"""The columns that scoring adds to a table."""

_MACHINE_KEYS = frozenset({"packages", "torch", "transformers", "precision", "device"})
"""Parts of a block's identity that move a value by little more than rounding; others change it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scored:
    """The score of one essay: band and raw value on its own scale, interval, and FLAGS."""

    band: float
    raw: float
    low: float
    high: float
    flags: tuple[bool, ...]

    def cells(self) -> list[str]:
        """Return the cells of COLUMNS; numbers as Python writes them, so that they come back."""
        numbers = (self.band, self.raw, self.low, self.high)
        return [*map(repr, numbers), *("yes" if flag else "no" for flag in self.flags)]


class TrainedModel:
    """A scorer that was fitted on all training essays, with all that its scores need."""

    def __init__(
        self,
        folder: Path,
        cache: Path = Path("cache"),
        tables: Sequence[Path] = (),
        prompt_texts: Mapping[str, str] | None = None,
    ) -> None:
        """Load a model folder; InputError, in one line, for one that is not as it was written.

        `cache`/encoders holds fetched encoders; where there is the folder `cache`, the columns of
        essays that are scored are kept below it, by hashes of their texts. `tables` hold the
        imported columns of essays that those of training lack; `prompt_texts` are what prompts
        asked that were not trained on, by their names.
        """
        require_safe(folder)
        self.folder = folder
        self.config: RunConfig = load_run_config(folder / CONFIG)
        self.record = read_record(ModelRecord, folder / MODEL)
        self.interval = read_record(PredictionInterval, folder / INTERVAL)
        self.flags: Flags = read_flags(folder)
        known = (*self.flags.facts.prompts, *self.record.scales.by_prompt)
        self._prompts = {name_key(name): name for name in known}
        _check_cutpoints(self.record, folder)
        trained = read_record(ModelProvenance, folder / PROVENANCE).features
        features = scoring_features(folder, self.config, trained, tables)
        context = scoring_context(self.config, features, self.record.scales, cache)
        self._columns = context.columns if isinstance(context.columns, FreshColumns) else None
        if self._columns is not None:
            _check_columns(folder, trained, self._columns.identities())
        with on_one_thread(with_torch=self.config.scorer.encoder is not None):
            self._reader = Reader(load_fresh(folder / SCORER, context), context)
        self.ask(prompt_texts or {})

    @property
    def scales(self) -> ScoreScales:
        """The score scale, or the scales by prompt."""
        return self.record.scales

    @property
    def mapping(self) -> FittedMapping:
        """What turns raw predictions into scores."""
        cuts = self.record.cutpoints
        return FittedMapping(None if cuts is None else np.array(cuts), self.record.linking)

    def ask(self, prompt_texts: Mapping[str, str]) -> None:
        """Compare essays with what more prompts asked, by their names."""
        if self._columns is not None and prompt_texts:
            self._columns.ask(prompt_texts)

    def score(self, essays: Essays) -> list[Scored]:
        """Return the scores of essays, each as if it were alone; InputError without a scale.

        A prompt that was trained on is known in any spelling (case, white space, Unicode form).
        """
        names = (self._prompts.get(name_key(name), name) for name in essays.prompts)
        essays = replace(essays, prompts=tuple(names))
        if self._columns is not None:
            with in_this_process():
                self._columns.warm(essays)
        with on_one_thread(with_torch=self.config.scorer.encoder is not None):
            return [self._one(essays.take([row])) for row in range(len(essays))]

    def _one(self, essay: Essays) -> Scored:
        [text], [prompt] = essay.texts, essay.prompts
        scale = self.scales.of(prompt)
        raw, vectors = self._reader.read(essay)
        band = self.mapping.scores(np.array([raw]), [prompt], self.scales)
        score = float(band[0])
        low, high = self.interval.around(raw, score, scale)
        # No score lies beyond the scale, and more digits tell machines apart, not essays.
        shown = round(min(max(raw, scale.low), scale.high), RAW_DIGITS)
        return Scored(score, shown, low, high, self.flags.of(text, prompt, vectors))


def compared_texts(config: RunConfig) -> Mapping[str, str] | None:
    """Return what a model's prompts asked; None for a model that compares essays with no prompt."""
    features = config.features
    compares = config.scorer.reads_columns and "handcrafted" in features.sets
    return features.prompt_texts if compares else None


def scoring_context(
    config: RunConfig, features: FeatureSettings, scales: ScoreScales, cache: Path
) -> ScorerContext:
    """Return what a saved scorer is given to score essays that are seen once."""
    columns: ColumnSource = _no_columns
    if config.scorer.reads_columns:
        columns = FreshColumns(features, cache)
    return ScorerContext(scales, columns, config.seed, threads=1, cache=cache)


def _no_columns(_essays: Essays) -> Columns:
    raise TypeError("this scorer reads no feature columns")


def _check_cutpoints(record: ModelRecord, folder: Path) -> None:
    """Raise InputError unless cut-points fit the one scale that they are places on."""
    cuts, scale = record.cutpoints, record.scales.shared
    if cuts is None:
        return
    if scale is None or len(cuts) != scale.n_labels - 1 or list(cuts) != sorted(cuts):
        raise InputError(
            "the cut-points do not fit the score scale",
            where=str(folder / MODEL),
            mend="restore the file, or train the model again",
        )


def _check_columns(folder: Path, then: Mapping[str, BlockIdentity], now: Mapping[str, Any]) -> None:
    """Raise InputError if a block makes other columns than in training; warn of other packages."""
    if then.keys() != now.keys():
        raise _other_columns(folder, "the blocks of feature columns")
    for block, told in then.items():
        was, is_now = told.identity, now[block]["identity"]
        keys = sorted({*was, *is_now} - {TABLES})
        odd = [key for key in keys if was.get(key) != is_now.get(key)]
        if not odd:
            continue
        if set(odd) - _MACHINE_KEYS:
            raise _other_columns(folder, f"{', '.join(odd)} of the columns {block}")
        _log.warning(
            "%s: %s of the columns %s are not those of training; scores may differ slightly",
            folder,
            ", ".join(odd),
            block,
        )


def _other_columns(folder: Path, what: str) -> InputError:
    return InputError(
        f"{what} are not those that the model was trained with",
        where=str(folder / PROVENANCE),
        mend="score with the version of essay-scoring that trained it, or train it again",
    )
