"""Commands that judge: compare-cv-runs and study. Their exit codes are the verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from essay_scoring.cli.options import (
    CACHE,
    RUNS,
    CacheFolder,
    DataFolder,
    RunsFolder,
    resume_command,
    workspace,
)

_VERDICT_CODES = {"pass": 0, "fail": 3, "inconclusive": 4}
_OUTCOME_CODES = {"proceed": 0, "defer": 3, "inconclusive": 4}


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("compare-cv-runs")(compare_cv_runs)
    app.command("study")(study)


def compare_cv_runs(
    reference: Annotated[Path, typer.Argument(help="The reference's run folder.")],
    candidate: Annotated[Path, typer.Argument(help="The candidate's run folder.")],
    plan: Annotated[Path, typer.Option(help="A gate plan under configs/gates/.")],
    out: Annotated[Path | None, typer.Option(help="Also write the judgement as JSON.")] = None,
) -> int:
    """Judge a candidate against a reference by a gate plan.

    Prints each delta with its 95% interval. Exits 0 when the gate passed, 3 when it failed, 4 when
    the evidence is invalid or undecided. Writes nothing but --out.
    """
    from essay_scoring.cli.display import print_judgement
    from essay_scoring.core.files import write_json
    from essay_scoring.evaluation.plans import load_plan
    from essay_scoring.experiments.compare_runs import judge_runs, read_run

    gate = load_plan(plan)
    judgement = judge_runs(read_run(reference), read_run(candidate), gate)
    print_judgement(judgement)
    if out is not None:
        write_json(
            out,
            {
                "plan": gate.name,
                "plan_sha256": gate.sha256,
                "reference": reference.name,
                "candidate": candidate.name,
                "verdict": judgement.verdict.to_json(),
                "comparison": judgement.comparison.to_json(),
            },
        )
    return _VERDICT_CODES[judgement.verdict.outcome]


def study(
    file: Annotated[Path, typer.Argument(help="A study under configs/studies/.")],
    exit_zero: Annotated[
        bool, typer.Option("--exit-zero", help="Exit 0 once a decision is recorded.")
    ] = False,
    record: Annotated[
        Path | None, typer.Option(help="Also write the decision record to this file.")
    ] = None,
    results: Annotated[
        Path | None, typer.Option(help="Also write the figures of the tables as small JSON.")
    ] = None,
    runs_dir: RunsFolder = RUNS,
    cache_dir: CacheFolder = CACHE,
    data_dir: DataFolder = None,
) -> int:
    """Run the arms of a study that are missing, judge the candidates in order, record a decision.

    Writes the arms' run folders and RUNS/studies/<name>-<fingerprint>/: study.json, decision.md,
    report.html. Exits 0 for proceed, 3 for defer, 4 for inconclusive.
    """
    from essay_scoring.cli.display import print_study
    from essay_scoring.cli.progress_display import progress_display
    from essay_scoring.core.files import read_json, write_json, write_text
    from essay_scoring.experiments.study import Reporters, StudyRunner
    from essay_scoring.experiments.study_plan import load_study
    from essay_scoring.reports.run_reports import write_run_reports
    from essay_scoring.reports.study_reports import write_study_reports
    from essay_scoring.reports.study_table import extract

    runner = StudyRunner(
        load_study(file),
        workspace(runs_dir, cache_dir, data_dir),
        progress_display(),
        reporters=Reporters(write_run_reports, write_study_reports),
        resume=resume_command(),
    )
    folder = runner.run()
    print_study(folder)
    if record is not None:
        write_text(record, (folder / "decision.md").read_text(encoding="utf-8"))
    found = read_json(folder / "study.json")
    if results is not None:
        write_json(results, extract(found))
    return 0 if exit_zero else _OUTCOME_CODES[found["outcome"]]
