from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from essay_scoring.features.encoders import EncoderFolder
from essay_scoring.models.invariance.build import build_invariance
from essay_scoring.models.transformer.inference import Inference
from essay_scoring.models.transformer.learner import Learner, StepPosition
from essay_scoring.models.transformer.thread_pool import INLINE, InOrder, ThreadPool
from essay_scoring.models.transformer.torch_settings import torch_settings
from essay_scoring.models.transformer.training_dataset import TrainingDataset
from tests.models.transformer.architectures import made_network, tokenised, transformer_settings
from tests.models.transformer.bag import CPU, PLACE, settings, training

METHODS: tuple[dict[str, Any], ...] = (
    {"method": "none"},
    {"method": "adversarial", "hidden": 4},
    {"method": "group_dro", "step_size": 0.5},
)


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    made = ThreadPool(3)
    yield made
    made.close()


def test_results_and_turns_are_in_the_order_of_the_items(pool: ThreadPool) -> None:
    taken: list[int] = []
    at_once: set[str] = set()

    def work(item: int, in_order: InOrder) -> int:
        at_once.add(threading.current_thread().name)
        # The first of every three comes to its turn last.
        time.sleep(0.02 if item % 3 == 0 else 0.0)
        with in_order:
            taken.append(item)
        return -item

    assert list(pool.each(work, range(12))) == [-item for item in range(12)]
    assert taken == list(range(12))
    assert len(at_once) == 3
    assert list(INLINE.each(work, range(3))) == [0, -1, -2]


def test_few_items_are_under_way_at_a_time(pool: ThreadPool) -> None:
    """Each holds a network's activations."""
    begun: list[int] = []

    def work(item: int, _: InOrder) -> int:
        begun.append(item)
        return item

    results = pool.each(work, range(50))
    assert next(results) == 0
    assert max(begun) <= 3
    results.close()  # type: ignore[attr-defined]


def test_the_first_failure_is_raised_once_nothing_is_under_way(pool: ThreadPool) -> None:
    running: set[int] = set()

    def work(item: int, in_order: InOrder) -> int:
        running.add(item)
        try:
            if item == 4:
                raise ValueError("four")
            with in_order:
                time.sleep(0.01)
            if item == 3:
                time.sleep(0.05)
                raise ValueError("three")
            return item
        finally:
            running.remove(item)

    got: list[int] = []
    with pytest.raises(ValueError, match="three"):
        got.extend(pool.each(work, range(20)))
    assert not running
    # It can be asked again.
    assert list(pool.each(lambda item, _: item, [7])) == [7]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method["method"])
def test_training_has_the_same_bytes_whoever_computes(method: dict[str, Any]) -> None:
    states = []
    for threads in (1, 2, 3):
        with torch_settings(threads, "cpu") as pool:
            assert (pool is INLINE) == (threads == 1)
            taught = training(settings(epochs=2, invariance=method))
            taught.learner.pool = pool
            curve = taught.run("x").curve
        states.append((taught.learner.state(), curve))
    for state, curve in states[1:]:
        assert curve == states[0][1]
        assert all(torch.equal(state[name], states[0][0][name]) for name in state)


def test_random_numbers_within_passes_are_drawn_by_one_after_the_other() -> None:
    with torch_settings(4, "cpu", draws=True) as pool:
        assert pool is INLINE
        assert torch.get_num_threads() == 4


@pytest.mark.parametrize("use_lora", [True, False])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_architecture_learns_the_same_side_by_side(
    encoder: EncoderFolder, use_lora: bool, precision: Any
) -> None:
    how = type(CPU)("cpu", precision)
    chosen = transformer_settings(
        encoder, use_lora=use_lora, batch_size=1, accumulation=4, learning_rate=0.01
    )
    essays = tokenised(encoder, chosen)
    n = len(essays)
    labels = np.linspace(-1, 1, 2 * n, dtype=np.float32).reshape(n, 2)
    groups = np.arange(n) % 2
    prompts = tuple(f"prompt {group}" for group in groups)
    dataset = TrainingDataset(essays, prompts, labels, np.ones(n), groups, groups)
    found = []
    for threads in (1, 2):
        network = made_network(encoder, use_lora=use_lora)
        method = build_invariance(
            chosen.invariance, group_sizes=dataset.group_sizes, n_bands=2, width=1, seed=0
        )
        with torch_settings(threads, "cpu") as pool:
            network.centre_on(essays, 64, how, pool)
            learner = Learner(network, method, chosen, how, pool)
            before = network.trained_state()
            losses = [
                learner.step(dataset, np.arange(n), StepPosition(i, 3, PLACE)) for i in range(3)
            ]
            values = Inference(64, PLACE, pool).read(network, essays, prompts).values
        state = network.trained_state()
        assert not all(torch.equal(before[name], state[name]) for name in state)
        found.append((losses, values.tobytes(), state))
    assert found[0][:2] == found[1][:2]
    assert all(torch.equal(found[0][2][name], found[1][2][name]) for name in found[0][2])
