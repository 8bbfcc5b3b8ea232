from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from essay_scoring.core.files import try_lock
from essay_scoring.core.progress import Progress, ProgressEvent
from essay_scoring.features.chunking import TokenisedEssay
from essay_scoring.features.encoders import EncoderFolder
from essay_scoring.models.transformer.frozen_layers import FrozenLayerCache
from essay_scoring.models.transformer.network import EssayNetwork
from essay_scoring.models.transformer.torch_settings import torch_settings
from tests.models.transformer.architectures import (
    ARCHITECTURES,
    made_network,
    shared_encoder,
    tokenised,
    transformer_settings,
)

TOP: dict[str, Any] = {"trained_layers": 2, "cache_frozen_layers": True}


def made_cache(
    encoder: EncoderFolder, cache: Path, precision: Any = "fp32", **changes: Any
) -> FrozenLayerCache:
    return FrozenLayerCache(
        transformer_settings(encoder, **(TOP | changes)), encoder, precision, cache
    )


def prepared(frozen_layers: FrozenLayerCache, essays: list[TokenisedEssay]) -> list[ProgressEvent]:
    """Prepare the frozen-layer cache and return what it told of its progress."""
    events: list[ProgressEvent] = []
    frozen_layers.prepare(essays, Progress(events.append))
    return events


