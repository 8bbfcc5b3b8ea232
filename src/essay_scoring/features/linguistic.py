"""The handcrafted columns that come from one reading of the essay by spaCy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Self

import numpy as np

from essay_scoring.core.contracts import Columns, JsonObject, Matrix
from essay_scoring.core.essays import Essays
from essay_scoring.core.worker_pool import map_parts, worker_count
from essay_scoring.features import cohesion, diversity, structure, surface, syntax
from essay_scoring.features.annotation import MODEL_PACKAGE, annotate, require_spacy

VERSION = 1

HANDCRAFTED = (
    "grammar_errors_per_100_words",
    "spelling_errors_per_100_words",
    "punctuation_errors_per_100_words",
    "flesch_kincaid",
    "smog",
    "coleman_liau",
    "ari",
    "avg_sentence_length",
    "ttr",
    "word_count",
    "avg_word_length",
    "parse_tree_depth",
    "clause_count",
    "passive_ratio",
    "dep_distance",
    "connective_diversity",
    "sent_similarity_variance",
    "prompt_similarity",
    "intro_prompt_sim",
    "min_para_relevance",
    "paragraph_count",
    "has_intro",
    "has_conclusion",
    "lexical_overlap",
    "pronoun_noun_ratio",
)
"""The 25 columns of the contract, in its order, whichever block makes them."""

COMPANIONS = (
    "mtld",
    "mattr",
    "guiraud",
    "clauses_per_sentence",
    "sentence_length_deviation",
    "lower_case_starts",
    "noun_modifiers",
    "complement_clauses_per_100_words",
)
"""Columns that stand beside the contract's: some depend less on length, all say something more."""

FEATURES: Mapping[str, surface.Feature] = {
    feature.__name__: feature
    for feature in (
        surface.flesch_kincaid,
        surface.smog,
        surface.coleman_liau,
        surface.ari,
        surface.avg_sentence_length,
        diversity.ttr,
        surface.word_count,
        surface.avg_word_length,
        syntax.parse_tree_depth,
        syntax.clause_count,
        syntax.passive_ratio,
        syntax.dep_distance,
        cohesion.connective_diversity,
        structure.paragraph_count,
        structure.has_intro,
        structure.has_conclusion,
        cohesion.lexical_overlap,
        cohesion.pronoun_noun_ratio,
        diversity.mtld,
        diversity.mattr,
        diversity.guiraud,
        syntax.clauses_per_sentence,
        surface.sentence_length_deviation,
        surface.lower_case_starts,
        syntax.noun_modifiers,
        syntax.complement_clauses_per_100_words,
    )
}
"""Column name to feature, in the order of the block's columns."""

_FEWEST_TO_SHARE = 8
"""Fewer essays are read in this process: starting workers takes seconds."""

_TEXTS_AT_A_TIME = 2

_PACKAGES = ("spacy", "thinc", "numpy", MODEL_PACKAGE)


class LinguisticBlock:
    """Surface, syntax, cohesion and structure of each essay; NaN where a measure has no meaning."""

    name = "linguistic"
    feature_set = "handcrafted"
    reads_prompt = False
    column_names = tuple(FEATURES)

    @classmethod
    def of(cls, *_: object) -> Self:
        """Return the block, which depends on no setting."""
        return cls()

    @property
    def identity(self) -> JsonObject:
        """Return what changes a value; raise MissingExtraError without spaCy."""
        require_spacy()
        return {
            "version": VERSION,
            "packages": {package: version(package) for package in _PACKAGES},
        }

    def columns(self, essays: Essays) -> Columns:
        """Return one row per essay, from its text alone."""
        require_spacy()
        texts = essays.texts
        if len(texts) < _FEWEST_TO_SHARE or worker_count() == 1:
            return Columns(self.column_names, feature_rows(texts))
        starts = range(0, len(texts), _TEXTS_AT_A_TIME)
        parts = [texts[start : start + _TEXTS_AT_A_TIME] for start in starts]
        return Columns(self.column_names, np.concatenate([*map_parts(feature_rows, parts)]))


def feature_rows(texts: Sequence[str]) -> Matrix:
    """Return the features of each text, shape (n, len(FEATURES)), in this process."""
    rows = [[feature(a) for feature in FEATURES.values()] for a in annotate(texts)]
    return np.array(rows, dtype=np.float32).reshape(len(texts), len(FEATURES))
