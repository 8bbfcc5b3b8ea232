"""Evidence: whether a run is what it says it is, and was made as a gate plan asks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.files import read_json
from essay_scoring.judging.attempts import mark, require_unmarked
from essay_scoring.judging.plans import EvidenceRules, GatePlan
from essay_scoring.records.config import run_folder_name
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.records.ledger import Ledger
from essay_scoring.records.manifest import is_complete, require_intact
from essay_scoring.runs.session import hosts, read_status

RECEIPT = "receipt.json"
"""What a detached start leaves in the run folder, covered by its manifest like any file."""


@dataclass(frozen=True)
class Demand:
    """One evidence rule that a plan asks for, and what the run's record answers (None: nothing)."""

    rule: str
    asked: object
    found: object
    met: bool

    def line(self) -> str:
        """Return the rule with what was found and asked, in a few words."""
        return f"{self.rule} ({_shown(self.found)}; asked for {_shown(self.asked)})"


def admit(folder: Path, plan: GatePlan, attempts: Ledger) -> RunRecord:
    """Return a finished run that may be judged under a plan, if it is what it says it is.

    Raises EvidenceError for a run that is marked, and marks one that failed, was changed after it
    ended, or lies in a folder that its own config, data, splits and code do not name.
    """
    require_unmarked(folder, attempts)
    if not is_complete(folder):
        status = read_status(folder)
        if status["state"] == "failed":
            failure = status["failure"]
            reason = f"the run failed ({failure['type']}: {failure['message']})"
            raise mark(folder, reason, attempts, plan=plan)
        require_intact(folder)
    try:
        run = read_run(folder)
    except EvidenceError as error:
        raise mark(folder, error.line(), attempts, plan=plan, changed=True) from None
    _require_known_origin(run)
    if fault := _misnamed(run):
        raise mark(folder, fault, attempts, plan=plan, changed=True)
    return run


def require_rules(run: RunRecord, plan: GatePlan, attempts: Ledger) -> None:
    """Raise EvidenceError naming every evidence rule of the plan that a run misses, and mark it."""
    if missed := [demand.line() for demand in demands(plan.evidence, run) if not demand.met]:
        reason = f"it misses {len(missed)} evidence rule(s) of '{plan.name}': {', '.join(missed)}"
        raise mark(run.folder, reason, attempts, plan=plan)


def demands(rules: EvidenceRules, run: RunRecord) -> list[Demand]:
    """Return each evidence rule that is asked for, answered by the run's record."""
    receipt = True if (run.folder / RECEIPT).is_file() else None
    said = run.metrics.get("execution") or {}
    found = {**said, "host": _hosts(run, said.get("host")), "detached": receipt}
    tuning = rules.fine_tuning
    asked = {
        "device": rules.device,
        "host": rules.host,
        "precision": rules.precision,
        "finite": rules.finite,
        "detached": rules.detached,
        "gradient_checkpointing": tuning.gradient_checkpointing,
        "effective_batch": tuning.effective_batch,
        "length_bucketing": tuning.length_bucketing,
        "chunked": tuning.chunked_and_pooled,
        "pooled": tuning.chunked_and_pooled,
    }
    return [
        Demand(rule, want, found.get(rule), _met(rule, want, found.get(rule)))
        for rule, want in asked.items()
        if want
    ]


def _met(rule: str, want: Any, found: Any) -> bool:
    """Tell whether what a record says, None where it says nothing, meets what is wanted."""
    if found is None:
        return False
    if rule == "effective_batch":
        return bool(want[0] <= found <= want[1])
    if rule == "precision":
        return found in want
    return (rule, want) == ("device", "any") or bool(found == want)


def _hosts(run: RunRecord, last: str | None) -> str | None:
    """Return every host that a run was worked on at, joined; None where none is recorded."""
    return ", ".join(sorted(hosts(run.folder) | ({last} if last else set()))) or None


def _shown(value: object) -> str:
    """Return what a rule asks for or a record answers, in words."""
    if value is None:
        return "not recorded"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return (" to " if isinstance(value[0], int) else " or ").join(map(str, value))
    return str(value)


def _require_known_origin(run: RunRecord) -> None:
    """Raise EvidenceError for imported predictions: of their data and splits nothing is known."""
    if run.metrics["data"]["data_sha256"] is None:
        raise EvidenceError(
            "imported predictions do not show how, when and on which data they were made",
            where=str(run.folder),
            mend="judge them without a register, with compare-cv-runs",
        )


def _misnamed(run: RunRecord) -> str | None:
    """Return how a folder's name, config and metrics contradict one another, None if they agree."""
    config, metrics = read_json(run.folder / "config.json"), run.metrics
    if metrics["config"] != config:
        return "config.json is not the config that the metrics are of"
    name = run_folder_name(
        config,
        data=metrics["data"]["data_sha256"],
        splits=metrics["data"]["splits_sha256"],
        code=metrics["code_revision"],
    )
    if run.folder.name != name:
        return f"a run of this config, data, splits and code would be named {name}"
    return None
