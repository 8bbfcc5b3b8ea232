"""The decision record of a study: question, evidence, verdicts, outcome, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from essay_scoring.core.number_text import number
from essay_scoring.records.judgements import Demand, Gate
from essay_scoring.records.search import TuningRecord
from essay_scoring.records.study_results import (
    ChecklistItem,
    PlanInForce,
    StudyRecord,
)
from essay_scoring.reports.comparison_report import table_blocks
from essay_scoring.reports.comparison_tables import seeds, tests, worst_prompts
from essay_scoring.reports.search_tables import text
from essay_scoring.reports.study_table import CHECK_HEADER, HEADER, check_row, sections
from essay_scoring.reports.table_cells import Column, ReportTable, markdown_table

VERDICTS = {
    "proceed": "Proceed with",
    "defer": "Defer: keep",
    "inconclusive": "Inconclusive: keep",
}
CONSEQUENCES = {
    "proceed": "Continue with the arm decided for.",
    "defer": "Keep the reference, and defer the candidates.",
    "inconclusive": "Keep the reference until the evidence named above is valid and decided.",
}


def decision_record(study: StudyRecord) -> str:
    """Return the Markdown of a decision; every number in it stands in study.json."""
    parts = [_front_matter(study), f"# {study.name}: {study.outcome}"]
    parts += ["## Question", study.question, "## Evidence", *_evidence(study)]
    parts += ["## Verdicts", *table_blocks([order_table(study)], level=3)]
    parts += [_verdict(gate) for gate in study.gates]
    parts += standing_lines(study)
    parts += ["## What was invalid, and why", *_invalid(study)]
    parts += ["## Power", *(_power(plan) for plan in study.plans)]
    if study.tuning:
        parts += ["## Tuning", tuning_line(study.tuning)]
    parts += ["## Outcome", f"**{study.outcome}**. {study.reason}"]
    parts += ["## Consequences", consequence(study)]
    parts += ["## Review checklist", "\n".join(map(_box, study.checklist))]
    parts += ["## Runs", _runs(study)]
    return "\n\n".join(parts) + "\n"


def verdict(study: StudyRecord) -> str:
    """Return the outcome in a few words."""
    return f"{VERDICTS[study.outcome]} {study.decided_arm}"


def consequence(study: StudyRecord) -> str:
    """Return what follows from the outcome."""
    said = CONSEQUENCES[study.outcome]
    if study.outcome != "proceed":
        return said
    if study.tuning:
        return f"{said} Its one tuning round is done: no more is tuned on these prompts."
    return f"{said} One constrained tuning round may follow; this study has none."


def tuning_line(tuning: TuningRecord) -> str:
    """Return in a few sentences what was tuned, on which budget, and what that is worth."""
    said = (
        f"`{tuning.search}` tried {tuning.tried} of {tuning.trials} configurations of "
        f"'{tuning.arm}' ({tuning.mode}, by {tuning.objective}), varying "
        f"{', '.join(tuning.space)}."
    )
    if tuning.params is None:
        return f"{said} None kept its guardrails."
    chosen = ", ".join(f"{name} = {text(value)}" for name, value in tuning.params.items())
    if tuning.expected_drop is None:
        return f"{said} Selected: {chosen}."
    return (
        f"{said} Selected, on the folds it is judged on: {chosen}. By as much as "
        f"{number(tuning.expected_drop)} its {tuning.figure} is expected to fall on prompts "
        "that did not select it."
    )


def standing_lines(study: StudyRecord) -> list[str]:
    """Return which arms are not told apart, and what the one decided for owes to luck."""
    lines = []
    groups = [group for group in study.tied if len(group) > 1]
    if groups:
        named = "; ".join(", ".join(f"'{name}'" for name in group) for group in groups)
        lines.append(
            f"Not told apart in pooled QWK, pair by pair and without a correction: {named}."
        )
    luck = study.luck
    if luck and luck.drop["mean_qwk"] is not None and luck.expected["mean_qwk"] is not None:
        lines.append(
            f"Had '{study.decided_arm}' been selected as the best of {luck.candidates} by mean "
            f"QWK, {number(luck.drop['mean_qwk'])} of its {number(luck.apparent['mean_qwk'])} "
            f"would be luck: {number(luck.expected['mean_qwk'])} is expected elsewhere, and "
            f"{luck.reselected:.0%} of resamples select it again."
        )
    return lines


def order_table(study: StudyRecord) -> ReportTable:
    """Return the arms in the order they were taken, with how each ended and why."""
    columns = (Column("arm", "text"), Column("role", "text"), Column("ended", "text"))
    rows = []
    for arm in study.arms:
        ending = arm.ending or "shown"
        why = arm.reason or arm.unstable
        rows.append([arm.arm, arm.role, ending.replace("_", " "), why])
    return ReportTable("order", "The order", (*columns, Column("why", "text")), rows)


def _front_matter(study: StudyRecord) -> str:
    plans = sorted(f"{plan.name}@{plan.sha256[:12]}" for plan in study.plans)
    git = study.git
    return "\n".join(
        [
            "---",
            f"id: {study.folder}",
            f"date: {study.date}",
            "status: recorded",
            f"outcome: {study.outcome}",
            f"decided_run: {study.decided_run}",
            f"plans: [{', '.join(plans)}]",
            f"runs: [{', '.join(run.run for run in study.runs)}]",
            f"data_sha256: {study.data.data_sha256}",
            f"splits_sha256: {study.data.splits_sha256}",
            f"code_revision: {study.code_revision[:12]}",
            f"git: {git.commit}{' (dirty)' if git.dirty else ''}",
            "---",
        ]
    )


def _evidence(study: StudyRecord) -> list[str]:
    """Return the arms of each scheme, then what was tested of them."""
    parts = []
    for section in sections(study):
        parts.append(
            f"`{section.scheme}`, {section.n} essays, mean over folds ± population standard "
            "deviation; intervals are 95%, prompts as units."
        )
        parts.append(markdown_table(HEADER, section.rows))
    for one in study.comparisons:
        made = [worst_prompts(one), tests(one), seeds(one)]
        parts += table_blocks([table for table in made if table.rows], level=3)
    return parts


def _verdict(gate: Gate) -> str:
    """Return one gate's verdict with its checks, or that its evidence is invalid."""
    head = (
        f"### {gate.arm}, gate `{gate.plan}`: {gate.verdict}\n\n"
        f"Rule `{gate.rule}`, scheme `{gate.scheme}`, plan `{gate.plan_sha256[:12]}`."
    )
    if gate.verdict == "invalid":
        return f"{head}\n\nInvalid evidence: {gate.reason}"
    rows = [check_row(check) for check in gate.checks]
    parts = [head, markdown_table(CHECK_HEADER, rows)]
    parts += [f"{gate.family.line()}."] if gate.family else []
    parts += [f"{difference.line()}." for difference in gate.differences]
    parts += [_rules(run, met) for run, met in gate.evidence.items() if met]
    return "\n\n".join(parts)


