"""A cheap block of handcrafted columns that notes every essay it computes, in whatever process.

Put on a host's path as `sitecustomize` it takes the place of those that read grammar and meaning.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np

from essay_scoring.core.contracts import Columns, JsonObject
from essay_scoring.core.essays import Essays
from essay_scoring.features import feature_settings
from essay_scoring.features.feature_settings import FeatureSettings

LOG = "QUICK_BLOCK_LOG"
WORDS = ("the", "and", "of", "to", "in")


class QuickBlock:
    """How often an essay has each of a few words, and how long it is."""

    name = "quick"
    feature_set = "handcrafted"
    reads_prompt = False
    column_names = ("letters", *WORDS)
    identity: JsonObject = {"version": 1}  # noqa: RUF012

    @classmethod
    def of(cls, _settings: FeatureSettings, _cache: Path) -> QuickBlock:
        """Return the block; it has no settings."""
        return cls()

    def columns(self, essays: Essays) -> Columns:
        """Return one row per essay, and append the essays to the file that the variable names."""
        with Path(os.environ[LOG]).open("a", encoding="utf-8") as stream:
            stream.write("".join(f"{essay}\n" for essay in essays.ids))
        counts = [Counter(text.lower().split()) for text in essays.texts]
        rows = [
            [len(text), *(count[word] for word in WORDS)]
            for text, count in zip(essays.texts, counts, strict=True)
        ]
        values = np.array(rows, dtype=np.float32).reshape(-1, len(self.column_names))
        return Columns(self.column_names, values)


QUICK_SETS = {"handcrafted": (f"{__name__}:QuickBlock",)}

if __name__ == "sitecustomize":
    feature_settings.FEATURE_SETS = QUICK_SETS
