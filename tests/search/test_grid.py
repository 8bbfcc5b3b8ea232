from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from essay_scoring.cli.main import run
from essay_scoring.core.errors import InputError
from essay_scoring.core.files import read_json, write_text
from essay_scoring.core.progress import Progress
from essay_scoring.records.config import load_run_config
from essay_scoring.records.manifest import is_complete, require_intact
from essay_scoring.records.search import Outcome
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.search_report import write_grid_reports
from essay_scoring.search.evaluator import Evaluator
from essay_scoring.search.grid import CONTRACT_GRID, GridSweep, load_grid, run_grid
from essay_scoring.search.search_workers import Team
from essay_scoring.search.space import grid_cells
from tests.conftest import ROOT, smoke_config

AXES: dict[str, list[Any]] = {
    "scorer.alphas": [[1.0], [30.0], [1000.0]],
    "training.weighting": ["none", "sqrt_inv_freq"],
}


def swept(space: Workspace, axes: dict[str, list[Any]] = AXES, workers: int = 1) -> Path:
    """Return the folder of a small grid, run to the end."""
    return run_grid(
        GridSweep(smoke_config("ridge"), axes, "mean_qwk"),
        space,
        Progress(),
        team=Team(workers),
        report=write_grid_reports,
        resume="the same command",
    )


def test_the_contracts_grid_has_54_cells_and_the_reference_is_one() -> None:
    base = load_run_config(ROOT / "configs" / "ellipse_reference.toml")
    cells = grid_cells(base, load_grid(None))
    assert len(cells) == 54
    assert sum(config == base for _, config in cells) == 1
    assert set(CONTRACT_GRID) == {
        "scorer.max_depth",
        "scorer.min_child_weight",
        "scorer.reg_lambda",
        "scorer.reg_alpha",
    }


def test_cells_are_ranked_and_the_best_is_a_config(space: Workspace) -> None:
    folder = swept(space)
    require_intact(folder)
    cells = read_json(folder / "artifacts" / "sweep.json")["cells"]
    figures = [cell["figures"]["mean_qwk"] for cell in cells]
    assert figures == sorted(figures, reverse=True)
    assert sorted(cell["cell"] for cell in cells) == list(range(6))
    best = load_run_config(folder / "artifacts" / "selected_params.json")
    assert best.scorer.model_dump()["alphas"] == tuple(cells[0]["params"]["scorer.alphas"])
    summary = (folder / "reports" / "sweep_summary.md").read_text(encoding="utf-8")
    assert "The best of 6 cells" in summary
    assert "selected on the folds it reports" in summary


def test_each_finished_cell_is_kept_at_once_and_not_done_again(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    class CutShortError(Exception):
        pass

    whole = Evaluator.try_out

    def try_out(*arguments: Any, **more: Any) -> Outcome:
        if more["slot"] == 4:
            raise CutShortError
        return whole(*arguments, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Evaluator, "try_out", try_out)
        with pytest.raises(CutShortError):
            swept(space)
    [folder] = (space.runs / "searches").glob("smoke-*")
    kept = {path: path.stat().st_ino for path in folder.glob("trials/all/*.json")}
    assert len(kept) == 4
    assert not is_complete(folder)
    assert swept(space) == folder
    require_intact(folder)
    assert all(path.stat().st_ino == inode for path, inode in kept.items())


def test_cells_that_come_to_the_same_configuration_are_done_once(space: Workspace) -> None:
    """Without weighting its cap means nothing."""
    folder = swept(space, {"training.weight_cap": [1.0, 2.0, 3.0]})
    assert len(read_json(folder / "artifacts" / "sweep.json")["cells"]) == 1


def test_two_workers_do_each_cell_once(space: Workspace) -> None:
    folder = swept(space, workers=2)
    require_intact(folder)
    cells = read_json(folder / "artifacts" / "sweep.json")["cells"]
    assert sorted(cell["cell"] for cell in cells) == list(range(6))


def test_a_grid_file_names_its_axes(
    space: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_text(tmp_path / "grid.toml", '[grid]\n"training.weight_cap" = [1.5, 2.5]\n')
    assert load_grid(tmp_path / "grid.toml") == {"training.weight_cap": [1.5, 2.5]}
    write_text(tmp_path / "bad.toml", "[gird]\n")
    with pytest.raises(InputError, match="did you mean 'grid'"):
        load_grid(tmp_path / "bad.toml")
    arguments = ["--grid", str(tmp_path / "grid.toml"), "--objective", "mean_qwk"]
    folders = ["--runs-dir", str(space.runs), "--cache-dir", str(space.cache)]
    config = str(ROOT / "configs" / "smoke" / "ridge.toml")
    weighted = ["--set", "training.weighting=sqrt_inv_freq"]
    assert run(["xgb-sweep", config, *arguments, *folders, *weighted]) == 0
    assert "The best of 2 cells" in capsys.readouterr().out
