from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from essay_scoring.features.encoders import EncoderFolder
from essay_scoring.models.transformer.learnt_state import save_adapter
from essay_scoring.models.transformer.mixed_linear import FrozenLinear, quicken
from essay_scoring.models.transformer.network import EssayNetwork, build_network
from tests.models.transformer.architectures import (
    LAYERS,
    made_network,
    tokenised,
    transformer_settings,
)

ADAPTED = {
    "bert": {"query", "key", "value", "dense"},
    "roberta": {"query", "key", "value", "dense"},
    "mpnet": {"q", "k", "v", "o"},
    "deberta-v2": {
        "query_proj",
        "key_proj",
        "value_proj",
        "pos_key_proj",
        "pos_query_proj",
        "dense",
    },
    "deberta-v3": {"query_proj", "key_proj", "value_proj", "dense"},
    "modernbert": {"Wqkv", "Wo"},
}


def names(network: EssayNetwork) -> dict[str, list[str]]:
    return {group: [n for n, _ in named] for group, named in network.parameter_groups().items()}


def test_adapters_sit_on_the_attention_of_every_layer(encoder: EncoderFolder) -> None:
    learnt = names(made_network(encoder))["encoder"]
    assert all(".lora_A." in name or ".lora_B." in name for name in learnt)
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in learnt} == ADAPTED[
        encoder.path.name
    ]
    stack = "layers" if encoder.path.name == "modernbert" else "encoder.layer"
    for number in range(LAYERS):
        mine = [name for name in learnt if f"model.{stack}.{number}." in name]
        assert len(mine) == len(learnt) / LAYERS
    assert not any("intermediate" in name or "mlp" in name for name in learnt)


def test_pooler_and_head_learn_with_adapters_and_the_encoder_itself_does_not(
    encoder: EncoderFolder,
) -> None:
    network = made_network(encoder, pooling="attention", reading="mix")
    before = {n: p.detach().clone() for n, p in network.named_parameters()}
    head = names(network)["head"]
    assert {n.split(".")[0] for n in head} == {"mix", "pooling", "pooler", "head"}
    optimiser = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network(tokenised(encoder, transformer_settings(encoder))).values.square().sum().backward()
    optimiser.step()
    moved = {n for n, p in network.named_parameters() if not p.detach().equal(before[n])}
    assert {n for n in moved if not n.startswith("backbone.")} >= {
        "pooler.0.weight",
        "pooler.0.bias",
        "head.weight",
        "head.bias",
        "pooling.score.weight",
        "mix.weights",
    }
    assert any("lora_A" in name for name in moved)
    assert all("lora_" in name for name in moved if name.startswith("backbone."))


@pytest.mark.parametrize("use_lora", [True, False])
def test_only_the_top_layers_learn_where_settings_say_so(
    bert: EncoderFolder, use_lora: bool
) -> None:
    learnt = names(made_network(bert, trained_layers=2, layer=3, use_lora=use_lora))["encoder"]
    assert {name.split(".layer.")[1][0] for name in learnt} == {"1", "2"}
    assert len(learnt) == (2 * 4 * 2 if use_lora else 2 * 16)


def test_full_fine_tuning_trains_the_embeddings_too(encoder: EncoderFolder) -> None:
    network = made_network(encoder, use_lora=False)
    network(tokenised(encoder, transformer_settings(encoder))).values.square().sum().backward()
    learnt = dict(network.parameter_groups()["encoder"])
    assert any("embeddings" in name for name in learnt)
    assert all(p.grad is not None for p in learnt.values())


def test_targets_can_be_chosen(bert: EncoderFolder) -> None:
    network = made_network(bert, lora={"targets": ("query", "intermediate.dense")})
    adapted = {n.split(".lora_")[0].split(".layer.")[1][2:] for n in names(network)["encoder"]}
    assert adapted == {"attention.self.query", "intermediate.dense"}


