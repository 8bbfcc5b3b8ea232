"""Methods against a planted shortcut: three seeds of each arm, three folds of unseen prompts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.contracts import Matrix
from essay_scoring.core.essays import ScoredEssays
from essay_scoring.data.data_settings import SyntheticCorpus
from essay_scoring.data.synthetic import generate
from essay_scoring.features.feature_settings import EncoderSettings
from essay_scoring.features.frozen_encoder import FrozenEncoder
from essay_scoring.models.invariance.invariance_settings import (
    Adversarial,
    GroupDro,
    InvarianceSettings,
    NoInvariance,
    PromptHead,
)
from essay_scoring.models.scorer_settings import TransformerSettings
from essay_scoring.statistics.probe import probe
from tests.features.tiny_encoders import one_thread
from tests.models.invariance.frozen import fitted, folds_of

pytestmark = pytest.mark.slow

SEEDS = (0, 1, 2)
ARMS: dict[str, InvarianceSettings] = {
    "none": NoInvariance(),
    "adversarial": Adversarial(strength=10.0, hidden=0),
    "prompt_head": PromptHead(strength=10.0, hidden=0),
    "group_dro": GroupDro(step_size=1.0),
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@cache
def corpus(shortcut: float) -> tuple[ScoredEssays, Matrix]:
    """Return 800 essays over 12 prompts and the embedded encoder's mean state at layer 2."""
    made = SyntheticCorpus(n_essays=800, n_locked=0, n_prompts=12, seed=7, shortcut=shortcut)
    essays = generate(made, "train")
    encoder = FrozenEncoder(EncoderSettings(layers=(2,)), Path("cache"))
    return essays, encoder.means(essays.essays.texts)[0][:, 0]


def arm_settings(arm: str) -> TransformerSettings:
    """Return settings that differ between arms in the method alone."""
    return TransformerSettings(
        epochs=8,
        patience=8,
        batch_size=32,
        accumulation=1,
        learning_rate=3e-4,
        head_learning_rate=3e-3,
        mixed_precision="none",
        invariance=ARMS[arm],
    )


@cache
def correlations(arm: str, shortcut: float) -> tuple[float, float]:
    """Return the mean over seeds of the correlation on unseen prompts, and its deviation."""
    essays, states = corpus(shortcut)
    folds = folds_of(essays)
    settings = arm_settings(arm)
    by_seed = [
        np.mean([fitted(essays, states, fold, settings, seed).correlation for fold in folds])
        for seed in SEEDS
    ]
    print(f"{arm} at shortcut {shortcut:g}: {np.round(by_seed, 3)}")  # noqa: T201
    return float(np.mean(by_seed)), float(np.std(by_seed, ddof=1))


@pytest.mark.parametrize("arm", ["adversarial", "group_dro"])
def test_a_method_beats_none_where_there_is_a_shortcut(arm: str) -> None:
    """By more than either arm's seeds differ.

    Read it with care: the shortcut works in every training prompt, so nothing there tells it from
    an honest column. What a method gains, it gains by favouring what all prompts share. Most of the
    adversary's gain, and about half of group_dro's, remains when prompts are shuffled among the
    essays: that part comes from slowing the scorer down.
    """
    none, spread = correlations("none", 1.0)
    mean, own = correlations(arm, 1.0)
    assert mean - none > max(spread, own)


@pytest.mark.parametrize("arm", ["adversarial", "group_dro", "prompt_head"])
def test_no_method_costs_more_than_seeds_do_where_there_is_none(arm: str) -> None:
    none, spread = correlations("none", 0.0)
    mean, own = correlations(arm, 0.0)
    assert none - mean < max(spread, own)


def test_the_shortcut_is_one() -> None:
    """Without a method it costs more than a third of the correlation on unseen prompts."""
    assert correlations("none", 1.0)[0] < 0.67 * correlations("none", 0.0)[0]


def test_the_gain_is_the_reversals_and_not_that_of_a_second_task() -> None:
    control, spread = correlations("prompt_head", 1.0)
    mean, own = correlations("adversarial", 1.0)
    assert mean - control > max(spread, own)


def test_a_probe_finds_what_the_adversary_no_longer_sees() -> None:
    """An adversary at chance is no proof: the classifier that it was is misled, a fresh one is not.

    Elazar and Goldberg (2018) found the same. It is why a probe stands in every run's artifacts.
    """
    import torch

    essays, states = corpus(1.0)
    fold = folds_of(essays)[0]
    trained = fitted(essays, states, fold, arm_settings("adversarial"), 0)
    assert trained.curve["prompt_accuracy"][-1] < 0.3
    rows = [trained.network.states[essays.essays.ids[row]] for row in fold.fit]
    with torch.no_grad():
        values = trained.network.pooler(torch.stack(rows)).numpy()
    found = probe(values, [essays.prompts[row] for row in fold.fit], seed=0)
    assert found.low is not None
    assert found.low > 0.9
