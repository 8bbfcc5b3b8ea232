"""What torch is told while a network trains or reads, and gets back afterwards."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from functools import cache

import torch

from essay_scoring.core.machine import allocator
from essay_scoring.features.precision import Device, flushed_denormals
from essay_scoring.models.transformer.thread_pool import INLINE, MOST_WORKERS, ThreadPool

log = logging.getLogger("essay_scoring")


@contextlib.contextmanager
def torch_settings(threads: int, device: Device, *, draws: bool = False) -> Iterator[ThreadPool]:
    """Compute with so many threads, without denormals, and leave global random state as it was.

    Yields who computes passes: on a CPU several workers that share the threads. With `draws`,
    random numbers within a pass, passes follow each other, since all draw from one source.
    """
    before = torch.get_num_threads()
    gpus = [torch.cuda.current_device()] if device == "cuda" else []
    workers = 1 if draws or device == "cuda" else min(threads, MOST_WORKERS)
    torch.set_num_threads(threads // workers)
    pool = ThreadPool(workers, threads // workers) if workers > 1 else INLINE
    try:
        with torch.random.fork_rng(devices=gpus), flushed_denormals():
            yield pool
    finally:
        pool.close()
        torch.set_num_threads(before)


@cache
def note_allocator(device: Device) -> None:
    """Say once in the log that training on a CPU slows down under the system's own allocator."""
    if device == "cpu" and allocator() == "system":
        log.info(
            "long training is faster with another allocator: set LD_PRELOAD to the path of "
            "libtcmalloc_minimal or libjemalloc where one is installed"
        )
