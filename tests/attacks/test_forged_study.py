"""A finished study edited by hand is never repeated as if it were what was decided."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.attacks.edited import Shell, edit
from tests.studies.made import arm, gates, study_file


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory, warm_cache: Path) -> Path:
    """A folder with a study that ended in defer, finished; its file has the path returned."""
    folder = tmp_path_factory.mktemp("decided")
    file = study_file(folder, arm("easy", gates("hard")))
    assert Shell(folder, warm_cache).study(file) == 3
    return file


@pytest.fixture
def shell(decided: Path, tmp_path: Path, warm_cache: Path) -> Shell:
    """Commands in a copy of that folder."""
    return Shell(Path(shutil.copytree(decided.parent, tmp_path / "copy")), warm_cache)


@pytest.fixture
def file(decided: Path, shell: Shell) -> Path:
    """The study's file there."""
    return shell.folder / decided.name


def folder_of(shell: Shell) -> Path:
    [folder] = (shell.runs / "studies").glob("small-*")
    return folder


def test_a_forged_outcome_is_refused_in_one_line(
    shell: Shell, file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    study = folder_of(shell) / "study.json"
    edit(study, lambda record: record.update(outcome="proceed", decided_arm="easy"))
    assert shell.study(file) == 4
    out, err = capfd.readouterr()
    assert "decision" not in out
    [line] = [line for line in err.splitlines() if "checksum differs" in line]
    assert str(study) in line


def test_an_untouched_study_is_repeated_as_it_was_decided(
    shell: Shell, file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = (folder_of(shell) / "study.json").read_bytes()
    assert shell.study(file) == 3
    assert "decision: defer" in capfd.readouterr().out
    assert (folder_of(shell) / "study.json").read_bytes() == before


@pytest.mark.parametrize("name", ["study.json", "decision.md"])
def test_tables_are_not_made_of_a_changed_study(shell: Shell, file: Path, name: str) -> None:
    folder = folder_of(shell)
    (folder / name).write_text((folder / name).read_text(encoding="utf-8") + "\n")
    for source in (folder, folder / "study.json"):
        assert shell.reading("tables", source, "--out", shell.folder / "tables") == 4
    assert not (shell.folder / "tables").exists()


def test_a_figure_of_a_run_that_was_edited_stops_the_study(shell: Shell, file: Path) -> None:
    [run] = shell.runs.glob("easy-*")
    metrics = run / "artifacts" / "cv_metrics.json"
    edit(metrics, lambda found: found["summary"]["overall"]["qwk"].update(estimate=0.99))
    assert shell.study(file) == 4
