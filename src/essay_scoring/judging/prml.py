"""A registered plan as PRML manifests, a format in which others can check what was promised.

PRML 0.1 (Pre-Registered ML Manifest, `application/vnd.prml+yaml`, registered with IANA) holds one
metric, comparator and threshold, so a plan is a manifest for each check. A manifest is known by the
SHA-256 of its canonical bytes: YAML with sorted keys in block style, UTF-8, one newline at the end.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import uuid
from collections.abc import Iterator, Mapping

from essay_scoring.judging.plans import Check, GatePlan
from essay_scoring.records.judgements import Registration
from essay_scoring.records.ledger import Ledger
from essay_scoring.records.more_records import RegisterEntry

Value = str | float | None | Mapping[str, str | float]
Manifest = Mapping[str, Value]

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,._%/()-]*[A-Za-z0-9)]")
"""Strings that YAML writes without quotes, among those that manifests hold."""

_SEEN = {True: "had been seen", False: "had not been seen", None: "had been seen or not, not said"}


def prml_manifests(registration: Registration, register: Ledger[RegisterEntry]) -> dict[str, str]:
    """Return the text of a manifest for each check of a registered plan, by file name.

    A manifest of an amendment holds the hash of that of the same check before (`prior_hash`), and
    says in its notes whether results had been seen.
    """
    texts: dict[str, dict[str, str]] = {}
    for entry in register.entries()[: registration.entry]:
        if entry.plan != registration.plan:
            continue
        plan = GatePlan.model_validate(entry.frozen_plan)
        before = texts.get(entry.amends or "", {})
        texts[plan.sha256] = {
            name: canonical_yaml(_manifest(plan, check, entry, before.get(name)))
            for check in plan.checks
            for name in [f"{plan.name}.{check.metric}-{check.kind}.prml.yaml"]
        }
    return texts[registration.plan_sha256]


def _manifest(plan: GatePlan, check: Check, entry: RegisterEntry, before: str | None) -> Manifest:
    """Return the manifest of one check of the plan that a register's entry holds."""
    strict = plan.rule == "interval" and check.kind == "superiority"
    end = ", lower end of its 95% interval" if plan.rule == "interval" else ""
    manifest: dict[str, Value] = {
        "version": "prml/0.1",
        "claim_id": _uuid7(entry.time, f"{entry.previous} {check.metric} {check.kind}"),
        "created_at": entry.time,
        "metric": f"{check.metric} of the candidate less that of the reference{end}",
        "comparator": ">" if strict else ">=",
        "threshold": float(check.delta_at_least),
        "dataset": {"id": f"prepared essays {entry.data_sha256}", "hash": entry.data_sha256},
        "seed": None,
        "producer": {"id": "essay-scoring"},
        "metric_args": {
            "bottom_k": plan.bottom_k,
            "code_revision": entry.code_revision,
            "kind": check.kind,
            "min_prompt_n": plan.min_prompt_n,
            "plan_sha256": entry.plan_sha256,
            "rule": plan.rule,
            "scheme": plan.scheme,
            "splits_sha256": entry.splits_sha256,
        },
    }
    if entry.amends is not None:
        amends, seen = entry.amends, _SEEN[entry.results_seen]
        manifest["notes"] = f"amends the plan {amends}, results {seen}"
    if before is not None:
        manifest["prior_hash"] = hashlib.sha256(before.encode()).hexdigest()
    return manifest


def canonical_yaml(manifest: Manifest) -> str:
    """Return the canonical text of a manifest of strings, numbers, null and mappings of these."""
    return "\n".join(_lines(manifest)) + "\n"


def _lines(manifest: Manifest, indent: str = "") -> Iterator[str]:
    for key in sorted(manifest):
        value = manifest[key]
        if isinstance(value, Mapping):
            yield f"{indent}{key}:"
            yield from _lines(value, indent + "  ")
        else:
            yield f"{indent}{key}: {_scalar(value)}"


def _scalar(value: str | float | None) -> str:
    """Return a value as PyYAML's safe dumper writes it, which is what PRML calls canonical."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else "'" + value.replace("'", "''") + "'"
    text = repr(value)
    return text.replace("e", ".0e", 1) if "e" in text and "." not in text else text


def _uuid7(time: str, name: str) -> str:
    """Return the UUID of version 7 of an ISO 8601 time, its random bits taken from a name."""
    milliseconds = int(datetime.datetime.fromisoformat(time).timestamp() * 1000)
    drawn = int.from_bytes(hashlib.sha256(name.encode()).digest()[:10], "big")
    bits = (milliseconds << 80) | drawn
    bits = (bits & ~(0xF << 76)) | (7 << 76)
    return str(uuid.UUID(int=(bits & ~(0b11 << 62)) | (0b10 << 62)))
