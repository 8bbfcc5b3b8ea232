"""The wheel in an environment of its own: from a table to a report in an empty folder."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

from tests.cli.test_init import WORD, asap, german, kaggle, rsmtool, workbook
from tests.conftest import PATIENCE, ROOT
from tests.contracts.test_bare_install import base_distributions, link_distribution

pytestmark = pytest.mark.slow

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info")


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel and what the base install needs, and an empty folder."""

    python: Path
    place: Path

    def __call__(self, *words: str, code: int = 0) -> str:
        """Run the program in the folder; return all it said, where it ended as it should."""
        done = self.run(str(self.python.parent / "essay-scoring"), *words)
        assert done.returncode == code, done.stdout + done.stderr
        assert WORD not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment."""
        return subprocess.run(
            words,
            cwd=self.place,
            env={"PATH": f"{self.python.parent}:/usr/bin:/bin", "HOME": str(self.place)},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def report(self, said: str) -> Path:
        """Return the report that a command named, which is there."""
        [line] = [line for line in said.splitlines() if line.startswith("report: ")]
        path = self.place / line.removeprefix("report: ")
        assert path.is_file()
        return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built of the sources alone, with nothing fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=LEFT_OUT)
    pip("wheel", "--no-deps", "--no-build-isolation", "-w", str(folder / "out"), str(folder))
    [path] = (folder / "out").glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    pip("--python", str(python), "install", "--no-deps", str(wheel))
    (folder / "links").mkdir()
    for name in (*base_distributions(), "openpyxl", "et_xmlfile"):
        try:
            link_distribution(name, folder / "links")
        except metadata.PackageNotFoundError:
            continue
    [site] = (folder / "env" / "lib").glob("*/site-packages")
    (site / "base.pth").write_text(f"{folder / 'links'}\n", encoding="utf-8")
    (folder / "place").mkdir()
    return Installed(python, folder / "place")


def pip(*words: str) -> None:
    """Run pip without a network."""
    command = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check"]
    environment = os.environ | {"PIP_NO_INDEX": "1"}
    done = subprocess.run(
        [*command, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_holds_the_package_its_presets_and_templates(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.startswith("essay_scoring/")}
    source = ROOT / "src"
    endings = {".py", ".toml", ".jinja", ".sh", ".txt", ".css", ".typed"}
    kept = (path for path in (source / "essay_scoring").rglob("*") if path.suffix in endings)
    assert names == {path.relative_to(source).as_posix() for path in kept} | {
        "essay_scoring/py.typed"
    }


def test_what_runs_is_the_wheel(installed: Installed) -> None:
    code = "import essay_scoring; print(essay_scoring.__file__)"
    assert "site-packages" in installed.run(str(installed.python), "-c", code).stdout
    assert installed("--version") == f"essay-scoring {metadata.version('essay-scoring')}\n"


def test_pip_knows_every_extra_by_the_line_that_is_named(installed: Installed) -> None:
    said = [line.strip() for line in installed("doctor").splitlines()]
    missing = [extra for extra in EXTRAS if any(f"[ ] {extra}: " in line for line in said)]
    assert {*EXTRAS} - {*missing} <= {"excel"}
    for extra in missing:
        [line] = {line for line in said if f"essay-scoring[{extra}]" in line}
        command = shlex.split(line)
        assert command[:3] == [str(installed.python), "-m", "pip"]
        resolving = ["--python", str(installed.python), "install", "--no-index", "--dry-run"]
        done = subprocess.run(
            [sys.executable, "-m", "pip", *resolving, command[-1]],
            capture_output=True,
            text=True,
            check=False,
        )
        told = done.stdout + done.stderr
        assert "does not provide the extra" not in told
        assert done.returncode == 0 or f'extra == "{extra}"' in told, told


FEWER = "power_simulations = 40"
TABLES = {"eight scales.csv": asap, "german.csv": german, "two raters.xlsx": workbook}


@pytest.mark.parametrize("name", TABLES)
def test_two_commands_lead_from_a_table_to_a_report(installed: Installed, name: str) -> None:
    TABLES[name](installed.place / name)
    said = installed("init", name, "--yes")
    [line] = [line for line in said.splitlines() if line.startswith("next: ")]
    words = shlex.split(line.removeprefix("next: essay-scoring "))
    study = installed.place / words[1]
    # Two hundred simulated pairs would be what takes the time.
    told = study.read_text(encoding="utf-8").replace("power_simulations = 200", FEWER)
    study.write_text(told, encoding="utf-8")
    assert FEWER in told
    page = installed.report(installed(*words, "--exit-zero")).read_text(encoding="utf-8")
    assert WORD not in page


def test_essays_without_prompts_are_refused_for_training_and_scored(installed: Installed) -> None:
    german(installed.place / "trained.csv")
    installed("init", "trained.csv", "--yes")
    said = installed("train", "trained/candidate.toml")
    [model] = [line[7:] for line in said.splitlines() if line.startswith("model: ")]
    kaggle(installed.place / "train.csv")
    refused = installed("init", "train.csv", "--yes", code=2)
    assert "whole prompts are held out" in refused
    command = refused.split("score them: essay-scoring ")[1].split(". To mend:")[0]
    installed(*[model if word == "MODEL" else word for word in shlex.split(command)])
    rows = (installed.place / "scores.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 31
    assert "predicted_band" in rows[0]


@pytest.mark.parametrize("whole", [True, False])
def test_predictions_of_rsmtool_lead_to_a_report(installed: Installed, *, whole: bool) -> None:
    rsmtool(installed.place / "predictions.csv", whole=whole)
    said = installed("init", "predictions.csv", "--yes", code=2)
    installed.report(installed(*shlex.split(said.split("To mend: essay-scoring ")[1])))
