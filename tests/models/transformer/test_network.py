from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from essay_scoring.core.errors import InputError
from essay_scoring.features.encoders import EncoderFolder
from essay_scoring.models.transformer.chunk_pooling import Centring, MeanPooling, counted_tokens
from essay_scoring.models.transformer.network import EssayNetwork, Output, build_network
from tests.models.transformer.architectures import (
    LAYERS,
    WIDTH,
    made_network,
    tokenised,
    transformer_settings,
)
from tests.models.transformer.bag import CPU


def values(network: EssayNetwork, essays: Any) -> torch.Tensor:
    with torch.no_grad():
        output: Output = network(essays)
    return output.values


def lay(network: EssayNetwork, layout: str) -> None:
    """Let chunks lie so; only packed chunks need attention of the project's own."""
    if network.backbone.layout == "packed":
        network.backbone.model.set_attn_implementation("sdpa")
    network.backbone.layout = layout  # type: ignore[assignment]


def test_company_and_padding_do_not_change_a_prediction(encoder: EncoderFolder) -> None:
    network = made_network(encoder)
    essays = tokenised(encoder, transformer_settings(encoder))
    assert len({essay.tokens for essay in essays}) == len(essays)
    together = values(network, essays)
    assert together.shape == (4, 2)
    alone = torch.cat([values(network, [essay]) for essay in essays])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    for layout in ("padded", "equal"):
        lay(network, layout)
        torch.testing.assert_close(values(network, essays), together, atol=1e-5, rtol=0)
    # Essays do differ, or the above would say little.
    assert float(together.std(dim=0).min()) > 1e-3


def test_chunks_lie_end_to_end_where_a_model_allows_it(encoder: EncoderFolder) -> None:
    kind = encoder.path.name
    expected = "packed" if kind in ("bert", "roberta", "modernbert") else "equal"
    assert made_network(encoder).backbone.layout == expected


