"""What a scorer is given besides its settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from essay_scoring.core.contracts import ColumnSource
from essay_scoring.core.progress import Progress
from essay_scoring.core.scale import ScoreScales


@dataclass(frozen=True)
class Job:
    """One fit of a run: its name, for messages, and a folder where it may keep checkpoints.

    What lies in `work` survives a kill and is given to the next process that takes up the job; it
    is deleted once the job is done. None keeps nothing. `member` asks for that one member of a seed
    ensemble alone.
    """

    name: str = "fit"
    work: Path | None = None
    member: int | None = None


@dataclass(frozen=True)
class ScorerContext:
    """The score scales, the source of feature columns, the seed of this fit, and its threads.

    `cache` holds what can be made again: `cache`/encoders are fetched encoders. `progress` hears
    of every step of long fits.
    """

    scales: ScoreScales
    columns: ColumnSource
    seed: int
    threads: int
    cache: Path = Path("cache")
    progress: Progress = field(default_factory=Progress)
    job: Job = Job()