def values_and_grads(
    network: EssayNetwork, essays: list[TokenisedEssay]
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    network.train()
    values = network(essays).values
    values.square().sum().backward()
    learnt = {n: p for n, p in network.named_parameters() if p.requires_grad}
    return values.detach(), {n: p.grad for n, p in learnt.items() if p.grad is not None}


def test_workers_compute_the_same_frozen_layers_and_denormals_stay_flushed(
    bert: EncoderFolder, tmp_path: Path
) -> None:
    essays = tokenised(bert, transformer_settings(bert))
    stored = []
    for threads in (1, 3):
        frozen_layers = made_cache(bert, tmp_path / str(threads))
        with torch_settings(threads, "cpu") as pool:
            frozen_layers.prepare(essays, Progress(), pool)
            # Training comes next, by the same workers.
            tiny = pool.each(lambda value, _: (torch.tensor([value]) * 1.0).item(), [1e-40] * 4)
            assert {*tiny} == {0.0}
        stored.append(torch.cat([part for essay in essays for part in frozen_layers.states(essay)]))
    assert stored[0].equal(stored[1])


@pytest.mark.parametrize(
    "changes",
    [{}, {"layer": 2, "trained_layers": 1}, {"use_lora": False, "reading": "mix", "layer": 3}],
    ids=["adapters", "above the first layer", "weights"],
)
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_a_cached_frozen_layers_changes_no_prediction_and_no_gradient(
    kind: str,
    changes: dict[str, Any],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    encoder = shared_encoder(kind, tmp_path_factory)
    chosen = {**TOP, **changes}
    essays = tokenised(encoder, transformer_settings(encoder))
    frozen_layers = made_cache(encoder, tmp_path, **changes)
    prepared(frozen_layers, essays)
    cached = made_network(encoder, frozen_layers=frozen_layers, **chosen)
    whole = made_network(encoder, **{**chosen, "cache_frozen_layers": False})
    values, grads = values_and_grads(cached, essays)
    expected, expected_grads = values_and_grads(whole, essays)
    torch.testing.assert_close(values, expected, atol=1e-5, rtol=0)
    assert len(expected_grads) >= 8
    torch.testing.assert_close(grads, expected_grads, atol=1e-5, rtol=1e-4)
    checkpointed = made_network(
        encoder, frozen_layers=frozen_layers, **chosen, gradient_checkpointing=True
    )
    again = values_and_grads(checkpointed, essays)[1]
    torch.testing.assert_close(again, expected_grads, atol=1e-5, rtol=1e-4)


def test_the_layers_below_are_neither_kept_nor_asked(bert: EncoderFolder, tmp_path: Path) -> None:
    essays = tokenised(bert, transformer_settings(bert))
    frozen_layers = made_cache(bert, tmp_path)
    prepared(frozen_layers, essays)
    network = made_network(bert, frozen_layers=frozen_layers, **TOP)
    kept = {
        name.split(".layer.")[1][0] for name, _ in network.named_parameters() if ".layer." in name
    }
    assert kept == {"2", "3"}
    spoilt = made_network(bert, frozen_layers=frozen_layers, **TOP)
    with torch.no_grad():
        spoilt.backbone.model.embeddings.word_embeddings.weight.zero_()
        assert spoilt(essays).values.equal(network(essays).values)


def test_states_are_the_same_bytes_however_they_come(bert: EncoderFolder, tmp_path: Path) -> None:
    essays = tokenised(bert, transformer_settings(bert))
    now = [made_cache(bert, tmp_path / "none").states(essay) for essay in essays]
    together, reverse = made_cache(bert, tmp_path / "a"), made_cache(bert, tmp_path / "b")
    prepared(together, essays)
    for essay in reversed(essays):
        prepared(reverse, [essay])
    for essay, computed in zip(essays, now, strict=True):
        assert [len(part) for part in computed] == [len(ids) for ids in essay.ids]
        for frozen_layers in (together, reverse):
            stored = frozen_layers.states(essay)
            assert all(a.equal(b) for a, b in zip(stored, computed, strict=True))


def test_states_are_computed_once_for_all_seeds_and_runs(
    bert: EncoderFolder, tmp_path: Path
) -> None:
    essays = tokenised(bert, transformer_settings(bert))
    first = prepared(made_cache(bert, tmp_path), [*essays, essays[0]])
    assert (first[0].done, first[-1].done, first[-1].total) == (0, 4, 4)
    # Another process, another arm: other adapters, another rate, another head.
    other = made_cache(bert, tmp_path, learning_rate=0.1, lora={"rank": 2}, pooling="attention")
    assert prepared(other, essays[:2]) == []
    for changes in ({"max_length": 32}, {"trained_layers": 1}, {"layer": 3}):
        assert prepared(made_cache(bert, tmp_path, **changes), essays[:1])
    assert prepared(made_cache(bert, tmp_path, "bf16"), essays[:1])


def test_what_a_crash_left_out_is_computed_later(bert: EncoderFolder, tmp_path: Path) -> None:
    essays = tokenised(bert, transformer_settings(bert))
    prepared(made_cache(bert, tmp_path), essays[:3])
    stray = next((tmp_path / "frozen layers").iterdir()) / essays[3].key[:2] / ".half.safetensors"
    stray.parent.mkdir()
    stray.write_bytes(b"half")
    assert prepared(made_cache(bert, tmp_path), essays)[-1].total == 1
    assert not stray.exists()


def test_damaged_states_are_made_again(
    bert: EncoderFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    essays = tokenised(bert, transformer_settings(bert))
    frozen_layers = made_cache(bert, tmp_path)
    prepared(frozen_layers, essays)
    # States are mapped from their file.
    expected = [part.clone() for part in frozen_layers.states(essays[0])]
    for path in tmp_path.rglob("*.safetensors"):
        data = bytearray(path.read_bytes())
        data[-5] ^= 1
        path.write_bytes(data)
    later = made_cache(bert, tmp_path)
    assert prepared(later, essays)[-1].total == 4
    assert "damaged" in caplog.text
    assert all(a.equal(b) for a, b in zip(later.states(essays[0]), expected, strict=True))
    assert prepared(made_cache(bert, tmp_path), essays) == []


def test_one_process_waits_for_what_another_computes(bert: EncoderFolder, tmp_path: Path) -> None:
    essays = tokenised(bert, transformer_settings(bert))[:1]
    frozen_layers = made_cache(bert, tmp_path)
    folder = frozen_layers._store.folder
    worker = threading.Thread(target=prepared, args=(frozen_layers, essays), daemon=True)
    with try_lock(folder / essays[0].key[:2] / ".lock") as mine:
        assert mine
        worker.start()
        worker.join(0.5)
        assert worker.is_alive()
        assert not list(tmp_path.rglob("*.safetensors"))
    worker.join(30)
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1


def test_bf16_states_are_stored_in_bf16_and_close(bert: EncoderFolder, tmp_path: Path) -> None:
    essays = tokenised(bert, transformer_settings(bert))
    frozen_layers = made_cache(bert, tmp_path, "bf16")
    prepared(frozen_layers, essays)
    assert {part.dtype for part in frozen_layers.states(essays[0])} == {torch.bfloat16}
    values = []
    for cached in (True, False):
        chosen = {**TOP, "cache_frozen_layers": cached}
        network = made_network(bert, frozen_layers=frozen_layers if cached else None, **chosen)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            values.append(network(essays).values)
    torch.testing.assert_close(values[0], values[1], atol=0.03, rtol=0)