def test_base_weights_are_fp32(encoder: EncoderFolder) -> None:
    network = made_network(encoder)
    with torch.autocast("cpu", torch.bfloat16):
        network(tokenised(encoder, transformer_settings(encoder)))
    assert {p.dtype for p in network.parameters()} == {torch.float32}


def adapted_model(bert: EncoderFolder) -> tuple[Any, Any]:
    """Return one adapted layer twice: as peft computes it, and quickened."""
    import peft

    pair: list[Any] = []
    for _ in range(2):
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(12, 8), nn.Linear(8, 8)).requires_grad_(False)
        config = peft.LoraConfig(r=4, lora_alpha=6, target_modules=["0"], init_lora_weights=False)
        pair.append(peft.inject_adapter_in_model(config, model))
    quicken(pair[1])
    assert isinstance(pair[1][1], FrozenLinear)
    return pair[0], pair[1]


@pytest.mark.parametrize(("mixed", "tolerance"), [(False, 1e-5), (True, 3e-2)])
def test_quick_adapters_compute_what_peft_computes(
    bert: EncoderFolder, mixed: bool, tolerance: float
) -> None:
    x = torch.randn(3, 5, 12, generator=torch.Generator().manual_seed(0))
    results = []
    for model in adapted_model(bert):
        entering = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            out = model(entering)
        out.float().square().sum().backward()
        grads = [p.grad for p in model.parameters() if p.requires_grad]
        assert len(grads) == 2
        results.append([out.float(), entering.grad, *grads])
    for plain, quick in zip(*results, strict=True):
        scale = float(plain.detach().abs().max())
        torch.testing.assert_close(quick / scale, plain / scale, atol=tolerance, rtol=0)


def test_a_cast_follows_its_weight() -> None:
    frozen = FrozenLinear.of(nn.Linear(4, 4).requires_grad_(False))
    with torch.autocast("cpu", torch.bfloat16):
        first = frozen(torch.ones(1, 4))
        with torch.no_grad():
            frozen.weight.mul_(2.0)
            frozen.bias.mul_(2.0)
        second = frozen(torch.ones(1, 4))
    torch.testing.assert_close(second, 2 * first)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_adapter_dropout_is_kept(bert: EncoderFolder, dropout: float) -> None:
    network = made_network(bert, lora={"rank": 4, "dropout": dropout}).train()
    essays = tokenised(bert, transformer_settings(bert))
    with torch.no_grad():
        assert network(essays).values.equal(network(essays).values) == (dropout == 0.0)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
def test_peft_reads_the_saved_adapter_onto_the_whole_encoder(
    encoder: EncoderFolder, tmp_path: Path
) -> None:
    import peft
    from transformers import AutoModel

    network = made_network(encoder)
    written = save_adapter(network, tmp_path / "adapter")
    assert written == ["adapter_config.json", "adapter_model.safetensors"]
    base = AutoModel.from_pretrained(encoder.path, dtype=torch.float32)
    loaded = peft.PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
    (essay,) = tokenised(encoder, transformer_settings(encoder), ["good school rules"])
    with torch.no_grad():
        theirs = loaded(input_ids=torch.from_numpy(essay.ids[0]).long()[None]).last_hidden_state[0]
        ours = network.backbone(essay.ids)[-1]
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_saved_adapters_are_the_same_bytes_and_cut_layers_have_none(
    bert: EncoderFolder, tmp_path: Path
) -> None:
    for run in "ab":
        network = made_network(bert, layer=2)
        for name in save_adapter(network, tmp_path / run):
            assert "layer.2" not in (tmp_path / run / name).read_bytes().decode("latin-1")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_without_lora_there_is_no_adapter(bert: EncoderFolder, tmp_path: Path) -> None:
    network = build_network(transformer_settings(bert, use_lora=False), bert, 1, 0)
    assert save_adapter(network, tmp_path / "adapter") == []
    assert not (tmp_path / "adapter").exists()
