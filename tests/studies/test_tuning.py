"""One constrained tuning round after a pass, judged by the same gates."""

from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import read_json, write_text
from essay_scoring.core.progress import Progress
from essay_scoring.judging.study_plan import load_study
from essay_scoring.judging.tuning import Tune
from essay_scoring.records.search_settings import Search
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.reporters import Reporters
from essay_scoring.search.runner import run_search
from essay_scoring.search.search_workers import Team
from tests.conftest import SMOKE
from tests.studies.made import arm, endings, gates, run_study, silent, study_file

TREES = ["scorer.rounds=8", "evaluation.min_prompt_n=5"]
SEARCH = f"""
name = "around"
config = "{SMOKE}/xgboost.toml"
mode = "flat"
objective = "mean_qwk"
sampler = "random"

[guardrails]
low_tail_adjacent = 1.0
high_tail_adjacent = 1.0

[space."scorer.max_depth"]
kind = "int"
low = 1
high = 4
"""
TUNING = '[candidates.tuning]\nsearch = "search.toml"\ntrials = 2\n'


def tuned_study(folder: Path, gate: str, search: str = SEARCH) -> Path:
    write_text(folder / "search.toml", search)
    return study_file(
        folder,
        arm("a", gates(gate), TUNING, family="xgboost", changed=TREES),
        arm("b", gates("hard")),
    )


def tuner(space: Workspace, asked: list[Search]) -> Tune:
    def tune(search: Search) -> Path:
        asked.append(search)
        pages = Reporters(silent, silent)
        return run_search(search, space, Progress(), team=Team(), reporters=pages, resume="again")

    return tune


def test_a_pass_is_followed_by_one_round_on_its_budget(tmp_path: Path, space: Workspace) -> None:
    asked: list[Search] = []
    path = tuned_study(tmp_path, "easy")
    folder = run_study(path, space, tune=tuner(space, asked))
    study = read_json(folder / "study.json")
    [search] = asked
    assert (search.settings.trials, search.base.name) == (2, "a-tuned")
    assert search.base.scorer.model_dump()["rounds"] == 8
    assert endings(study) == {"a": "pass", "b": "not_run", "a-tuned": "pass"}
    assert study["tuning"]["tried"] == study["tuning"]["trials"] == 2
    tuned, before = (
        next(run for run in study["runs"] if run["arm"] == name) for name in ("a-tuned", "a")
    )
    depth = study["tuning"]["params"]["scorer.max_depth"]
    config = read_json(space.runs / tuned["run"] / "config.json")
    assert config["scorer"]["max_depth"] == depth
    assert {gate["arm"]: gate["plan"] for gate in study["gates"]} == {
        "a": "easy",
        "a-tuned": "easy",
    }
    means = {
        run["arm"]: run["summary"]["mean_over_folds"]["qwk"]["mean"] for run in (tuned, before)
    }
    better = means["a-tuned"] >= means["a"]
    assert study["decided_arm"] == ("a-tuned" if better else "a")
    assert study["decided_run"] == (tuned if better else before)["run"]
    record = (folder / "decision.md").read_text(encoding="utf-8")
    assert "tried 2 of 2 configurations of 'a' (flat, by mean_qwk)" in record
    assert f"scorer.max_depth = {depth}" in record
    # Holm: each of the two judged arms shares its p-values with the other.
    [compared] = study["comparisons"]
    for one in compared["arms"]:
        assert one["holm"]["prompt_test"] >= one["prompt_test"]["p"]
    assert run_study(path, space) == folder


def test_what_did_not_pass_is_not_tuned(tmp_path: Path, space: Workspace) -> None:
    study = read_json(run_study(tuned_study(tmp_path, "hard"), space) / "study.json")
    assert study["tuning"] is None
    assert endings(study) == {"a": "fail", "b": "fail"}


NOTHING_LEARNT = '[space."scorer.reg_lambda"]\nkind = "float"\nlow = 1e8\nhigh = 2e8\n'


def test_a_round_that_keeps_nothing_leaves_the_decision(tmp_path: Path, space: Workspace) -> None:
    """Trees that may not learn give every essay the same score, and so lose a tail."""
    strict = SEARCH.replace("adjacent = 1.0", "adjacent = 0.0") + NOTHING_LEARNT
    folder = run_study(tuned_study(tmp_path, "easy", strict), space, tune=tuner(space, []))
    study = read_json(folder / "study.json")
    assert study["tuning"]["params"] is None
    assert endings(study) == {"a": "pass", "b": "not_run"}
    assert (study["outcome"], study["decided_arm"]) == ("proceed", "a")
    assert "no trial kept the guardrails" in study["reason"]
    assert "None kept its guardrails" in (folder / "decision.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("trials = 2", "trials = 51"), "trials"),
        (('search = "search.toml"', 'search = "absent.toml"'), "no such file"),
        (('name = "b"', 'name = "a-tuned"'), "arms need names of their own"),
    ],
)
def test_a_wrong_round_is_refused_before_anything_runs(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    path = tuned_study(tmp_path, "easy")
    write_text(path, path.read_text(encoding="utf-8").replace(*change))
    with pytest.raises(InputError, match=message):
        load_study(path)


def test_a_round_may_not_vary_the_mapping(tmp_path: Path) -> None:
    """With another mapping than the reference's, what it selects could not be judged."""
    mapping = '[space."training.mapping"]\nkind = "choice"\nvalues = ["round_half_band", "x"]\n'
    path = tuned_study(tmp_path, "easy", SEARCH + mapping)
    with pytest.raises(InputError, match=r"varies training\.mapping"):
        load_study(path)
