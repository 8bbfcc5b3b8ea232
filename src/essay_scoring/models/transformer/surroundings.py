"""What torch is told while a network trains or reads, and gets back afterwards."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from functools import cache

import torch

from essay_scoring.core.machine import allocator
from essay_scoring.features.pooling import Device, flushed_denormals

log = logging.getLogger("essay_scoring")


@contextlib.contextmanager
def surroundings(threads: int, device: Device) -> Iterator[None]:
    """Compute with so many threads, without denormals, and leave global random state as it was."""
    before = torch.get_num_threads()
    gpus = [torch.cuda.current_device()] if device == "cuda" else []
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(devices=gpus), flushed_denormals():
            yield
    finally:
        torch.set_num_threads(before)


@cache
def note_allocator(device: Device) -> None:
    """Say once in the log that training on a CPU slows down under the system's own allocator."""
    if device == "cpu" and allocator() == "system":
        log.info(
            "long training is faster with another allocator: set LD_PRELOAD to the path of "
            "libtcmalloc_minimal or libjemalloc where one is installed"
        )
