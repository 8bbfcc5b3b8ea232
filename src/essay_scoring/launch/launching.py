"""`launch`: preflight, submit, read back. All of it, or nothing is started."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from essay_scoring.core.errors import BusyError, EssayScoringError, InputError
from essay_scoring.judging.study_plan import Study
from essay_scoring.launch.preflight import GraphFacts, Preflight, RunFacts, preflight
from essay_scoring.launch.profile import Profile
from essay_scoring.launch.receipt import encoded, receipts_of
from essay_scoring.launch.scripts import Order, checks_of, preflight_script, submit_script
from essay_scoring.launch.study_order import SentGraph, graph_lines, sent_search, sent_study
from essay_scoring.launch.transport import Done, Transport, bash, transport_of
from essay_scoring.records.config import RunConfig
from essay_scoring.records.search_settings import Search

_ANSWER = re.compile(r"^(LAUNCHED|REFUSED) (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Launched:
    """A run on a host: its folder's name, and the jobs that do it (None: it was complete)."""

    run: str
    jobs: str | None


def order_of(config: RunConfig, profile: Profile, *, array: bool) -> Order:
    """Return what is to be launched; InputError where config and profile contradict each other."""
    _require_precision(config, profile)
    if array and profile.backend != "slurm":
        raise InputError(
            f"backend '{profile.backend}' has no arrays", where="--array", mend="leave it out"
        )
    return Order(profile, config, array)


def study_order_of(study: Study, overrides: Sequence[str], profile: Profile) -> Order:
    """Return what is to be launched of a study; InputError where a profile cannot run it."""
    return _graph_order(sent_study(study, overrides), profile, study.path)


def search_order_of(
    search: Search, overrides: Sequence[str], profile: Profile, workers: int
) -> Order:
    """Return what is to be launched of a search; InputError where a profile cannot run it."""
    return _graph_order(sent_search(search, overrides, workers), profile, search.path)


def _graph_order(sent: SentGraph, profile: Profile, path: Path) -> Order:
    if profile.backend != "slurm":
        raise InputError(
            f"a {sent.kind} is a graph of jobs, and backend '{profile.backend}' has no scheduler",
            where=str(path),
            mend=f"name a profile of backend 'slurm', or run `{sent.command}` there with: "
            "remote run",
        )
    for config in sent.configs:
        _require_precision(config, profile)
    return Order(profile, sent.configs[0], array=True, graph=sent)


def _require_precision(config: RunConfig, profile: Profile) -> None:
    asked = getattr(config.scorer, "mixed_precision", None)
    if profile.precision is not None and asked is not None and asked != profile.precision:
        raise InputError(
            f"the config trains in precision '{asked}', the profile asks for '{profile.precision}'",
            where="scorer.mixed_precision",
            mend=f"add --set scorer.mixed_precision={profile.precision}",
        )


def launch(order: Order, plans: Mapping[str, str], transport: Transport | None = None) -> Launched:
    """Start a run on its host and return what does it; nothing is started unless all checks hold.

    Raises InputError naming the check that failed, BusyError where the run is live there.
    """
    transport = transport or transport_of(order.profile)
    found = preflight(order, transport)
    run = found.facts.run
    if found.facts.complete:
        return Launched(run, None)
    done = _submit(order, found, plans, transport)
    answer = _ANSWER.search(done.out)
    if answer is None:
        raise _unanswered(run, done, order.profile)
    if answer[1] == "REFUSED":
        name, _, detail = answer[2].partition(" ")
        kind: type[EssayScoringError] = BusyError if name == "live" else InputError
        raise kind(f"{name}: {detail}", where=order.profile.where)
    return Launched(run, answer[2].strip())


def dry_run(order: Order) -> str:
    """Return exactly what a launch would run: command lines, and the scripts on standard input."""
    profile, checks = order.profile, checks_of(order)
    transport = transport_of(profile)
    seconds = profile.preflight_minutes * 60
    first = transport.command(bash((), seconds))
    second = transport.command(bash(("RUN", "RECEIPTS", "PARTS"), _SUBMIT_SECONDS))
    return "\n".join(
        [
            f"# 1. preflight: {' '.join(first)}",
            preflight_script(order, checks),
            f"# 2. submit: {' '.join(second)}",
            "# The preflight tells RUN, the name of the run folder, and PARTS, what is left to do;",
            "# RECEIPTS are the receipts in base64.",
            submit_script(order, checks),
        ]
    )


_SUBMIT_SECONDS = 300.0


def _submit(order: Order, found: Preflight, plans: Mapping[str, str], transport: Transport) -> Done:
    """Send the script that starts the run; a connection lost meanwhile leaves a doubt to tell."""
    run = found.facts.run
    receipt = encoded(receipts_of(order, found, plans))
    parts = _parts(order, found.facts)
    script = submit_script(order, checks_of(order))
    try:
        return transport.script(script, run, receipt, parts, seconds=_SUBMIT_SECONDS)
    except InputError as error:
        raise InputError(
            f"{error.what}; whether {run} was started is not known",
            where=error.where,
            mend=f"ask with: essay-scoring remote status {run}",
        ) from None


def _parts(order: Order, facts: RunFacts | GraphFacts) -> str:
    """Return what is left to do as the plain word that the host is told."""
    if isinstance(facts, GraphFacts):
        return base64.b64encode(graph_lines(facts.steps).encode("ascii")).decode("ascii")
    missing = ",".join(str(number) for number in facts.missing)
    return missing if order.array and missing else "whole"


def _unanswered(run: str, done: Done, profile: Profile) -> InputError:
    said = f": {done.last_words}" if done.last_words else ""
    return InputError(
        f"the host did not say whether {run} was started{said}",
        where=profile.where,
        mend=f"ask with: essay-scoring remote status {run}",
    )
