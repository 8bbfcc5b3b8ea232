from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.files import read_json
from essay_scoring.core.progress import Progress
from essay_scoring.core.record import read_record
from essay_scoring.core.text import text_hash
from essay_scoring.data.data_settings import SyntheticCorpus
from essay_scoring.data.synthetic import generate
from essay_scoring.records.locked_test import FinalTest, OpeningEntry
from essay_scoring.records.manifest import require_intact
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs import final_test
from essay_scoring.runs.final_test import Decided, run_final_test
from tests.studies.made import arm, gates, run_study, study_file


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, warm_cache: Path) -> Path:
    """Return a study that decided for a run, among the runs it read."""
    home = tmp_path_factory.mktemp("decided")
    arms = arm("first", gates("hard")), arm("second", gates("easy"), family="ridge")
    return run_study(study_file(home, *arms), Workspace(home / "runs", warm_cache, home))


@pytest.fixture
def decided(study: Path, space: Workspace) -> Decided:
    """Return a copy of the decided run, with the study that decided for it."""
    shutil.copytree(study.parents[1], space.runs)
    folder = space.runs / study.parent.name / study.name
    return Decided(space.runs / read_json(folder / "study.json")["decided_run"], folder)


def opened(decided: Decided, space: Workspace, again: str | None = None) -> Path:
    return run_final_test(
        Decided(decided.run, decided.study, again), space, Progress(), resume="again"
    )


def ledger(space: Workspace) -> list[OpeningEntry]:
    if not space.ledger.exists():
        return []
    lines = space.ledger.read_text(encoding="utf-8").splitlines()
    return [OpeningEntry.model_validate_json(line) for line in lines]


def reference_of(study: Path) -> str:
    [name] = [
        run["run"] for run in read_json(study / "study.json")["runs"] if run["role"] == "reference"
    ]
    return str(name)


def test_the_locked_test_opens_once_and_the_opening_is_recorded(
    decided: Decided, space: Workspace
) -> None:
    assert ledger(space) == []
    folder = opened(decided, space)
    require_intact(folder)
    final = read_record(FinalTest, folder / "artifacts" / "final_test.json")
    assert final.n == 12
    assert [entry.run for entry in ledger(space)] == [decided.run.name]
    with pytest.raises(EvidenceError, match=r"12 of 12 essays were opened on 20\d\d-\d\d-\d\d for"):
        opened(decided, space)
    again = opened(decided, space, "the first had a wrong scale")
    assert again != folder
    reasons = ["the decided run", "the first had a wrong scale"]
    assert [entry.reason for entry in ledger(space)] == reasons
    assert [entry.opening for entry in ledger(space)] == [1, 2]
    with pytest.raises(EvidenceError, match="with a new reason"):
        opened(decided, space, "the first had a wrong scale")


def test_the_ledger_lies_beside_the_data_and_names_essays_by_the_hash_of_their_text(
    decided: Decided, space: Workspace
) -> None:
    opened(decided, space)
    assert space.ledger == space.data / "locked_test_ledger.jsonl"
    config = read_json(decided.run / "config.json")["data"]["corpus"]
    texts = generate(SyntheticCorpus.model_validate(config), "locked").essays.texts
    [entry] = ledger(space)
    assert list(entry.locked) == sorted(map(text_hash, texts))
    line = space.ledger.read_text(encoding="utf-8")
    assert not any(text[:40] in line for text in texts)


def test_one_opening_scores_the_decided_run_and_its_reference_paired(
    decided: Decided, space: Workspace
) -> None:
    folder = opened(decided, space)
    final = read_record(FinalTest, folder / "artifacts" / "final_test.json")
    assert final.reference is not None
    assert final.comparison is not None
    assert final.decided.run == decided.run.name
    assert final.reference.run == reference_of(decided.study)
    rows = {}
    for stem in ("residuals_locked", "residuals_locked_reference"):
        lines = (folder / "artifacts" / f"{stem}.jsonl").read_text(encoding="utf-8").splitlines()
        rows[stem] = [json.loads(line) for line in lines]
        assert (folder / "artifacts" / f"{stem}.csv").is_file()
    mae = [float(np.mean([row["abs_residual"] for row in values])) for values in rows.values()]
    delta = final.comparison.deltas["mae"]
    assert [delta.candidate, delta.reference] == pytest.approx(mae)
    assert delta.estimate == pytest.approx(mae[0] - mae[1])
    assert delta.low is not None
    for side in ("decided", "reference"):
        require_intact(folder / "models" / side)


def test_a_decided_reference_is_scored_alone(tmp_path: Path, space: Workspace) -> None:
    study = run_study(study_file(tmp_path, arm("first", gates("hard"))), space)
    reference = Decided(space.runs / reference_of(study), study)
    folder = opened(reference, space)
    final = read_record(FinalTest, folder / "artifacts" / "final_test.json")
    assert final.decided.run == reference.run.name
    assert final.reference is None
    assert final.comparison is None
    assert not list((folder / "artifacts").glob("residuals_locked_reference*"))


def test_a_run_that_was_not_decided_for_is_refused_and_nothing_is_recorded(
    decided: Decided, space: Workspace
) -> None:
    other = Decided(space.runs / reference_of(decided.study), decided.study)
    with pytest.raises(EvidenceError, match="decided for"):
        opened(other, space)
    assert ledger(space) == []


def test_an_opening_that_was_cut_short_goes_on_without_a_second_entry(
    decided: Decided, space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(final_test, "write_residuals", cut)
        with pytest.raises(KeyboardInterrupt):
            opened(decided, space)
    [entry] = ledger(space)
    folder = opened(decided, space)
    assert folder.name == entry.folder
    assert len(ledger(space)) == 1


def test_a_ledger_without_a_folder_is_refused(decided: Decided, space: Workspace) -> None:
    nowhere = Workspace(space.runs, space.cache, space.data / "nowhere")
    with pytest.raises(InputError, match=r"no such folder.*--ledger-dir"):
        opened(decided, nowhere)
    assert not nowhere.data.exists()


def test_no_other_command_leaves_a_locked_score_in_a_run(
    decided: Decided, space: Workspace
) -> None:
    ids = read_json(next(iter(space.cache.rglob("splits.json"))))["locked_ids"]
    assert ids
    for folder in (decided.run, decided.study):
        for path in folder.rglob("*.json*"):
            text = path.read_text(encoding="utf-8")
            assert not any(f'"{essay}"' in text for essay in ids), path
