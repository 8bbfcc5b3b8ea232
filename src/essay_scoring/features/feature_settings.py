"""Settings of feature columns and encoders, and the one list of feature sets."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from essay_scoring.core.settings import Settings
from essay_scoring.data.data_settings import TableFormat

_LANGUAGE = (
    "essay_scoring.features.linguistic:LinguisticBlock",
    "essay_scoring.features.language_errors:LanguageErrorsBlock",
    "essay_scoring.features.similarity:SimilarityBlock",
)

FEATURE_SETS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "handcrafted": _LANGUAGE,
        "companions": _LANGUAGE,
        "embeddings": ("essay_scoring.features.embeddings:EmbeddingBlock",),
        "surprisal": ("essay_scoring.features.surprisal:SurprisalBlock",),
        "imported": ("essay_scoring.features.imported:ImportedBlock",),
    }
)
"""Feature set to the classes of the blocks that supply it, in the order of their columns."""


def _known(name: str) -> str:
    if name not in FEATURE_SETS:
        raise ValueError(f"no feature set {name!r}: there are {', '.join(FEATURE_SETS)}")
    return name


FeatureSet = Annotated[
    str, AfterValidator(_known), WithJsonSchema({"enum": [*FEATURE_SETS], "type": "string"})
]


class ReadingSettings(Settings):
    """A model that reads essays, and how.

    `name` is a registry name, a local folder or a name on the model hub; the last two need
    `sha256`, that of their model.safetensors. Essays longer than `max_length` tokens are read in
    chunks that share `overlap` tokens.
    """

    name: str
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    max_length: int = Field(default=512, ge=16)
    overlap: int = Field(default=128, ge=0)
    precision: Literal["auto", "fp32", "bf16"] = "auto"

    @model_validator(mode="after")
    def _chunks_advance(self) -> Self:
        if self.overlap * 2 > self.max_length:
            raise ValueError("overlap must be at most half of max_length")
        return self


class EncoderSettings(ReadingSettings):
    """A frozen encoder and where it is read.

    `layers` counts from 1 (0 is the word embeddings); several layers are averaged or put side by
    side. The rest is as `ReadingSettings` say.
    """

    name: str = "all-MiniLM-L6-v2"
    layers: tuple[int, ...] = Field(default=(3,), min_length=1)
    mix: Literal["mean", "concat"] = "mean"


class LanguageModelSettings(ReadingSettings):
    """A causal language model, whose surprise at each token becomes columns."""

    name: str = "SmolLM2-135M-Instruct"
    max_length: int = Field(default=2048, ge=16)
    overlap: int = Field(default=512, ge=0)


class ImportedTable(TableFormat):
    """A table of columns that were made elsewhere, one row an essay, found by the essay's `id`.

    `path` is relative to the data folder; a run writes down the file's `sha256` and holds to it.
    `columns` are those that are read (none named: all that are numbers or `labels`), `prefix` goes
    before their names. `labels` names words in ascending order, which count 1, 2, ...
    """

    path: str
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    id: str = "record_id"
    columns: tuple[str, ...] = ()
    prefix: str = ""
    labels: tuple[str, ...] = ()


class FeatureSettings(Settings):
    """Which columns a scorer sees.

    `encoder` reads for the set `embeddings`, and `encoders` are others that read beside it;
    `language_model` reads for the set `surprisal`.
    `standardise_by_prompt` is transductive: it subtracts each prompt's mean and divides by its
    deviation over the essays predicted together, so it uses the unlabelled held-out essays.
    `prompt_texts` is what each prompt asked, by its name: relevance is measured against that, and
    against the name of a prompt that has no text here.
    """

    sets: tuple[FeatureSet, ...] = Field(default=("handcrafted", "embeddings"), min_length=1)
    drop: tuple[str, ...] = ()
    encoder: EncoderSettings = EncoderSettings()
    encoders: tuple[EncoderSettings, ...] = Field(default=(), max_length=8)
    language_model: LanguageModelSettings = LanguageModelSettings()
    standardise_by_prompt: bool = False
    prompt_texts: dict[str, str] = Field(default_factory=dict)
    imported: tuple[ImportedTable, ...] = ()

    @model_validator(mode="after")
    def _imports_what_it_asks_for(self) -> Self:
        if ("imported" in self.sets) != bool(self.imported):
            raise ValueError(
                'the set "imported" and the tables [[features.imported]] go together: name both'
            )
        return self

    @property
    def precision(self) -> Literal["auto", "fp32", "bf16"] | None:
        """In which numbers a model is asked to read for these columns; None where none reads."""
        if "embeddings" in self.sets:
            return self.encoder.precision
        return self.language_model.precision if "surprisal" in self.sets else None
