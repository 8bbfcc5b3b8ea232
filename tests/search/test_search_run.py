from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from essay_scoring.cli.main import run
from essay_scoring.core.files import read_json, write_text
from essay_scoring.core.progress import Progress
from essay_scoring.records.config import load_run_config
from essay_scoring.records.manifest import require_intact
from essay_scoring.records.search import SearchFolder
from essay_scoring.records.search_settings import load_search
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.run import open_run
from essay_scoring.runs.session import read_status
from essay_scoring.search.search_workers import Team
from tests.conftest import ROOT
from tests.search.made import SMOKE_SEARCH, finished_search, small_search

ARTIFACTS = ("optuna_trials.json", "selected_params.json", "search.json")


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory, warm_cache: Path) -> tuple[Path, Workspace]:
    """A finished flat search."""
    folder = tmp_path_factory.mktemp("flat")
    space = Workspace(folder / "runs", warm_cache, folder)
    return finished_search(space, small_search()), space


@pytest.fixture(scope="module")
def nested(tmp_path_factory: pytest.TempPathFactory, warm_cache: Path) -> Path:
    """A finished nested search."""
    folder = tmp_path_factory.mktemp("nested")
    space = Workspace(folder / "runs", warm_cache, folder)
    return finished_search(space, load_search(SMOKE_SEARCH, ["trials=4"]))


def test_the_folder_is_whole(flat: tuple[Path, Workspace]) -> None:
    folder, _ = flat
    require_intact(folder)
    for name in (
        *(f"artifacts/{name}" for name in ARTIFACTS),
        "reports/optuna_summary.md",
        "views/report.html",
        "config.json",
        "provenance.json",
        "progress.json",
        "journal.log",
    ):
        assert (folder / name).stat().st_size > 0, name
    assert read_status(folder).state == "complete"
    progress = read_status(folder).progress
    assert progress is not None
    assert progress.done > 0
    assert not SearchFolder(folder).locks.exists()


def test_selected_params_is_a_config_that_gives_the_figures_of_the_trial(
    flat: tuple[Path, Workspace],
) -> None:
    folder, space = flat
    config = load_run_config(folder / "artifacts" / "selected_params.json", ["baselines=[]"])
    assert config.name == "smoke-selected"
    done = run_cv(open_run(config, space, Progress()), report=lambda _: None, resume="again").folder
    summary = read_json(done / "artifacts" / "cv_metrics.json")["summary"]
    selected = read_json(folder / "artifacts" / "search.json")["selected"]["figures"]
    assert selected["mean_qwk"] == pytest.approx(summary["mean_over_folds"]["qwk"]["mean"])


def test_a_flat_search_says_so_and_estimates_its_luck(flat: tuple[Path, Workspace]) -> None:
    record = read_json(flat[0] / "artifacts" / "search.json")
    assert record["label"] == "selected on the folds it reports"
    assert record["nested"] is None
    curse = record["winners_curse"]
    assert curse["drop"]["mean_qwk"] is not None
    assert curse["apparent"]["mean_qwk"] == record["selected"]["figures"]["mean_qwk"]
    text = (flat[0] / "reports" / "optuna_summary.md").read_text(encoding="utf-8")
    assert "selected on the folds it reports" in text
    assert "expected to be the luck" in text
    assert "Fewer than 30 trials" in text


def test_every_trial_is_listed_with_what_it_tried_and_found(flat: tuple[Path, Workspace]) -> None:
    rows = read_json(flat[0] / "artifacts" / "optuna_trials.json")["parts"]["all"]
    counted = [row for row in rows if row["slot"] is not None]
    assert [row["slot"] for row in counted] == list(range(6))
    assert len({row["fingerprint"] for row in counted}) == 6
    for row in counted:
        assert set(row["params"]) == set(small_search().settings.space)
        assert row["figures"]["mean_qwk"] is not None
        assert (row["feasible"] is None) == (row["state"] != "complete")


def test_the_leading_trials_are_run_again_on_prompts_that_were_seen(
    flat: tuple[Path, Workspace],
) -> None:
    folder, space = flat
    rows = read_json(folder / "artifacts" / "search.json")["stability"]
    assert [row["role"] for row in rows] == ["reference", "winner", "runner-up"]
    for row in rows:
        metrics = read_json(space.runs / row["run"] / "artifacts" / "cv_metrics.json")
        assert metrics["run"]["scheme"] == "stratified_text"
        require_intact(space.runs / row["run"])
    assert rows[0]["delta"] == 0


def test_the_same_command_finds_the_finished_search(flat: tuple[Path, Workspace]) -> None:
    folder, space = flat
    before = (folder / "manifest.json").stat().st_mtime_ns
    assert finished_search(space, small_search()) == folder
    assert (folder / "manifest.json").stat().st_mtime_ns == before


def test_reports_are_written_again_from_the_artifacts(
    flat: tuple[Path, Workspace], capsys: pytest.CaptureFixture[str]
) -> None:
    page = flat[0] / "views" / "report.html"
    before = page.read_bytes()
    assert run(["report", str(flat[0])]) == 0
    assert str(page) in capsys.readouterr().out
    assert page.read_bytes() == before
    require_intact(flat[0])