def plain_states(encoder: EncoderFolder, ids: np.ndarray) -> Any:
    """Return transformers' own hidden states of one chunk, layer by layer."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(encoder.path, dtype=torch.float32).eval()
    with torch.no_grad():
        return model(
            input_ids=torch.from_numpy(ids).long()[None], output_hidden_states=True
        ).hidden_states


@pytest.mark.parametrize("layer", [1, 3, LAYERS])
def test_a_cut_encoder_reads_what_the_whole_one_has_there(
    encoder: EncoderFolder, layer: int
) -> None:
    settings = transformer_settings(encoder, layer=layer)
    network = build_network(settings, encoder, 1, 0).eval()
    assert len(network.backbone.layers) == layer
    (chunk,) = tokenised(encoder, settings, ["school rules"])[0].ids
    expected = plain_states(encoder, chunk)[layer][0]
    with torch.no_grad():
        read = network.backbone([chunk])[-1]
        if encoder.path.name == "modernbert" and layer < LAYERS:
            # Its final norm comes after whatever layer is the last.
            expected = network.backbone.model.final_norm(expected)
    torch.testing.assert_close(read, expected, atol=1e-5, rtol=1e-4)


def test_the_mean_is_over_all_tokens_of_the_essay_counted_once(bert: EncoderFolder) -> None:
    settings = transformer_settings(bert, max_length=64, chunk_overlap_tokens=0)
    network = build_network(settings, bert, 1, 0).eval()
    (essay,) = tokenised(bert, settings, ["school rules are good"])
    states = plain_states(bert, essay.ids[0])[LAYERS][0]
    with torch.no_grad():
        expected = network.pooler(states[1:-1].mean(dim=0))
        output = network([essay])
    torch.testing.assert_close(output.representations[0], expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(output.values[0], network.head(expected), atol=1e-5, rtol=1e-4)


def test_the_end_of_a_long_essay_is_read(encoder: EncoderFolder) -> None:
    network = made_network(encoder)
    text = " ".join(["students work at school"] * 30)
    settings = transformer_settings(encoder)
    one, other = tokenised(encoder, settings, [text + " good", text + " because"])
    assert len(one.ids) > 3
    assert float((values(network, [one]) - values(network, [other])).abs().max()) > 1e-5


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_an_essay_without_a_token_has_a_finite_value(encoder: EncoderFolder, pooling: str) -> None:
    network = made_network(encoder, pooling=pooling)
    essays = tokenised(encoder, transformer_settings(encoder), ["", "good school"])
    output = network(essays)
    assert bool(torch.isfinite(output.values).all())
    output.values.sum().backward()
    for named in network.parameter_groups().values():
        assert all(p.grad is None or bool(torch.isfinite(p.grad).all()) for _, p in named)


def test_a_mix_starts_as_the_mean_of_the_normalised_layers_that_learn(bert: EncoderFolder) -> None:
    settings = transformer_settings(bert, reading="mix", layer=3, trained_layers=2)
    network = build_network(settings, bert, 1, 0).eval()
    (chunk,) = tokenised(bert, settings, ["school rules"])[0].ids
    states = plain_states(bert, chunk)
    expected = torch.stack(
        [torch.nn.functional.layer_norm(states[i][0], (WIDTH,)) for i in (1, 2, 3)]
    ).mean(dim=0)
    assert network.mix is not None
    with torch.no_grad():
        mixed = network.mix(network.backbone([chunk]))
    torch.testing.assert_close(mixed, expected, atol=1e-5, rtol=1e-4)


def test_checkpointing_changes_no_gradient(encoder: EncoderFolder) -> None:
    essays = tokenised(encoder, transformer_settings(encoder))
    grads = []
    for checkpointing in (False, True):
        network = made_network(encoder, gradient_checkpointing=checkpointing).train()
        network(essays).values.square().sum().backward()
        grads.append({n: p.grad for n, p in network.named_parameters() if p.requires_grad})
    assert any("lora_A" in name for name in grads[0])
    torch.testing.assert_close(grads[0], grads[1], atol=1e-6, rtol=1e-5)


def test_dropout_is_what_the_settings_say_everywhere(encoder: EncoderFolder) -> None:
    essays = tokenised(encoder, transformer_settings(encoder))
    still, dropped = made_network(encoder).train(), made_network(encoder, dropout=0.4).train()
    assert torch.equal(values(still, essays), values(still, essays))
    assert not torch.equal(values(dropped, essays), values(dropped, essays))
    rates = {m.p for m in dropped.modules() if isinstance(m, torch.nn.Dropout)}
    assert rates == {0.4}
    torch.testing.assert_close(values(dropped.eval(), essays), values(still, essays))


def test_a_seed_decides_the_start_and_global_random_state_stays(bert: EncoderFolder) -> None:
    settings = transformer_settings(bert)
    before = torch.get_rng_state()
    one, same, other = (build_network(settings, bert, 1, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    torch.testing.assert_close(one.trained_state(), same.trained_state(), atol=0, rtol=0)
    changed = [n for n, v in one.trained_state().items() if not v.equal(other.trained_state()[n])]
    assert {"head.weight", "pooler.0.weight"} <= set(changed)
    assert any("lora_A" in name for name in changed)


def test_packed_states_are_pooled_as_they_lie(bert: EncoderFolder) -> None:
    essays = tokenised(bert, transformer_settings(bert))
    counted = counted_tokens(essays, torch.device("cpu"))
    assert counted.shape == (4, sum(essay.tokens for essay in essays))
    assert counted.sum(dim=1).tolist() == [sum(c.sum() for c in e.counted) for e in essays]
    places = torch.arange(counted.shape[1], dtype=torch.float32)[:, None]
    means = MeanPooling()(places, counted).squeeze(1)
    assert means.tolist() == sorted(means.tolist())


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"layer": LAYERS + 1}, "scorer.layer"),
        ({"trained_layers": LAYERS + 1}, "scorer.trained_layers"),
        ({"layer": 2, "trained_layers": 3}, "scorer.trained_layers"),
        ({"trained_layers": LAYERS, "cache_frozen_layers": True}, "scorer.trained_layers"),
        ({"max_length": 65}, "scorer.max_length"),
        ({"lora": {"targets": ("nothing",)}}, "scorer.lora.targets"),
    ],
)
def test_what_the_encoder_does_not_have_is_an_input_error(
    bert: EncoderFolder, changes: dict[str, Any], where: str
) -> None:
    from essay_scoring.features.backbone_loading import load_backbone
    from essay_scoring.models.transformer.layer_selection import backbone_settings
    from essay_scoring.models.transformer.lora import make_trainable

    settings = transformer_settings(bert, **changes)
    with pytest.raises(InputError, match=where.replace(".", r"\.")):
        make_trainable(load_backbone(backbone_settings(settings, bert), bert, "cpu"), settings)


def test_what_essays_share_is_taken_away_and_one_that_is_not_finite_does_not_count() -> None:
    centring = Centring(3)
    pooled = torch.tensor([[1.0, 5.0, 2.0], [3.0, 5.0, 6.0], [float("nan"), 0.0, 0.0]])
    torch.testing.assert_close(centring(pooled[:2]), pooled[:2])
    centring.measure(pooled)
    # Means 2, 5, 4; deviations 1, (none: 1), 2.
    torch.testing.assert_close(
        centring(pooled[:2]), torch.tensor([[-1.0, 0.0, -1.0], [1.0, 0.0, 1.0]])
    )
    before = centring.mean.clone()
    centring.measure(pooled[2:])
    assert centring.mean.equal(before)


def test_centring_is_measured_on_the_pooled_states_however_they_are_batched(
    bert: EncoderFolder,
) -> None:
    essays = tokenised(bert, transformer_settings(bert))
    one, two = made_network(bert), made_network(bert)
    one.centre_on(essays, 10_000, CPU)
    two.centre_on(essays, 1, CPU)
    torch.testing.assert_close(one.centring.mean, two.centring.mean, atol=1e-5, rtol=1e-5)
    assert not one.centring.mean.equal(torch.zeros(WIDTH))
    assert not values(one, essays).equal(values(made_network(bert), essays))
