from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.cli.main import run as command
from essay_scoring.core.errors import InputError
from essay_scoring.core.files import read_json, write_text
from essay_scoring.judging.plans import load_plan
from essay_scoring.judging.study_plan import Study, load_study
from essay_scoring.records import provenance
from essay_scoring.records.config import load_run_config
from essay_scoring.records.manifest import require_intact, write_manifest
from essay_scoring.records.study_results import read_study
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.decision import decision_record
from essay_scoring.reports.study_table import arms_table
from tests.attacks.edited import Shell, edit
from tests.conftest import ROOT
from tests.studies.made import (
    SMALL,
    arm,
    endings,
    gates,
    outcome_of,
    run_study,
    silent,
    study_file,
)


def two_arms(folder: Path, *, easy: str, hard: str, top: tuple[str, ...] = ()) -> Path:
    return study_file(
        folder,
        arm("easy", gates(easy)),
        arm("hard", gates(hard), family="ridge"),
        top=top,
        changed=SMALL[1:],
    )


def test_a_study_ends_in_a_recorded_decision(tmp_path: Path, space: Workspace) -> None:
    folder = run_study(two_arms(tmp_path, easy="hard", hard="hard"), space)
    require_intact(folder)
    study = read_json(folder / "study.json")
    assert study["outcome"] == "defer"
    assert [gate["verdict"] for gate in study["gates"]] == ["fail", "fail"]
    assert {run["arm"] for run in study["runs"]} == {"reference", "easy", "hard"}
    record = (folder / "decision.md").read_text(encoding="utf-8")
    for gate in study["gates"]:
        assert gate["plan_sha256"][:12] in record
    for run in study["runs"]:
        assert run["run"] in record
        require_intact(space.runs / run["run"])
    assert "**defer**" in record
    assert study["decided_run"] == study["runs"][0]["run"]
    record_read = read_study(folder)
    costs = arms_table(record_read, "prompt_holdout", costs=True)
    assert costs.header[-3:] == ("seconds", "peak MiB", "command")
    told = [row[-3:] for row in costs.texts if not row[0].startswith("baseline")]
    assert told == [
        [str(round(run["seconds"])), str(round(run["peak_mib"])), f"`{run['command']}`"]
        for run in study["runs"]
    ]
    assert [row[:-3] for row in costs.texts] == arms_table(record_read, "prompt_holdout").texts


def test_the_record_is_enough_for_its_pages(tmp_path: Path, space: Workspace) -> None:
    folder = run_study(two_arms(tmp_path, easy="easy", hard="hard"), space)
    study = read_study(folder)
    assert decision_record(study) == (folder / "decision.md").read_text(encoding="utf-8")
    assert "prompts" not in read_json(folder / "study.json")["runs"][0]["summary"]


def test_it_stops_at_the_first_arm_that_passes(tmp_path: Path, space: Workspace) -> None:
    study = outcome_of(two_arms(tmp_path, easy="easy", hard="hard"), space)
    assert (study["outcome"], study["decided_arm"]) == ("proceed", "easy")
    assert {run["arm"] for run in study["runs"]} == {"reference", "easy"}
    assert study["arms"][1]["ending"] == "not_run"
    assert study["arms"][1]["reason"] == "'easy' passed"


def test_it_runs_what_is_missing_and_skips_what_is_complete(
    tmp_path: Path, space: Workspace
) -> None:
    first = run_study(two_arms(tmp_path, easy="easy", hard="hard"), space)
    made = {path: path.stat().st_mtime_ns for path in space.runs.glob("*/manifest.json")}
    assert len(made) == 2
    before = (first / "study.json").stat().st_mtime_ns
    assert run_study(tmp_path / "study.toml", space) == first
    assert (first / "study.json").stat().st_mtime_ns == before
    goes_on = ("stop_after_pass = false",)
    other = run_study(two_arms(tmp_path, easy="easy", hard="hard", top=goes_on), space)
    assert other != first
    for path, time in made.items():
        assert path.stat().st_mtime_ns == time
    assert len(list(space.runs.glob("*/manifest.json"))) == 3


