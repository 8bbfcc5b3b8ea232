"""The base install, without any extra, in an environment that holds nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from essay_scoring.core.progress import Progress
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.run_reports import write_run_reports
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.run import open_run
from tests.conftest import PATIENCE, ROOT, SMOKE, smoke_config

HEAVY = (
    "torch",
    "transformers",
    "peft",
    "xgboost",
    "catboost",
    "optuna",
    "spacy",
    "lt_py",
    "matplotlib",
)
MAIN = "from essay_scoring.cli.main import program; program()"


def base_distributions() -> set[str]:
    """Return the names of all that the base install needs, by its packages' own metadata."""
    wanted, seen = ["essay-scoring"], set[str]()
    while wanted:
        for text in metadata.requires(wanted.pop()) or []:
            needed = Requirement(text)
            applies = needed.marker is None or needed.marker.evaluate({"extra": ""})
            if applies and needed.name.lower() not in seen:
                seen.add(needed.name.lower())
                wanted.append(needed.name)
    return seen


def link_distribution(name: str, folder: Path) -> None:
    """Link all that a distribution installed into a folder; PackageNotFoundError for none."""
    distribution = metadata.distribution(name)
    tops = {file.parts[0] for file in distribution.files or []}
    for top in tops - {"..", "__pycache__"}:
        link = folder / top
        if not link.exists():
            link.symlink_to(Path(str(distribution.locate_file(top))))


@dataclass(frozen=True)
class BareEnvironment:
    """A folder of links to the base install's packages and to nothing else."""

    folder: Path

    def python(self, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python with those packages alone (-S leaves out its own, -P the current folder)."""
        paths = os.pathsep.join([str(ROOT / "src"), str(self.folder)])
        return subprocess.run(
            [sys.executable, "-S", "-P", "-c", code, *arguments],
            cwd=self.folder,
            env={"PYTHONPATH": paths, "PATH": os.environ["PATH"], "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> BareEnvironment:
    folder = tmp_path_factory.mktemp("bare")
    for name in base_distributions():
        link_distribution(name, folder)
    return BareEnvironment(folder)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, warm_cache: Path) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    space = Workspace(folder / "runs", warm_cache, folder)
    config = smoke_config("length", 'baselines=["mean"]')
    return run_cv(
        open_run(config, space, Progress()), report=write_run_reports, resume="again"
    ).folder


def test_no_heavy_package_is_in_the_bare_environment(bare: BareEnvironment) -> None:
    code = (
        "import sys, importlib.util\n"
        "print([name for name in sys.argv[1:] if importlib.util.find_spec(name)])"
    )
    assert bare.python(code, *HEAVY).stdout == "[]\n"


def test_validate_works(bare: BareEnvironment) -> None:
    done = bare.python(MAIN, "validate", str(SMOKE / "xgboost.toml"))
    assert done.returncode == 0, done.stderr
    assert '"family": "xgboost"' in done.stdout


def test_compare_works(bare: BareEnvironment, finished: Path) -> None:
    plan = str(ROOT / "configs" / "gates" / "stratified_stability.toml")
    other = str(ROOT / "configs" / "gates" / "prompt_holdout_primary.toml")
    refused = bare.python(MAIN, "compare-cv-runs", str(finished), str(finished), "--plan", plan)
    assert refused.returncode == 4
    # The smoke corpus has no prompt of 30 essays, so the plan's slice is empty: invalid evidence.
    empty = bare.python(MAIN, "compare-cv-runs", str(finished), str(finished), "--plan", other)
    assert empty.returncode == 4
    assert "worst_prompt_qwk" in empty.stderr


def test_report_and_status_work(bare: BareEnvironment, finished: Path) -> None:
    done = bare.python(MAIN, "report", str(finished))
    assert done.returncode == 0, done.stderr
    page = (finished / "views" / "report.html").read_text(encoding="utf-8")
    assert "pip install 'essay-scoring[figures]'" in page.replace("&#39;", "'")
    assert bare.python(MAIN, "status", str(finished)).stdout.startswith("complete")


@pytest.mark.parametrize("family", ["xgboost", "catboost"])
def test_a_missing_extra_names_its_install_line(
    bare: BareEnvironment, family: str, tmp_path: Path
) -> None:
    folders = ["--runs-dir", str(tmp_path / "runs"), "--cache-dir", str(tmp_path / "cache")]
    done = bare.python(MAIN, "cv", str(SMOKE / f"{family}.toml"), *folders)
    assert done.returncode == 2
    assert f"pip install -e '{ROOT}[" in done.stderr
    assert done.stderr.count("\n") <= 4
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["cv", "transformer-finetune"])
def test_fine_tuning_without_torch_names_its_install_line(
    bare: BareEnvironment, command: str, tmp_path: Path
) -> None:
    folders = ["--runs-dir", str(tmp_path / "runs"), "--cache-dir", str(tmp_path / "cache")]
    config = [str(SMOKE / "transformer.toml"), "--set", 'baselines=["mean"]']
    done = bare.python(MAIN, command, *config, *folders)
    assert done.returncode == 2, done.stderr
    assert "'torch' is not installed" in done.stderr
    assert f"pip install -e '{ROOT}[transformer]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_says_what_each_extra_would_enable(bare: BareEnvironment, tmp_path: Path) -> None:
    folders = ["--runs-dir", str(tmp_path), "--cache-dir", str(tmp_path)]
    done = bare.python(MAIN, "doctor", *folders)
    assert done.returncode == 0, done.stderr
    for extra in ("boosted", "language", "transformer", "search", "statistics", "tracking"):
        assert f"[ ] {extra}: " in done.stdout
        assert f"pip install -e '{ROOT}[{extra}]'" in done.stdout
    assert "GPU: none (torch is not installed)" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_doctor_finds_a_package_of_the_base_missing(bare: BareEnvironment, tmp_path: Path) -> None:
    broken = BareEnvironment(tmp_path / "broken")
    broken.folder.mkdir()
    for link in bare.folder.iterdir():
        if not link.name.startswith("numpy"):
            (broken.folder / link.name).symlink_to(link.resolve())
    done = broken.python(MAIN, "doctor")
    assert done.returncode == 2, done.stderr
    assert "not installed: numpy. To mend: pip install essay-scoring" in done.stdout


@pytest.mark.parametrize("preset", ["mean", "length"])
def test_the_presets_without_extras_run(bare: BareEnvironment, preset: str, tmp_path: Path) -> None:
    corpus = 'kind = "synthetic"\nn_essays = 60\nn_locked = 0\nn_prompts = 5\n'
    config = tmp_path / "mine.toml"
    config.write_text(f'extends = "preset:{preset}"\n[data.corpus]\n{corpus}')
    folders = ["--runs-dir", str(tmp_path / "runs"), "--cache-dir", str(tmp_path / "cache")]
    done = bare.python(MAIN, "cv", str(config), *folders)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob(f"runs/{preset}-*/views/report.html"))
