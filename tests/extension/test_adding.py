"""Each extension point, by docs/adding.md: its code is installed, run, and seen used."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

DOC = ROOT / "docs" / "adding.md"
BLOCK = re.compile(r"^ *```\w+ (\S+/\S+\.\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def install(text: str, package: Path, configs: Path) -> None:
    """Carry out every fenced block of a page that names a file.

    A block of a new file is the file. One of a file that is there holds places, a blank line
    between them: a line of the file, and below it the lines to add after that one.
    """
    for name, code in BLOCK.findall(text):
        path = configs / Path(name).name if name.startswith("configs/") else package / name
        if not path.exists():
            path.write_text(code, encoding="utf-8")
            continue
        content = path.read_text(encoding="utf-8")
        for place in code.strip("\n").split("\n\n"):
            anchor, _, added = place.partition("\n")
            assert content.count(f"{anchor}\n") == 1, f"{name} has not one line {anchor!r}"
            content = content.replace(f"{anchor}\n", f"{anchor}\n{added}\n")
        path.write_text(content, encoding="utf-8")


def run(root: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    command = [sys.executable, "-c", *arguments]
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package to which all that the page shows was added, and its configs."""
    root = tmp_path_factory.mktemp("extended")
    package = root / "src" / "essay_scoring"
    shutil.copytree(
        ROOT / "src" / "essay_scoring", package, ignore=shutil.ignore_patterns("__pycache__")
    )
    install(DOC.read_text(encoding="utf-8"), package, root)
    return root


@pytest.fixture(scope="module")
def finished(extended: Path) -> Path:
    """The run of the page's own config, by the command line."""
    main = "from essay_scoring.cli.main import program; program()"
    run(extended, main, "cv", "mine.toml", "--runs-dir", "runs", "--cache-dir", "cache")
    (folder,) = (extended / "runs").glob("smoke-mine-*")
    return folder


def test_a_family_of_one_file_and_one_name_is_fitted_and_predicts(finished: Path) -> None:
    metrics = json.loads((finished / "artifacts" / "cv_metrics.json").read_text(encoding="utf-8"))
    assert metrics["family"] == "mine"
    residuals = finished / "artifacts" / "residuals_cv_val_oof.csv"
    with residuals.open(encoding="utf-8") as stream:
        predicted = {row["y_pred_raw"] for row in csv.DictReader(stream)}
    assert len(predicted) > 5


def test_a_family_s_saved_model_is_read_back(extended: Path, finished: Path) -> None:
    code = """
import sys
from pathlib import Path
from types import SimpleNamespace
from essay_scoring.models.card import read_card
from essay_scoring.models.mine import MineScorer
for folder in map(Path, sys.argv[1:]):
    card = read_card(folder)
    scorer = MineScorer(card.settings, card.training, SimpleNamespace(columns=None))
    scorer.restore(folder, card)
    print(type(scorer.estimator).__name__, *scorer.columns.names)
"""
    models = sorted(map(str, finished.glob("models/fold-*/model")))
    assert models
    told = run(extended, code, *models).splitlines()
    assert told == ["HistGradientBoostingRegressor commas characters"] * len(models)


def test_a_feature_block_is_asked_for_by_its_own_set(finished: Path) -> None:
    provenance = json.loads((finished / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["features"]["mine"]["identity"] == {"version": 1}
    (values,) = finished.parents[1].glob("cache/**/mine/*/identity.json")
    assert json.loads(values.read_text(encoding="utf-8"))["columns"] == [
        "commas",
        "characters",
    ]


def test_without_the_name_the_page_says_to_add_nothing_new_is_known(tmp_path: Path) -> None:
    config = tmp_path / "mine.toml"
    (text,) = (code for name, code in BLOCK.findall(DOC.read_text("utf-8")) if "smoke" in name)
    config.write_text(text, encoding="utf-8")
    command = [sys.executable, "-c", "from essay_scoring.cli.main import program; program()", "cv"]
    done = subprocess.run(
        [*command, str(config)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "'mine'" in done.stderr


def test_an_invariance_method_of_one_file_and_one_name_is_trained_with(
    extended: Path, tmp_path: Path
) -> None:
    """The probe of prompts is written for every run with a method, and for no other."""
    main = "from essay_scoring.cli.main import program; program()"
    config = ROOT / "configs" / "smoke" / "transformer.toml"
    folders = ["--runs-dir", str(tmp_path / "runs"), "--cache-dir", str(extended / "cache")]
    arguments = ["transformer-finetune", str(config), "--invariance", "mine", "--no-require-gpu"]
    more = ["--set", "baselines=[]", "--set", "evaluation.replicates=100"]
    run(extended, main, *arguments, *folders, *more)
    (folder,) = (tmp_path / "runs").glob("smoke-*")
    metrics = json.loads((folder / "artifacts" / "cv_metrics.json").read_text(encoding="utf-8"))
    assert metrics["hyperparameters"]["invariance"] == {"balanced": False, "method": "mine"}
    assert (folder / "artifacts" / "prompt_probe.json").is_file()


def test_a_gate_metric_is_judged_by(extended: Path, finished: Path) -> None:
    """A run against itself is as good; the check has its delta, its interval and its n."""
    main = "from essay_scoring.cli.main import program; program()"
    compared = ["compare-cv-runs", str(finished), str(finished), "--plan", "exact.toml"]
    run(extended, main, *compared, "--out", "compared.json")
    record = json.loads((extended / "compared.json").read_text(encoding="utf-8"))
    [check] = record["gates"][0]["checks"]
    assert (check["metric"], check["delta"], check["n"]) == ("exact_agreement", 0.0, 60)
    assert (check["low"], check["high"], record["gates"][0]["verdict"]) == (0.0, 0.0, "pass")
