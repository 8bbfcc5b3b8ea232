"""On which device and in which numbers an encoder computes, resolved once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from essay_scoring.core.errors import InputError

Device = Literal["cpu", "cuda"]
Asked = Literal["none", "fp32", "bf16", "fp16", "auto"]
Resolved = Literal["fp32", "bf16", "fp16"]

Item = TypeVar("Item")
Result = TypeVar("Result")

GPU_FILES = ("/dev/nvidiactl", "/dev/kfd")
"""The files by which the drivers of NVIDIA and AMD show that there is a GPU."""

_BF16_FLAGS = {"avx512_bf16", "amx_bf16"}
_ISA_LIMIT = "ONEDNN_MAX_CPU_ISA"
_ISA_WITHOUT_BF16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI")
"""Limits under which the matrix library has no bf16, and computes it ten times slower."""


@cache
def device_in_use() -> Device:
    """Return where encoders run; torch is imported only on a machine with a GPU's device file."""
    if not any(Path(name).exists() for name in GPU_FILES):
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def resolve(asked: Asked, device: Device) -> Resolved:
    """Return the precision of matrix products; `none` is fp32.

    `auto` is bf16 on a GPU, and on a CPU, that multiplies it natively; fp32 elsewhere and on ROCm.
    Raises InputError for fp16 on a CPU.
    """
    if asked == "fp16" and device == "cpu":
        raise InputError(
            "fp16 does not train on a CPU",
            where="scorer.mixed_precision",
            mend="use bf16 or none, or a GPU",
        )
    if asked == "auto":
        native = cpu_has_bf16() if device == "cpu" else _gpu_has_bf16()
        return "bf16" if native else "fp32"
    return "fp32" if asked == "none" else asked


@cache
def cpu_has_bf16() -> bool:
    """Tell whether this CPU has bf16 instructions that may be used; unknown is no."""
    if os.environ.get(_ISA_LIMIT, "").upper() in _ISA_WITHOUT_BF16:
        return False
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return bool(_BF16_FLAGS & set(flags.split()))


def _gpu_has_bf16() -> bool:
    """Tell whether this GPU multiplies bf16 natively and can be trusted with it."""
    import torch

    if torch.version.hip is not None:
        return False
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


@dataclass(frozen=True)
class Arithmetic:
    """Where a network computes, and in which numbers."""

    device: Device
    precision: Resolved

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return a context in which a network computes so; weights and losses stay fp32."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        import torch

        dtype = torch.bfloat16 if self.precision == "bf16" else torch.float16
        # The cache of casts is one for all threads: what one leaves, others would round by.
        return torch.autocast(self.device, dtype, cache_enabled=self.device == "cuda")


def in_single_threads(
    work: Callable[[Item], Result], items: Sequence[Item], threads: int
) -> list[Result]:
    """Return `work(item)` of each item in order, every one computed by one thread of torch.

    So a product rounds the same whoever computes it. Denormal numbers, which slow a CPU tenfold and
    carry nothing, are zero meanwhile.
    """
    import torch

    threads = min(threads, len(items))
    if threads == 1 and torch.get_num_threads() == 1:
        with flushed_denormals():
            return [work(item) for item in items]
    # Both are settings of the thread that calls.
    pool = ThreadPoolExecutor(threads, "encoder", settle_thread, (1,))
    try:
        return list(pool.map(work, items))
    finally:
        pool.shutdown(cancel_futures=True)


def settle_thread(threads: int) -> None:
    """Let the calling thread compute with so many of torch's, denormal numbers as zero."""
    import torch

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)


@contextlib.contextmanager
def flushed_denormals() -> Iterator[None]:
    """Treat denormal numbers as zero for a while: they slow a CPU tenfold and carry nothing."""
    import torch

    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
