from __future__ import annotations

import json
from pathlib import Path

import pytest

from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.files import read_json
from essay_scoring.core.progress import Progress
from essay_scoring.records.manifest import require_intact
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.final_test import Opening, run_final_test
from tests.studies.made import arm, gates, run_study, study_file


@pytest.fixture
def decided(tmp_path: Path, space: Workspace) -> tuple[Path, Path]:
    """Return a decided run and the study that decided for it."""
    arms = arm("first", gates("hard")), arm("second", gates("easy"), family="ridge")
    study = run_study(study_file(tmp_path, *arms), space)
    return space.runs / read_json(study / "study.json")["decided_run"], study


def ledger(space: Workspace) -> list[dict[str, object]]:
    if not space.ledger.exists():
        return []
    return [json.loads(line) for line in space.ledger.read_text(encoding="utf-8").splitlines()]


def test_the_locked_test_opens_once_and_the_opening_is_recorded(
    decided: tuple[Path, Path], space: Workspace
) -> None:
    run, study = decided
    assert ledger(space) == []
    folder = run_final_test(Opening(run, study), space, Progress(), resume="again")
    require_intact(folder)
    final = read_json(folder / "artifacts" / "final_test.json")
    assert final["n"] == 12
    assert final["summary"]["overall"]["mae"]["n"] == 12
    assert [entry["run"] for entry in ledger(space)] == [run.name]
    with pytest.raises(EvidenceError, match=r"opened 1 time\(s\)"):
        run_final_test(Opening(run, study), space, Progress(), resume="again")
    again = run_final_test(
        Opening(run, study, "the first had a wrong scale"), space, Progress(), resume="again"
    )
    assert again != folder
    assert [entry["reason"] for entry in ledger(space)] == [
        "the decided run",
        "the first had a wrong scale",
    ]


def test_a_run_that_was_not_decided_for_is_refused_and_nothing_is_recorded(
    decided: tuple[Path, Path], space: Workspace
) -> None:
    _, study = decided
    other = next(
        space.runs / run["run"]
        for run in read_json(study / "study.json")["runs"]
        if run["role"] == "reference"
    )
    with pytest.raises(EvidenceError, match="decided for"):
        run_final_test(Opening(other, study), space, Progress(), resume="again")
    assert ledger(space) == []


def test_an_opening_that_was_cut_short_goes_on_without_a_second_entry(
    decided: tuple[Path, Path], space: Workspace
) -> None:
    run, study = decided
    folder = run_final_test(Opening(run, study), space, Progress(), resume="again")
    (folder / "manifest.json").unlink()
    assert run_final_test(Opening(run, study), space, Progress(), resume="again") == folder
    assert len(ledger(space)) == 1


def test_no_other_command_leaves_a_locked_score_in_a_run(
    decided: tuple[Path, Path], space: Workspace
) -> None:
    run, study = decided
    ids = read_json(next(iter(space.cache.rglob("splits.json"))))["locked_ids"]
    assert ids
    for folder in (run, study):
        for path in folder.rglob("*.json*"):
            text = path.read_text(encoding="utf-8")
            assert not any(f'"{essay}"' in text for essay in ids), path
