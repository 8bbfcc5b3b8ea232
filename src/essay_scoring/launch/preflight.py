"""The preflight: a launch goes on only if every check that was asked for says ok."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from essay_scoring.core.errors import BusyError, EssayScoringError, InputError
from essay_scoring.core.record import Record, Sha256
from essay_scoring.core.settings import build_settings
from essay_scoring.launch.checks import PreflightCheck
from essay_scoring.launch.profile import Profile
from essay_scoring.launch.scripts import Order, checks_of, expected_markers, preflight_script
from essay_scoring.launch.transport import Done, Transport
from essay_scoring.records.more_records import Checks
from essay_scoring.records.study_results import StudyStep

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


class Facts(Record):
    """What a host must tell of all that is launched there."""

    run: str = Field(description="its folder's name")
    commit: str = Field(description="of the checkout there")
    data_sha256: Sha256 = Field(description="the essays there")
    splits_sha256: Sha256 = Field(description="the splits there")
    complete: bool = Field(description="whether nothing of it is left to do")
    earlier: dict[str, dict[str, Any] | None] = Field(
        description="by folder below the runs, the receipt that lies there"
    )


class RunFacts(Facts):
    """What a host must tell of a run."""

    parts: list[str] = Field(description="the names of its parts")
    missing: list[int] = Field(description="numbers of those that are not done")


class GraphFacts(Facts):
    """What a host must tell of a study or a search."""

    folders: str = Field(description="those that its steps work in, with blanks between")
    configs: dict[str, Sha256] = Field(description="each run's config")
    steps: list[StudyStep] = Field(description="its steps")


@dataclass(frozen=True)
class Findings:
    """What a preflight brought back: each check's marker, and facts, as they were told."""

    held: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Preflight:
    """A preflight that held: what was told, on which host key, and what each check found."""

    facts: RunFacts | GraphFacts
    host_key: str | None
    checks: Checks


def preflight(order: Order, transport: Transport) -> Preflight:
    """Return what a preflight found, everything asked for having held.

    Raises InputError naming the first check that failed or did not run, BusyError where the run is
    live already.
    """
    profile, checks = order.profile, checks_of(order)
    started = now()
    done = transport.script(preflight_script(order, checks), seconds=profile.preflight_minutes * 60)
    findings = read_markers(done.out)
    kind: type[RunFacts | GraphFacts] = RunFacts if order.graph is None else GraphFacts
    require_all(findings, checks, done, profile, kind)
    told = {name: findings.facts[name] for name in kind.model_fields}
    facts = build_settings(kind, told, f"preflight on {profile.where}")
    held = Checks(started=started, finished=now(), checks=findings.held)
    return Preflight(facts, done.host_key, held)


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
    facts: type[Facts] = RunFacts,
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
    silent += [f"fact {name}" for name in facts.model_fields if name not in findings.facts]
    if profile.ssh is not None and done.host_key is None:
        silent.append("host_key")
    if silent:
        said = f": {done.last_words}" if done.last_words else ""
        raise InputError(f"{silent[0]}: the check did not run{said}", where=where)


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
