from __future__ import annotations

import contextlib
import io
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from essay_scoring.api.studying import conduct_study
from essay_scoring.cli.progress_display import PlainLines, TerminalBar, duration
from essay_scoring.core.progress import BeginStep, Progress, ProgressEvent
from essay_scoring.judging.study_plan import load_study
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.run import open_run
from tests.conftest import smoke_config
from tests.studies.made import arm, gates, study_file


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


def shown(progress: Progress, watch: Watch, fits: int, seconds: float, name: str = "cv") -> None:
    """Tell of a stage of so many fits that take so long each."""
    with progress.stage(name, fits, "fits") as advance:
        for _ in range(fits):
            watch.now += seconds
            advance(1)


def test_a_pipe_is_told_step_what_how_far_and_how_long(watch: Watch) -> None:
    stream = io.StringIO()
    progress = Progress(PlainLines(stream, watch))
    with progress.planned(7) as begin:
        begin("features")
        begin(None)
        begin("candidate ridge")
        shown(progress, watch, 5, 6.0)
    assert stream.getvalue().splitlines() == [
        "step 3 of 7, candidate ridge, cv: 2/5 fits, about 20 s left",
        "step 3 of 7, candidate ridge, cv: 5/5 fits, in 30 s",
    ]


def test_lines_of_a_long_stage_become_rarer(watch: Watch) -> None:
    stream = io.StringIO()
    shown(Progress(PlainLines(stream, watch)), watch, 7200, 1.0)
    lines = stream.getvalue().splitlines()
    done = [int(match[1]) for match in re.finditer(r"(\d+)/7200", stream.getvalue())]
    gaps = [after - before for before, after in itertools.pairwise(done)]
    assert done[:4] == [10, 30, 70, 150]
    assert max(gaps[:-1]) == 300
    assert len(lines) < 32
    assert lines[0] == "cv: 10/7200 fits, about 2 h left"
    assert lines[-1] == "cv: 7200/7200 fits, in 2 h"


def test_a_short_stage_says_nothing(watch: Watch) -> None:
    stream = io.StringIO()
    progress = Progress(PlainLines(stream, watch))
    shown(progress, watch, 5, 0.1)
    shown(progress, watch, 0, 0.0)
    assert stream.getvalue() == ""


def test_what_was_there_already_makes_no_estimate_too_short(watch: Watch) -> None:
    stream = io.StringIO()
    with Progress(PlainLines(stream, watch)).stage("features", 100) as advance:
        advance(80)
        watch.now += 10.0
        advance(2)
    assert stream.getvalue() == "features: 82/100 essays, about 90 s left\n"


def test_a_stage_that_comes_again_begins_anew(watch: Watch) -> None:
    stream = io.StringIO()
    progress = Progress(PlainLines(stream, watch))
    for _ in range(2):
        shown(progress, watch, 2, 4.0)
    assert stream.getvalue() == "cv: 2/2 fits, in 8 s\n" * 2


def test_planned_work_within_a_step_is_part_of_it() -> None:
    heard: list[ProgressEvent] = []
    progress = Progress(heard.append)
    with progress.planned(2) as begin:
        begin("outer")
        with progress.planned(9) as inner:
            inner("inner")
            shown(progress, Watch(), 1, 0.0)
    assert {event.step and event.step.name for event in heard} == {"outer"}
    heard.clear()
    shown(progress, Watch(), 1, 0.0)
    assert {event.step for event in heard} == {None}


def test_a_terminal_shows_the_same_line(watch: Watch) -> None:
    stream = io.StringIO()
    bar = TerminalBar(stream, watch)
    progress = Progress(bar)
    with progress.planned(2) as begin:
        begin("[red]cv")
        with progress.stage("fits", 4, "fits") as advance:
            watch.now += 20.0
            advance(1)
            [task] = bar._bars.tasks
            assert task.description == "step 1 of 2, [red]cv, fits: 1/4 fits, about 60 s left"
            assert (task.completed, task.total) == (1, 4)
            advance(3)
    assert bar._bars.finished


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (7, "7 s"), (44, "40 s"), (94, "90 s"), (96, "2 min"), (18000, "5 h")],
)
def test_durations_are_said_in_round_numbers(seconds: float, text: str) -> None:
    assert duration(seconds) == text


class Counted(Progress):
    """Notes how many steps the outermost plan has, and each that begins or is passed over."""

    def __init__(self) -> None:
        super().__init__()
        self.totals: list[int] = []
        self.begun: list[str | None] = []

    @contextlib.contextmanager
    def planned(self, total: int) -> Iterator[BeginStep]:
        outermost = not self._planned
        with super().planned(total) as begin:
            self.totals += [total] if outermost else []

            def noted(name: str | None) -> None:
                self.begun += [name] if outermost else []
                begin(name)

            yield noted


def test_a_study_and_its_runs_take_the_steps_that_they_plan(tmp_path: Path) -> None:
    space = Workspace(tmp_path / "runs", tmp_path / "cache", tmp_path)
    arms = [arm("fine", gates("easy")), arm("idle", gates("easy")), arm("more", kind="context")]
    progress = Counted()
    study = load_study(study_file(tmp_path, *arms))
    conduct_study(study, space, progress, say=lambda _: None, resume="again")
    assert progress.totals == [len(progress.begun)]
    assert progress.begun == [
        *("reference reference, prompt_holdout", "plans", "context more"),
        *("candidate fine", None, "reports"),
    ]
    progress = Counted()
    run = open_run(smoke_config("length", 'baselines=["mean"]'), space, progress)
    run_cv(run, report=lambda _: None, resume="again")
    assert progress.totals == [len(progress.begun)]
    assert progress.begun == [
        *("cross-validation", "baseline mean", "artifacts", "reports"),
    ]
