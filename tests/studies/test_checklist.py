"""The review checklist: ticked by what lies in run folders, and by nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.files import read_json
from essay_scoring.judging.checklist import DIAGNOSTICS, checklist
from essay_scoring.judging.comparison_record import ComparedArm, comparison_record
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.records.manifest import write_manifest
from essay_scoring.records.workspace import Workspace
from essay_scoring.statistics.comparison import Comparison, compare
from tests.judging.registered import METRICS, rewritten
from tests.studies.made import arm, gate_file, gates, outcome_of, run_study, study_file

BASELINE, INVARIANCE, REVIEWED, RECOMMENDED = range(4)


def boxes(study: dict[str, Any]) -> list[bool]:
    return [box["met"] for box in study["checklist"]]


def test_boxes_are_ticked_by_the_runs_and_shown_in_the_record(
    tmp_path: Path, space: Workspace
) -> None:
    folder = run_study(study_file(tmp_path, arm("a", gates("hard"), family="length")), space)
    study = read_json(folder / "study.json")
    assert boxes(study) == [True, False, True, True]
    record = (folder / "decision.md").read_text(encoding="utf-8")
    reference = study["runs"][0]["run"]
    assert f"- [x] baseline run with residual diagnostics: {reference}/{DIAGNOSTICS}" in record
    assert "- [ ] invariance run on the same splits with comparable artifacts: no arm" in record


def test_a_baseline_without_diagnostics_is_not_ticked(tmp_path: Path, space: Workspace) -> None:
    """`outcome_of` writes no pages of runs."""
    study = outcome_of(study_file(tmp_path, arm("a", gates("hard"))), space)
    assert not boxes(study)[BASELINE]
    assert DIAGNOSTICS in study["checklist"][BASELINE]["evidence"]


def test_nothing_was_reviewed_where_no_candidate_could_be_judged(
    tmp_path: Path, space: Workspace
) -> None:
    path = study_file(tmp_path, arm("a", gates("strict")))
    gate_file(tmp_path, "strict", -2.0, rules="[evidence]\ndetached = true")
    study = outcome_of(path, space)
    assert not boxes(study)[REVIEWED]
    assert study["checklist"][REVIEWED]["evidence"] == "no candidate was judged"


@pytest.fixture
def pair(tmp_path: Path, space: Workspace) -> dict[str, Path]:
    """The runs of a study, the candidate's made one of an adversarial scorer."""
    run_study(study_file(tmp_path, arm("a", gates("hard"), family="length")), space)
    [reference], [other] = (list(space.runs.glob(f"{name}-*")) for name in ("reference", "a"))
    with_method(other, "adversarial")
    return {"reference": reference, "a": other}


def with_method(folder: Path, method: str) -> None:
    def change(metrics: dict[str, Any]) -> None:
        metrics["config"]["scorer"]["invariance"] = {"method": method}

    rewritten(folder, METRICS, change)


def invariance(pair: dict[str, Path]) -> tuple[bool, str]:
    runs = {name: [read_run(folder)] for name, folder in pair.items()}
    box = checklist(runs.pop("reference"), runs, [], None)[INVARIANCE]
    return box.met, box.evidence


def test_an_invariance_run_on_the_same_splits_ticks_its_box(pair: dict[str, Path]) -> None:
    assert invariance(pair) == (True, f"'a': {pair['a'].name}")


@pytest.mark.parametrize("method", ["none", "prompt_head"])
def test_the_control_of_an_invariance_method_is_none(pair: dict[str, Path], method: str) -> None:
    with_method(pair["a"], method)
    assert not invariance(pair)[0]


@pytest.mark.parametrize("key", ["data_sha256", "splits_sha256", "predictions_sha256"])
def test_an_invariance_run_of_other_splits_does_not(pair: dict[str, Path], key: str) -> None:
    rewritten(pair["a"], METRICS, lambda metrics: metrics["data"].update({key: "0" * 64}))
    assert invariance(pair) == (False, f"'a': {key} differs from the reference's")


def test_an_invariance_run_that_lacks_an_artifact_does_not(pair: dict[str, Path]) -> None:
    (pair["a"] / DIAGNOSTICS).unlink()
    write_manifest(pair["a"])
    assert invariance(pair) == (False, f"'a': no {DIAGNOSTICS} in {pair['a'].name}")


def unchanged(runs: list[RunRecord]) -> Comparison:
    """Return the comparison of runs with themselves."""
    predictions = [run.predictions for run in runs]
    return compare(predictions, predictions, min_prompt_n=5, bottom_k=2, replicates=20)


def test_a_missing_interval_or_recommendation_is_not_ticked(pair: dict[str, Path]) -> None:
    reference = [read_run(pair["reference"])]
    names = ("worst_prompt_qwk",)
    compared = ComparedArm("a", "candidate", reference, unchanged(reference))
    [arm] = comparison_record("reference", reference, [compared]).arms
    met = checklist(reference, {}, [arm], "defer")
    assert [box.met for box in met][REVIEWED:] == [True, True]
    open_ended = [
        delta.model_copy(update={"low": None} if delta.metric in names else {})
        for delta in arm.rows
    ]
    unmet = checklist(reference, {}, [arm.model_copy(update={"rows": tuple(open_ended)})], None)
    assert [box.met for box in unmet][REVIEWED:] == [False, False]
    assert unmet[REVIEWED].evidence == "'a' has no worst_prompt_qwk with an interval"
