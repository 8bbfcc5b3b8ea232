"""Stands for torch on a machine with a ROCm GPU, for checks that only ask it what there is."""

from __future__ import annotations

import types

__version__ = "2.9.1+rocm7.2.0"
version = types.SimpleNamespace(cuda=None, hip="7.2.26015-fc0010cf6a")
cuda = types.SimpleNamespace(
    is_available=lambda: True,
    get_device_name=lambda _: "a GPU",
    mem_get_info=lambda: (20 * 2**30, 24 * 2**30),
)


class Tensor:
    """What other packages compare their arguments with."""