def test_a_study_whose_run_was_deleted_is_run_again(tmp_path: Path, space: Workspace) -> None:
    path = two_arms(tmp_path, easy="easy", hard="hard")
    first = run_study(path, space)
    (deleted,) = space.runs.glob("easy-*")
    (deleted / "manifest.json").unlink()
    assert run_study(path, space) == first
    require_intact(deleted)
    require_intact(first)
    [now] = [run for run in read_json(first / "study.json")["runs"] if run["arm"] == "easy"]
    assert now["run"] == deleted.name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('name = "hard"', 'name = "easy"'), "arms need names of their own"),
        (("hard.toml", "absent.toml"), "no such"),
        (("ridge.toml", "absent.toml"), "no such file"),
        (("[[candidates]]", "[[candidate]]"), "candidate"),
        (('gates = ["easy.toml"]', "gates = []"), "gates"),
        (
            ('8"]\ngates = ["easy.toml"]', '8", "data.splits.seed=1"]\ngates = ["easy.toml"]'),
            "other data",
        ),
        (('gates = ["hard.toml"]', 'gates = ["hard.toml"]\nseeds = [1, 1]'), "seed is there twice"),
        (('gates = ["hard.toml"]', 'gates = ["hard.toml"]\nseeds = [1, 2]'), "seed_tolerance"),
        (("power_simulations = 0", "skip = ['easy']"), "unknown key"),
    ],
)
def test_a_wrong_study_file_is_refused_before_anything_runs(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    path = two_arms(tmp_path, easy="easy", hard="hard")
    write_text(path, path.read_text(encoding="utf-8").replace(*change))
    with pytest.raises(InputError, match=message):
        load_study(path)


def test_power_is_said_before_any_candidate_starts(tmp_path: Path, space: Workspace) -> None:
    path = two_arms(tmp_path, easy="easy", hard="hard")
    text = path.read_text(encoding="utf-8")
    write_text(path, text.replace("power_simulations = 0", "power_simulations = 40"))
    heard: list[tuple[str, list[str]]] = []

    def say(line: str) -> None:
        heard.append((line, [folder.name for folder in space.runs.glob("easy-*")]))

    folder = run_study(path, space, say=say)
    study = read_json(folder / "study.json")
    assert [line for line, _ in heard] == [plan["power"] for plan in study["plans"]]
    assert all(not there for _, there in heard)
    assert "passes two equal scorers" in heard[0][0]
    record = (folder / "decision.md").read_text(encoding="utf-8")
    assert all(line in record for line, _ in heard)


def test_plans_are_registered_before_their_candidates_start(
    tmp_path: Path, space: Workspace
) -> None:
    study = outcome_of(two_arms(tmp_path, easy="hard", hard="hard"), space)
    for plan in study["plans"]:
        for run in study["runs"][1:]:
            status = read_json(space.runs / run["run"] / "status.json")
            assert plan["registered"]["time"] < status["sessions"][0]["started"]


COMMITTED = sorted((ROOT / "configs" / "studies").glob("*.toml"))


@pytest.fixture(params=COMMITTED, ids=lambda path: path.stem)
def committed(request: pytest.FixtureRequest) -> Study:
    return load_study(request.param)


def test_every_committed_study_reads_in_full(committed: Study) -> None:
    for one in committed.settings.arms:
        for scheme in committed.schemes:
            assert committed.config(one, scheme).scheme == scheme


def test_the_command_of_a_run_names_the_same_run(committed: Study) -> None:
    for one in committed.settings.arms:
        program, verb, config, *rest = shlex.split(committed.command(one, "stratified_text", 7))
        assert (program, verb) == ("essay-scoring", "cv")
        options = list(zip(rest[::2], rest[1::2], strict=True))
        sets = [value for option, value in options if option == "--set"]
        named = dict(options)
        sets += [f'name="{named["--run-name"]}"', f'scheme="{named["--scheme"]}"']
        expected = committed.config(one, "stratified_text", 7)
        assert load_run_config(Path(config), sets) == expected


OTHER_REFERENCES = {
    "surprisal-ellipse": "blend-svr",
    "surprisal-ridge": "ridge-named",
    "partitions-ellipse": "blend-svr",
    "confirm-ellipse": "blend-svr",
    "traits-ellipse": "blend-svr",
}
"""Studies that ask what something adds to another arm than the contract's reference."""


def test_the_reference_of_every_study_is_the_contracts(committed: Study) -> None:
    config = committed.config(committed.settings.reference, "prompt_holdout")
    if (other := OTHER_REFERENCES.get(committed.settings.name)) is not None:
        [gate] = {plan for one in committed.settings.candidates for plan in one.gates}
        asked = load_plan(committed.path.parent / gate).model_dump()["reference"]
        assert (config.name, config.scorer.family) == (other, asked["scorer"]["family"])
        return
    scorer = config.scorer.model_dump()
    assert scorer == {
        "family": "xgboost",
        "mode": "regression",
        "max_depth": 3,
        "min_child_weight": 20.0,
        "reg_lambda": 5.0,
        "reg_alpha": 1.0,
        "gamma": 0.0,
        "learning_rate": 0.03,
        "colsample_bytree": 0.6,
        "subsample": 0.8,
        "rounds": 1500,
        "patience": 100,
    }
    assert config.features.drop == ("has_conclusion", "clause_count", "flesch_kincaid")
    assert config.training.weighting == "sqrt_inv_freq"
    assert config.training.mapping == "qwk_cutpoints_lfo"
    assert config.training.weight_cap == 3.0
    assert config.seed == 42


@pytest.mark.parametrize("name", ["g3_synthetic", "g3_ellipse_local"])
def test_the_studies_of_g3_are_in_the_strict_order(name: str) -> None:
    study = load_study(ROOT / "configs" / "studies" / f"{name}.toml")
    g1, plain, adversarial, dro = study.settings.candidates
    methods = [
        study.config(one, "prompt_holdout").scorer.model_dump().get("invariance", {}).get("method")
        for one in (g1, plain, adversarial, dro, *study.settings.context)
    ]
    assert methods == [None, "none", "adversarial", "group_dro", "prompt_head"]
    missed = ("fail", "unstable", "inconclusive")
    assert plain.runs_if == {g1.name: missed}
    assert adversarial.runs_if == {plain.name: ("pass", *missed)}
    assert dro.runs_if == {adversarial.name: missed}
    [control] = study.settings.context
    assert control.runs_if == {adversarial.name: ("pass", *missed)}
    alike = [
        study.config(one, "prompt_holdout").scorer.model_dump(exclude={"invariance"})
        for one in (plain, adversarial, dro, control)
    ]
    assert alike == [alike[0]] * 4


def test_the_arms_of_g3_with_mpnet_differ_in_their_method_alone() -> None:
    found: dict[str, dict[str, object]] = {}
    for name in ("g3_ellipse_mpnet", "g3_ellipse_penalties"):
        study = load_study(ROOT / "configs" / "studies" / f"{name}.toml")
        for one in (*study.settings.candidates, *study.settings.context):
            config = study.config(one, "prompt_holdout")
            if config.scorer.family == "transformer":
                found.setdefault(one.name, config.scorer.model_dump())
                assert config.scorer.model_dump() == found[one.name]
    methods = {name: scorer.pop("invariance") for name, scorer in found.items()}
    assert len({str(method) for method in methods.values()}) == len(found) == 6
    assert len({str(scorer) for scorer in found.values()}) == 1


def test_an_override_reaches_every_arm_that_has_the_setting() -> None:
    path = ROOT / "configs" / "studies" / "g3_ellipse_local.toml"
    name = "scorer.model_name=all-mpnet-base-v2"
    asked = [name, "scorer.invariance.strength=2.5", "data.preparation.min_words=210"]
    plain, changed = load_study(path), load_study(path, asked)
    found = []
    for before, after in zip(plain.settings.arms, changed.settings.arms, strict=True):
        scorer = changed.config(after, "prompt_holdout").scorer.model_dump()
        strength = scorer.get("invariance", {}).get("strength")
        found.append((scorer.get("model_name"), strength))
        assert changed.config(after, "prompt_holdout").data.preparation.min_words == 210
        assert after.set[: len(before.set)] == before.set
        assert (f"--set {name}" in changed.command(after, "prompt_holdout")) == bool(found[-1][0])
    trees, tuned = (None, None), ("all-mpnet-base-v2", 2.5)
    untuned = ("all-mpnet-base-v2", None)
    assert found == [trees, trees, untuned, tuned, untuned, tuned]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("scorer.modelname=x", "no arm has a setting 'scorer.modelname'"),
        ("scorer.family.x=1", "no arm has a setting"),
        ("epochs", "no arm has a setting 'epochs'"),
        ("scheme=stratified_text", "scheme is the study's own"),
        ("scorer.epochs=0", "epochs: Input should be greater than or equal to 1"),
    ],
)
def test_an_override_that_changes_nothing_or_too_much_is_refused(
    override: str, message: str
) -> None:
    path = ROOT / "configs" / "studies" / "g3_synthetic.toml"
    with pytest.raises(InputError, match=message):
        load_study(path, [override])


