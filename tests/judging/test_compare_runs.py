from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.files import read_json, write_text
from essay_scoring.core.progress import Progress
from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.judging.compare_runs import judge_runs
from essay_scoring.judging.plans import GatePlan, load_plan
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.run_reports import write_run_reports
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.import_predictions import ImportRequest, import_predictions
from essay_scoring.runs.run import open_run
from tests.conftest import ROOT, smoke_config

SCALES = ScoreScales(shared=ScoreScale(low=1, high=5, step=0.5))
HEADER = ("record_id", "prompt", "fold", "y_true", "y_pred_raw", "y_pred")


@pytest.fixture
def plan() -> GatePlan:
    path = ROOT / "configs" / "gates" / "prompt_holdout_primary.toml"
    return load_plan(path).model_copy(update={"min_prompt_n": 5})


@pytest.fixture
def smoke_run(space: Workspace) -> Callable[..., Path]:
    def run(family: str, *overrides: str) -> Path:
        config = smoke_config(family, *overrides)
        return run_cv(
            open_run(config, space, Progress()), report=write_run_reports, resume="again"
        ).folder

    return run


def test_a_run_compared_with_itself_has_no_delta(
    smoke_run: Callable[..., Path], plan: GatePlan
) -> None:
    # No baseline: they read columns, which of so many essays take a minute to compute.
    many = ("data.corpus.n_prompts=8", "data.corpus.n_essays=240", "baselines=[]")
    run = read_run(smoke_run("length", *many))
    judgement = judge_runs(run, run, plan)
    for delta in judgement.comparison.deltas.values():
        if delta.estimate is not None:
            assert (delta.estimate, delta.low, delta.high) == (0, 0, 0)
    assert judgement.verdict.outcome == "fail"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["scheme=stratified_text"], "scheme stratified_text"),
        (["data.splits.seed=1"], "splits|essays, folds"),
        (["data.corpus.seed=4"], "prepared data"),
        (["training.mapping=round_half_band"], "mappings differ"),
    ],
)
def test_runs_that_do_not_compare_are_invalid_evidence(
    smoke_run: Callable[..., Path], plan: GatePlan, overrides: list[str], message: str
) -> None:
    reference = read_run(smoke_run("length"))
    other = ["baselines=[]", *overrides]
    candidate = read_run(smoke_run("mean", *other))
    with pytest.raises(EvidenceError, match=message):
        judge_runs(reference, candidate, plan)


def seeds(smoke_run: Callable[..., Path], *numbers: int) -> list[RunRecord]:
    return [read_run(smoke_run("length", "baselines=[]", f"seed={n}")) for n in numbers]


def test_several_seeds_of_an_arm_are_judged_as_one(
    smoke_run: Callable[..., Path], plan: GatePlan
) -> None:
    arm = seeds(smoke_run, 1, 2)
    delta = judge_runs(arm, arm[::-1], plan).comparison.deltas["mean_qwk"]
    assert delta.estimate == pytest.approx(0, abs=1e-12)
    assert delta.seeds["candidate"].n_seeds == 2


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "differ in their seed alone, these do not even in that"),
        (["seed=2", "training.dev_share=0.2"], "seed alone, these in training.dev_share"),
        (["seed=2", 'scorer.family="mean"'], "seed alone, these in scorer.family"),
    ],
)
def test_runs_that_differ_in_more_than_their_seed_are_no_arm(
    smoke_run: Callable[..., Path], plan: GatePlan, overrides: list[str], message: str
) -> None:
    [first] = seeds(smoke_run, 1)
    other = read_run(smoke_run("length", "baselines=[]", "seed=1", *overrides))
    with pytest.raises(EvidenceError, match=message):
        judge_runs(first, [first, other], plan)


def test_a_reference_that_the_plan_is_not_about_is_refused(
    smoke_run: Callable[..., Path], plan: GatePlan
) -> None:
    run = read_run(smoke_run("length", "baselines=[]"))
    training: dict[str, object] = {"weight_cap": 3, "weigthing": "none"}
    about = {"scorer": {"family": "length"}, "training": training}
    with pytest.raises(EvidenceError, match=r"is about \(training.weigthing differ\)"):
        judge_runs(run, run, plan.model_copy(update={"reference": about}))
    del training["weigthing"]
    judge_runs(run, run, plan.model_copy(update={"reference": about}))


def test_an_edited_prediction_is_caught(smoke_run: Callable[..., Path]) -> None:
    folder = smoke_run("length")
    path = folder / "artifacts" / "residuals_cv_val_oof.jsonl"
    write_text(path, path.read_text(encoding="utf-8").replace('"fold": 0', '"fold": 1', 1))
    with pytest.raises(EvidenceError, match="checksum"):
        read_run(folder)


