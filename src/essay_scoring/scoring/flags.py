"""Warnings beside a score: what about an essay is unlike those that the scorer learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from essay_scoring.core.contracts import Matrix
from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.files import write_bytes, write_json
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.record import read_record
from essay_scoring.core.scale import IntArray
from essay_scoring.core.settings import Settings
from essay_scoring.core.text import word_count
from essay_scoring.models.linear import Standardiser
from essay_scoring.scoring.distance_flag import DistanceFlag, learn_distance
from essay_scoring.scoring.word_flags import WordFlags, learn_words, word_ids

FLAGS = (
    "too_short",
    "too_long",
    "off_language",
    "many_unknown_words",
    "far_from_training",
    "prompt_seen",
)
"""What is told of each essay, in the order of the output's columns."""

FACTS, ARRAYS = "flags.json", "flags.safetensors"
_MOST_FOR_WORDS, _MOST_FOR_DISTANCE = 20_000, 2_000
_DIMENSIONS = {"known": 1, "common": 1, "mean": 1, "deviation": 1, "reference": 2}


class FlagFacts(Settings):
    """Limits of the flags, and the prompts trained on; see WordFlags and DistanceFlag."""

    fewest_words: int
    most_words: int
    most_unknown: float
    fewest_common: float
    farthest: float
    prompts: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Flags:
    """All that is needed to compare an essay with the training essays."""

    facts: FlagFacts
    words: WordFlags
    distance: DistanceFlag

    def of(self, text: str, prompt: str, vectors: Matrix) -> tuple[bool, ...]:
        """Return whether each of FLAGS holds; `vectors` (1, p) is the essay as the scorer reads it.

        The window of lengths is that of the training essays themselves, both ends included.
        """
        facts, length, found = self.facts, word_count(text), word_ids(text)
        return (
            length < facts.fewest_words,
            length > facts.most_words,
            self.words.off_language(found),
            self.words.many_unknown(found),
            self.distance.is_far(vectors),
            prompt in facts.prompts,
        )


def reference_rows(n: int, seed: int) -> IntArray:
    """Return which of n training essays distances are measured to, ascending: at most 2,000."""
    return _sample(n, _MOST_FOR_DISTANCE, derive_seed(seed, "reference"))


def learn_flags(essays: Essays, vectors: Matrix, seed: int) -> Flags:
    """Return the flags that training essays teach; `vectors` are those of `reference_rows`."""
    lengths = [word_count(text) for text in essays.texts]
    known = learn_words(essays.take(_sample(len(essays), _MOST_FOR_WORDS, seed)))
    rows = reference_rows(len(essays), seed)
    distance = learn_distance(vectors, [essays.prompts[row] for row in rows])
    facts = FlagFacts(
        fewest_words=min(lengths),
        most_words=max(lengths),
        most_unknown=known.most_unknown,
        fewest_common=known.fewest_common,
        farthest=distance.farthest,
        prompts=tuple(sorted(set(essays.prompts))),
    )
    return Flags(facts, known, distance)


def write_flags(folder: Path, flags: Flags) -> None:
    """Write flags.json and flags.safetensors."""
    from safetensors.numpy import save

    arrays = {
        "known": flags.words.known,
        "common": flags.words.common,
        "mean": flags.distance.standardiser.mean,
        "deviation": flags.distance.standardiser.deviation,
        "reference": flags.distance.reference,
    }
    write_json(folder / FACTS, flags.facts.model_dump(mode="json"))
    data = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    write_bytes(folder / ARRAYS, data)


def read_facts(folder: Path) -> FlagFacts:
    """Return the limits and prompts of flags.json; raise InputError if it holds others."""
    return read_record(FlagFacts, folder / FACTS)


def read_flags(folder: Path) -> Flags:
    """Return what `write_flags` wrote; raise InputError if it does not fit together."""
    facts = read_facts(folder)
    arrays = _arrays(folder / ARRAYS)
    words = WordFlags(arrays["known"], arrays["common"], facts.most_unknown, facts.fewest_common)
    standardiser = Standardiser(arrays["mean"], arrays["deviation"])
    return Flags(facts, words, DistanceFlag(standardiser, arrays["reference"], facts.farthest))


def _arrays(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays: dict[str, Any] = load(path.read_bytes())
    except (OSError, SafetensorError):
        arrays = {}
    width = arrays["mean"].shape if "mean" in arrays else None
    dimensions = {name: array.ndim for name, array in arrays.items()}
    if dimensions != _DIMENSIONS or not (
        width == arrays["deviation"].shape == arrays["reference"].shape[1:]
    ):
        raise InputError(
            "not the arrays that flags compare with", where=str(path), mend="train again"
        )
    return arrays


def _sample(n: int, most: int, seed: int) -> IntArray:
    """Return at most so many of n rows, ascending."""
    if n <= most:
        return np.arange(n, dtype=np.int64)
    rng = np.random.default_rng(derive_seed(seed, "flags"))
    return np.sort(rng.choice(n, size=most, replace=False))
