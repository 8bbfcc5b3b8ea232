"""A plan is written down first; whatever was changed since, or ran before, is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.files import read_json, write_text
from essay_scoring.core.progress import Progress
from essay_scoring.judging.judgement import register_with_runs
from essay_scoring.judging.plans import GatePlan
from essay_scoring.judging.register import register_of
from essay_scoring.records import provenance
from essay_scoring.records.config import run_folder_name, run_identity
from essay_scoring.records.provenance import numeric_versions
from essay_scoring.runs.run import open_run
from essay_scoring.runs.session import first_start
from tests.conftest import smoke_config
from tests.judging.registered import (
    METRICS,
    Bench,
    finished,
    plan_of,
    rewritten,
    started,
)

LOOSER = [{"metric": "mean_qwk", "kind": "guardrail", "delta_at_least": -2.0}]


def refusal(bench: Bench, plan: GatePlan) -> str:
    """Return why a candidate is refused; nothing of it may be marked."""
    said = bench.refusal(plan)
    assert not bench.space.attempts.exists()
    return said


def test_a_registered_plan_judges_what_ran_after_it(bench: Bench) -> None:
    plan = plan_of()
    bench.register(plan)
    found = bench.judge(plan)
    assert (found.judgement.verdict.outcome, found.judgement.verdict.decision) == (
        "pass",
        "proceed",
    )
    record = found.record().model_dump(mode="json")
    assert record["registered"]["plan_sha256"] == plan.sha256
    assert record["comparisons"][0]["arms"][0]["runs"] == [bench.candidate.name]
    assert set(record["manifests"]) == {bench.reference.name, bench.candidate.name}
    assert not bench.space.attempts.exists()


def test_the_register_holds_the_whole_plan_and_what_it_is_for(bench: Bench) -> None:
    plan = plan_of()
    bench.register(plan)
    [entry] = register_of(bench.space).entries()
    assert GatePlan.model_validate(entry.frozen_plan) == plan
    data = read_json(bench.reference / METRICS)["data"]
    assert {key: getattr(entry, key) for key in ("data_sha256", "splits_sha256")} == {
        key: data[key] for key in ("data_sha256", "splits_sha256")
    }
    assert entry.code_revision == provenance.code_revision()
    assert list(entry.reference) == [bench.reference.name]
    assert set(entry.git.model_dump()) == {"commit", "dirty"}


def test_a_plan_registered_twice_keeps_its_first_date(bench: Bench) -> None:
    plan = plan_of()
    first = register_with_runs(plan, [bench.reference], bench.space)
    assert register_with_runs(plan, [bench.reference], bench.space) == first
    assert len(register_of(bench.space).entries()) == 1


def test_a_plan_that_is_not_registered_judges_nothing(bench: Bench) -> None:
    bench.register(plan_of(name="other"))
    assert refusal(bench, plan_of()) == (
        "gate trial: not registered. To mend: register it before its candidates run, with: "
        "essay-scoring register"
    )


def test_an_edited_plan_is_caught(bench: Bench) -> None:
    plan = plan_of()
    bench.register(plan)
    looser = plan_of(checks=LOOSER)
    [entry] = register_of(bench.space).entries()
    assert refusal(bench, looser) == (
        f"gate trial: edited since it was registered: {plan.sha256[:12]} was registered on "
        f"{entry.time}, the plan is now {looser.sha256[:12]}. "
        "To mend: judge by the plan that was registered"
    )


def test_a_plan_registered_after_the_run_started_is_caught(bench: Bench) -> None:
    started(bench.candidate, "2020-01-01T00:00:00.000000+00:00")
    bench.register(plan_of())
    [entry] = register_of(bench.space).entries()
    assert refusal(bench, plan_of()) == (
        f"{bench.candidate}: no evidence under the plan 'trial': the run started "
        f"2020-01-01T00:00:00.000000+00:00, before registration on {entry.time}"
    )


def test_resuming_a_run_does_not_move_its_start_past_the_registration(bench: Bench) -> None:
    """A run that is begun, left, and finished once the plan is registered, began before it."""
    config = ("training.dev_share=0.2", "name=resumed")
    left = finished("length", bench.space, *config)
    (left / "manifest.json").unlink()
    begun = first_start(left)
    bench.register(plan_of())
    assert finished("length", bench.space, *config) == left
    status = read_json(left / "status.json")
    first, second = (entry["started"] for entry in status["sessions"])
    assert first == begun < second
    bench.candidate = left
    assert "before registration on" in refusal(bench, plan_of())


def test_a_run_that_does_not_say_when_it_started_is_refused(bench: Bench) -> None:
    rewritten(bench.candidate, "status.json", lambda status: status.update(sessions=[]))
    bench.register(plan_of())
    assert "the run does not record when it started" in refusal(bench, plan_of())


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    write_text(path, text.replace(old, new, 1))


def test_an_edited_register_line_is_caught(bench: Bench) -> None:
    bench.register(plan_of())
    bench.register(plan_of(name="other"))
    edit(bench.space.register, "-1.0", "-0.5")
    assert refusal(bench, plan_of()) == (
        f"{bench.space.register}: line 1 was edited: this record is only ever appended to. "
        "To mend: restore it, and plan_register.head beside it, from a copy"
    )


@pytest.mark.parametrize("line", [0, 1])
def test_a_removed_register_line_is_caught(bench: Bench, line: int) -> None:
    bench.register(plan_of())
    bench.register(plan_of(name="other"))
    lines = bench.space.register.read_text(encoding="utf-8").splitlines(keepends=True)
    write_text(bench.space.register, "".join(lines[:line] + lines[line + 1 :]))
    assert re.search(rf"line {line + 1} was removed", refusal(bench, plan_of()))


def elsewhere(bench: Bench, *overrides: str) -> None:
    """Make the candidate a run of another config, started after the registration."""
    bench.candidate = finished("length", bench.space, *overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.splits.seed=1"], r"the splits differ \(splits_sha256\)"),
        (["data.corpus.seed=4"], r"the prepared data differ \(data_sha256\)"),
        (["scheme=stratified_text"], "scheme stratified_text, but the plan 'trial' judges"),
        (["training.mapping=round_half_band"], "mappings differ"),
    ],
)
def test_runs_of_other_data_splits_scheme_or_mapping_are_refused(
    bench: Bench, overrides: list[str], message: str
) -> None:
    bench.register(plan_of())
    elsewhere(bench, *overrides)
    assert re.search(message, refusal(bench, plan_of()))


def test_a_swapped_split_file_is_caught(bench: Bench) -> None:
    """The candidate reads the folds of another drawing of the same essays."""
    drawn = open_run(smoke_config("length", "data.splits.seed=1"), bench.space, Progress())
    bench.register(plan_of())
    elsewhere(bench, f'splits_path="{drawn.prepared.folder / "splits.json"}"')
    assert refusal(bench, plan_of()) == (
        f"{bench.reference} and {bench.candidate}: the splits differ (splits_sha256). "
        "To mend: run both on the same data and splits"
    )


def test_both_runs_on_other_splits_than_registered_are_refused(bench: Bench) -> None:
    bench.register(plan_of())
    bench.reference = finished("length", bench.space, "data.splits.seed=1")
    elsewhere(bench, "data.splits.seed=1", "seed=43")
    assert "the splits are not those it was registered for (splits_sha256)" in refusal(
        bench, plan_of()
    )


def made_by(folder: Path, commit: str | None, *, dirty: bool | None) -> None:
    """Give every fit of a run another state of the checkout."""
    git = {"commit": commit, "dirty": dirty}

    def change(metrics: Any) -> None:
        for fit in metrics["fits"]:
            fit["environments"][0]["git"] = git

    rewritten(folder, METRICS, change)


@pytest.mark.parametrize("role", ["reference", "candidate"])
def test_a_dirty_tree_is_refused_unless_the_plan_allows_it(bench: Bench, role: str) -> None:
    for folder in (bench.reference, bench.candidate):
        made_by(folder, "c", dirty=False)
    plan = plan_of(allow_dirty=False)
    bench.register(plan)
    bench.register(plan_of())
    assert bench.judge(plan).judgement.verdict.outcome == "pass"
    made_by(getattr(bench, role), "c", dirty=True)
    assert "made by a tree with uncommitted changes" in refusal(bench, plan)
    assert bench.judge(plan_of()).judgement.verdict.outcome == "pass"
    if role == "reference":
        with pytest.raises(EvidenceError, match="uncommitted changes"):
            bench.register(plan_of(allow_dirty=False, name="another"))


def test_outside_git_the_code_must_be_the_registered_one(bench: Bench) -> None:
    for folder in (bench.reference, bench.candidate):
        made_by(folder, None, dirty=None)
    bench.register(plan_of())
    assert bench.judge(plan_of()).judgement.verdict.outcome == "pass"
    renamed_code(bench, "0" * 64)
    assert "made outside git, by other code than was registered" in refusal(bench, plan_of())


def renamed_code(bench: Bench, code: str) -> None:
    """Give the candidate another code revision, and so another name."""
    rewritten(bench.candidate, METRICS, lambda metrics: metrics.update(code_revision=code))
    metrics = read_json(bench.candidate / METRICS)
    identity = run_identity(
        metrics["config"],
        data=metrics["data"]["data_sha256"],
        splits=metrics["data"]["splits_sha256"],
        code=code,
        versions=numeric_versions(metrics["versions"]),
    )
    name = run_folder_name(metrics["config"]["name"], identity)
    bench.candidate = bench.candidate.rename(bench.candidate.with_name(name))


def test_a_plan_is_about_its_reference(bench: Bench) -> None:
    plan = plan_of(reference={"scorer": {"family": "xgboost"}, "training": {"weight_cap": 3.0}})
    with pytest.raises(EvidenceError) as caught:
        bench.register(plan)
    assert caught.value.line() == (
        f"{bench.reference}: not the reference that the plan 'trial' is about "
        "(scorer.family differ). To mend: name a run of that reference, or write another plan"
    )
    assert not bench.space.register.exists()
    bench.register(plan_of(reference={"scorer": {"family": "length"}}))


def test_several_seeds_are_judged_together(bench: Bench) -> None:
    bench.register(plan_of())
    other = finished("length", bench.space, "seed=44")
    found = bench.judge(plan_of(), other)
    assert [run.folder.name for run in found.candidate] == [bench.candidate.name, other.name]
    assert found.judgement.comparison.deltas["mean_qwk"].seeds["candidate"].n_seeds == 2


def test_imported_predictions_cannot_stand_under_a_register(bench: Bench) -> None:
    unknown = {"data_sha256": None, "splits_sha256": None}
    rewritten(bench.candidate, METRICS, lambda metrics: metrics["data"].update(unknown))
    bench.register(plan_of())
    assert "imported predictions do not show how, when and on which data" in refusal(
        bench, plan_of()
    )
