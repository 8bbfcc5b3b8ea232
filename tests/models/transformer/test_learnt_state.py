from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from essay_scoring.core.errors import InputError
from essay_scoring.features.encoders import EncoderFolder
from essay_scoring.models.transformer.learnt_state import read_state, state_bytes
from essay_scoring.models.transformer.network import build_network
from tests.models.transformer.architectures import (
    made_network,
    tokenised,
    transformer_settings,
)


@pytest.mark.parametrize(
    "changes",
    [{}, {"use_lora": False}, {"reading": "mix", "pooling": "attention", "trained_layers": 1}],
)
def test_a_network_comes_back_from_its_bytes(
    bert: EncoderFolder, tmp_path: Path, changes: dict[str, Any]
) -> None:
    network = made_network(bert, **changes)
    path = tmp_path / "trained.safetensors"
    path.write_bytes(state_bytes(network.trained_state()))
    other = build_network(transformer_settings(bert, **changes), bert, 2, seed=9).eval()
    essays = tokenised(bert, transformer_settings(bert))
    with torch.no_grad():
        assert not network(essays).values.equal(other(essays).values)
        other.load_trained_state(read_state(path))
        assert network(essays).values.equal(other(essays).values)


def test_the_state_copies_what_learns_or_was_measured_and_nothing_else(
    bert: EncoderFolder,
) -> None:
    network = made_network(bert)
    state = network.trained_state()
    groups = network.parameter_groups()
    learnt = [name for named in groups.values() for name, _ in named]
    assert list(state) == [*learnt, "centring.mean", "centring.deviation"]
    before = state["head.weight"].clone()
    with torch.no_grad():
        network.head.weight.zero_()
    assert state["head.weight"].equal(before)


def test_bytes_do_not_depend_on_the_order_of_names(bert: EncoderFolder) -> None:
    state = made_network(bert).trained_state()
    assert state_bytes(state) == state_bytes(dict(reversed(state.items())))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("head.weight", None, "lacks head.weight"),
        ("head.more", torch.zeros(1), "unknown head.more"),
        ("head.weight", torch.zeros(3, 16), r"head.weight .* \(3, 16\), not \(2, 16\)"),
    ],
)
def test_a_state_of_another_network_is_refused_and_changes_nothing(
    bert: EncoderFolder, name: str, value: torch.Tensor | None, message: str
) -> None:
    network = made_network(bert)
    before = network.trained_state()
    state = {key: torch.zeros_like(tensor) for key, tensor in before.items()}
    if value is None:
        del state[name]
    else:
        state[name] = value
    with pytest.raises(InputError, match=message):
        network.load_trained_state(state)
    torch.testing.assert_close(network.trained_state(), before, atol=0, rtol=0)


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"{}" * 40])
def test_a_file_that_holds_no_tensors_is_an_input_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trained.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"trained\.safetensors"):
        read_state(path)
