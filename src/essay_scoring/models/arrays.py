"""Named arrays of a fitted model as safetensors, read back only in the shapes they should have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import write_bytes
from essay_scoring.core.scale import FloatArray

Shape = tuple[int | None, ...]
"""The length of every axis; None where any will do."""


def write_arrays(path: Path, arrays: Mapping[str, FloatArray]) -> None:
    """Write arrays under their names, the same bytes for the same arrays."""
    from safetensors.numpy import save

    write_bytes(path, save({name: np.ascontiguousarray(a) for name, a in arrays.items()}))


def read_arrays(path: Path, shapes: Mapping[str, Shape], what: str) -> dict[str, FloatArray]:
    """Return the arrays of a file; InputError, "not `what`", unless names and shapes are these."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays: dict[str, FloatArray] = load(path.read_bytes())
    except SafetensorError:
        arrays = {}
    if arrays.keys() != shapes.keys() or not all(
        _fits(arrays[name].shape, shape) for name, shape in shapes.items()
    ):
        raise InputError(f"not {what}", where=str(path), mend="fit it again")
    return arrays


def _fits(found: tuple[int, ...], wanted: Shape) -> bool:
    return len(found) == len(wanted) and all(
        length in (None, size) for length, size in zip(wanted, found, strict=True)
    )
