"""A study done step by step, as jobs of a cluster do it, is the study done in one go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.progress import Progress
from essay_scoring.core.scale import FloatArray
from essay_scoring.features.store import SHARD_ESSAYS
from essay_scoring.judging.study import Outside, StudyRunner
from essay_scoring.judging.study_plan import load_study
from essay_scoring.judging.study_steps import StudySteps
from essay_scoring.models.baselines import MeanScorer
from essay_scoring.records.study_results import StudyStep
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.study_reports import write_study_reports
from tests.studies.made import no_search, run_study, silent
from tests.studies.quick_studies import ALL, predictions, three_arms, use_quick_columns, verdicts

WIDE = ("data.corpus.n_essays=160", "data.splits.n_splits=3")


def opened(path: Path, space: Workspace) -> StudyRunner:
    outside = Outside(silent, write_study_reports, silent, no_search)
    return StudyRunner(load_study(path), space, Progress(), outside=outside, resume="again")


def steps_of(path: Path, space: Workspace) -> list[StudyStep]:
    return StudySteps(opened(path, space)).all()


def do_missing(step: StudyStep, path: Path, space: Workspace) -> None:
    """Do what is left of a step, each task as a process that knows of nothing but the files."""
    if step.name == "judge":
        opened(path, space).run()
        return
    for task in step.missing if step.is_array else [None]:
        StudySteps(opened(path, space)).do(step.name, task)


def do_all(path: Path, space: Workspace) -> None:
    for step in steps_of(path, space):
        if not step.is_done:
            do_missing(step, path, space)


def three(folder: Path, *, top: Sequence[str] = ALL) -> Path:
    return three_arms(folder, *WIDE, top=top, seeds=(1, 2))


def study_of(space: Workspace) -> Path:
    """Return the folder of the one study of a workspace."""
    [folder] = (space.runs / "studies").iterdir()
    return folder


@pytest.fixture
def computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Counter[str]]:
    """How often the columns of each essay were computed since this was last asked."""
    log = tmp_path / "computed"
    use_quick_columns(monkeypatch, log)

    def told() -> Counter[str]:
        lines = log.read_text("ascii").split() if log.exists() else []
        log.unlink(missing_ok=True)
        return Counter(lines)

    return told


def spaces(folder: Path) -> list[Workspace]:
    """Return two workspaces that share nothing."""
    return [
        Workspace(folder / name / "runs", folder / name / "cache", folder)
        for name in ("here", "there")
    ]


def test_steps_end_as_the_study_in_one_go_and_compute_each_column_once(
    tmp_path: Path, computed: Callable[[], Counter[str]]
) -> None:
    path, (here, there) = three(tmp_path), spaces(tmp_path)
    run_study(path, here, report=silent)
    in_one_go = computed()
    columns = steps_of(path, there)[0]
    assert columns.tasks == ("quick-0", "quick-1", "quick-2")
    do_missing(columns, path, there)
    assert computed() == in_one_go
    assert set(in_one_go.values()) == {1}
    do_all(path, there)
    assert not computed()
    assert verdicts(study_of(there)) == verdicts(study_of(here))
    assert predictions(there.runs) == predictions(here.runs)
    assert all(step.is_done for step in steps_of(path, there))


def test_what_is_left_of_a_study_is_told_task_by_task(
    tmp_path: Path, computed: Callable[[], Counter[str]]
) -> None:
    path, (_, space) = three(tmp_path), spaces(tmp_path)
    names = [step.name for step in steps_of(path, space)]
    fits = [f"{arm}:prompt_holdout" for arm in ("reference", "short", "wide", "shown")]
    pairs = [f"{kind}:{arm}" for arm in fits for kind in ("fits", "join")]
    assert names == ["columns", *pairs[:2], "plans", *pairs[2:], "judge"]
    StudySteps(opened(path, space)).do("columns", 1)
    assert len(computed()) == SHARD_ESSAYS
    StudySteps(opened(path, space)).do(f"fits:{fits[0]}", 2)
    left = {step.name: step.missing for step in steps_of(path, space)}
    assert left["columns"] == (0, 2)
    assert left[f"fits:{fits[0]}"] == (0, 1)
    # Three folds of two seeds.
    assert left[f"fits:{fits[2]}"] == (0, 1, 2, 3, 4, 5)


def test_no_candidate_starts_before_the_plans_are_registered(
    tmp_path: Path, computed: Callable[[], Counter[str]]
) -> None:
    path, (_, space) = three(tmp_path), spaces(tmp_path)
    for kind in ("columns", "fits:reference", "join:reference"):
        [step] = [step for step in steps_of(path, space) if step.name.startswith(kind)]
        if kind.startswith("join"):
            with pytest.raises(EvidenceError):
                StudySteps(opened(path, space)).do("plans", None)
        with pytest.raises(EvidenceError, match="not registered"):
            StudySteps(opened(path, space)).do("fits:short:prompt_holdout", 0)
        do_missing(step, path, space)
    assert not list(space.runs.glob("short-*/models"))
    StudySteps(opened(path, space)).do("plans", None)
    StudySteps(opened(path, space)).do("fits:short:prompt_holdout", 0)
    assert list(space.runs.glob("short-*/models/fold-0"))


def test_what_a_condition_decides_on_is_left_to_the_judgement(
    tmp_path: Path, computed: Callable[[], Counter[str]]
) -> None:
    path, (here, there) = three(tmp_path, top=()), spaces(tmp_path)
    arms = {step.name.split(":")[1] for step in steps_of(path, there) if ":" in step.name}
    assert arms == {"reference", "short", "shown"}
    run_study(path, here, report=silent)
    do_all(path, there)
    assert verdicts(study_of(there)) == verdicts(study_of(here))


def test_a_candidate_whose_numbers_are_not_finite_ends_as_in_one_go(
    tmp_path: Path, computed: Callable[[], Counter[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wild(self: MeanScorer, essays: Essays) -> FloatArray:
        return np.full(len(essays), np.nan)

    monkeypatch.setattr(MeanScorer, "predict", wild)
    path, (here, there) = three(tmp_path), spaces(tmp_path)
    run_study(path, here, report=silent)
    do_all(path, there)
    ends = [[arm["ending"] for arm in verdicts(study_of(space))["arms"]] for space in (here, there)]
    assert ends[0] == ends[1]
    assert "unstable" in ends[0]
    # What came to nothing is not tried for ever.
    left = [step.name for step in steps_of(path, there) if not step.is_done]
    assert left == ["judge"]


def test_a_step_or_task_that_there_is_not_is_refused(
    tmp_path: Path, computed: Callable[[], Counter[str]]
) -> None:
    path, (_, space) = three(tmp_path), spaces(tmp_path)
    steps = StudySteps(opened(path, space))
    for name in ("judge", "fits:nobody:prompt_holdout", "fits"):
        with pytest.raises(InputError, match=f"no step '{name}'.*columns, plans"):
            steps.do(name, None)
    for task in (None, -1, 3):
        with pytest.raises(InputError, match="the step has no task"):
            steps.do("columns", task)