def _rules(run: str, met: Sequence[Demand]) -> str:
    """Return how a run answers the evidence rules of its plan."""
    answers = ", ".join(
        f"{answer.rule.replace('_', ' ')} {_values(answer.answers)}" for answer in met
    )
    return f"Evidence of `{run}`: {answers}."


def _values(values: Sequence[object]) -> str:
    words = {True: "yes", False: "no"}
    return ", ".join(words[v] if isinstance(v, bool) else str(v) for v in values)


def _invalid(study: StudyRecord) -> list[str]:
    """Return every gate and every attempt that came to nothing, with the folders to look in."""
    rows = [
        f"- '{gate.arm}', gate `{gate.plan}` (runs {_folders(gate.candidate_runs)}): {gate.reason}"
        for gate in study.gates
        if gate.verdict == "invalid"
    ]
    rows += [
        f"- attempt {one.entry}, `{one.run}`, started {one.started}, refused since "
        f"{one.time} under `{one.plan}`: {one.reason}"
        for one in study.attempts
    ]
    return ["\n".join(rows)] if rows else ["Nothing was."]


def _folders(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) if names else "none"


def _power(plan: PlanInForce) -> str:
    return f"`{plan.name}`, registered {plan.registered.time}: {plan.power}"


def _box(item: ChecklistItem) -> str:
    return f"- [{'x' if item.met else ' '}] {item.item}: {item.evidence}"


def _runs(study: StudyRecord) -> str:
    return "\n".join(
        f"- `{run.run}` ({run.role}, `{run.scheme}`, seed {run.seed}), manifest "
        f"`{run.manifest_sha256[:12]}`"
        for run in study.runs
    )
