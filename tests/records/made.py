"""Made records of what a run's fits ran with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from essay_scoring.records.audit_record import (
    AuditedRun,
    AuditRecord,
    AuditSection,
    AuditSettings,
    ExplainRecord,
    ExplainSettings,
)
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.fits import FitRecord
from essay_scoring.statistics.predictions import Predictions

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


AUDITED: dict[str, Any] = {
    "name": "made",
    "folder": "made-0",
    "manifest_sha256": "a" * 64,
    "scheme": "prompt_holdout",
    "family": "xgboost",
    "data_sha256": "a" * 64,
    "splits_sha256": "b" * 64,
    "n": 90,
    "n_prompts": 3,
    "unit": "score points",
    "code_revision": "c" * 64,
    "read_with": "c" * 64,
}


def made_audit(*sections: AuditSection, **run: str) -> AuditRecord:
    """Return the audit of a run with these sections."""
    settings = AuditSettings(
        seed=1, replicates=200, attack_essays=60, permutations=100, min_group_n=30
    )
    audited = AuditedRun(**{**AUDITED, **run})
    return AuditRecord(run=audited, settings=settings, sections=sections)


def made_explanation(*sections: AuditSection, **run: str) -> ExplainRecord:
    """Return the explanation of a run with these sections."""
    settings = ExplainSettings(refit_seeds=2)
    return ExplainRecord(run=AuditedRun(**{**AUDITED, **run}), settings=settings, sections=sections)


def made_fit(ids: Sequence[str], raw: Sequence[float]) -> FitRecord:
    """Return the fit of fold 0 with these predictions, by essay."""
    rows = {"folds": [0], "ids": [*ids], "raw": [float(value) for value in raw]}
    return FitRecord.model_validate({**FIT, "identity": "d" * 64, **rows})


def require_equal(record: RunRecord, other: RunRecord) -> None:
    """Fail unless two records say the same of a run; whether they are sealed is not asked."""
    told = [(one.folder, one.metrics, one.probe, list(one.covariates)) for one in (record, other)]
    assert told[0] == told[1]
    for name, values in other.covariates.items():
        np.testing.assert_array_equal(record.covariates[name], values)
    for field in fields(Predictions):
        ours, theirs = (getattr(one.predictions, field.name) for one in (record, other))
        if isinstance(theirs, np.ndarray):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)
        else:
            assert ours == theirs
