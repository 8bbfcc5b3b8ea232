"""What a scorer is given besides its settings."""

from __future__ import annotations

from dataclasses import dataclass

from essay_scoring.core.contracts import ColumnSource
from essay_scoring.core.scale import ScoreScales


@dataclass(frozen=True)
class ScorerContext:
    """The score scales, the source of feature columns, the seed of this fit, and its threads."""

    scales: ScoreScales
    columns: ColumnSource
    seed: int
    threads: int
