"""Made records of what a run's fits ran with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from essay_scoring.records.fits import FitRecord

ENVIRONMENT: dict[str, Any] = {
    "machine": {
        "host": "made",
        "system": "made",
        "processor": "made",
        "instruction_set": "avx2",
        "threads": 2,
    },
    "device": "cpu",
    "device_name": None,
    "versions": {"python": "3.11.7", "numpy": "2.4.6"},
    "code_revision": "b" * 64,
    "git": {"commit": "c" * 40, "dirty": False},
}
FIT: dict[str, Any] = {
    "rounds": 120,
    "curve": {},
    "n_fit": 80,
    "n_dev": 20,
    "seconds": 1.5,
    "peak_mib": None,
    "precisions": ["fp32"],
    "execution": {},
    "finite": True,
    "environments": [ENVIRONMENT],
}


def made_fit(ids: Sequence[str], raw: Sequence[float]) -> FitRecord:
    """Return the fit of fold 0 with these predictions, by essay."""
    rows = {"folds": [0], "ids": [*ids], "raw": [float(value) for value in raw]}
    return FitRecord.model_validate({**FIT, "identity": "d" * 64, **rows})
