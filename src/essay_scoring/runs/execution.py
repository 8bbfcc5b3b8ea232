"""How a run was executed: what evidence rules are answered by."""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from typing import Any

from essay_scoring.features.precision import device_in_use
from essay_scoring.runs.cross_validation import JobResult
from essay_scoring.runs.run import Run


def execution_record(run: Run, jobs: Sequence[JobResult]) -> dict[str, Any]:
    """Return device, host, precision, whether all training was finite, and how the scorer trained.

    The device is where encoders run; the last part is the scorer's own, empty for most families.
    """
    device, name = _device()
    return {
        "device": device,
        "device_name": name,
        "host": platform.node(),
        "precision": run.precision,
        "finite": all(map(_is_finite, jobs)),
        **run.config.scorer.evidence(),
    }


def _device() -> tuple[str, str | None]:
    """Return cpu, cuda or rocm, and the name of the GPU; torch tells AMD's from NVIDIA's."""
    if device_in_use() == "cpu":
        return "cpu", None
    import torch

    return "cuda" if torch.version.hip is None else "rocm", torch.cuda.get_device_name()


def _is_finite(job: JobResult) -> bool:
    """Tell whether a job's losses and predictions are all finite numbers."""
    curves = (value for curve in job.curve.values() for value in curve)
    return all(map(math.isfinite, (*curves, *job.raw)))
