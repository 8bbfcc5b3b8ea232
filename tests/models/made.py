"""Made essays whose score can be read off their words, and a cheap source of columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from essay_scoring.core.contracts import Columns, ColumnSource
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.scale import FloatArray, ScoreScale, ScoreScales
from essay_scoring.models.registry import ScorerContext

HALF_BANDS = ScoreScale(low=1, high=5, step=0.5)
SHARED = ScoreScales(shared=HALF_BANDS)
PER_PROMPT = ScoreScales(
    by_prompt={"p0": ScoreScale(low=0, high=60), "p1": ScoreScale(low=1, high=6)}
)
NOISE_COLUMNS = 4


def made_essays(
    n: int, seed: int = 0, scales: ScoreScales = SHARED, labels: Sequence[float] = ()
) -> ScoredEssays:
    """Return n essays of prompts p0 and p1; the share of the word 'good' grows with the score."""
    rng = np.random.default_rng(derive_seed(seed, "essays"))
    prompts = tuple(f"p{i % 2}" for i in range(n))
    scores = np.array([rng.choice(labels or scales.of(prompt).labels) for prompt in prompts])
    share = scales.to_training(scores, prompts) / 4
    texts = tuple(_text(rng, quality) for quality in share)
    ids = tuple(f"e{seed}-{i}" for i in range(n))
    return ScoredEssays(Essays(ids, texts, prompts), scores, scales)


def _text(rng: np.random.Generator, quality: float) -> str:
    length = int(60 + 60 * quality + rng.integers(0, 60))
    good = rng.random(length) < 0.2 + 0.5 * quality
    return " ".join("good" if word else f"w{rng.integers(0, 50)}" for word in good) + "."


def text_columns(essays: Essays) -> Columns:
    """Return the share of 'good', the length, and noise that depends on the text alone."""
    rows = [_row(text) for text in essays.texts]
    names = ("good_share", "length", *(f"noise_{i}" for i in range(NOISE_COLUMNS)))
    return Columns(names, np.array(rows, dtype=np.float32).reshape(-1, len(names)))


def _row(text: str) -> list[float]:
    words = text.split()
    noise = np.random.default_rng(derive_seed(0, text)).normal(size=NOISE_COLUMNS)
    return [words.count("good") / len(words), float(len(words)), *noise.tolist()]


def context(
    scales: ScoreScales = SHARED, columns: ColumnSource = text_columns, seed: int = 42
) -> ScorerContext:
    """Return a context of one thread."""
    return ScorerContext(scales, columns, seed, threads=1)


def error(raw: FloatArray, essays: ScoredEssays) -> float:
    """Return the root mean squared error on the training scale."""
    predicted = essays.scales.to_training(raw, essays.prompts)
    return float(np.sqrt(np.mean((predicted - essays.targets) ** 2)))


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file under a folder by its relative path."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
