"""prompt_probe.json: what a run's representations tell of prompts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from essay_scoring.core.record import Record
from essay_scoring.statistics.probe import Probe


class PromptProbe(Record):
    """artifacts/prompt_probe.json: what a representation tells of prompts."""

    schema_: Literal[1] = Field(default=1, alias="schema", description="version of this record")
    training_sample: int = Field(description="training essays probed in each fold")
    held_out: dict[str, Probe] = Field(description="prompts held out: learnt, frozen, tfidf")
    training: dict[str, Probe] = Field(description="prompts trained on: the same")
