"""A study done step by step, as jobs of a cluster do it, is the study done in one go."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.contracts import Columns, FeatureBlock, Matrix
from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.files import read_json, write_text
from essay_scoring.core.progress import Progress
from essay_scoring.features import store
from essay_scoring.judging.study import Outside, StudyRunner
from essay_scoring.judging.study_plan import load_study
from essay_scoring.judging.study_steps import StudyStep, StudySteps
from essay_scoring.models.baselines import MeanScorer
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.study_reports import write_study_reports
from tests.studies.made import SMALL, arm, gates, no_search, run_study, silent, study_file

RESIDUALS = "artifacts/residuals_cv_val_oof.csv"
ALL = ("stop_after_pass = false",)
WIDE = (*SMALL, "data.corpus.n_essays=160", "data.splits.n_splits=3")


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


def three_arms(folder: Path, *, top: tuple[str, ...] = ALL) -> Path:
    changed = WIDE[1:]
    return study_file(
        folder,
        arm("short", gates("hard"), changed=changed),
        arm("wide", gates("easy"), "seeds = [1, 2]", family="ridge", changed=changed),
        arm("shown", kind="context", family="ridge", changed=changed),
        top=(*top, "seed_tolerance = 1.0"),
        changed=WIDE,
    )


def verdicts(space: Workspace) -> list[object]:
    """Return all that a study decided and rests on, but for when and how long."""
    [folder] = (space.runs / "studies").iterdir()
    study = read_json(folder / "study.json")
    kept = ("outcome", "reason", "decided_arm", "decided_run", "arms", "comparisons")
    gates = [{**gate, "registered": None} for gate in study["gates"]]
    return [folder.name, {key: study[key] for key in kept}, gates]


def predictions(space: Workspace) -> dict[str, bytes]:
    return {path.name: (path / RESIDUALS).read_bytes() for path in space.runs.glob("*-*")}


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, str]]:
    """How often each block has computed each text."""
    times: Counter[tuple[str, str]] = Counter()
    values: Callable[[FeatureBlock, Essays], Matrix] = store._values

    def counted(block: FeatureBlock, essays: Essays) -> Matrix:
        times.update((block.name, text) for text in essays.texts)
        return values(block, essays)

    monkeypatch.setattr(store, "_values", counted)
    return times


def test_steps_end_as_the_study_in_one_go_and_compute_each_column_once(
    tmp_path: Path, computed: Counter[tuple[str, str]]
) -> None:
    path = three_arms(tmp_path)
    here, there = (
        Workspace(tmp_path / name / "runs", tmp_path / name / "cache", tmp_path)
        for name in ("here", "there")
    )
    run_study(path, here, report=silent)
    in_one_go = computed.copy()
    computed.clear()
    columns = steps_of(path, there)[0]
    assert len(columns.tasks) == 3 * len({task.rpartition("-")[0] for task in columns.tasks})
    do_missing(columns, path, there)
    assert computed == in_one_go
    assert set(computed.values()) == {1}
    do_all(path, there)
    assert computed == in_one_go
    assert json.dumps(verdicts(there)) == json.dumps(verdicts(here))
    assert predictions(there) == predictions(here)
    assert all(step.is_done for step in steps_of(path, there))