def exported(folder: Path, target: Path, columns: tuple[str, ...]) -> Path:
    """Write a run's rows as another tool would have given them."""
    with (folder / "artifacts" / "residuals_cv_val_oof.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return target


def request(path: Path, **changes: object) -> ImportRequest:
    values: dict[str, object] = {
        "path": path,
        "name": "elsewhere",
        "scheme": "prompt_holdout",
        "scales": SCALES,
        "mapping": "qwk_cutpoints_lfo",
        "columns": {},
    }
    return ImportRequest(**{**values, **changes})  # type: ignore[arg-type]


def test_imported_raw_predictions_compare_like_the_run_they_came_from(
    smoke_run: Callable[..., Path], plan: GatePlan, tmp_path: Path, space: Workspace
) -> None:
    reference = smoke_run("length")
    path = exported(reference, tmp_path / "p.csv", HEADER[:-1])
    folder = import_predictions(
        request(path), space.runs, Progress(), report=write_run_reports, resume="again"
    ).folder
    ours, theirs = read_run(reference), read_run(folder)
    assert ours.metrics.summary.mean_over_folds == theirs.metrics.summary.mean_over_folds
    assert judge_runs(ours, theirs, plan).comparison.deltas["mean_qwk"].estimate == 0


def test_finished_scores_are_not_compared_with_cut_points(
    smoke_run: Callable[..., Path], plan: GatePlan, tmp_path: Path, space: Workspace
) -> None:
    reference = smoke_run("length")
    path = exported(reference, tmp_path / "p.csv", (*HEADER[:4], "y_pred"))
    folder = import_predictions(
        request(path), space.runs, Progress(), report=write_run_reports, resume="again"
    ).folder
    assert read_json(folder / "artifacts" / "cv_metrics.json")["mapping"]["name"] == "as_imported"
    with pytest.raises(EvidenceError, match="mappings differ"):
        judge_runs(read_run(reference), read_run(folder), plan)


GOOD = "record_id,prompt,fold,y_true,y_pred\na,P,0,2.0,2.5\nb,Q,1,3.0,3.0\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("y_pred\n", "other\n", "neither a column 'y_pred_raw' nor 'y_pred'"),
        ("record_id", "id", "no column 'record_id'"),
        ("b,Q", "a,Q", r"row 2.*the id 'a' is already that of row 1"),
        ("3.0,3.0", "3.0,nan", r"row 2.*the score is missing"),
        ("3.0,3.0", "3.1,3.0", r"row 2.*3.1 is not on a step of the scale 1 to 5 by 0.5"),
        ("Q,1", "Q,1.5", r"row 2.*not a whole number"),
        ("b,Q", "b,P", r"row 2.*'P' is in folds 0 and 1.*stratified_text"),
    ],
)
def test_bad_predictions_are_one_line_and_leave_nothing(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "p.csv"
    write_text(path, GOOD.replace(old, new))
    with pytest.raises(InputError, match=message) as caught:
        import_predictions(
            request(path), tmp_path / "runs", Progress(), report=write_run_reports, resume="again"
        )
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_other_names_for_columns(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    write_text(path, GOOD.replace("y_true", "human").replace("y_pred", "machine"))
    renamed = request(path, columns={"y_true": "human", "y_pred": "machine"})
    run = import_predictions(
        renamed, tmp_path / "runs", Progress(), report=write_run_reports, resume="again"
    )
    assert run.predictions.true.tolist() == [2.0, 3.0]


def test_a_column_map_that_points_at_essays_shows_none_of_them(tmp_path: Path) -> None:
    path, essay = tmp_path / "p.csv", "a writer's own words " * 20
    write_text(path, GOOD.replace("y_true", "text,y_true").replace(",0,2.0", f",0,{essay},2.0"))
    write_text(path, path.read_text(encoding="utf-8").replace(",1,3.0", f",1,{essay},3.0"))
    with pytest.raises(InputError, match=r"row 1.*text of \d+ characters") as caught:
        import_predictions(
            request(path, columns={"y_true": "text"}),
            tmp_path / "runs",
            Progress(),
            report=write_run_reports,
            resume="again",
        )
    assert "own words" not in str(caught.value)


def test_a_plan_may_ask_of_predictions_before_mapping_and_of_true_scores(
    smoke_run: Callable[..., Path], plan: GatePlan
) -> None:
    checks = [
        {"metric": metric, "kind": "guardrail", "delta_at_least": 0.0}
        for metric in ("continuous_qwk", "prmse")
    ]
    asked = GatePlan.model_validate({**plan.model_dump(), "reference": {}, "checks": checks})
    many = ("data.corpus.n_prompts=8", "data.corpus.n_essays=240", "baselines=[]")
    rated = read_run(smoke_run("length", *many))
    assert rated.predictions.second is not None
    verdict = judge_runs(rated, rated, asked).verdict
    assert [finding.result for finding in verdict.findings] == ["passed", "passed"]
    assert all(finding.reference > 0 for finding in verdict.findings)
    once = replace(rated, predictions=replace(rated.predictions, second=None))
    with pytest.raises(EvidenceError, match="no essay has a second rating, which the plan"):
        judge_runs(once, once, asked)
