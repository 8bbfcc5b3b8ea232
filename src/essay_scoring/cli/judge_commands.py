"""Commands that judge: register, judge, compare-cv-runs, study; and tables of what they found.

Exit codes are the verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from essay_scoring.cli.expected import expects
from essay_scoring.cli.help_pages import Panel, PlainCommand
from essay_scoring.cli.options import (
    CACHE,
    RUNS,
    CacheFolder,
    DataFolder,
    RunsFolder,
    Step,
    StepPart,
    config_workspace,
    resume_command,
    workspace,
)
from essay_scoring.core.errors import InputError

if TYPE_CHECKING:
    from essay_scoring.core.progress import Progress
    from essay_scoring.judging.study_plan import Study
    from essay_scoring.records.workspace import Workspace

PlanFile = Annotated[
    Path, typer.Argument(callback=expects("plan"), help="A gate plan under configs/gates/.")
]
StudyFile = Annotated[
    Path, typer.Argument(callback=expects("study"), help="A study under configs/studies/.")
]
ReferenceRuns = Annotated[
    list[Path],
    typer.Option(
        callback=expects("run"), help="The reference's run folder; repeat it for several seeds."
    ),
]
Out = Annotated[Path | None, typer.Option(help="Also write the judgement as JSON.")]

_BEST_FIRST = ("pass", "inconclusive", "fail")
_VERDICT_CODES = {"pass": 0, "fail": 3, "inconclusive": 4}
_OUTCOME_CODES = {"proceed": 0, "defer": 3, "inconclusive": 4}


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("register", cls=PlainCommand, rich_help_panel=Panel.JUDGE)(register)
    app.command("judge", cls=PlainCommand, rich_help_panel=Panel.JUDGE)(judge)
    app.command("compare-cv-runs", cls=PlainCommand, rich_help_panel=Panel.JUDGE)(compare_cv_runs)
    app.command("study", cls=PlainCommand, rich_help_panel=Panel.JUDGE)(study)
    app.command("tables", cls=PlainCommand, rich_help_panel=Panel.JUDGE)(tables)


def register(
    plan: PlanFile,
    reference: ReferenceRuns,
    results_seen: Annotated[
        bool | None,
        typer.Option(
            "--results-seen/--no-results-seen",
            help="Of a plan edited since it was registered: whether results had been seen.",
        ),
    ] = None,
    prml: Annotated[
        Path | None,
        typer.Option(help="A folder for PRML manifests of the plan, one for each check."),
    ] = None,
    timestamp: Annotated[
        str | None,
        typer.Option(help="A timestamp server's address (RFC 3161), which is sent a hash."),
    ] = None,
    runs_dir: RunsFolder = RUNS,
) -> None:
    """Write a gate plan down before its candidates run.

    Appends plan hash, plan, data and split hashes (the reference's), code revision, git state and
    time to RUNS/plan_register.jsonl, unless the plan stands there for them already. Each line
    holds the hash of the one before; plan_register.head holds the last one's. With --prml it also
    writes PRML/NAME.METRIC-KIND.prml.yaml (application/vnd.prml+yaml), in canonical bytes; with
    --timestamp plan_register.ENTRY.tsr, an authority's word on when the line was there.
    """
    from essay_scoring.cli.display import print_registration, print_timestamp
    from essay_scoring.core.files import write_text
    from essay_scoring.judging.judgement import register_with_runs
    from essay_scoring.judging.plans import load_plan
    from essay_scoring.judging.prml import prml_manifests
    from essay_scoring.judging.register import register_of
    from essay_scoring.judging.timestamps import timestamped

    space = workspace(runs_dir, CACHE, None)
    found = register_with_runs(load_plan(plan), reference, space, results_seen=results_seen)
    print_registration(found)
    typer.echo(f"register: {space.register}")
    if prml is not None:
        for name, text in prml_manifests(found, register_of(space)).items():
            write_text(prml / name, text)
            typer.echo(f"{hashlib.sha256(text.encode()).hexdigest()}  {prml / name}")
    if timestamp is not None:
        print_timestamp(timestamped(found, register_of(space), timestamp))


def judge(
    plan: PlanFile,
    reference: ReferenceRuns,
    candidate: Annotated[
        list[Path],
        typer.Option(
            callback=expects("run"), help="The candidate's run folder; repeat it for several seeds."
        ),
    ],
    out: Out = None,
    runs_dir: RunsFolder = RUNS,
) -> int:
    """Judge a candidate by a plan that was registered before it ran.

    Refuses a plan edited since, a candidate that started earlier, a tree with changes, and runs of
    other data, splits, folds, scheme or mapping. A run that failed, was changed after it ended or
    misses an evidence rule is written to RUNS/attempts.jsonl and refused for ever after, under any
    plan. Exits 0 for proceed, 3 for defer, 4 for invalid evidence or inconclusive.
    """
    from essay_scoring.cli.display import print_judgement, print_registration
    from essay_scoring.core.record import write_record
    from essay_scoring.judging.judgement import judge_folders
    from essay_scoring.judging.plans import load_plan

    space = workspace(runs_dir, CACHE, None)
    judged = judge_folders(load_plan(plan), reference, candidate, space)
    print_judgement(judged.judgement)
    print_registration(judged.registration)
    if out is not None:
        write_record(out, judged.record())
    return _VERDICT_CODES[judged.judgement.verdict.outcome]


def compare_cv_runs(
    reference: Annotated[
        Path, typer.Argument(callback=expects("run"), help="The reference's run folder.")
    ],
    candidates: Annotated[
        list[Path], typer.Argument(callback=expects("run"), help="Run folders of candidates.")
    ],
    plan: Annotated[
        Path, typer.Option(callback=expects("plan"), help="A gate plan under configs/gates/.")
    ],
    out: Out = None,
    report: Annotated[
        Path | None, typer.Option(help="A folder for comparison.md and comparison.html.")
    ] = None,
) -> int:
    """Judge candidates against a reference by a gate plan, without a register.

    Prints each delta with its 95% interval, and tests over folds and prompts, adjusted for several
    candidates. Exits as the best of them: 0 when one passed the gate, 3 when all failed, 4 when
    the evidence is invalid or undecided. Writes nothing but --out and --report. Asks neither when
    the plan was written nor how the runs were made: a decision needs judge.
    """
    from essay_scoring.cli.display import print_comparison
    from essay_scoring.core.record import write_record
    from essay_scoring.judging.comparison_record import compare_candidates
    from essay_scoring.judging.plans import load_plan
    from essay_scoring.records.finished_run import read_run
    from essay_scoring.reports.comparison_report import write_comparison_report

    gate = load_plan(plan)
    record = compare_candidates(read_run(reference), [read_run(run) for run in candidates], gate)
    print_comparison(record)
    if out is not None:
        write_record(out, record)
    if report is not None:
        for path in write_comparison_report(record, report):
            typer.echo(str(path))
    verdicts = {gate.verdict for gate in record.gates}
    return _VERDICT_CODES[next(verdict for verdict in _BEST_FIRST if verdict in verdicts)]


def study(
    file: StudyFile,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Override a setting of every arm that has it, a.b=value. Repeatable.",
            metavar="A.B=VALUE",
        ),
    ] = None,
    trait: Annotated[
        list[str] | None,
        typer.Option(
            help="A column to score instead of the config's own: one study for each, and a table "
            "of all. Repeatable."
        ),
    ] = None,
    exit_zero: Annotated[
        bool, typer.Option("--exit-zero", help="Exit 0 once a decision is recorded.")
    ] = False,
    record: Annotated[
        Path | None, typer.Option(help="Also write the decision record to this file.")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(help="Also write the record to this file, and a picture beside it."),
    ] = None,
    step: Step = None,
    part: StepPart = None,
    runs_dir: RunsFolder = RUNS,
    cache_dir: CacheFolder = CACHE,
    data_dir: DataFolder = None,
) -> int:
    """Run the arms of a study that are missing, judge the candidates in order, record a decision.

    An arm runs only if the ones before it ended as the study says; none can be skipped. Plans are
    registered, and their power said, before any candidate starts. Writes the arms' run folders and
    RUNS/studies/<name>-<fingerprint>/: study.json, decision.md, views/report.html. Exits 0
    for proceed, 3 for defer, 4 for inconclusive or invalid evidence. With --trait also
    RUNS/traits/<name>-<fingerprint>/: traits.json, views/report.html; exits 0 where every trait's
    study proceeds.
    """
    from essay_scoring.cli.progress_display import progress_display
    from essay_scoring.judging.study_plan import load_study

    planned, progress = load_study(file, overrides or ()), progress_display()
    space = workspace(runs_dir, cache_dir, data_dir)
    space = config_workspace(file, planned.corpus, space, data_dir)
    if step is not None:
        return _do_step(planned, space, progress, step, part)
    if trait:
        _require_none(record, results)
        code = _study_of_traits(file, trait, overrides or (), space, progress)
        return 0 if exit_zero else code
    folder = _run_study(planned, space, progress)
    code = _told(folder, record, results)
    return 0 if exit_zero else code


def _told(folder: Path, record: Path | None, results: Path | None) -> int:
    """Print a finished study, list it, write what was asked for; return the exit code."""
    from essay_scoring.cli.display import list_again, print_study
    from essay_scoring.core.files import write_text
    from essay_scoring.records.study_results import read_study
    from essay_scoring.reports.study_figure import write_results

    decided = read_study(folder)
    print_study(folder, decided)
    list_again(folder.parent.parent)
    if record is not None:
        write_text(record, (folder / "decision.md").read_text(encoding="utf-8"))
    if results is not None:
        write_results(results, decided)
    return _OUTCOME_CODES[decided.outcome]


def _require_none(*outputs: Path | None) -> None:
    """Raise InputError for a file of one study where there are several."""
    if any(path is not None for path in outputs):
        raise InputError(
            "--record and --results are of one study",
            where="--trait",
            mend="leave them out; each trait's study is in RUNS/studies",
        )


def _do_step(
    study: Study, space: Workspace, progress: Progress, step: str, part: int | None
) -> int:
    """Do one step of a study, or one task of it."""
    from essay_scoring.api.studying import study_runner
    from essay_scoring.judging.study_steps import StudySteps

    runner = study_runner(study, space, progress, say=typer.echo, resume=resume_command())
    StudySteps(runner).do(step, part)
    return 0


def _run_study(study: Study, space: Workspace, progress: Progress) -> Path:
    """Run a study and return its folder."""
    from essay_scoring.api.studying import conduct_study

    return conduct_study(study, space, progress, say=typer.echo, resume=resume_command())


def _study_of_traits(
    file: Path, traits: list[str], overrides: Sequence[str], space: Workspace, progress: Progress
) -> int:
    """Run a study for each trait, print the table of all, and return the exit code."""
    from essay_scoring.cli.display import print_traits
    from essay_scoring.core.record import read_record
    from essay_scoring.judging.trait_studies import TraitRunner
    from essay_scoring.records.trait_results import TRAITS, TraitsRecord
    from essay_scoring.reports.traits_report import write_traits_views

    runner = TraitRunner(
        space,
        progress,
        run=lambda study: _run_study(study, space, progress),
        report=write_traits_views,
        resume=resume_command(),
    )
    folder = runner.run_all(file, traits, overrides)
    found = read_record(TraitsRecord, folder / TRAITS)
    print_traits(folder, found)
    outcomes = {one.outcome for one in found.studies}
    return max(_OUTCOME_CODES[outcome] for outcome in outcomes)


def tables(
    source: Annotated[
        Path,
        typer.Argument(
            callback=expects("study-folder", "record"),
            help="A study folder, or what judge or compare-cv-runs wrote with --out.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="A folder for the tables.")],
) -> None:
    """Write the tables of a comparison for papers and spreadsheets.

    Writes NAME.csv, with every digit, and NAME.tex, a tabular that needs no package, for each table
    that has rows: arms, checks, deltas, tests, seeds, worst-prompts, mixed-model, covariates.
    """
    from essay_scoring.reports.paper_tables import write_tables

    for path in write_tables(source, out):
        typer.echo(str(path))
