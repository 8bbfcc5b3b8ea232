"""What a network learnt, as bytes that cannot execute code, and as an adapter that peft reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import write_bytes, write_json
from essay_scoring.models.transformer.mixed_linear import ADAPTER
from essay_scoring.models.transformer.network import EssayNetwork

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def state_bytes(state: Mapping[str, Tensor]) -> bytes:
    """Return tensors as safetensors bytes, the same for the same tensors."""
    from safetensors.torch import save

    return save({name: state[name].contiguous() for name in sorted(state)})


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, on the CPU; InputError if it is none."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return dict(load(path.read_bytes()))
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"not a file of trained weights ({type(error).__name__})",
            where=str(path),
            mend="restore it, or train again",
        ) from None


def save_adapter(network: EssayNetwork, folder: Path) -> list[str]:
    """Write adapter_config.json and adapter_model.safetensors in peft's layout; [] without LoRA.

    Returns the names of the files; they load onto the same encoder with PeftModel.from_pretrained.
    Layers that were cut off above have no adapters.
    """
    if network.adapter is None:
        return []
    ours, within = f".{ADAPTER}.", "backbone.model."
    weights = {
        f"base_model.model.{name.removeprefix(within)}".replace(ours, "."): value
        for name, value in network.trained_state().items()
        if ours in name
    }
    config = {**network.adapter.to_dict(), "inference_mode": True}
    # peft keeps names in sets, whose order changes from run to run.
    config["target_modules"] = {
        name.removeprefix("base_model.model.").rpartition(".lora_")[0] for name in weights
    }
    told = {k: sorted(v) if isinstance(v, set) else v for k, v in sorted(config.items())}
    write_json(folder / _CONFIG, told)
    write_bytes(folder / _WEIGHTS, state_bytes(weights))
    return [_CONFIG, _WEIGHTS]