def test_a_study_with_an_override_is_another_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(two_arms(tmp_path, easy="hard", hard="hard"))
    monkeypatch.chdir(tmp_path)
    assert command(["study", path, "--exit-zero"]) == 0
    assert command(["study", path, "--exit-zero", "--set", "scorer.alphas=[1.0]"]) == 0
    studies = [read_json(found) for found in tmp_path.glob("runs/studies/*/study.json")]
    assert len({study["folder"] for study in studies}) == 2
    runs = [{run["arm"]: run["run"] for run in study["runs"]} for study in studies]
    changed = {name for name in runs[0] if runs[0][name] != runs[1][name]}
    # Ridge alone has strengths to choose from; the other arms are the same runs.
    assert changed == {"hard"}


def test_the_quickstarts_gate_is_the_primary_one_on_any_tree() -> None:
    """A newcomer who changed a line still gets a decision, by the same checks."""
    folder = ROOT / "configs" / "gates"
    own, primary = (
        load_plan(folder / f"{x}.toml") for x in ("quickstart", "prompt_holdout_primary")
    )
    same = ("checks", "scheme", "rule", "min_prompt_n", "bottom_k", "evidence", "reference")
    assert [getattr(own, key) for key in same] == [getattr(primary, key) for key in same]
    assert own.allow_dirty
    study = load_study(ROOT / "configs" / "studies" / "quickstart.toml")
    assert {plan.sha256 for plans in study.plans.values() for plan in plans} == {own.sha256}


