"""The receipt of a launch: what was started, from what, and what was checked before."""

from __future__ import annotations

import base64
import json
import platform
from collections.abc import Mapping
from typing import Any

from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.launch.preflight import Preflight
from essay_scoring.launch.scripts import Order
from essay_scoring.records import provenance
from essay_scoring.records.config import config_values


def receipt_of(order: Order, preflight: Preflight, plans: Mapping[str, str]) -> dict[str, Any]:
    """Return the receipt that will lie in the run folder; `plans` are gate plans' hashes by name.

    The host fills in `job` and `submitted` (@JOB@, @TIME@), which only it can know. `earlier` holds
    the receipts of launches that this one resumes, oldest first.
    """
    profile, facts = order.profile, preflight.findings.facts
    return {
        "schema": 1,
        "run": facts["run"],
        "job": "@JOB@",
        "submitted": "@TIME@",
        "backend": profile.backend,
        "host": profile.ssh.host if profile.ssh else platform.node(),
        "host_key": preflight.host_key,
        "command": [*order.command, "config.json"],
        "parts": facts["parts"] if order.array else [],
        "code_revision": provenance.code_revision(),
        "commit": facts["commit"],
        "data_sha256": facts["data_sha256"],
        "splits_sha256": facts["splits_sha256"],
        "config_sha256": fingerprint(config_values(order.config)),
        "profile_sha256": fingerprint(profile.model_dump(mode="json")),
        "plans": dict(plans),
        "preflight": {
            "started": preflight.started,
            "finished": preflight.finished,
            "checks": preflight.findings.held,
        },
        "earlier": _earlier(facts["earlier"]),
    }


def encoded(receipt: Mapping[str, Any]) -> str:
    """Return a receipt as the plain word that it travels as."""
    return base64.b64encode(json.dumps(receipt, indent=2).encode("utf-8")).decode("ascii")


def _earlier(before: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the receipts that lay in the run folder before, oldest first."""
    if before is None:
        return []
    kept = {key: value for key, value in before.items() if key != "earlier"}
    return [*before.get("earlier", []), kept]
