"""The tables of a study: its arms in rows with their agreement, and the checks of its gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from essay_scoring.records.judgements import CheckResult, Gate
from essay_scoring.records.study_results import BriefSummary, StudyRecord, StudyRun
from essay_scoring.reports.table_cells import Column, ReportTable, cell_text

ARM_COLUMNS = (
    Column("arm", "text"),
    Column("mean QWK", "spread"),
    Column("pooled QWK [95%]", "interval"),
    Column("worst prompt"),
    Column("bottom k"),
    Column("low tail"),
    Column("high tail"),
    Column("MAE"),
)
CHECK_COLUMNS = (
    Column("check", "text"),
    Column("kind", "text"),
    Column("threshold", "threshold"),
    Column("delta [95%]", "judged", signed=True),
    Column("n", "count"),
    Column("result", "text"),
)
COST_COLUMNS = (
    Column("seconds", "count"),
    Column("peak MiB", "count"),
    Column("command", "text"),
)
_NO_COSTS = [None] * len(COST_COLUMNS)
HEADER = tuple(column.title for column in ARM_COLUMNS)
CHECK_HEADER = tuple(column.title for column in CHECK_COLUMNS)


@dataclass(frozen=True)
class Section:
    """The rows of one scheme, each with its mark: `baseline`, `own` (decided for) or nothing."""

    scheme: str
    n: int
    rows: list[list[str]]
    marks: list[str]


def sections(study: StudyRecord) -> list[Section]:
    """Return one section per scheme: baselines of the reference first, then the arms as run."""
    schemes = dict.fromkeys(run.scheme for run in study.runs)
    return [
        Section(
            scheme, _essays(study, scheme), arms_table(study, scheme).texts, _marks(study, scheme)
        )
        for scheme in schemes
    ]


def arms_table(study: StudyRecord, scheme: str, *, costs: bool = False) -> ReportTable:
    """Return the table of the arms under a scheme, one row a run.

    `costs` adds the seconds and the most memory that its fits took, and the command of each run;
    what an earlier version did not record is missing.
    """
    columns = (*ARM_COLUMNS, *COST_COLUMNS) if costs else ARM_COLUMNS
    rows: list[list[Any]] = []
    runs = [run for run in study.runs if run.scheme == scheme]
    names = [run.arm for run in runs]
    for run in runs:
        for name, summary in run.baselines.items():
            rows.append([*_summary_cells(f"baseline: {name}", summary), *_NO_COSTS])
        seed = f", seed {run.seed}" if names.count(run.arm) > 1 else ""
        name = f"{run.role}: {run.arm}{seed}"
        rows.append([*_summary_cells(name, run.summary), *_cost_cells(run)])
    caption = f"Arms under {scheme}, {_essays(study, scheme)} essays"
    return ReportTable(f"arms-{scheme}", caption, columns, [row[: len(columns)] for row in rows])


def summary_row(name: str, summary: Any) -> list[str]:
    """Return the cells of one arm as text; `summary` is a run's, whole or brief."""
    cells = zip(ARM_COLUMNS, _summary_cells(name, BriefSummary.of(summary)), strict=True)
    return [cell_text(column, cell) for column, cell in cells]


def check_row(check: CheckResult) -> list[str]:
    """Return the cells of one check of a gate as text."""
    cells = zip(CHECK_COLUMNS, _check_cells(check), strict=True)
    return [cell_text(column, cell) for column, cell in cells]


def checks_table(gates: Sequence[Gate]) -> ReportTable:
    """Return one row for each check of each gate, with the arm, the plan and the verdict."""
    before = (Column("arm", "text"), Column("plan", "text"), Column("verdict", "text"))
    after = (Column("p, gate", "p"), Column("p, among all candidates", "p"))
    family = any(gate.family for gate in gates)
    rows = []
    for gate in gates:
        told = [gate.family.p, gate.family.adjusted_p] if gate.family else [None, None]
        for check in gate.checks:
            cells = [gate.arm, gate.plan, gate.verdict, *_check_cells(check)]
            rows.append(cells + told if family else cells)
    columns = (*before, *CHECK_COLUMNS, *(after if family else ()))
    return ReportTable("checks", "Checks of the gates", columns, rows)


def _summary_cells(name: str, summary: BriefSummary) -> list[Any]:
    overall, worst = summary.overall, summary.worst_prompt
    folds, pooled = summary.mean_over_folds["qwk"], overall["qwk"]
    return [
        name,
        (folds.mean, folds.std),
        (pooled.estimate, pooled.low, pooled.high),
        worst.qwk if worst else None,
        summary.bottom_k_mean,
        *(overall[key].estimate for key in ("low_tail_adjacent", "high_tail_adjacent", "mae")),
    ]


def _cost_cells(run: StudyRun) -> list[Any]:
    peak, command = run.peak_mib, run.command
    return [
        round(run.seconds),
        None if peak is None else round(peak),
        None if command is None else f"`{command}`",
    ]


def _check_cells(check: CheckResult) -> list[Any]:
    return [
        check.metric,
        check.kind,
        check.threshold,
        (check.delta, check.low, check.high, check.threshold),
        check.n,
        check.result,
    ]


def _marks(study: StudyRecord, scheme: str) -> list[str]:
    """Return the mark of each row of the arms, in the order of `arms_table`."""
    marks = []
    for run in study.runs:
        if run.scheme == scheme:
            marks += ["baseline"] * len(run.baselines)
            marks.append("own" if run.run == study.decided_run else "")
    return marks


def _essays(study: StudyRecord, scheme: str) -> int:
    """Return how many essays the runs of a scheme have."""
    return next(int(run.summary.n) for run in study.runs if run.scheme == scheme)
