"""Which trait of writing each feature column measures: every column belongs to one construct."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from essay_scoring.core.scale import IntArray
from essay_scoring.features.embeddings import is_embedding
from essay_scoring.features.surprisal import SURPRISAL

EMBEDDINGS = "embeddings"
MADE_ELSEWHERE = "made elsewhere"

CONSTRUCTS: dict[str, tuple[str, ...]] = {
    "mechanics": (
        "grammar_errors_per_100_words",
        "spelling_errors_per_100_words",
        "punctuation_errors_per_100_words",
        "lower_case_starts",
    ),
    "vocabulary": ("ttr", "avg_word_length", "mtld", "mattr", "guiraud"),
    # These formulas add the length of words to that of sentences, so neither trait can claim them.
    "readability": ("flesch_kincaid", "smog", "coleman_liau", "ari"),
    "syntax": (
        "avg_sentence_length",
        "sentence_length_deviation",
        "parse_tree_depth",
        "clause_count",
        "clauses_per_sentence",
        "complement_clauses_per_100_words",
        "passive_ratio",
        "dep_distance",
        "noun_modifiers",
    ),
    "cohesion": (
        "connective_diversity",
        "sent_similarity_variance",
        "lexical_overlap",
        "pronoun_noun_ratio",
    ),
    "relevance": ("prompt_similarity", "intro_prompt_sim", "min_para_relevance"),
    "structure": ("paragraph_count", "has_intro", "has_conclusion"),
    "length": ("word_count",),
    "predictability": SURPRISAL,
    EMBEDDINGS: (),
    MADE_ELSEWHERE: (),
}
"""Construct to its columns; the embeddings' are those named `emb_` and a number, and what was made
elsewhere has any other name."""

_CONSTRUCT_OF = {column: name for name, columns in CONSTRUCTS.items() for column in columns}


def construct_of(column: str) -> str:
    """Return the construct of a feature column; an imported one has that of its name, if any."""
    if is_embedding(column):
        return EMBEDDINGS
    return _CONSTRUCT_OF.get(column, MADE_ELSEWHERE)


def positions_by_construct(columns: Sequence[str]) -> dict[str, IntArray]:
    """Return where the columns of each construct stand, in order of CONSTRUCTS.

    A construct without a column among them is left out.
    """
    found: dict[str, list[int]] = {name: [] for name in CONSTRUCTS}
    for position, column in enumerate(columns):
        found[construct_of(column)].append(position)
    return {name: np.asarray(at, dtype=np.int64) for name, at in found.items() if at}
