"""Commands that run elsewhere: launch, and remote status, logs, cancel, fetch, run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from essay_scoring.cli.expected import expects
from essay_scoring.cli.help_pages import GroupedCommands, Panel, PlainCommand
from essay_scoring.cli.options import RUNS, Overrides, RunsFolder

if TYPE_CHECKING:
    from essay_scoring.launch.remote import Remote
    from essay_scoring.launch.scripts import Order

app = typer.Typer(
    cls=GroupedCommands,
    help="Launched runs: status, logs, cancel, fetch; and run, for any command on the host.",
    no_args_is_help=True,
)

ProfileFile = Annotated[
    Path,
    typer.Option(
        "--profile",
        callback=expects("profile"),
        envvar="ESSAY_SCORING_PROFILE",
        help="A host profile: configs/profiles/*.toml.",
    ),
]
RunName = Annotated[str, typer.Argument(help="The run folder's name, as launch printed it.")]


def add_to(app: typer.Typer) -> None:
    """Add the command that is not one of `remote`."""
    app.command("launch", cls=PlainCommand, rich_help_panel=Panel.ELSEWHERE)(launch)


def launch(
    config: Annotated[
        Path,
        typer.Argument(
            callback=expects("config", "study", "search"),
            help="A TOML run config, a config.json, a study or a search.",
        ),
    ],
    profile: ProfileFile,
    overrides: Overrides = None,
    plan: Annotated[
        list[Path] | None,
        typer.Option(
            callback=expects("plan"),
            help="A gate plan whose hash goes into the receipt. Repeatable.",
        ),
    ] = None,
    array: Annotated[
        bool,
        typer.Option("--array/--no-array", help="Slurm: a job for each fold, seed and baseline."),
    ] = False,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Slurm: jobs that share the trials of a search.")
    ] = 4,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print exactly what would run there, and do nothing.")
    ] = False,
) -> None:
    """Start a run on another machine, detached, once every check of the preflight holds there.

    Prints the run's name. The host gets RUNS/<run>/ with receipt.json. A study becomes one graph
    of Slurm jobs: columns, fits, joins, and the judgement; a search columns, and workers on one
    storage. Exits 2 when a check failed, 5 when the
    run is live there. The same command resumes what crashed, doing only what is not done.
    """
    from essay_scoring.launch import launching

    asked = _Asked(config, overrides or [], plan or [], array, workers)
    order, plans = _ordered(asked, profile)
    if dry_run:
        typer.echo(launching.dry_run(order), nl=False)
        return
    launched = launching.launch(order, plans)
    if launched.jobs is None:
        typer.echo(f"complete on {order.profile.where}: {launched.run}")
    else:
        typer.echo(f"launched on {order.profile.where} ({launched.jobs}): {launched.run}")
    typer.echo(f"next: essay-scoring remote fetch {launched.run} --profile {profile}")


class _Asked(NamedTuple):
    """What a launch is asked to start."""

    config: Path
    overrides: list[str]
    plans: list[Path]
    array: bool
    workers: int


def _ordered(asked: _Asked, profile: Path) -> tuple[Order, dict[str, str]]:
    """Return what a config, study or search asks for, and the hashes of the gate plans by name."""
    from essay_scoring.core.errors import InputError
    from essay_scoring.judging.plans import load_plan
    from essay_scoring.judging.study_plan import load_study
    from essay_scoring.launch import launching
    from essay_scoring.launch.profile import load_profile
    from essay_scoring.records.config import load_run_config
    from essay_scoring.records.kinds import kind_of
    from essay_scoring.records.search_settings import load_search

    host, (config, overrides, plans, array, workers) = load_profile(profile), asked
    kind = kind_of(config)
    if kind not in ("study", "search"):
        order = launching.order_of(load_run_config(config, overrides), host, array=array)
        return order, {each.name: each.sha256 for each in map(load_plan, plans)}
    if plans:
        raise InputError(
            "a study names its plans itself, and a search has none",
            where="--plan",
            mend="leave it out",
        )
    if kind == "search":
        search = load_search(config, overrides)
        return launching.search_order_of(search, overrides, host, workers), {}
    study = load_study(config, overrides)
    order = launching.study_order_of(study, overrides, host)
    return order, {plan.name: plan.sha256 for plan in study.distinct_plans}


@app.command(cls=PlainCommand)
def status(run: RunName, profile: ProfileFile) -> None:
    """Say how a launched run stands, from the scheduler or what its driver recorded.

    One of queued, running, complete, failed, cancelled, killed; of a study also its graph, each
    step with its tasks done and what Slurm says of it. Writes nothing.
    """
    from essay_scoring.launch.launch_state import graph_rows, state_of

    remote = _remote(profile, run)
    seen = remote.observed()
    typer.echo(state_of(seen, remote.profile.where).line())
    if seen.steps:
        rows = graph_rows(seen)
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            typer.echo("  ".join(cells).rstrip())


@app.command(cls=PlainCommand)
def logs(
    run: RunName,
    profile: ProfileFile,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until the run ends, then say how.")
    ] = False,
    step: Annotated[
        str, typer.Option(help="Of a study: the log of this step, or of a task of it, STEP/TASK.")
    ] = "",
) -> int:
    """Print the driver's log. With --follow, exits 0 if the run completed, 4 if it did not."""
    from essay_scoring.core.errors import InputError

    remote = _remote(profile, run)
    if follow and step:
        raise InputError("only the whole launch is followed", where="--follow", mend="omit --step")
    if follow:
        state = remote.follow(_write)
        typer.echo(state.line(), err=True)
        return 0 if state.word == "complete" else 4
    text = remote.log(step=step)
    if text is None:
        raise InputError("it has no log", where=run, mend="see: essay-scoring remote status")
    _write(text)
    return 0


