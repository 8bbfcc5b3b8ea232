from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from essay_scoring.core.errors import InputError, NotFiniteError
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.features.chunking import TokenisedEssay
from essay_scoring.models.transformer.training_dataset import LabelScale, TrainingDataset
from tests.models.made import SHARED

NAN = float("nan")
SCORED = ScoredEssays(
    Essays(tuple("abcd"), ("one", "two", "three", "four"), ("p", "q", "p", "q")),
    np.array([1.0, 2.0, 3.0, 4.0]),
    SHARED,
    traits={"Syntax": np.array([1.0, NAN, 3.0, NAN]), "Absent": np.full(4, NAN)},
)
TOKENS = tuple(
    TokenisedEssay(str(i), (np.arange(i + 1, dtype=np.int32),), (np.ones(i + 1, np.float32),))
    for i in range(4)
)


def test_labels_are_standardised_on_the_training_fold() -> None:
    scale = LabelScale.of(SCORED, with_traits=True)
    # Scores 1..4 are targets 0..3: mean 1.5, deviation sqrt(1.25). Syntax: mean 2, deviation 1.
    # A trait that nobody rated is not learnt.
    assert scale.traits == ("Syntax",)
    labels = scale.apply(SCORED)
    expected = (np.arange(4) - 1.5) / np.sqrt(1.25)
    np.testing.assert_allclose(labels[:, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(labels[:, 1], [-1.0, NAN, 1.0, NAN])
    held_out = replace(SCORED.take([3]), traits={"Syntax": np.array([4.0])})
    np.testing.assert_allclose(scale.apply(held_out), [[expected[3], 2.0]], rtol=1e-6)


def test_weights_have_mean_one_and_prompts_and_bands_are_numbered() -> None:
    scale = LabelScale.of(SCORED, with_traits=False)
    dataset = TrainingDataset.of(SCORED, TOKENS, scale, np.array([1.0, 1.0, 2.0, 4.0]))
    assert dataset.weights.tolist() == [0.5, 0.5, 1.0, 2.0]
    assert dataset.groups.tolist() == [0, 1, 0, 1]
    # The labels 1, 2, 3 and 4 are bands 0, 2, 4 and 6 of the scale: the four that are present.
    assert dataset.bands.tolist() == [0, 1, 2, 3]
    assert dataset.group_sizes.tolist() == [2, 2]
    assert dataset.tokens == [1, 2, 3, 4]
    assert dataset.labels.shape == (4, 1)


def test_traits_of_a_corpus_without_any_are_refused() -> None:
    bare = replace(SCORED, traits={})
    with pytest.raises(InputError, match=r"scorer.trait_weight: the corpus has no analytic"):
        LabelScale.of(bare, with_traits=True)


def test_scores_that_are_not_numbers_are_refused_by_essay() -> None:
    broken = replace(SCORED, scores=np.array([1.0, NAN, 3.0, 4.0]))
    with pytest.raises(NotFiniteError, match="essay b, prompt 'q': 1 of 4 training scores"):
        LabelScale.of(broken, with_traits=False)
