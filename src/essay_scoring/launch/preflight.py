"""The preflight: a launch goes on only if every check that was asked for says ok."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from essay_scoring.core.errors import BusyError, EssayScoringError, InputError
from essay_scoring.launch.checks import PreflightCheck
from essay_scoring.launch.profile import Profile
from essay_scoring.launch.scripts import Order, checks_of, expected_markers, preflight_script
from essay_scoring.launch.transport import Done, Transport

_MARKER = re.compile(r"^CHECK ([a-z_]+) (ok|failed:)(?: (.*))?$")
_FACT = re.compile(r"^FACT ([a-z0-9_]+) (.*)$")
_MEND = {
    "folder": "clone the repository there, or correct `folder` in the profile",
    "code": "check out the same commit on both sides",
    "clean": "commit or discard the changes there",
    "inputs": "bring the file there, or correct its hash in the profile",
    "command_line": "check out the same commit on both sides",
    "live": "follow it with: essay-scoring remote status",
    "session": "end it, or wipe a dead one with: screen -wipe",
}
_FACTS = ("run", "commit", "data_sha256", "splits_sha256", "complete", "earlier")
FACTS = (*_FACTS, "parts", "missing")
STUDY_FACTS = (*_FACTS, "folders", "configs", "steps")
"""What must be told of a run, and of a study."""


@dataclass(frozen=True)
class Findings:
    """What a preflight brought back: each check's marker, and facts about the run."""

    held: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Preflight:
    """A preflight that held: what was found, on which host key, and when."""

    findings: Findings
    host_key: str | None
    started: str
    finished: str


def preflight(order: Order, transport: Transport) -> Preflight:
    """Return what a preflight found, everything asked for having held.

    Raises InputError naming the first check that failed or did not run, BusyError where the run is
    live already.
    """
    profile, checks = order.profile, checks_of(order)
    started = now()
    done = transport.script(preflight_script(order, checks), seconds=profile.preflight_minutes * 60)
    findings = read_markers(done.out)
    facts = FACTS if order.graph is None else STUDY_FACTS
    require_all(findings, checks, done, profile, facts)
    return Preflight(findings, done.host_key, started, now())


def read_markers(text: str) -> Findings:
    """Return the markers and facts in a host's output; any other line is somebody else's."""
    findings = Findings()
    for line in text.splitlines():
        if marker := _MARKER.match(line):
            name, result, detail = marker.groups()
            (findings.held if result == "ok" else findings.failed)[name] = detail or ""
        elif fact := _FACT.match(line):
            try:
                findings.facts[fact[1]] = json.loads(fact[2])
            except json.JSONDecodeError:
                continue
    return findings


def require_all(
    findings: Findings,
    checks: Sequence[PreflightCheck],
    done: Done,
    profile: Profile,
    facts: Sequence[str] = FACTS,
) -> None:
    """Raise for the first check that failed, or that did not say that it held."""
    where = f"preflight on {profile.where}"
    if findings.failed:
        name, detail = next(iter(findings.failed.items()))
        more = f" (and {len(findings.failed) - 1} more)" if len(findings.failed) > 1 else ""
        kind: type[EssayScoringError] = BusyError if name == "live" else InputError
        raise kind(f"{name}: {detail}{more}", where=where, mend=_MEND.get(name))
    expected = expected_markers(profile, checks)
    silent = [name for name in expected if name not in findings.held]
    silent += [f"fact {name}" for name in facts if name not in findings.facts]
    if profile.ssh is not None and done.host_key is None:
        silent.append("host_key")
    if silent:
        said = f": {done.last_words}" if done.last_words else ""
        raise InputError(f"{silent[0]}: the check did not run{said}", where=where)


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
