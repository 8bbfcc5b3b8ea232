from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import read_json, write_text
from essay_scoring.core.progress import Progress
from essay_scoring.experiments.manifest import require_intact
from essay_scoring.experiments.study import Reporters, StudyRunner, decide
from essay_scoring.experiments.study_plan import load_study
from essay_scoring.experiments.workspace import Workspace
from essay_scoring.reports.decision import decision_record
from essay_scoring.reports.run_reports import write_run_reports
from essay_scoring.reports.study_reports import write_study_reports
from essay_scoring.reports.study_table import extract, sections
from tests.conftest import ROOT, SMOKE

GATE = """
name = "small"
question = "Is it better?"
scheme = "prompt_holdout"
rule = "point"
min_prompt_n = 5
bottom_k = 2
[[checks]]
metric = "mean_qwk"
kind = "{kind}"
delta_at_least = {margin}
"""

STUDY = """
name = "small"
question = "Is anything better than the length of an essay?"
stop_after_pass = {stop}
[reference]
name = "reference"
config = "{smoke}/length.toml"
[[candidates]]
name = "easy"
config = "{smoke}/mean.toml"
gates = ["easy.toml"]
[[candidates]]
name = "hard"
config = "{smoke}/ridge.toml"
gates = ["hard.toml"]
"""


def study_file(folder: Path, *, easy: float, hard: float, stop: bool = True) -> Path:
    for name, margin in (("easy", easy), ("hard", hard)):
        kind = "superiority" if margin >= 0 else "guardrail"
        write_text(folder / f"{name}.toml", GATE.format(margin=margin, kind=kind))
    write_text(folder / "study.toml", STUDY.format(smoke=SMOKE, stop=str(stop).lower()))
    return folder / "study.toml"


def run_study(path: Path, space: Workspace) -> Path:
    reporters = Reporters(write_run_reports, write_study_reports)
    study = load_study(path)
    return StudyRunner(study, space, Progress(), reporters=reporters, resume="again").run()


def test_a_study_ends_in_a_recorded_decision(tmp_path: Path, space: Workspace) -> None:
    folder = run_study(study_file(tmp_path, easy=2.0, hard=2.0), space)
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
    assert sections(extract(study)) == sections(study)
    assert decision_record(extract(study), folder.name) == record
    assert study["decided_run"] == study["runs"][0]["run"]


def test_it_stops_at_the_first_arm_that_passes(tmp_path: Path, space: Workspace) -> None:
    study = read_json(run_study(study_file(tmp_path, easy=-2.0, hard=2.0), space) / "study.json")
    assert (study["outcome"], study["decided_arm"]) == ("proceed", "easy")
    assert {run["arm"] for run in study["runs"]} == {"reference", "easy"}


def test_it_runs_what_is_missing_and_skips_what_is_complete(
    tmp_path: Path, space: Workspace
) -> None:
    first = run_study(study_file(tmp_path, easy=-2.0, hard=2.0), space)
    made = {path: path.stat().st_mtime_ns for path in space.runs.glob("*/manifest.json")}
    assert len(made) == 2
    assert run_study(tmp_path / "study.toml", space) == first
    other = run_study(study_file(tmp_path, easy=-2.0, hard=2.0, stop=False), space)
    assert other != first
    for path, time in made.items():
        assert path.stat().st_mtime_ns == time
    assert len(list(space.runs.glob("*/manifest.json"))) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('name = "hard"', 'name = "easy"'), "arms need names of their own"),
        (("hard.toml", "absent.toml"), "no such"),
        (("ridge.toml", "absent.toml"), "no such file"),
        (("[[candidates]]", "[[candidate]]"), "candidate"),
        (('gates = ["easy.toml"]', "gates = []"), "gates"),
        (
            ('gates = ["easy.toml"]', 'gates = ["easy.toml"]\nset = ["data.splits.seed=1"]'),
            "other data",
        ),
    ],
)
def test_a_wrong_study_file_is_refused_before_anything_runs(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    path = study_file(tmp_path, easy=0.0, hard=0.0)
    write_text(path, path.read_text(encoding="utf-8").replace(*change))
    with pytest.raises(InputError, match=message):
        load_study(path)


def gate(arm: str, verdict: str, *, within_noise: bool = False) -> dict[str, object]:
    return {"arm": arm, "verdict": verdict, "checks": [{"within_noise": within_noise}]}


def test_a_pass_inside_the_noise_is_called_one() -> None:
    sure, lucky = gate("a", "pass"), gate("a", "pass", within_noise=True)
    assert "could as well" not in decide("ref", ["a"], [sure])[2]
    assert "1 of 2 thresholds lie inside the 95% interval" in decide("ref", ["a"], [sure, lucky])[2]


@pytest.mark.parametrize(
    ("gates", "outcome", "decided"),
    [
        ([gate("a", "pass"), gate("a", "pass")], "proceed", "a"),
        ([gate("a", "pass"), gate("a", "fail")], "defer", "ref"),
        ([gate("a", "fail"), gate("b", "pass")], "proceed", "b"),
        ([gate("a", "invalid")], "inconclusive", "ref"),
        ([gate("a", "inconclusive"), gate("a", "pass")], "inconclusive", "ref"),
        ([gate("a", "invalid"), gate("a", "fail")], "defer", "ref"),
        ([gate("a", "fail"), gate("b", "inconclusive")], "inconclusive", "ref"),
        ([], "inconclusive", "ref"),
    ],
)
def test_decisions(gates: list[dict[str, object]], outcome: str, decided: str) -> None:
    arms = list(dict.fromkeys(str(entry["arm"]) for entry in gates)) or ["a"]
    assert decide("ref", arms, gates)[:2] == (outcome, decided)


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "studies").glob("*.toml")), ids=str)
def test_every_committed_study_reads_in_full(path: Path) -> None:
    study = load_study(path)
    for arm in (study.settings.reference, *study.settings.candidates, *study.settings.context):
        for scheme in study.schemes:
            assert study.config(arm, scheme).scheme == scheme


def test_the_reference_of_every_study_is_the_contracts() -> None:
    for path in (ROOT / "configs" / "studies").glob("*.toml"):
        study = load_study(path)
        config = study.config(study.settings.reference, "prompt_holdout")
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