@app.command(cls=PlainCommand)
def cancel(run: RunName, profile: ProfileFile) -> None:
    """End a launched run and wait until it has ended. What it finished is kept, to resume from."""
    typer.echo(f"{run}: {_remote(profile, run).cancel()}")


@app.command(cls=PlainCommand)
def fetch(run: RunName, profile: ProfileFile, runs_dir: RunsFolder = RUNS) -> None:
    """Copy a finished run folder here and verify its manifest: RUNS/<run>/, whole or not at all.

    Of a study it is RUNS/studies/<study>/, with every run that it rests on.

    Exits 5 while the run goes on, 4 if it did not complete or the copy is not intact.
    """
    from essay_scoring.launch.fetching import fetch as fetch_run

    typer.echo(f"run: {fetch_run(_remote(profile, run), runs_dir)}")


@app.command(cls=PlainCommand, context_settings={"ignore_unknown_options": True})
def run(
    profile: ProfileFile,
    command: Annotated[
        list[str] | None, typer.Argument(help="A command and its arguments, after --.")
    ] = None,
    shell: Annotated[
        str | None, typer.Option(help="A bash script to run instead.", metavar="SCRIPT")
    ] = None,
    inside: Annotated[
        bool, typer.Option("--inside", help="In the container, with the program's environment.")
    ] = False,
) -> int:
    """Run any command in the working folder on the host, its arguments untouched.

    Exits with the command's exit code; 255 when the host is not reached.
    """
    from essay_scoring.core.errors import InputError
    from essay_scoring.launch.profile import load_profile
    from essay_scoring.launch.remote import run_there

    if (shell is None) == (not command):
        raise InputError("give either a command after -- or --shell", where="remote run")
    argv = command if shell is None else ["bash", "-c", shell]
    sys.stdout.flush()
    return run_there(load_profile(profile), argv or [], inside=inside)


def _remote(profile: Path, run: str) -> Remote:
    from essay_scoring.launch.profile import load_profile
    from essay_scoring.launch.remote import Remote

    return Remote(load_profile(profile), run)


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
