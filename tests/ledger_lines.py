"""Lines for ledgers, of what never was."""

from __future__ import annotations

from collections.abc import Mapping

from essay_scoring.records.more_records import RegisteredPlan
from essay_scoring.records.provenance import GitState


def registered_plan(plan: str, reference: Mapping[str, str] | None = None) -> RegisteredPlan:
    """Return what the register says of a plan of this name."""
    return RegisteredPlan(
        plan=plan,
        plan_sha256="0" * 64,
        frozen_plan={},
        data_sha256="0" * 64,
        splits_sha256="0" * 64,
        code_revision="0" * 64,
        reference=dict(reference or {}),
        git=GitState(commit=None, dirty=None),
        amends=None,
        results_seen=None,
    )
