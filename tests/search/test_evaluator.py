from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from essay_scoring.core.contracts import FitReport
from essay_scoring.core.errors import NotFiniteError
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.files import read_json
from essay_scoring.core.progress import Progress
from essay_scoring.core.record import read_record
from essay_scoring.core.scale import FloatArray
from essay_scoring.records.search import Outcome
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.run import Run, open_run
from essay_scoring.search.evaluator import ALL, Evaluator, SearchPart
from essay_scoring.search.selection import best_first, report_outer
from tests.conftest import smoke_config
from tests.search.made import made_outcome

OUTER = SearchPart("outer-2", 2)


def evaluator_of(space: Workspace, *overrides: str) -> Evaluator:
    """Return a evaluator on the smoke corpus."""
    return Evaluator(open_run(smoke_config("ridge", *overrides), space, Progress()), "mean_qwk")


class Witness:
    """A scorer that notes which essays it was shown with scores, and predicts from lengths."""

    seen: list[set[str]]

    def __init__(self, seen: list[set[str]]) -> None:
        self.seen = seen

    def fit(self, train: ScoredEssays, dev: ScoredEssays) -> FitReport:
        self.seen.append({*train.essays.ids, *dev.essays.ids})
        return FitReport()

    def predict(self, essays: Essays) -> FloatArray:
        lengths = np.array([len(text) for text in essays.texts], dtype=np.float64)
        return np.asarray(1 + 4 * lengths / lengths.max())

    def save(self, folder: Path) -> None:
        raise AssertionError("a trial's model is not kept")


@pytest.fixture
def witnessed(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """Have every fit done by a Witness; return what they saw."""
    seen: list[set[str]] = []
    monkeypatch.setattr(Run, "build", lambda *_: Witness(seen))
    return seen


def ids_of(evaluator: Evaluator, fold: int) -> set[str]:
    design = evaluator.base.design
    return {design.train.essays.ids[row] for row in design.held_out_rows([fold])}


def test_a_trial_has_the_figures_of_the_run(space: Workspace, tmp_path: Path) -> None:
    """What a search selects by is what `cv` of the selected config will say."""
    config = smoke_config("ridge", "scorer.alphas=[30.0]", "baselines=[]")
    found = evaluator_of(space).try_out(ALL, config, tmp_path / "x.json")
    folder = run_cv(
        open_run(config, space, Progress()), report=lambda _: None, resume="again"
    ).folder
    summary = read_json(folder / "artifacts" / "cv_metrics.json")["summary"]
    assert found.state == "complete"
    assert found.figures["mean_qwk"] == pytest.approx(summary["mean_over_folds"]["qwk"]["mean"])
    assert found.figures["worst_prompt_qwk"] == pytest.approx(summary["worst_prompt"]["qwk"])
    assert found.figures["mae"] == pytest.approx(summary["overall"]["mae"]["estimate"])
    assert found.key == (round(found.figures["mean_qwk"] or 0, 12),)


def test_no_fit_inside_an_outer_fold_ever_sees_it(
    space: Workspace, tmp_path: Path, witnessed: list[set[str]]
) -> None:
    evaluator = evaluator_of(space)
    outcome = evaluator.try_out(OUTER, evaluator.base.config, tmp_path / "x.json")
    outer = ids_of(evaluator, 2)
    assert len(witnessed) == 4
    assert not any(outer & seen for seen in witnessed)
    assert not outer & set(evaluator.predictions(OUTER, outcome).ids)
    assert len(outcome.raw) == len(evaluator.base.design.train) - len(outer)


def test_nothing_of_the_outer_fold_changes_what_its_search_finds(
    space: Workspace, tmp_path: Path, witnessed: list[set[str]]
) -> None:
    """Other scores in the outer fold leave the inner figures and its own mapping as they were."""
    evaluator, other = evaluator_of(space), evaluator_of(space)
    design = other.base.design
    scores = design.train.scores.copy()
    outer = design.held_out_rows([2])
    scores[outer] = 6 - scores[outer]
    train = ScoredEssays(design.train.essays, scores, design.train.scales)
    vars(other.base)["design"] = replace(design, train=train)
    found = [
        one.try_out(OUTER, one.base.config, tmp_path / f"{name}.json")
        for one, name in ((evaluator, "a"), (other, "b"))
    ]
    assert found[0].figures == found[1].figures
    assert found[0].raw == found[1].raw
    reported = [
        report_outer(one, {OUTER: outcome}, tmp_path / f"outer-{name}")
        for one, outcome, name in zip((evaluator, other), found, "ab", strict=True)
    ]
    np.testing.assert_array_equal(reported[0].final[outer], reported[1].final[outer])
    assert not np.array_equal(reported[0].true[outer], reported[1].true[outer])


@pytest.mark.parametrize("mapping", ["qwk_cutpoints_lfo", "round_half_band"])
def test_the_outer_fold_is_fitted_on_all_the_others(
    space: Workspace, tmp_path: Path, witnessed: list[set[str]], mapping: str
) -> None:
    evaluator = evaluator_of(space, f"training.mapping={mapping}")
    outcome = evaluator.try_out(OUTER, evaluator.base.config, tmp_path / "x.json")
    witnessed.clear()
    reported = report_outer(evaluator, {OUTER: outcome}, tmp_path / "outer")
    [seen] = witnessed
    assert seen == set(evaluator.base.design.train.essays.ids) - ids_of(evaluator, 2)
    outer = evaluator.base.design.held_out_rows([2])
    scale = evaluator.base.prepared.train.scales.shared
    assert scale is not None
    assert scale.holds(reported.final[outer]).all()
    assert np.isnan(np.delete(reported.final, outer)).all()
    if mapping == "round_half_band":
        rounded = scale.round(reported.raw[outer])
        np.testing.assert_array_equal(reported.final[outer], rounded)


def test_a_finished_configuration_is_read_and_finished_folds_are_kept(
    space: Workspace, tmp_path: Path, witnessed: list[set[str]]
) -> None:
    evaluator = evaluator_of(space)

    class KilledError(Exception):
        pass

    def kill(done: int, _key: Any) -> bool:
        if done == 3:
            raise KilledError
        return False

    with pytest.raises(KilledError):
        evaluator.try_out(ALL, evaluator.base.config, tmp_path / "x.json", kill)
    assert len(witnessed) == 3
    whole = evaluator.try_out(
        ALL, evaluator.base.config, tmp_path / "x.json", slot=7, params={"a": 1}
    )
    assert len(witnessed) == 5
    assert evaluator.try_out(ALL, evaluator.base.config, tmp_path / "x.json") == whole
    assert len(witnessed) == 5
    assert (whole.slot, whole.params) == (7, {"a": 1})
    assert read_record(Outcome, tmp_path / "x.json") == whole
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("x")] == ["x.json"]


