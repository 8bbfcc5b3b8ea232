"""The state of a launch, drawn from what the scheduler says and what the driver recorded.

Log text is never read for it. What cannot be told is an error, not a guess.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from essay_scoring.core.errors import InputError
from essay_scoring.launch.transport import UnreachableError

Word = Literal["complete", "running", "queued", "failed", "cancelled", "killed"]
_LIVE = {"RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT"}
_QUEUED = {"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
_STOPPED = {
    "PREEMPTED": "the scheduler gave its place to another job",
    "TIMEOUT": "it reached its time limit",
    "DEADLINE": "it reached its deadline",
    "OUT_OF_MEMORY": "it took more memory than was asked for",
    "NODE_FAIL": "its node failed",
    "BOOT_FAIL": "its node did not start",
}
_SEEN = re.compile(r"^SEEN (\S+)(?: (.*))?$")
_STEP = re.compile(r"^\S+ (?P<after>\S+) \S+ (?P<done>\d+) (?P<of>\d+)$")
_TASK = re.compile(r"^\S+ (?:(?P<task>\d+) )?(?P<code>\d+)$")


@dataclass(frozen=True)
class SubmittedStep:
    """A step of a study as it was submitted: `done` of its `of` tasks were done before."""

    name: str
    after: tuple[str, ...]
    done: int
    of: int


@dataclass
class Observed:
    """What observe.sh saw. Jobs by name; of each job the states and reasons of its tasks.

    Of a study also its steps as they were submitted, and by step the exit codes of its tasks, ""
    being that of one job.
    """

    facts: dict[str, str] = field(default_factory=dict)
    parts: dict[int, int] = field(default_factory=dict)
    steps: dict[str, SubmittedStep] = field(default_factory=dict)
    tasks: dict[str, dict[str, int]] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)
    queue: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def number(self, name: str) -> int | None:
        """Return a fact that is a whole number, None where it is not there or is none."""
        value = self.facts.get(name, "")
        return int(value) if value.lstrip("-").isdigit() else None


@dataclass(frozen=True)
class State:
    """How a launch stands, and why in a few words; `code` is the exit code it ended with."""

    word: Word
    detail: str = ""
    code: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.word not in ("running", "queued")

    def line(self) -> str:
        """Return the state on one line."""
        return f"{self.word}: {self.detail}" if self.detail else self.word


def read_observation(text: str, where: str) -> Observed:
    """Return what was seen; InputError if there is no such launch, or the host did not say all."""
    seen = Observed()
    for line in text.splitlines():
        if found := _SEEN.match(line):
            _note(seen, found[1], found[2] or "")
    if "absent" in seen.facts:
        raise InputError(f"there is no {seen.facts['absent'].removeprefix('a ')}", where=where)
    if "all" not in seen.facts:
        raise InputError("the host did not say how the launch stands", where=where)
    return seen


def _note(seen: Observed, name: str, value: str) -> None:
    first, _, rest = value.partition(" ")
    if name == "part" and first.isdigit() and rest.isdigit():
        seen.parts[int(first)] = int(rest)
    elif name == "job":
        seen.jobs[first] = rest
    elif name == "step" and (words := _STEP.match(value)):
        seen.steps[first] = SubmittedStep(
            first, tuple(words["after"].split(",")), int(words["done"]), int(words["of"])
        )
    elif name == "task" and (words := _TASK.match(value)):
        seen.tasks.setdefault(first, {})[words["task"] or ""] = int(words["code"])
    elif name == "queue":
        state, _, reason = rest.partition(" ")
        seen.queue.setdefault(first, []).append((state, reason))
    else:
        seen.facts[name] = value


def state_of(seen: Observed, where: str) -> State:
    """Return the state; UnreachableError where the scheduler that would know it does not answer."""
    code = seen.number("code")
    if code is not None:
        return _ended(code, seen)
    if seen.facts.get("backend") == "slurm":
        return _scheduled(seen, where)
    if "driver" in seen.facts:
        return State("running", _heard(seen))
    if "worker" in seen.facts:
        return State("running", "its driver was killed, the run goes on without it")
    return State("killed", "its driver ended without recording an exit code")


def _ended(code: int, seen: Observed) -> State:
    """Return the state that a recorded exit code means."""
    reason = seen.facts.get("reason", "")
    states = [
        (name, state) for name, job in seen.jobs.items() for state, _ in seen.queue.get(job, [])
    ]
    told = [(name, state) for name, state in states if state in _STOPPED]
    if code and told:
        name, state = told[0]
        return State("failed", f"job {name}: {_stopped(state)}", code)
    if code == 0 and "manifest" not in seen.facts:
        return State("failed", "it ended with code 0 but left no complete run", code)
    if code == 0:
        return State("complete", "", code)
    if reason in ("terminated", "interrupted"):
        return State("cancelled", reason, code)
    if reason:
        return State("failed", f"{reason} (exit code {code})", code)
    return State("failed", _meaning(code), code)


def _scheduled(seen: Observed, where: str) -> State:
    """Return the state of jobs whose last has recorded no end."""
    if "scheduler" not in seen.facts:
        raise UnreachableError(
            "the scheduler does not answer, so the state is not known",
            where=where,
            mend="ask again later",
        )
    tasks = {name: seen.queue.get(number, []) for name, number in seen.jobs.items()}
    faults = [fault for name, states in tasks.items() if (fault := _fault(name, states, seen))]
    live = [name for name, states in tasks.items() if any(s in _LIVE for s, _ in states)]
    waiting = [
        (n, r)
        for n, states in tasks.items()
        for s, r in states
        if s in _QUEUED and r != "DependencyNeverSatisfied"
    ]
    # The other arms of a study go on when one has failed.
    if faults and not (seen.steps and (live or waiting)):
        return faults[0]
    also = f"; {faults[0].line()}" if faults else ""
    if live:
        return State("running", f"job {', '.join(live)}{_progress(seen)}{also}")
    if waiting:
        name, reason = waiting[0]
        if name.startswith("unfinished-launch"):
            reason = f"{reason}; its launch was cut off: cancel it, and launch again"
        return State("queued", f"job {name} ({reason}){_progress(seen)}{also}")
    return _forgotten(seen)


def _fault(name: str, states: list[tuple[str, str]], seen: Observed) -> State | None:
    """Return what ended a job badly, None if nothing did."""
    for state, reason in states:
        if state == "CANCELLED" or state.startswith("CANCELLED"):
            return State("cancelled", f"job {name}")
        if state not in {*_LIVE, *_QUEUED, "COMPLETED"}:
            said = seen.facts.get("canary_reason") if name == "canary" else None
            more = f", {said}" if said else ""
            return State("failed", f"job {name}: {_stopped(state)}{more}")
        if state in _QUEUED and reason == "DependencyNeverSatisfied":
            return State("failed", f"job {name} never starts: one before it failed")
    return None


def _stopped(state: str) -> str:
    """Return the scheduler's word for how a job ended, and what to do where it can be resumed."""
    said = _STOPPED.get(state)
    if said is None:
        return state
    return f"{state}, {said}; launch it again to resume: what was finished is kept"


