"""Arms of several seeds, and arms whose seeds or numbers go astray."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.essays import Essays
from essay_scoring.core.files import read_json
from essay_scoring.core.scale import FloatArray
from essay_scoring.judging.study_outcomes import astray
from essay_scoring.models.baselines import MeanScorer
from essay_scoring.records.workspace import Workspace
from tests.judging.registered import METRICS, made_on, rewritten
from tests.studies.made import arm, endings, gate_file, gates, outcome_of, run_study, study_file

SEEDS = "seeds = [1, 2, 3]"
TREES = ["scorer.rounds=5", "scorer.subsample=0.5"]
NEXT = 'runs_if = { a = ["unstable"] }'


def seeded(folder: Path, tolerance: float) -> Path:
    return study_file(
        folder,
        arm("a", gates("easy"), SEEDS, family="xgboost", changed=TREES),
        arm("b", gates("hard"), NEXT),
        top=[f"seed_tolerance = {tolerance}"],
    )


def test_seeds_are_averaged_and_their_spread_is_shown(tmp_path: Path, space: Workspace) -> None:
    folder = run_study(seeded(tmp_path, 0.9), space)
    study = read_json(folder / "study.json")
    runs = [run for run in study["runs"] if run["arm"] == "a"]
    assert [run["seed"] for run in runs] == [1, 2, 3]
    means = [run["summary"]["mean_over_folds"]["qwk"]["mean"] for run in runs]
    [check] = study["gates"][0]["checks"]
    assert check["candidate"] == pytest.approx(np.mean(means))
    [compared] = study["comparisons"]
    [delta] = [one for one in compared["arms"][0]["deltas"] if one["metric"] == "mean_qwk"]
    spread = delta["seeds"]["candidate"]
    assert spread["n_seeds"] == 3
    assert spread["sd"] == pytest.approx(np.std(means, ddof=1))
    record = (folder / "decision.md").read_text(encoding="utf-8")
    assert "Spread over seeds" in record
    for seed in (1, 2, 3):
        assert f"candidate: a, seed {seed}" in record
    assert study["decided_run"] == runs[0]["run"]
    assert endings(study) == {"a": "pass", "b": "not_run"}


def test_seeds_too_far_apart_are_unstable_and_let_the_next_arm_run(
    tmp_path: Path, space: Workspace
) -> None:
    study = outcome_of(seeded(tmp_path, 1e-9), space)
    assert endings(study) == {"a": "unstable", "b": "fail"}
    assert " apart, more than 1e-09" in study["arms"][0]["unstable"]
    assert study["gates"][0]["verdict"] == "pass"
    assert study["outcome"] == "inconclusive"


def test_an_arm_whose_training_is_not_finite_is_unstable_and_stays_listed(
    tmp_path: Path, space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverged(_: MeanScorer, essays: Essays) -> FloatArray:
        return np.full(len(essays), np.nan)

    path = study_file(
        tmp_path, arm("a", gates("easy")), arm("b", gates("hard"), NEXT, family="length")
    )
    monkeypatch.setattr(MeanScorer, "predict_targets", diverged)
    folder = run_study(path, space)
    study = read_json(folder / "study.json")
    assert endings(study) == {"a": "unstable", "b": "fail"}
    [attempt] = study["attempts"]
    assert "NotFiniteError" in attempt["reason"]
    assert attempt["run"] in (folder / "decision.md").read_text(encoding="utf-8")
    page = (folder / "views" / "report.html").read_text(encoding="utf-8")
    assert f'href="../../../{attempt["run"]}/"' in page
    monkeypatch.undo()
    again = outcome_of(path, space)
    assert endings(again) == {"a": "unstable", "b": "fail"}
    assert "refused since" in again["gates"][0]["reason"]


def test_a_run_that_recorded_numbers_that_were_not_finite_is_unstable(
    tmp_path: Path, space: Workspace
) -> None:
    path = study_file(tmp_path, arm("a", gates("finite")), arm("b", gates("hard"), NEXT))
    gate_file(tmp_path, "finite", -2.0, rules="[evidence]\nfinite = true")
    assert endings(outcome_of(path, space)) == {"a": "pass", "b": "not_run"}
    (folder,) = space.runs.glob("a-*")
    rewritten(folder, METRICS, lambda metrics: made_on(metrics["fits"][0], finite=False))
    study = outcome_of(path, space)
    assert endings(study) == {"a": "unstable", "b": "fail"}
    assert "finite (no, yes; asked for yes)" in study["attempts"][0]["reason"]


@pytest.mark.parametrize(
    ("means", "tolerance", "said"),
    [
        # 0.62 - 0.60 = 0.02 is no further apart than 0.021, and further than 0.019.
        ([0.60, 0.61, 0.62], 0.021, None),
        ([0.60, 0.61, 0.62], 0.019, "from 0.600 to 0.620 over 3 seeds"),
        ([0.60], 0.019, None),
        ([0.60, 0.90], None, None),
        ([0.60, None], 0.5, "no mean QWK"),
        ([], 0.5, None),
    ],
)
def test_when_seeds_are_too_far_apart(
    means: list[float | None], tolerance: float | None, said: str | None
) -> None:
    found = astray(means, tolerance)
    assert found is None if said is None else said in str(found)
