from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from essay_scoring.core.progress import Progress
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.run import open_run
from tests.conftest import smoke_config


@pytest.mark.parametrize("family", ["length", "ridge"])
def test_a_run_in_memory_is_the_run_that_its_folder_holds(space: Workspace, family: str) -> None:
    reported: list[RunRecord] = []
    run = open_run(smoke_config(family, "evaluation.replicates=100"), space, Progress())
    made = run_cv(run, report=reported.append, resume="again")
    read = read_run(made.folder)
    assert made.manifest_sha256 == read.manifest_sha256 != ""
    assert reported[0].manifest_sha256 == ""
    for record in (made, reported[0]):
        assert (record.folder, record.metrics, record.probe) == (
            read.folder,
            read.metrics,
            read.probe,
        )
        assert list(record.covariates) == list(read.covariates)
        for name, values in read.covariates.items():
            np.testing.assert_array_equal(record.covariates[name], values)
        for field in fields(read.predictions):
            ours, theirs = (getattr(one.predictions, field.name) for one in (record, read))
            if isinstance(theirs, np.ndarray):
                assert ours.dtype == theirs.dtype
                np.testing.assert_array_equal(ours, theirs)
            else:
                assert ours == theirs


def test_a_finished_run_is_read_and_not_made_again(space: Workspace) -> None:
    run = open_run(smoke_config("mean", "evaluation.replicates=100"), space, Progress())
    first = run_cv(run, report=lambda _: None, resume="again")
    again = run_cv(run, report=lambda _: pytest.fail("reported again"), resume="again")
    assert again.manifest_sha256 == first.manifest_sha256
    assert again.metrics == first.metrics
