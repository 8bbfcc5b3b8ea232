from __future__ import annotations

import pytest

from essay_scoring.core.progress import Progress
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.run import open_run
from tests.conftest import smoke_config
from tests.records.made import require_equal


@pytest.mark.parametrize("family", ["length", "ridge"])
def test_a_run_in_memory_is_the_run_that_its_folder_holds(space: Workspace, family: str) -> None:
    reported: list[RunRecord] = []
    run = open_run(smoke_config(family, "evaluation.replicates=100"), space, Progress())
    made = run_cv(run, report=reported.append, resume="again")
    read = read_run(made.folder)
    assert made.manifest_sha256 == read.manifest_sha256 != ""
    assert reported[0].manifest_sha256 == ""
    for record in (made, reported[0]):
        require_equal(record, read)


def test_a_finished_run_is_read_and_not_made_again(space: Workspace) -> None:
    run = open_run(smoke_config("mean", "evaluation.replicates=100"), space, Progress())
    first = run_cv(run, report=lambda _: None, resume="again")
    again = run_cv(run, report=lambda _: pytest.fail("reported again"), resume="again")
    assert again.manifest_sha256 == first.manifest_sha256
    assert again.metrics == first.metrics
