"""What commands print when they are done: the figures, then where to read on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from essay_scoring.cli.options import models_folder
from essay_scoring.core.number_text import number, with_interval
from essay_scoring.records.manifest import VIEWS
from essay_scoring.reports.study_table import CHECK_HEADER, HEADER, check_row, sections, summary_row
from essay_scoring.reports.table_cells import plain_table
from essay_scoring.reports.traits_report import traits_table
from essay_scoring.reports.words import TRANSDUCTIVE, size_on_disk
from essay_scoring.statistics.slices import constant_prompts

if TYPE_CHECKING:
    from essay_scoring.judging.compare_runs import Judgement
    from essay_scoring.judging.timestamps import Timestamp
    from essay_scoring.records.finished_run import RunRecord
    from essay_scoring.records.judgements import (
        CandidatesRecord,
        Gate,
        IdentityDifference,
        Registration,
    )
    from essay_scoring.records.listed import Listed
    from essay_scoring.records.study_results import StudyRecord
    from essay_scoring.records.trait_results import TraitsRecord
    from essay_scoring.runs.session import RunStanding
    from essay_scoring.statistics.comparison import Delta


def print_run(run: RunRecord) -> None:
    """Print a run's agreement beside its baselines, and its report."""
    metrics, folder = run.metrics, run.folder
    arms = {f"baseline: {name}": other for name, other in metrics.baselines.items()}
    arms[metrics.run.name] = metrics.summary
    rows = [summary_row(name, summary) for name, summary in arms.items()]
    typer.echo(
        f"{metrics.run.scheme}, {metrics.data.n} essays, {metrics.data.n_prompts} prompts, "
        f"mapping {metrics.mapping.name}\n"
    )
    typer.echo(plain_table(HEADER, rows))
    for note in _notes(run):
        typer.echo(f"note: {note}")
    typer.echo(f"\nrun: {folder}\nreport: {folder / VIEWS / 'report.html'}")


def _notes(run: RunRecord) -> list[str]:
    """Return what a reader of a run's figures should know: other mappings, what has no figure."""
    summary, told = run.metrics.summary, []
    if run.metrics.transductive:
        told.append(f"transductive: {TRANSDUCTIVE}")
    if run.mapping != "round_half_band":
        final, rounded = summary.mappings["final"], summary.mappings["round_half_band"]
        told.append(
            f"pooled QWK {_figure(final['qwk'])} by {run.mapping}, {_figure(rounded['qwk'])} with "
            "predictions rounded to the nearest score"
        )
    without = [str(row.fold) for row in summary.folds if row.qwk is None]
    if without:
        told.append(
            f"mean QWK is over {len(summary.folds) - len(without)} of {len(summary.folds)} folds: "
            f"fold {', '.join(without)} has none, as all its scores are one"
        )
    constant = constant_prompts(run.predictions)
    if constant:
        named = ", ".join(repr(name[:40]) for name in constant[:5])
        told.append(
            f"raters gave one score throughout to {len(constant)} of {summary.n_prompts} prompts "
            f"({named}): QWK there is 0 or undefined, whatever is predicted"
        )
    return told


def _figure(value: float | None) -> str:
    return "undefined" if value is None else number(value)


def print_judgement(judgement: Judgement) -> None:
    """Print each check of a gate, and the verdict."""
    plan, verdict = judgement.plan, judgement.verdict
    typer.echo(f"{plan.question}\n")
    rows = [check_row(check) for check in verdict.findings]
    typer.echo(plain_table(CHECK_HEADER, rows))
    typer.echo(
        f"\ngate {plan.name} ({plan.rule}, {plan.sha256[:12]}): {verdict.outcome}, "
        f"decision {verdict.decision}"
    )
    _print_noise(plan.rule, [check.within_noise for check in verdict.findings])
    _print_differences(judgement.differences)


def print_registration(registration: Registration) -> None:
    """Print since when a plan is registered, and for which data and splits."""
    typer.echo(
        f"plan {registration.plan} ({registration.plan_sha256[:12]}) registered "
        f"{registration.time}, entry {registration.entry}, for data "
        f"{registration.data_sha256[:12]} and splits {registration.splits_sha256[:12]}"
    )
    if registration.amends is not None:
        said = {True: "yes", False: "no", None: "not said"}[registration.results_seen]
        typer.echo(f"amends {registration.amends[:12]}; results had been seen: {said}")


def print_timestamp(stamp: Timestamp) -> None:
    """Print when an authority saw the line of a registration, and how others can check that."""
    typer.echo(
        f"timestamp: {stamp.time:%Y-%m-%d %H:%M:%S} UTC, {stamp.path}\n"
        f"to check it: openssl ts -verify -digest {stamp.digest} -in {stamp.path} "
        "-CAfile THE_AUTHORITY.pem"
    )


def print_comparison(record: CandidatesRecord) -> None:
    """Print the gate of each candidate, then the tests of all of them."""
    from essay_scoring.reports.comparison_report import UNREGISTERED
    from essay_scoring.reports.comparison_tables import tests

    typer.echo(f"{record.question}\n")
    for gate in record.gates:
        _print_gate(gate)
    for compared in record.comparisons:
        table = tests(compared)
        typer.echo(f"{table.caption}\n{plain_table(table.header, table.texts)}\n")
    typer.echo(UNREGISTERED)


