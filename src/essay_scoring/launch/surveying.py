"""What this machine offers a run: processors, memory, disk, devices."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Literal

from essay_scoring.core.machine import allocator, cores
from essay_scoring.records import provenance
from essay_scoring.records.examination import (
    SurveyedDevices,
    SurveyedFolder,
    SurveyedGpu,
    SurveyedMachine,
)

_GIB = 2**30
_MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")


def machine_record() -> SurveyedMachine:
    """Return host, system, processor, usable cores, memory, and the allocator in use."""
    known = provenance.machine()
    return SurveyedMachine(
        host=known.host,
        system=known.system,
        processor=known.processor,
        cores=cores(),
        memory_gib=_memory_gib(),
        memory_free_gib=_memory_free_gib(),
        allocator=allocator(),
    )


def folder_record(what: Literal["runs", "cache"], path: Path) -> SurveyedFolder:
    """Return whether a folder is there, can be written (or made), and how much disk is free.

    Writes nothing: a folder that is absent is answered for by the nearest one above it.
    """
    nearest = path.absolute()
    while not nearest.exists():
        nearest = nearest.parent
    return SurveyedFolder(
        what=what,
        path=str(path),
        exists=path.is_dir(),
        writeable=nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK),
        free_gib=round(shutil.disk_usage(nearest).free / _GIB, 1),
    )


def device_record() -> SurveyedDevices:
    """Return what networks can compute on: bf16 on the CPU, and the GPU that torch sees, if any.

    torch is imported only where it is installed and a GPU's device file is there.
    """
    from essay_scoring.features.precision import cpu_has_bf16
    from essay_scoring.launch.extras import versions_of

    torch_version = versions_of(("torch",))["torch"]
    gpu, why = _gpu() if torch_version else (None, "torch is not installed")
    return SurveyedDevices(cpu_bf16=cpu_has_bf16(), torch=torch_version, gpu=gpu, no_gpu=why)


def _gpu() -> tuple[SurveyedGpu | None, str | None]:
    """Return the GPU in use, or why there is none."""
    from essay_scoring.features.precision import GPU_FILES, device_in_use

    try:
        if device_in_use() == "cpu":
            drivers = [name for name in GPU_FILES if Path(name).exists()]
            return (
                None,
                f"torch sees none, though {drivers[0]} is there" if drivers else "no driver",
            )
        import torch

        free, total = torch.cuda.mem_get_info()
        hip, cuda = torch.version.hip, torch.version.cuda
        name = torch.cuda.get_device_name(0)
    except (ImportError, OSError, RuntimeError) as error:
        return None, f"torch fails with {type(error).__name__}"
    gpu = SurveyedGpu(
        name=name,
        runtime=f"CUDA {cuda}" if hip is None else f"HIP {hip}",
        memory_gib=round(total / _GIB, 1),
        memory_free_gib=round(free / _GIB, 1),
    )
    return gpu, None


def _memory_gib() -> float | None:
    """Return the memory of the machine, or the limit of the container where that is less."""
    try:
        amount = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None
    # No file, or no number in it, is no limit.
    with contextlib.suppress(OSError, ValueError):
        amount = min(amount, int(_MEMORY_LIMIT.read_text(encoding="ascii")))
    return round(amount / _GIB, 1)


def _memory_free_gib() -> float | None:
    """Return the memory that could be used without swapping."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    told = (line.split() for line in lines if line.startswith("MemAvailable:"))
    return next((round(int(words[1]) * 1024 / _GIB, 1) for words in told), None)
