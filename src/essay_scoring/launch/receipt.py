"""The receipt of a launch: what was started, from what, and what was checked before."""

from __future__ import annotations

import base64
import gzip
import json
import platform
from collections.abc import Mapping
from typing import Any

from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.launch.preflight import GraphFacts, Preflight, RunFacts
from essay_scoring.launch.scripts import Order
from essay_scoring.records import provenance
from essay_scoring.records.config import config_values
from essay_scoring.records.more_records import Receipt


def receipts_of(order: Order, preflight: Preflight, plans: Mapping[str, str]) -> dict[str, Receipt]:
    """Return the receipts that will lie in folders below the runs; `plans` are hashes by name.

    The host fills in `job` and `submitted` (@JOB@, @TIME@), which only it can know. `earlier` holds
    the receipts of launches that this one resumes, oldest first.
    """
    facts = preflight.facts
    whole = _of_whole(order, preflight, plans)
    group = f"{order.graph.group}/" if order.graph else ""
    runs = _of_runs(whole, facts) if isinstance(facts, GraphFacts) else {}
    own = {f"{group}{facts.run}": whole, **runs}
    return {
        folder: receipt.model_copy(update={"earlier": _earlier(facts.earlier[folder])})
        for folder, receipt in own.items()
    }


def _of_whole(order: Order, preflight: Preflight, plans: Mapping[str, str]) -> Receipt:
    """Return the receipt of the run, study or search that is launched."""
    profile, facts, graph = order.profile, preflight.facts, order.graph
    return Receipt(
        schema=1,
        run=facts.run,
        job="@JOB@",
        submitted="@TIME@",
        backend=profile.backend,
        host=profile.ssh.host if profile.ssh else platform.node(),
        host_key=preflight.host_key,
        command=[*order.command, graph.path if graph else "config.json"],
        parts=facts.parts if isinstance(facts, RunFacts) and order.array else [],
        code_revision=provenance.code_revision(),
        commit=facts.commit,
        data_sha256=facts.data_sha256,
        splits_sha256=facts.splits_sha256,
        config_sha256=graph.sha256 if graph else fingerprint(config_values(order.config)),
        profile_sha256=fingerprint(profile.model_dump(mode="json")),
        plans=dict(plans),
        preflight=preflight.checks,
        earlier=[],
    )


def _of_runs(whole: Receipt, facts: GraphFacts) -> dict[str, Receipt]:
    """Return the receipt of each run that a step of a study or search is left to do in."""
    own: dict[str, Receipt] = {}
    for step in facts.steps:
        for run in () if step.is_done else step.runs:
            if run not in own or not own[run].parts:
                tasks = [task for task in step.tasks if task.startswith(f"{run}/")]
                parts = [task.partition("/")[2] for task in tasks]
                values = {"run": run, "parts": parts, "config_sha256": facts.configs[run]}
                own[run] = whole.model_copy(update=values)
    return own


def encoded(receipts: Mapping[str, Receipt]) -> str:
    """Return receipts by folder as the plain word that they travel as."""
    lines = [
        f"{folder} {_base64(json.dumps(receipt.model_dump(mode='json'), indent=2).encode('utf-8'))}"
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