def test_folds_left_by_a_kill_after_the_outcome_are_removed(
    space: Workspace, tmp_path: Path
) -> None:
    evaluator, path = evaluator_of(space), tmp_path / "x.json"
    whole = evaluator.try_out(ALL, evaluator.base.config, path)
    (tmp_path / "x" / "fold-0").mkdir(parents=True)
    assert evaluator.try_out(ALL, evaluator.base.config, path) == whole
    assert not (tmp_path / "x").exists()


def test_a_trial_that_is_given_up_has_the_figures_so_far(
    space: Workspace, tmp_path: Path, witnessed: list[set[str]]
) -> None:
    evaluator = evaluator_of(space)
    asked: list[int] = []

    def after_three(done: int, _key: Any) -> bool:
        asked.append(done)
        return done == 3

    found = evaluator.try_out(ALL, evaluator.base.config, tmp_path / "x.json", after_three)
    assert (found.state, found.raw, len(found.rounds)) == ("pruned", (), 3)
    assert asked == [2, 3]
    assert sorted(found.steps) == [2, 3]
    assert found.key == found.steps[3]
    assert len(witnessed) == 3


def test_training_that_is_not_finite_is_a_failed_trial_and_no_end(
    space: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise NotFiniteError("the loss is not finite", where="fold 1")

    monkeypatch.setattr(Run, "build", broken)
    evaluator = evaluator_of(space)
    found = evaluator.try_out(ALL, evaluator.base.config, tmp_path / "x.json")
    assert (found.state, found.key, found.reason) == (
        "failed",
        None,
        "fold 1: the loss is not finite",
    )


def test_an_objective_without_large_prompts_is_a_failed_trial_and_never_another_figure(
    space: Workspace, tmp_path: Path, witnessed: list[set[str]]
) -> None:
    config = smoke_config("ridge", "evaluation.min_prompt_n=50")
    run = open_run(config, space, Progress())
    found = Evaluator(run, "worst_prompt_qwk_then_mean_qwk").try_out(
        ALL, config, tmp_path / "x.json"
    )
    assert found.state == "failed"
    assert found.figures["worst_prompt_qwk"] is None
    assert found.figures["mean_qwk"] is not None
    assert found.reason == "a figure of the objective is undefined"


def test_configurations_of_the_same_features_share_their_columns(space: Workspace) -> None:
    evaluator = evaluator_of(space)
    one = evaluator.run(smoke_config("ridge", "scorer.alphas=[1.0]"))
    other = evaluator.run(smoke_config("xgboost"))
    fewer = evaluator.run(smoke_config("ridge", "features.drop=[smog]".replace("smog", '"smog"')))
    assert one.columns is other.columns
    assert fewer.columns is not one.columns
    assert "smog" not in fewer.columns.names


def test_the_best_come_first_and_equals_by_their_slot() -> None:
    def made(slot: int, *key: float, state: str = "complete") -> Outcome:
        return made_outcome(slot=slot, state=state, key=key)

    outcomes = [made(3, 0.5, 0.7), made(1, 0.5, 0.6), made(2, 0.5, 0.7), made(0, 0.6, 0.1)]
    outcomes.append(made(4, 0.9, 0.9, state="pruned"))
    assert [one.slot for one in best_first(outcomes)] == [0, 2, 3, 1]
