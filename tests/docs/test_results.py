"""docs/results.md is what its artifacts say, and no number of it is typed."""

from __future__ import annotations

import re
import string

import pytest
from benchmarks import evidence
from benchmarks.results_artifacts import RESULTS, artifact, study_of
from benchmarks.results_figures import LITTLE, figures
from benchmarks.results_page import PAGE, TEMPLATE, written
from benchmarks.results_tables import ARMS, tables

from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.features.linguistic import COMPANIONS

WORDS = {"95%", "109M", "0.05"}
"""Numbers that are no figure: a level, an encoder's size, and a threshold of a plan named there."""

APART = {"locked.json", "power_g3_local.json", "power_g3_local.svg", evidence.LEDGER}
"""Not made by `make evidence`: the locked test opens once; a picture of power; its own ledger."""


def test_the_page_is_made_of_its_artifacts() -> None:
    assert PAGE.read_text(encoding="utf-8") == written(), "run python -m benchmarks.results_page"


def test_every_name_of_the_template_is_made_and_every_one_made_is_used() -> None:
    template = TEMPLATE.read_text(encoding="utf-8")
    named = {name for _, name, _, _ in string.Formatter().parse(template) if name}
    assert named == figures().keys() | tables().keys()


def test_no_number_is_typed() -> None:
    text = re.sub(
        r"```.*?```|`[^`]*`|\]\([^)]*\)|\{\w+\}", " ", TEMPLATE.read_text("utf-8"), flags=re.DOTALL
    )
    found = {word.strip("(),.:;*") for word in text.split() if re.search(r"\d", word)}
    plain = {word for word in found if re.fullmatch(r"\d|of|G\d|all-mpnet-base-v2", word)}
    assert found - plain <= WORDS


def test_artifacts_are_those_that_a_step_makes() -> None:
    made = {name for step in evidence.STEPS for name in step.artifacts if not name.endswith(".md")}
    there = {path.name for path in RESULTS.iterdir()}
    assert there <= made | APART


def test_the_ledger_is_of_the_artifacts_as_they_are() -> None:
    for name, row in evidence.ledger().items():
        folder = evidence.DECISIONS if name.endswith(".md") else RESULTS
        assert file_sha256(folder / name) == row["sha256"], name


def test_all_are_of_the_same_essays() -> None:
    studies = [artifact(path.stem)["data"] for path in RESULTS.glob("*.study.json")]
    audits = [artifact(f"reference.{name}")["run"] for name in ("audit", "explain")]
    more = [artifact("ellipse.prepared")]
    assert len({row["data_sha256"] for row in [*studies, *audits, *more]}) == 1


def test_the_arms_of_its_words_are_there() -> None:
    arms = {run.arm for run in study_of("ellipse").runs}
    assert {*ARMS, *LITTLE} <= arms


def test_the_companions_are_those_there_are() -> None:
    rows = artifact("companions")["rows"]
    assert [row["companion"] for row in rows] == [*COMPANIONS, "all of them"]


@pytest.mark.parametrize("step", evidence.STEPS, ids=lambda step: step.name)
def test_the_commands_of_evidence_are_there(step: evidence.Step) -> None:
    for command in step.commands:
        program, name, *words = command.split()
        if program == "python" and name != "-m":
            assert (evidence.ROOT / name).is_file()
        for word in words:
            assert not word.startswith("configs/") or (evidence.ROOT / word).is_file()


def test_what_is_not_of_this_code_is_made_again(
    tmp_path: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "OUT", tmp_path)
    step = evidence.Step("small", ("python -c pass",), ("a.json",))
    assert not evidence.is_made(step)
    with pytest.raises(FileNotFoundError):
        evidence.make(step)
    (evidence.OUT / "a.json").write_text("{}", encoding="utf-8")
    evidence.make(step)
    assert evidence.is_made(step)
    (evidence.OUT / "a.json").write_text("{ }", encoding="utf-8")
    assert not evidence.is_made(step)
    evidence.make(step)
    monkeypatch.setattr(evidence, "code_revision", lambda: "0" * 64)
    assert not evidence.is_made(step)


def test_a_command_that_fails_stops_it_and_says_how_to_go_on() -> None:
    with pytest.raises(SystemExit, match="the same command goes on from here"):
        evidence.run("python -c raise(SystemExit(3))")
