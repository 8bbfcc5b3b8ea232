"""Names and characters that no command may take as they are, from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from essay_scoring.cli.main import run
from essay_scoring.core.errors import InputError
from essay_scoring.launch.remote import require_name
from essay_scoring.records.run_records import RunName
from tests.conftest import SMOKE

PREDICTIONS = "record_id,prompt,fold,y_true,y_pred\n" + "".join(
    f"e{i},p{i % 4},{i % 4},{1 + i % 5},{1 + (i * 3) % 5}\n" for i in range(40)
)
NAMES = ["../../x", "/tmp/x", "", "a\nb", "a\n", "\x1b[31mx", ".", "..", "a/b", "a" * 300, "\u00e9"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "predictions.csv"
    path.write_text(PREDICTIONS)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_a_name_never_leaves_the_runs_folder(
    name: str, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "a" / "runs"
    before = set(tmp_path.rglob("*"))
    words = ["import-predictions", str(table), "--run-name", name, "--runs-dir", str(runs)]
    assert run(words) == 2
    assert run(["cv", str(SMOKE / "mean.toml"), "--run-name", name, "--runs-dir", str(runs)]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 2
    assert "\x1b" not in said
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", [name for name in NAMES if name.isascii()])
def test_a_record_names_no_folder_elsewhere(name: str) -> None:
    with pytest.raises(ValueError, match="folder"):
        RunName(name="x", folder=name, scheme="prompt_holdout")
    if "/" not in name:
        with pytest.raises(InputError):
            require_name(name)


@pytest.mark.parametrize("scale", ["1:1e308:0.5", "-1e308:1e308:1", "0:1e9:1e-9", "1:nan:1"])
def test_a_scale_that_no_rater_has_is_one_line(
    scale: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["import-predictions", str(table), "--run-name", "x", "--scale", scale]) == 2
    assert "error in the program" not in capsys.readouterr().err


def essay_scoring(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "essay_scoring.cli.main", *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def test_control_characters_reach_neither_terminal_nor_file(table: Path, tmp_path: Path) -> None:
    table.write_text(PREDICTIONS.replace(",p1,", ",p\x1b[31m1,"), encoding="utf-8")
    words = ["import-predictions", str(table), "--run-name", "x", "--runs-dir", str(tmp_path)]
    refused = essay_scoring(*words)
    assert refused.returncode == 2
    assert "control character" in refused.stderr
    asked = essay_scoring("cv", "\x1b[31m.toml", "--no-\x1b[32m", "\x9b")
    assert asked.returncode == 2
    assert not {"\x1b", "\x9b"} & set(refused.stderr + asked.stderr + asked.stdout)


def test_a_terminal_that_lacks_characters_is_served(table: Path, tmp_path: Path) -> None:
    table.write_text(PREDICTIONS.replace(",p1,", ",caf\u00e9 \U0001f600,"), encoding="utf-8")
    words = ["import-predictions", str(table), "--run-name", "x", "--runs-dir", str(tmp_path)]
    done = essay_scoring(*words, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert (done.returncode, done.stderr) == (0, "")
    gone = essay_scoring("status", str(tmp_path / "caf\u00e9"), PYTHONIOENCODING="ascii")
    assert gone.returncode == 2
    assert "caf\\xe9" in gone.stderr
