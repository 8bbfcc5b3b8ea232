"""The contracts that scorers and feature blocks keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from pydantic import Field, JsonValue

from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.record import Record
from essay_scoring.core.scale import FloatArray, IntArray

Matrix = npt.NDArray[np.float32]

JsonObject = dict[str, JsonValue]


@dataclass(frozen=True, eq=False)
class Columns:
    """Named feature columns: `values` has shape (n essays, len(names)); NaN means undefined."""

    names: tuple[str, ...]
    values: Matrix

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.names):
            raise ValueError("names and values disagree")

    def take(self, rows: Sequence[int] | IntArray) -> Columns:
        """Return the rows at these positions, in this order."""
        return Columns(self.names, self.values[np.asarray(rows, dtype=np.int64)])


ColumnSource = Callable[[Essays], Columns]
"""What a scorer asks for its feature columns: the same essay gives the same row in any batch."""


class FeatureBlock(Protocol):
    """Named columns of essays, with a version, and nothing learnt from scores."""

    @property
    def name(self) -> str:
        """A short name: the folder of the block in the store."""

    @property
    def feature_set(self) -> str:
        """The feature set that its columns belong to, by which `features.sets` asks for them."""

    @property
    def reads_prompt(self) -> bool:
        """Whether a row also depends on the name of the essay's prompt."""

    @property
    def identity(self) -> JsonObject:
        """All that changes a value: version, settings, package versions, encoder hash."""

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""

    def columns(self, essays: Essays) -> Columns:
        """Return one row per essay: the same bytes in any company, order and number of threads.

        A row depends on its own text alone, and on its prompt's name where `reads_prompt`.
        """


@runtime_checkable
class ReadsPromptTexts(Protocol):
    """A block that reads what a prompt asked, where it knows that."""

    def asked(self, prompt: str) -> str:
        """Return what stands for what a prompt asked, "" where its name alone is read."""

    def ask(self, prompt_texts: Mapping[str, str]) -> None:
        """Know what more prompts asked, by their names."""


class TrainingExecution(Record):
    """How a network was trained, as it was seen to be; all null for families without one."""

    precisions: tuple[str, ...] = Field(
        default=(), description="in which numbers networks computed: fp32, bf16, fp16"
    )
    gradient_checkpointing: bool | None = Field(
        default=None, description="whether activations were computed again to save memory"
    )
    effective_batch: int | None = Field(
        default=None, description="essays of the largest optimiser step"
    )
    length_bucketing: bool | None = Field(
        default=None, description="whether every step was cut into essays of similar length"
    )
    chunked: bool | None = Field(
        default=None,
        description="whether essays were read whole, in chunks of the encoder's length",
    )
    pooled: bool | None = Field(
        default=None, description="whether all chunks of an essay were pooled into one vector"
    )


def joined_execution(parts: Sequence[TrainingExecution]) -> TrainingExecution:
    """Return how several scorers were trained as one: what a part denies, the whole denies."""
    values: dict[str, object] = {
        "precisions": tuple(dict.fromkeys(name for part in parts for name in part.precisions))
    }
    for name in ("gradient_checkpointing", "length_bucketing", "chunked", "pooled"):
        known = [getattr(part, name) for part in parts if getattr(part, name) is not None]
        values[name] = all(known) if known else None
    batches = [part.effective_batch for part in parts if part.effective_batch is not None]
    values["effective_batch"] = min(batches, default=None)
    return TrainingExecution.model_validate(values)


@dataclass(frozen=True)
class FitReport:
    """What fitting tells besides the model itself.

    `rounds` is the number of boosting rounds or epochs kept (None where that has no meaning);
    `curve` holds named per-round losses, on the training scale; `execution` is how networks were
    trained.
    """

    rounds: int | None = None
    curve: dict[str, list[float]] = field(default_factory=dict)
    execution: TrainingExecution = field(default_factory=TrainingExecution)


class Scorer(Protocol):
    """Anything that learns from scored essays and predicts raw scores for unscored ones."""

    def fit(self, train: ScoredEssays, dev: ScoredEssays) -> FitReport:
        """Learn from `train`; `dev` (cut from the training groups) may stop training early."""

    def predict(self, essays: Essays) -> FloatArray:
        """Return raw predictions, shape (n,), on each essay's own scale, not rounded."""

    def save(self, folder: Path) -> None:
        """Write the fitted model in formats that cannot execute code."""