def print_study(folder: Path, study: StudyRecord) -> None:
    """Print a study's table, verdicts, decision and report."""
    typer.echo(f"{study.question}\n")
    for section in sections(study):
        typer.echo(f"{section.scheme}, {section.n} essays")
        typer.echo(plain_table(HEADER, section.rows) + "\n")
    for gate in study.gates:
        _print_gate(gate)
    for arm in study.arms:
        if arm.reason:
            not_run = "not run: " if arm.ending == "not_run" else ""
            typer.echo(f"{arm.arm} {not_run}{arm.reason}")
    typer.echo(f"decision: {study.outcome}. {study.reason}")
    typer.echo(f"record: {folder / 'decision.md'}\nreport: {folder / VIEWS / 'report.html'}")


def print_traits(folder: Path, record: TraitsRecord) -> None:
    """Print the decision for each trait, the arms by trait, and the report."""
    for study in record.studies:
        typer.echo(f"{study.trait}: {study.outcome}, for {study.decided_arm}")
    table = traits_table(record)
    typer.echo(f"\n{table.caption}\n{plain_table(table.header, table.texts)}")
    typer.echo(f"\nreport: {folder / VIEWS / 'report.html'}")


def _print_gate(gate: Gate) -> None:
    """Print the verdict of a gate with its checks, or why its evidence is invalid."""
    typer.echo(f"{gate.arm}, gate {gate.plan}: {gate.verdict}")
    if gate.reason:
        typer.echo(f"  {gate.reason}\n")
        return
    typer.echo(plain_table(CHECK_HEADER, [check_row(check) for check in gate.checks]))
    _print_noise(gate.rule, [check.within_noise for check in gate.checks])
    if gate.family:
        typer.echo(gate.family.line())
    _print_differences(gate.differences)
    typer.echo("")


def _print_differences(differences: Sequence[IdentityDifference]) -> None:
    """Print in what else than settings two arms differ."""
    for difference in differences:
        typer.echo(difference.line())


def _print_noise(rule: str, within: list[bool]) -> None:
    """Print how many thresholds a point rule might as well have decided otherwise."""
    if rule == "point" and any(within):
        typer.echo(
            f"{sum(within)} of {len(within)} thresholds lie inside the 95% interval of their delta"
        )


def print_final(folder: Path) -> None:
    """Print the locked test's figures of both runs, and their paired differences."""
    from essay_scoring.core.record import read_record
    from essay_scoring.records.locked_test import FinalTest

    final = read_record(FinalTest, folder / "artifacts" / "final_test.json")
    typer.echo(f"locked test, {final.n} essays, opened because: {final.reason}\n")
    arms = {"decided": final.decided, "reference": final.reference}
    rows = [
        summary_row(f"{role}: {arm.run}", arm.summary)
        for role, arm in arms.items()
        if arm is not None
    ]
    typer.echo(plain_table(HEADER, rows))
    if final.comparison is not None:
        typer.echo("\ndecided minus reference, paired (95%)")
        for delta in final.comparison.rows:
            typer.echo(f"{delta.metric:<20} {_delta_text(delta)}  n={delta.n}")
    typer.echo(f"\nrun: {folder}")


def _delta_text(delta: Delta) -> str:
    """Return a difference with its interval, as far as there is one."""
    if delta.estimate is None:
        return "-"
    if delta.low is None:
        return number(delta.estimate, sign=True)
    return with_interval(delta.estimate, delta.low, delta.high, sign=True)


def print_status(status: RunStanding) -> None:
    """Print how a run stands, and how to go on with one that stopped."""
    said, progress = status.said, status.progress
    typer.echo(f"{status.state}, stage {said.stage}, last heard {said.heartbeat}")
    if progress is not None:
        typer.echo(f"{progress.stage}: {progress.done}/{progress.total} {progress.unit}")
    if failure := status.failure:
        typer.echo(f"{failure.type}: {failure.message}")
    if status.state in ("interrupted", "failed", "killed"):
        typer.echo(f"to resume: {said.resume}")


def list_again(runs: Path, models: Path | None = None) -> None:
    """Write the index page of a runs folder anew, with the models where they lie."""
    from essay_scoring.reports.runs_index import listed_again

    listed_again(runs, models_folder() if models is None else models)


def print_listing(entries: Sequence[Listed], runs: Path, models: Path) -> None:
    """Print what lies in a runs folder and a models folder, one line each."""
    from essay_scoring.reports.runs_index import mae, minute, qwk

    if not entries:
        typer.echo(f"nothing of that kind in {runs} or {models}")
        return
    rows = [
        (
            entry.kind,
            entry.name,
            minute(entry),
            f"{entry.state}: {entry.stage}" if entry.stage else entry.state,
            _what(entry),
            qwk(entry),
            mae(entry),
            size_on_disk(entry.bytes),
            ", ".join(entry.tags) or "-",
            entry.note or "-",
        )
        for entry in entries
    ]
    header = ("kind", "name", "date", "state", "what", "QWK [95%]", "MAE", "size", "tags", "note")
    typer.echo(plain_table(header, rows))
    for entry in entries:
        if entry.problem:
            typer.echo(f"{entry.name}: {entry.problem}")


def _what(entry: Listed) -> str:
    """Return in short what an entry is: a decision, or a scorer and how essays were held out."""
    if entry.kind == "study" and entry.outcome:
        return f"{entry.outcome} for {entry.method}"
    said = (entry.method, entry.scheme, entry.outcome, entry.about)
    shown = said if entry.kind in ("search", "final-test", "model") else said[:3]
    return ", ".join(filter(None, shown)) or "-"
