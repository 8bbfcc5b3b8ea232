from __future__ import annotations

import math

import pytest

from essay_scoring.features import syntax
from essay_scoring.features.annotation import Annotation, annotate
from tests.features.made_annotations import EMPTY, parsed

SAYS = (
    "She PRON nsubj 2 / says VERB ROOT 0 / that SCONJ mark 5 / he PRON nsubj 5 / left VERB ccomp 2"
)
THROWN = "The DET det 2 / ball NOUN nsubjpass 4 / was AUX auxpass 4 / thrown VERB ROOT 0"
YES = "Yes INTJ ROOT 0"


def test_parse_tree_depth_is_the_mean_of_the_deepest_tokens() -> None:
    # says 0, She 1, left 1, that 2, he 2: deepest 2.
    assert syntax.parse_tree_depth(parsed(SAYS)) == 2.0
    # A single root has depth 0: (2 + 2 + 0) / 3.
    assert syntax.parse_tree_depth(parsed(SAYS, THROWN, YES)) == pytest.approx(4 / 3)
    assert syntax.parse_tree_depth(parsed(YES)) == 0.0
    assert math.isnan(syntax.parse_tree_depth(EMPTY))


def test_parse_tree_depth_does_not_grow_with_the_document() -> None:
    # Comparing fresh token objects by identity never found a root and gave the essay's length.
    assert syntax.parse_tree_depth(parsed(*[THROWN] * 50)) == 2.0
    (annotation,) = annotate(["He eats. " * 30])
    assert syntax.parse_tree_depth(annotation) == 1.0


def test_token_depths_of_a_long_chain_and_of_a_circle() -> None:
    # A walk to the root from every token would be five thousand million steps here.
    chain = (0, *range(100_000))
    assert syntax.token_depths(chain) == [0, *range(1, 100_001)]
    backwards = (*range(1, 1000), 999)
    assert syntax.token_depths(backwards) == list(range(999, -1, -1))
    with pytest.raises(ValueError, match="circle"):
        syntax.token_depths((1, 2, 0))


def test_clause_count_and_clauses_per_sentence() -> None:
    assert [syntax.clause_count(a) for a in (parsed(SAYS), parsed(THROWN), EMPTY)] == [1, 0, 0]
    labels = ["ccomp", "xcomp", "advcl", "relcl", "csubj", "csubjpass", "acl", "conj"]
    each = parsed("go VERB ROOT 0 / " + " / ".join(f"go VERB {label} 1" for label in labels))
    assert syntax.clause_count(each) == 6.0
    assert syntax.clauses_per_sentence(parsed(SAYS, SAYS, THROWN, YES)) == 0.5
    assert syntax.clauses_per_sentence(parsed(YES)) == 0.0
    assert math.isnan(syntax.clauses_per_sentence(EMPTY))


def test_passive_ratio() -> None:
    assert syntax.passive_ratio(parsed(THROWN)) == 1.0
    # says and left are active, thrown is passive; its subject and auxiliary count it once.
    assert syntax.passive_ratio(parsed(SAYS, THROWN)) == pytest.approx(1 / 3)
    assert syntax.passive_ratio(parsed(SAYS)) == 0.0
    # A passive participle that was tagged as an adjective still counts.
    assert syntax.passive_ratio(parsed("was AUX auxpass 2 / closed ADJ ROOT 0")) == 1.0
    assert math.isnan(syntax.passive_ratio(parsed(YES)))


def test_dep_distance_leaves_roots_out() -> None:
    # She 1, that 2, he 1, left 3: 7/4. With the root as 0 it would be 7/5.
    assert syntax.dep_distance(parsed(SAYS)) == 1.75
    # The 1, ball 2, was 1: (7 + 4) / (4 + 3), and the lone root adds nothing.
    assert syntax.dep_distance(parsed(SAYS, THROWN, YES)) == pytest.approx(11 / 7)
    assert math.isnan(syntax.dep_distance(parsed(YES)))
    assert math.isnan(syntax.dep_distance(EMPTY))


def test_noun_modifiers() -> None:
    # dog has big and with, man has old; the adverb's "very" and the determiner count for nothing.
    dog = parsed(
        "a DET det 3 / big ADJ amod 3 / dog NOUN ROOT 0 / with ADP prep 3 / the DET det 7"
        " / old ADJ amod 7 / man NOUN pobj 4"
    )
    assert syntax.noun_modifiers(dog) == pytest.approx(3 / 2)
    assert syntax.noun_modifiers(parsed(THROWN)) == 0.0
    # A prepositional phrase of a verb makes no noun richer.
    went = parsed("We PRON nsubj 2 / went VERB ROOT 0 / to ADP prep 2 / school NOUN pobj 3")
    assert syntax.noun_modifiers(went) == 0.0
    assert math.isnan(syntax.noun_modifiers(parsed(YES)))


def test_complement_clauses_per_100_words() -> None:
    # 1 in 5 words; 1 in 5 + 4; 0 in 4.
    assert syntax.complement_clauses_per_100_words(parsed(SAYS)) == 20.0
    both = syntax.complement_clauses_per_100_words(parsed(SAYS, THROWN))
    assert both == pytest.approx(100 / 9)
    assert syntax.complement_clauses_per_100_words(parsed(THROWN)) == 0.0
    assert math.isnan(syntax.complement_clauses_per_100_words(EMPTY))


@pytest.fixture(scope="module")
def real() -> list[Annotation]:
    return annotate(
        [
            "The ball was thrown by the boy.",
            "I think that she left because it rained.",
            "The teacher who helped me wants to retire.",
        ]
    )


def test_real_parses(real: list[Annotation]) -> None:
    assert [syntax.passive_ratio(a) for a in real] == [1.0, 0.0, 0.0]
    # None; ccomp "left" and advcl "rained"; relcl "helped" and xcomp "retire".
    assert [syntax.clause_count(a) for a in real] == [0.0, 2.0, 2.0]
    # thrown > by > boy > the; think > left > rained > because; wants > teacher > helped > who.
    assert [syntax.parse_tree_depth(a) for a in real] == [3.0, 3.0, 3.0]