def test_a_context_arm_is_shown_and_compared_but_judged_by_no_gate(
    tmp_path: Path, space: Workspace
) -> None:
    path = study_file(
        tmp_path, arm("a", gates("hard")), arm("beside", family="ridge", kind="context")
    )
    study = outcome_of(path, space)
    assert endings(study) == {"beside": None, "a": "fail"}
    assert {gate["arm"] for gate in study["gates"]} == {"a"}
    [compared] = study["comparisons"]
    assert {one["arm"]: one["holm"]["prompt_test"] for one in compared["arms"]} == {
        "beside": None,
        "a": compared["arms"][1]["prompt_test"]["p"],
    }


def test_a_context_arm_that_does_not_compare_is_said(
    tmp_path: Path, warm_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(tmp_path, warm_cache)
    path = study_file(
        tmp_path, arm("a", gates("hard")), arm("beside", family="ridge", kind="context")
    )
    plan = (tmp_path / "hard.toml").read_text(encoding="utf-8")
    write_text(tmp_path / "hard.toml", plan.replace("allow_dirty", "tolerates = []\nallow_dirty"))
    assert shell.study(path) == 3
    [study], [beside] = shell.runs.glob("studies/*"), shell.runs.glob("beside-*")
    assert len(read_study(study).comparisons[0].arms) == 2

    def elsewhere(metrics: Any) -> None:
        metrics["fits"][0]["environments"][0]["machine"]["processor"] = "Another"

    edit(beside / "artifacts" / "cv_metrics.json", elsewhere)
    write_manifest(beside)
    shutil.rmtree(study)
    capsys.readouterr()
    assert shell.study(path) == 3
    [compared] = read_study(study).comparisons
    assert [one.arm for one in compared.arms] == ["a"]
    [ended] = [one for one in read_study(study).arms if one.arm == "beside"]
    assert ended.ending is None
    said = str(ended.reason)
    assert said.startswith("not compared: ")
    assert "processor differs: " in said
    assert "does not tolerate" in said
    assert str(shell.runs) not in said
    assert f"beside {said}" in capsys.readouterr().out.splitlines()
    assert "processor differs: " in (study / "decision.md").read_text(encoding="utf-8")


def test_other_judging_code_judges_the_same_runs_anew(
    tmp_path: Path, space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = study_file(tmp_path, arm("a", gates("hard")))
    first = run_study(path, space, report=silent)
    assert run_study(path, space, report=silent) == first
    runs = sorted(space.runs.glob("smoke-*"))
    monkeypatch.setattr(provenance, "judge_revision", lambda: "e" * 64)
    second = run_study(path, space, report=silent)
    assert second != first
    assert read_study(second).judge_revision == "e" * 64
    assert sorted(space.runs.glob("smoke-*")) == runs
