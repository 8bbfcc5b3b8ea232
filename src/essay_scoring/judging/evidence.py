"""Evidence: whether a run is what it says it is, and was made as a gate plan asks."""

from __future__ import annotations

from pathlib import Path

from pydantic import JsonValue

from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.files import read_json
from essay_scoring.judging.attempts import mark, require_unmarked
from essay_scoring.judging.plans import EvidenceRules, GatePlan
from essay_scoring.records.config import run_folder_name, run_identity
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.records.judgements import Demand
from essay_scoring.records.ledger import Ledger
from essay_scoring.records.manifest import is_complete, require_intact
from essay_scoring.records.more_records import AttemptEntry
from essay_scoring.records.provenance import numeric_versions
from essay_scoring.records.run_records import FitRow
from essay_scoring.runs.session import hosts, read_status

RECEIPT = "receipt.json"
"""What a detached start leaves in the run folder, covered by its manifest like any file."""


def admit(folder: Path, plan: GatePlan, attempts: Ledger[AttemptEntry]) -> RunRecord:
    """Return a finished run that may be judged under a plan, if it is what it says it is.

    Raises EvidenceError for a run that is marked, and marks one that failed, was changed after it
    ended, or lies in a folder that its own config, data, splits and code do not name.
    """
    require_unmarked(folder, attempts)
    if not is_complete(folder):
        if failure := read_status(folder).failure:
            reason = f"the run failed ({failure.type}: {failure.message})"
            raise mark(folder, reason, attempts, plan=plan)
        require_intact(folder)
    try:
        run = read_run(folder)
    except EvidenceError as error:
        raise mark(folder, error.line(), attempts, plan=plan, changed=True) from None
    require_admissible(run, plan, attempts)
    return run


def require_admissible(run: RunRecord, plan: GatePlan, attempts: Ledger[AttemptEntry]) -> None:
    """Raise EvidenceError for a run, read already, that may not be judged; mark a misnamed one."""
    require_unmarked(run.folder, attempts)
    _require_known_origin(run)
    if fault := _misnamed(run):
        raise mark(run.folder, fault, attempts, plan=plan, changed=True)


def require_rules(run: RunRecord, plan: GatePlan, attempts: Ledger[AttemptEntry]) -> None:
    """Raise EvidenceError naming every evidence rule of the plan that a run misses, and mark it."""
    if missed := [demand.line() for demand in demands(plan.evidence, run) if not demand.met]:
        reason = f"it misses {len(missed)} evidence rule(s) of '{plan.name}': {', '.join(missed)}"
        raise mark(run.folder, reason, attempts, plan=plan)


def demands(rules: EvidenceRules, run: RunRecord) -> list[Demand]:
    """Return each evidence rule that is asked for, answered by every fit of the run."""
    tuning = rules.fine_tuning
    asked: dict[str, JsonValue] = {
        "device": rules.device,
        "host": rules.host,
        "precision": None if rules.precision is None else list(rules.precision),
        "finite": rules.finite,
        "detached": rules.detached,
        "gradient_checkpointing": tuning.gradient_checkpointing,
        "effective_batch": None if tuning.effective_batch is None else [*tuning.effective_batch],
        "length_bucketing": tuning.length_bucketing,
        "chunked": tuning.chunked_and_pooled,
        "pooled": tuning.chunked_and_pooled,
    }
    return [_demand(rule, wanted, run) for rule, wanted in asked.items() if wanted]


def _demand(rule: str, asked: JsonValue, run: RunRecord) -> Demand:
    answers = _answers(rule, run) or (None,)
    met = all(_met(rule, asked, answer) for answer in answers)
    return Demand(rule=rule, asked=asked, answers=answers, met=met)


def _answers(rule: str, run: RunRecord) -> tuple[JsonValue, ...]:
    """Return every answer that the run's fits record to a rule, each once, in order."""
    if rule == "detached":
        return (True if (run.folder / RECEIPT).is_file() else None,)
    values: list[JsonValue] = [
        value for fit in run.metrics.fits for value in _answers_of(rule, fit)
    ]
    if rule == "host":
        values += sorted(hosts(run.folder))
    return tuple(value for at, value in enumerate(values) if value not in values[:at])


def _answers_of(rule: str, fit: FitRow) -> list[JsonValue]:
    if rule == "device":
        return [one.device for one in fit.environments]
    if rule == "host":
        return [one.machine.host for one in fit.environments]
    if rule == "precision":
        return [*fit.precisions]
    if rule == "finite":
        return [fit.finite]
    return [getattr(fit.execution, rule)]


def _met(rule: str, asked: JsonValue, answer: JsonValue) -> bool:
    """Tell whether what a fit records, None where it records nothing, is what is asked for."""
    if answer is None:
        return False
    if rule == "effective_batch" and isinstance(asked, list):
        low, high = asked
        return bool(low <= answer <= high)  # type: ignore[operator]
    if isinstance(asked, list):
        return answer in asked
    return (rule, asked) == ("device", "any") or bool(answer == asked)


def _require_known_origin(run: RunRecord) -> None:
    """Raise EvidenceError for imported predictions: of their data and splits nothing is known."""
    if run.metrics.data.data_sha256 is None:
        raise EvidenceError(
            "imported predictions do not show how, when and on which data they were made",
            where=str(run.folder),
            mend="judge them without a register, with compare-cv-runs",
        )


def _misnamed(run: RunRecord) -> str | None:
    """Return how a folder's name, config and metrics contradict one another, None if they agree."""
    config, metrics = read_json(run.folder / "config.json"), run.metrics
    if metrics.config != config:
        return "config.json is not the config that the metrics are of"
    identity = run_identity(
        config,
        data=str(metrics.data.data_sha256),
        splits=str(metrics.data.splits_sha256),
        code=metrics.code_revision,
        versions=numeric_versions(metrics.versions),
    )
    name = run_folder_name(str(config["name"]), identity)
    if run.folder.name != name:
        return f"a run of this config, data, splits, code and packages would be named {name}"
    return None
