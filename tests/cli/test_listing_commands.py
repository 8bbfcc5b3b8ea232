"""`essay-scoring runs`: the list, its filters, tags, notes, and removal."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from essay_scoring.cli.main import run as command
from essay_scoring.core.files import try_lock, write_json
from essay_scoring.records.listed import Listing
from tests.reports.made_card import STATUS, finished_run, study_of, trained_model


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a run, a model trained after it, and a run that failed."""
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "runs"
    trained_model(tmp_path / "models", finished_run(runs))
    failure = {"type": "InputError", "message": "no such column"}
    write_json(runs / "f-1" / "status.json", STATUS | {"state": "failed", "failure": failure})
    return tmp_path


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, str]:
    """Return the state of each folder that is listed, by its name."""
    capsys.readouterr()
    assert command(["runs", *words, "--json"]) == 0
    listing = Listing.model_validate_json(capsys.readouterr().out)
    return {entry.name: entry.state for entry in listing.entries}


def test_all_is_listed_with_figures_and_what_went_wrong(
    house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study_of(house / "runs")
    assert command(["runs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    by_kind = {line.split()[0]: line for line in lines}
    assert {"kind", "run", "model", "study"} <= set(by_kind)
    assert "after r-1" in by_kind["model"]
    assert by_kind["model"].count("[") == 1
    assert "f-1: InputError: no such column" in lines
    assert "made-1: made-1: not a run folder" in lines


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ((), {"r-1", "m-1", "f-1"}),
        (("--kind", "model"), {"m-1"}),
        (("--kind", "run", "--kind", "model", "--state", "complete"), {"r-1", "m-1"}),
        (("--tag", "good"), {"r-1"}),
        (("--tag", "good", "--tag", "bad"), set()),
        (("--name", "r-"), {"r-1"}),
        (("--name", "*-1"), {"r-1", "m-1", "f-1"}),
        (("--name", "r"), {"r-1"}),
    ],
)
def test_the_list_is_filtered(
    house: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], names: set[str]
) -> None:
    assert command(["runs", "tag", "r-1", "good"]) == 0
    assert set(listed(capsys, *words)) == names


def test_notes_lie_outside_sealed_folders_and_on_the_index_page(
    house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in house.rglob("*-1/**/*") if path.is_file()}
    assert command(["runs", "tag", "m-1", "good", "later"]) == 0
    assert command(["runs", "tag", "m-1", "later", "--drop"]) == 0
    assert command(["runs", "note", "m-1", "the one to keep"]) == 0
    assert {path: path.read_bytes() for path in before} == before
    page = (house / "runs" / "index.html").read_text(encoding="utf-8")
    assert "the one to keep" in page
    capsys.readouterr()
    assert command(["runs", "--kind", "model"]) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert line.rstrip().endswith("good  the one to keep")


def test_what_something_refers_to_goes_only_with_it_or_by_force(
    house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["report", "runs"]) == 0
    assert command(["runs", "rm", "r-1", "--yes"]) == 2
    assert "m-1 refers to it" in capsys.readouterr().err
    assert command(["runs", "rm", "r-1", "m-1", "--yes"]) == 0
    assert set(listed(capsys)) == {"f-1"}
    assert "r-1" not in (house / "runs" / "index.html").read_text(encoding="utf-8")


def test_force_removes_what_is_referred_to_but_never_what_is_held(
    house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["runs", "rm", "r-1", "--yes", "--force"]
    with try_lock(house / "runs" / "r-1" / ".lock"):
        assert command(words) == 5
    assert command(words) == 0
    assert set(listed(capsys)) == {"m-1", "f-1"}


class Terminal(io.StringIO):
    """Standard input where somebody answers."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "left"), [("n\n", True), ("", True), ("y\n", False)])
def test_removal_is_asked_about(
    house: Path, monkeypatch: pytest.MonkeyPatch, answer: str, *, left: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert command(["runs", "rm", "f-1"]) == 0
    assert (house / "runs" / "f-1").exists() == left


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rm", "f-1"), "give --yes"),
        (("rm", "f", "--yes"), "did you mean f-1?"),
        (("tag", "f-1", "two words"), "cannot be a tag"),
        (("--runs-dir", "elsewhere", "rm", "f-1", "--yes"), "put them behind the command"),
    ],
)
def test_misuse_is_one_line_and_removes_nothing(
    house: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert command(["runs", *words]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert said in line
    assert (house / "runs" / "f-1").exists()
