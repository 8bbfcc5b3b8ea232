"""Syntax: features of an essay's dependency trees.

A measure over nothing (no sentences, no verbs) is NaN; a count of nothing is 0.
"""

from __future__ import annotations

from essay_scoring.features.annotation import Annotation
from essay_scoring.features.surface import ratio

CLAUSES = frozenset({"ccomp", "xcomp", "advcl", "relcl", "csubj", "csubjpass"})
"""Dependencies that head a dependent clause."""

NOUN_MODIFIERS = frozenset({"acl", "amod", "compound", "prep", "relcl"})
"""Dependencies that make a noun phrase longer and richer."""

_NOUNS = frozenset({"NOUN", "PROPN"})
_PASSIVE = frozenset({"auxpass", "nsubjpass", "csubjpass"})


def parse_tree_depth(a: Annotation) -> float:
    """Return the mean over sentences of the deepest token's depth; a root has depth 0."""
    depths = token_depths(a.head)
    return ratio(sum(max(depths[start:stop]) for start, stop in a.sentences), len(a.sentences))


def token_depths(head: tuple[int, ...]) -> list[int]:
    """Return each token's distance from its root in linear time; raise ValueError on a circle."""
    depths = [-1] * len(head)
    for token in range(len(head)):
        path, at = [], token
        while depths[at] < 0 and head[at] != at:
            path.append(at)
            at = head[at]
            if len(path) > len(head):
                raise ValueError("heads form a circle")
        depth = depths[at] = max(depths[at], 0)
        for at in reversed(path):
            depth += 1
            depths[at] = depth
    return depths


def clause_count(a: Annotation) -> float:
    """Return the dependent clauses: tokens whose dependency is one of CLAUSES."""
    return float(sum(dep in CLAUSES for dep in a.dep))


def clauses_per_sentence(a: Annotation) -> float:
    """Return the dependent clauses of a sentence, on average."""
    return ratio(clause_count(a), len(a.sentences))


def passive_ratio(a: Annotation) -> float:
    """Return the share of full verbs that are passive, 0 to 1.

    Passive is what a passive subject or auxiliary depends on, whatever its part of speech.
    """
    passive = {head for head, dep in zip(a.head, a.dep, strict=True) if dep in _PASSIVE}
    verbs = {position for position, pos in enumerate(a.pos) if pos == "VERB"}
    return ratio(len(passive), len(verbs | passive))


def dep_distance(a: Annotation) -> float:
    """Return the mean distance in tokens from a token to its head, roots left out (Liu 2008)."""
    distances = [abs(head - at) for at, head in enumerate(a.head) if head != at]
    return ratio(sum(distances), len(distances))


def noun_modifiers(a: Annotation) -> float:
    """Return the modifiers of a noun, on average (phrasal elaboration, Biber et al. 2011)."""
    nouns = [pos in _NOUNS for pos in a.pos]
    pairs = zip(a.head, a.dep, strict=True)
    return ratio(sum(dep in NOUN_MODIFIERS and nouns[head] for head, dep in pairs), sum(nouns))


def complement_clauses_per_100_words(a: Annotation) -> float:
    """Return the clausal complements ("I think he left") per 100 words (Biber et al. 2011)."""
    return 100.0 * ratio(a.dep.count("ccomp"), len(a.words))