def test_the_same_search_gives_the_same_trials_elsewhere(
    flat: tuple[Path, Workspace], tmp_path: Path
) -> None:
    folder, space = flat
    again = finished_search(Workspace(tmp_path, space.cache, tmp_path), small_search())
    assert again.name == folder.name
    name = "artifacts/selected_params.json"
    assert (again / name).read_bytes() == (folder / name).read_bytes()
    rows = [
        [
            {key: value for key, value in row.items() if key != "seconds"}
            for row in read_json(one / "artifacts" / "optuna_trials.json")["parts"]["all"]
        ]
        for one in (folder, again)
    ]
    assert rows[0] == rows[1]


def test_nested_selection_reports_folds_that_selected_nothing(nested: Path) -> None:
    require_intact(nested)
    record = read_json(nested / "artifacts" / "search.json")
    found = record["nested"]
    assert record["label"].startswith("selected inside, reported on outer folds")
    assert sorted(found["chosen"]) == [f"outer-{fold}" for fold in range(5)]
    assert found["summary"]["n"] == 60
    assert len(found["summary"]["folds"]) == 5
    rows = (nested / "artifacts" / "nested" / "residuals_cv_val_oof.jsonl").read_text("utf-8")
    assert len(rows.splitlines()) == 60
    parts = read_json(nested / "artifacts" / "optuna_trials.json")["parts"]
    for name, chosen in found["chosen"].items():
        best = max(
            (row for row in parts[name] if row["feasible"] and row["slot"] is not None),
            key=lambda row: row["key"],
        )
        assert chosen["key"] == best["key"]
    text = (nested / "reports" / "optuna_summary.md").read_text(encoding="utf-8")
    assert "judged on folds that took no part in it" in text


def test_two_processes_do_one_search(tmp_path: Path, warm_cache: Path) -> None:
    space = Workspace(tmp_path / "runs", warm_cache, tmp_path)
    folder = finished_search(space, small_search("trials=8"), Team(workers=2))
    require_intact(folder)
    rows = read_json(folder / "artifacts" / "optuna_trials.json")["parts"]["all"]
    slots = [row["slot"] for row in rows if row["slot"] is not None and row["state"] != "failed"]
    assert sorted(slots) == list(range(8))


HOPELESS = f"""
name = "hopeless"
config = "{ROOT}/configs/smoke/ridge.toml"
mode = "flat"
objective = "mean_qwk"
trials = 3
[space."scorer.alphas"]
kind = "choice"
values = {{ a = [1e12], b = [2e12], c = [3e12] }}
"""


def test_no_feasible_trial_leaves_the_reference_and_says_so(
    space: Workspace, tmp_path: Path
) -> None:
    """Ridge this strong predicts one score for all, which loses both tails."""
    write_text(tmp_path / "hopeless.toml", HOPELESS)
    folder = finished_search(space, load_search(tmp_path / "hopeless.toml"))
    require_intact(folder)
    record = read_json(folder / "artifacts" / "search.json")
    assert record["selected"] is None
    assert record["counts"]["all"]["complete"] == 3
    assert not (folder / "artifacts" / "selected_params.json").exists()
    assert "No trial kept both tails" in (folder / "reports" / "optuna_summary.md").read_text()


def test_the_override_selects_what_breaks_a_guardrail_and_records_it(
    space: Workspace, tmp_path: Path
) -> None:
    write_text(tmp_path / "hopeless.toml", HOPELESS)
    search = load_search(tmp_path / "hopeless.toml", allow_tail_regression=True)
    folder = finished_search(space, search)
    record = read_json(folder / "artifacts" / "search.json")
    assert record["allow_tail_regression"] is True
    assert record["selected"] is not None
    rows = read_json(folder / "artifacts" / "optuna_trials.json")["parts"]["all"]
    assert [row["feasible"] for row in rows if row["slot"] is not None] == [False] * 3
    summary = (folder / "reports" / "optuna_summary.md").read_text(encoding="utf-8")
    assert "--allow-tail-regression" in summary


def test_a_nested_search_keeps_the_reference_where_nothing_is_feasible(
    space: Workspace, tmp_path: Path
) -> None:
    write_text(tmp_path / "hopeless.toml", HOPELESS)
    folder = finished_search(space, load_search(tmp_path / "hopeless.toml", ['mode="nested"']))
    found = read_json(folder / "artifacts" / "search.json")["nested"]
    assert [one["slot"] for one in found["chosen"].values()] == [-1] * 5


def test_a_search_never_touches_the_locked_test(tmp_path: Path, warm_cache: Path) -> None:
    """In a process that ran a whole search, the module that opens the locked test is not loaded."""
    code = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from essay_scoring.records.workspace import Workspace\n"
        "from tests.search.made import finished_search, small_search\n"
        "space = Workspace(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[1]))\n"
        "folder = finished_search(space, small_search('trials=2'))\n"
        "print(json.dumps([str(folder), 'essay_scoring.data.locked' in sys.modules]))\n"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "runs"), str(warm_cache)]
    done = subprocess.run(
        arguments, cwd=ROOT, capture_output=True, text=True, check=True, timeout=200
    )
    folder, loaded = json.loads(done.stdout.splitlines()[-1])
    assert not loaded
    assert not list(tmp_path.rglob("locked_test_ledger.jsonl"))
    space = Workspace(tmp_path, warm_cache, tmp_path)
    locked = open_run(small_search().base, space, Progress()).prepared.locked_ids
    assert locked
    for path in Path(folder).rglob("*"):
        if path.is_file():
            content = path.read_text(encoding="utf-8")
            assert not any(f'"{essay}"' in content for essay in locked), path
