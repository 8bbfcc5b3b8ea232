"""The receipt of a launch: what was started, from what, and what was checked before."""

from __future__ import annotations

import base64
import gzip
import json
import platform
from collections.abc import Mapping
from typing import Any

from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.launch.preflight import Preflight
from essay_scoring.launch.scripts import Order
from essay_scoring.launch.study_order import SentGraph, read_steps
from essay_scoring.records import provenance
from essay_scoring.records.config import config_values


def receipts_of(
    order: Order, preflight: Preflight, plans: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Return the receipts that will lie in folders below the runs; `plans` are hashes by name.

    The host fills in `job` and `submitted` (@JOB@, @TIME@), which only it can know. `earlier` holds
    the receipts of launches that this one resumes, oldest first.
    """
    profile, facts = order.profile, preflight.findings.facts
    shared = {
        "schema": 1,
        "run": facts["run"],
        "job": "@JOB@",
        "submitted": "@TIME@",
        "backend": profile.backend,
        "host": profile.ssh.host if profile.ssh else platform.node(),
        "host_key": preflight.host_key,
        "command": [*order.command, order.graph.path if order.graph else "config.json"],
        "parts": [],
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
    }
    own = _of_run(order, facts) if order.graph is None else _of_graph(order.graph, facts)
    return {
        folder: shared | values | {"earlier": _earlier(facts["earlier"][folder])}
        for folder, values in own.items()
    }


def _of_run(order: Order, facts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {facts["run"]: {"parts": facts["parts"] if order.array else []}}


def _of_graph(sent: SentGraph, facts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what is a folder's own: of the whole, and of each run that a step is left to do in."""
    own: dict[str, dict[str, Any]] = {
        f"{sent.group}/{facts['run']}": {"config_sha256": sent.sha256}
    }
    for step in read_steps(facts["steps"]):
        for run in () if step.is_done else step.runs:
            parts = [task.partition("/")[2] for task in step.tasks if task.startswith(f"{run}/")]
            config = facts["configs"][run]
            values = own.setdefault(run, {"run": run, "parts": [], "config_sha256": config})
            values["parts"] = values["parts"] or parts
    return own


def encoded(receipts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return receipts by folder as the plain word that they travel as."""
    lines = [
        f"{folder} {_base64(json.dumps(receipt, indent=2).encode('utf-8'))}"
        for folder, receipt in receipts.items()
    ]
    return _base64(gzip.compress("\n".join(lines).encode("ascii"), mtime=0))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _earlier(before: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the receipts that lay in the run folder before, oldest first."""
    if before is None:
        return []
    kept = {key: value for key, value in before.items() if key != "earlier"}
    return [*before.get("earlier", []), kept]