def _forgotten(seen: Observed) -> State:
    """Return the state when the scheduler has forgotten the jobs: what they recorded decides."""
    canary = seen.number("canary")
    if canary:
        said = seen.facts.get("canary_reason", _meaning(canary))
        return State("failed", f"job canary: {said}", canary)
    for step, codes in seen.tasks.items():
        if wrong := [code for code in codes.values() if code]:
            return State("failed", f"job {step}: {_meaning(wrong[0])}", wrong[0])
    bad = {part: code for part, code in seen.parts.items() if code}
    if bad:
        part, code = min(bad.items())
        return State("failed", f"part {part}: {_meaning(code)}", code)
    return State("killed", "the scheduler knows it no more, and it recorded no exit code")


def _progress(seen: Observed) -> str:
    done = sum(code == 0 for code in seen.parts.values())
    return f", {done} part(s) done" if seen.parts else ""


def graph_rows(seen: Observed) -> list[tuple[str, ...]]:
    """Return the graph of a study, its head first: each step, its tasks done, what Slurm says.

    A step that was submitted is done when as many tasks are; what Slurm has forgotten is told by
    the exit codes that its tasks recorded.
    """
    rows: list[tuple[str, ...]] = [("step", "done", "Slurm", "after")]
    last = next(reversed(seen.steps), None)
    for step in seen.steps.values():
        codes = seen.tasks.get(step.name, {})
        # The driver of the last step is that of the launch: its exit code is the launch's.
        if step.name == last and (code := seen.number("code")) is not None:
            codes = {"": code}
        done = step.done + sum(code == 0 for code in codes.values())
        after = ", ".join(name.removesuffix("?") for name in step.after if name != "-")
        rows.append((step.name, f"{done}/{step.of}", _of_slurm(step, codes, seen), after))
    return rows


def _of_slurm(step: SubmittedStep, codes: Mapping[str, int], seen: Observed) -> str:
    """Return how many tasks of a step are in which state, and which failed."""
    number = seen.jobs.get(step.name)
    if number is None:
        return "done before" if step.done == step.of else "not submitted"
    states = Counter(state for state, _ in seen.queue.get(number, []))
    told = ", ".join(f"{state} {count}" for state, count in states.items())
    failed = sorted((task for task, code in codes.items() if code), key=lambda task: int(task or 0))
    wrong = f", failed: {','.join(failed)}" if any(failed) else ""
    return f"{told or 'forgotten'}{wrong} (job {number})"


def _heard(seen: Observed) -> str:
    """Return how long ago the driver was last heard of."""
    now, beat = seen.number("now"), seen.number("heartbeat")
    return "" if now is None or beat is None else f"last heard {max(0, now - beat)} s ago"


def _meaning(code: int) -> str:
    """Return an exit code of the program in words."""
    words = {
        1: "an error in the program, or a number that was not finite",
        2: "bad input",
        4: "invalid evidence",
        5: "another process was doing the run",
        137: "killed",
    }
    said = words.get(code)
    return f"exit code {code}, {said}" if said else f"exit code {code}"
