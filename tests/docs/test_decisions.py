"""Every decision in the repository: what it names is archived, what it says is the artifact's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.files import write_json, write_text
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.records.study_results import StudyRecord, read_study
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.decision import decision_record
from tests.conftest import ROOT
from tests.studies.made import arm, gates, outcome_of, run_study, study_file

DECISIONS, RESULTS = ROOT / "docs" / "decisions", ROOT / "docs" / "results"
KEYS = {
    "id",
    "date",
    "status",
    "outcome",
    "decided_run",
    "plans",
    "runs",
    "data_sha256",
    "splits_sha256",
    "code_revision",
    "git",
}


def front_matter(text: str) -> dict[str, str]:
    """Return the front matter of a record, {} where it has none."""
    if not text.startswith("---\n"):
        return {}
    lines = text.split("---\n")[1].splitlines()
    return dict(line.split(": ", 1) for line in lines)


def is_decision(path: Path) -> bool:
    return "outcome" in front_matter(path.read_text(encoding="utf-8"))


def listed(text: str) -> list[str]:
    return text.strip("[]").split(", ")


def check_decision(path: Path, archive: Path) -> None:
    """Fail unless a record is, word for word, what its archived study says."""
    text = path.read_text(encoding="utf-8")
    front = front_matter(text)
    assert set(front) == KEYS
    studies = [read_study(file) for file in archive.glob("*.study.json")]
    [study] = [study for study in studies if study.folder == front["id"]]
    runs = {run.run: run for run in study.runs}
    assert listed(front["runs"]) == list(runs)
    assert front["decided_run"] in runs
    plans = {f"{plan.name}@{plan.sha256[:12]}": plan for plan in study.plans}
    assert set(listed(front["plans"])) == set(plans)
    for plan in plans.values():
        assert fingerprint(plan.frozen) == plan.sha256
    for gate in study.gates:
        assert f"{gate.plan}@{gate.plan_sha256[:12]}" in plans
        assert set(gate.candidate_runs) <= set(runs) or gate.verdict == "invalid"
    assert text == decision_record(study)


RECORDS = sorted(path for path in DECISIONS.glob("*.md") if is_decision(path))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_every_decision_is_what_its_artifact_says(path: Path) -> None:
    check_decision(path, RESULTS)


def test_there_are_decisions() -> None:
    assert RECORDS


def archived(folder: Path, study: dict[str, Any]) -> None:
    write_json(folder / "made.study.json", study)


def test_a_record_that_was_edited_is_found(tmp_path: Path, space: Workspace) -> None:
    """A number, a run, a plan or a tick that is not the artifact's: each is caught."""
    path = study_file(tmp_path, arm("a", gates("hard"), family="length"))
    study = outcome_of(path, space)
    archived(tmp_path, study)
    record = decision_record(StudyRecord.model_validate(study))
    written = tmp_path / "0001-made.md"
    write_text(written, record)
    check_decision(written, tmp_path)
    plan = study["plans"][0]["sha256"][:12]
    edits = [
        ("+2.000", "+1.000"),
        ("- [ ] invariance", "- [x] invariance"),
        (study["runs"][1]["run"], "a-000000000000"),
        (plan, "0" * 12),
        ("outcome: defer", "outcome: proceed"),
    ]
    for before, after in edits:
        assert before in record
        write_text(written, record.replace(before, after))
        with pytest.raises(AssertionError):
            check_decision(written, tmp_path)


def test_an_archive_whose_plan_was_edited_is_found(tmp_path: Path, space: Workspace) -> None:
    path = study_file(tmp_path, arm("a", gates("hard"), family="length"))
    study = outcome_of(path, space)
    study["plans"][0]["frozen"]["checks"][0]["delta_at_least"] = 1.0
    archived(tmp_path, study)
    write_text(tmp_path / "0001-made.md", decision_record(StudyRecord.model_validate(study)))
    with pytest.raises(AssertionError):
        check_decision(tmp_path / "0001-made.md", tmp_path)


def test_the_study_command_writes_record_and_archive(tmp_path: Path, space: Workspace) -> None:
    folder = run_study(study_file(tmp_path, arm("a", gates("easy"), family="length")), space)
    archived(tmp_path, json.loads((folder / "study.json").read_text(encoding="utf-8")))
    check_decision(folder / "decision.md", tmp_path)
