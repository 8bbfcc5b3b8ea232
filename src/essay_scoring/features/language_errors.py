"""Language errors, found by LanguageTool's rules in this process."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Literal, Self

import numpy as np

from essay_scoring.core.contracts import Columns, JsonObject, Matrix
from essay_scoring.core.errors import InputError, MissingExtraError
from essay_scoring.core.essays import Essays
from essay_scoring.core.installing import install_line
from essay_scoring.core.text import word_count
from essay_scoring.core.worker_pool import thread_count
from essay_scoring.features.annotation import unify
from essay_scoring.features.surface import ratio

VERSION = 1

Kind = Literal["grammar", "spelling", "punctuation", "style"]
KINDS: tuple[Kind, ...] = ("grammar", "spelling", "punctuation")
COLUMNS = (
    "grammar_errors_per_100_words",
    "spelling_errors_per_100_words",
    "punctuation_errors_per_100_words",
)
"""One column a kind, in the order of KINDS. Style is taste, no error, and has none."""

KIND_OF_CATEGORY: Mapping[str, Kind] = {
    "COLLOCATIONS": "grammar",
    "FALSE_FRIENDS": "grammar",
    "GRAMMAR": "grammar",
    "MISC": "grammar",  # a/an, and words said twice
    "NONSTANDARD_PHRASES": "grammar",
    "REPETITIONS": "grammar",
    "SEMANTICS": "grammar",
    "CASING": "spelling",
    "COMPOUNDING": "spelling",
    "CONFUSED_WORDS": "spelling",
    "MULTITOKEN_SPELLING": "spelling",
    "PROPER_NOUNS": "spelling",
    "TYPOS": "spelling",
    "PUNCTUATION": "punctuation",
    "TYPOGRAPHY": "punctuation",
    "AMERICAN_ENGLISH_STYLE": "style",
    "APRIL": "style",
    "BRITISH_ENGLISH": "style",
    "COLLOQUIALISMS": "style",
    "CREATIVE_WRITING": "style",
    "GENDER_NEUTRALITY": "style",
    "PLAIN_ENGLISH": "style",
    "REDUNDANCY": "style",
    "REGIONALISMS": "style",
    "REPETITIONS_STYLE": "style",
    "STYLE": "style",
    "TEXT_ANALYSIS": "style",
    "TON_ACADEMIC": "style",
    "WIKIPEDIA": "style",
}
"""Every category of the checker's English rules. None is guessed: an unknown one is an error."""

IGNORED_RULES = frozenset({"CONSECUTIVE_SPACES", "EN_ELLIPSIS", "HYPHEN_TO_EN", "WHITESPACE_RULE"})
"""Matters of typesetting that no rater marks: "..." for one sign, a hyphen for a dash, two spaces.

They are left out here because the checker reports some of its rules even when told not to.
"""

_PACKAGES = ("lingotweaker", "lingotweaker-data-en")


class LanguageErrorsBlock:
    """Errors of each kind per 100 words (`core.text.word_count`); NaN for a text without words."""

    name = "language_errors"
    feature_set = "handcrafted"
    reads_prompt = False
    column_names = COLUMNS

    @classmethod
    def of(cls, *_: object) -> Self:
        """Return the block, which depends on no setting."""
        return cls()

    @property
    def identity(self) -> JsonObject:
        """Return what changes a value; raise MissingExtraError without the checker."""
        _require_checker()
        return {
            "version": VERSION,
            "packages": {package: version(package) for package in _PACKAGES},
            "kinds": dict(KIND_OF_CATEGORY),
            "ignored_rules": [*sorted(IGNORED_RULES)],
        }

    def columns(self, essays: Essays) -> Columns:
        """Return one row per essay, from its text alone."""
        return Columns(COLUMNS, error_rates(essays.texts))


def error_rates(texts: Sequence[str]) -> Matrix:
    """Return the errors per 100 words, shape (n, 3) in the order of KINDS.

    The checker works outside Python's lock, so threads share its 0.5 GB and fill the cores.
    """
    engine = _engine()
    with ThreadPoolExecutor(thread_count()) as threads:
        found = threads.map(engine.check, map(unify, texts))
        rows = [_rates(matches, text) for matches, text in zip(found, texts, strict=True)]
    return np.array(rows, dtype=np.float32).reshape(len(texts), len(KINDS))


def _rates(matches: Sequence[Mapping[str, Any]], text: str) -> list[float]:
    """Return one text's matches of each kind per 100 words."""
    counts, words = Counter(map(kind_of, matches)), word_count(text)
    return [100.0 * ratio(counts[kind], words) for kind in KINDS]


def kind_of(match: Mapping[str, Any]) -> Kind | None:
    """Return the kind of a match, None for IGNORED_RULES.

    Raises InputError where the match names no rule or no category known here.
    """
    rule, category = match.get("rule_id"), match.get("category_id")
    if not isinstance(rule, str) or category not in KIND_OF_CATEGORY:
        raise InputError(
            f"the language checker names an unknown category of error, {category!r}",
            where=f"rule {rule!r}",
            mend=f"install the pinned versions: {install_line('language')}",
        )
    return None if rule in IGNORED_RULES else KIND_OF_CATEGORY[str(category)]


@functools.cache
def _engine() -> Any:
    """Build the checker once a process."""
    _require_checker()
    import lingotweaker_data_en
    import lt_py

    style = [category for category, kind in KIND_OF_CATEGORY.items() if kind == "style"]
    # Unless it is told where its rules lie, it takes any folder `data` that it is started beside.
    return lt_py.Engine(
        "en-US", disabled_categories=style, data_dir=lingotweaker_data_en.data_dir()
    )


def _require_checker() -> None:
    """Raise MissingExtraError where the checker or its English rules are not installed."""
    for package in ("lt_py", "lingotweaker_data_en"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "language")
