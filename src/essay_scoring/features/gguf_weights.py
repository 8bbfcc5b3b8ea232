"""Packed weights of a language model (GGUF) unpacked to a folder as every other model has."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from pathlib import Path
from typing import Any

from essay_scoring.core.errors import InputError, MissingExtraError
from essay_scoring.features.encoder_loading import encoder_files, quiet_transformers


def require_gguf() -> None:
    """Raise MissingExtraError unless the packages that unpack are installed."""
    for package in ("torch", "transformers", "accelerate", "gguf"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "transformer")


def unpack_gguf(packed: Path, into: Path) -> None:
    """Write the model and tokenizer of a GGUF file as float32 safetensors, with configuration.

    The same file gives the same bytes of weights on every processor. Raises InputError for a file
    that transformers cannot unpack.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where: dict[str, Any] = {"gguf_file": packed.name, "local_files_only": True}
    # The bar of the unpacking heeds no setting.
    silence = contextlib.redirect_stderr(io.StringIO())
    with encoder_files(packed), quiet_transformers(), silence:
        model = AutoModelForCausalLM.from_pretrained(
            packed.parent, dtype="float32", quantization_config=GgufConfig(dequantize=True), **where
        )
        tokenizer = AutoTokenizer.from_pretrained(packed.parent, **where)
        if not tokenizer.is_fast:
            raise InputError("the tokenizer is not a fast one", where=str(packed))
        # No chat is held with it, and a template is a program.
        tokenizer.chat_template = None
        model.save_pretrained(into)
        tokenizer.save_pretrained(into)
    # safetensors leaves its files to their owner alone, whatever the umask.
    for path in into.glob("*.safetensors"):
        path.chmod((into / "config.json").stat().st_mode)
