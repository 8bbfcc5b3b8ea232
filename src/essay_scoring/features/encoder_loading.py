"""Encoders from their folders to models: verified to be whole, and cut after a layer."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from essay_scoring.core.errors import EssayScoringError, InputError, MissingExtraError


def version_of(package: str) -> str:
    """Return an installed package's version; raise MissingExtraError without importing it."""
    try:
        return version(package)
    except PackageNotFoundError:
        raise MissingExtraError(package, "transformer") from None


@contextlib.contextmanager
def encoder_files(folder: Path) -> Iterator[None]:
    """Make one line of whatever goes wrong over the files of an encoder, which others wrote."""
    try:
        yield
    except (EssayScoringError, MemoryError):
        raise
    except Exception as error:  # tokenizers raises no narrower kind
        raise InputError(
            f"the encoder cannot be read ({type(error).__name__}: {str(error)[:200]})",
            where=str(folder),
            mend="restore its files, or use another encoder",
        ) from error


def load_model(
    folder: Path,
    dtype: str,
    *,
    attention: str | None = None,
    dropout: float | None = None,
    predicts: bool = False,
) -> Any:
    """Return the encoder of a folder in `dtype` ("float32"), in evaluation mode, on the CPU.

    `attention` names a kernel and `dropout` replaces every rate of dropout; with `predicts` it is
    a causal language model, with the head that predicts the next token. Raises InputError if
    transformers cannot load it without remote code or pickles, or if weights of it are missing (a
    sentence pooler's aside).
    """
    try:
        import torch
        from transformers import AutoConfig, AutoModel, AutoModelForCausalLM
    except ImportError as error:
        raise MissingExtraError(error.name or "torch", "transformer") from None
    try:
        with quiet_transformers():
            config = AutoConfig.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            if dropout is not None:
                _set_dropout(config, dropout)
            kind: Any = AutoModelForCausalLM if predicts else AutoModel
            model, loading = kind.from_pretrained(
                folder,
                config=config,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=getattr(torch, dtype),
                attn_implementation=attention,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"transformers cannot load the encoder ({error})",
            where=str(folder),
            mend="use an encoder that transformers supports without remote code",
        ) from None
    missing = sorted(key for key in loading["missing_keys"] if "pooler" not in key)
    if missing:
        # transformers would fill these with random numbers and only log it.
        raise InputError(
            f"model.safetensors lacks {len(missing)} weights of the encoder, such as {missing[0]}",
            where=str(folder),
            mend="use a checkpoint of the whole encoder",
        )
    return model.eval()


def _set_dropout(config: Any, rate: float) -> None:
    """Replace every rate of dropout of a model yet to be made."""
    for name, value in config.to_dict().items():
        if "dropout" in name and isinstance(value, int | float) and not isinstance(value, bool):
            setattr(config, name, rate)


def load_layers(
    folder: Path,
    depth: int,
    *,
    dtype: str = "float32",
    attention: str | None = None,
    dropout: float | None = None,
) -> tuple[Any, str | None]:
    """Return `load_model` without the layers after the first `depth`, and its stack's name.

    At least one layer is kept. None, and all layers, for a model without a stack of its own.
    """
    model = load_model(folder, dtype, attention=attention, dropout=dropout)
    if getattr(model, "pooler", None) is not None:
        # It reads the first token of one chunk; essays are pooled elsewhere.
        model.pooler = None
    stack = _layer_stack(model)
    if stack is not None:
        parent, _, attribute = stack.rpartition(".")
        layers = model.get_submodule(stack)
        setattr(model.get_submodule(parent), attribute, layers[: max(1, depth)])
    return model, stack


def _layer_stack(model: Any) -> str | None:
    """Return the name of the outermost ModuleList that holds as many modules as layers."""
    from torch.nn import ModuleList

    total = int(model.config.num_hidden_layers)
    stacks = [
        name
        for name, module in model.named_modules()
        if isinstance(module, ModuleList) and len(module) == total
    ]
    return min(stacks, key=lambda name: name.count("."), default=None)


def check_length(model: Any, max_length: int, folder: Path, setting: str) -> None:
    """Raise InputError if chunks of `max_length` tokens have no positions to stand on.

    `setting` is the key of a config that says how long they are.
    """
    table = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    if table is None:
        return
    positions = table.num_embeddings - first_position(model)
    if max_length > positions:
        raise InputError(
            f"max_length {max_length} exceeds the encoder's {positions} positions",
            where=str(folder),
            mend=f"set {setting} to at most {positions}",
        )


def first_position(model: Any) -> int:
    """Return the number of a chunk's first position: some encoders count from padding + 1."""
    table = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return 0 if padding is None else int(padding) + 1


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence the loading bar and report of transformers, and give back what was set before."""
    from transformers.utils import logging as theirs

    level, bars = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    theirs.set_verbosity(logging.ERROR)
    theirs.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        theirs.set_verbosity(level)
        if bars:
            theirs.enable_progress_bar()  # type: ignore[no-untyped-call]
