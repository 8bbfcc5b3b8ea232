"""Two runs that differ in more than their settings: said in every comparison, judged as planned."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.files import read_json, write_json, write_text
from essay_scoring.records.manifest import write_manifest
from tests.attacks.commands import SMALL, refusal, run_command, the_run, words

PLAN = """
name = "same"
question = "Is it no worse?"
scheme = "prompt_holdout"
rule = "point"
min_prompt_n = 5
allow_dirty = true
{tolerates}

[[checks]]
metric = "mean_qwk"
kind = "guardrail"
delta_at_least = -1.0
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, warm_cache: Path) -> Path:
    """A home with one finished run."""
    home = tmp_path_factory.mktemp("identities")
    done = run_command(words("cv", "length", home, warm_cache, SMALL))
    assert done.returncode == 0, done.stderr
    return home


def other_version(fit: Any) -> None:
    fit["environments"][0]["versions"]["numpy"] = "9.9.9"


def other_processor(fit: Any) -> None:
    fit["environments"][0]["machine"]["processor"] = "Another"


def other_precision(fit: Any) -> None:
    fit["precisions"] = ["bf16"]


def other_device(fit: Any) -> None:
    fit["environments"][0]["device"] = "cuda"


@pytest.mark.parametrize(
    ("change", "what", "said"),
    [
        (other_version, "versions", "candidate numpy 9.9.9"),
        (other_processor, "processor", "candidate Another ("),
        (other_precision, "precision", "reference fp32; candidate bf16"),
        (other_device, "device", "reference cpu; candidate cuda"),
    ],
)
def test_one_fit_that_ran_otherwise_is_said_and_judged_as_the_plan_says(
    finished: Path, tmp_path: Path, change: Callable[[Any], None], what: str, said: str
) -> None:
    reference = the_run(finished)
    candidate = Path(shutil.copytree(reference, tmp_path / "candidate"))
    path = candidate / "artifacts" / "cv_metrics.json"
    metrics = read_json(path)
    change(metrics["fits"][1])
    write_json(path, metrics)
    write_manifest(candidate)
    program = words("compare-cv-runs", reference, tmp_path, tmp_path)[:5]
    line = [*program, str(candidate), "--plan", str(tmp_path / "plan.toml")]

    write_text(tmp_path / "plan.toml", PLAN.format(tolerates=""))
    done = run_command([*line, "--out", str(tmp_path / "out.json")])
    assert done.returncode == 0, done.stderr
    assert f"{what} differs: " in done.stdout
    assert said in done.stdout
    [difference] = read_json(tmp_path / "out.json")["gates"][0]["differences"]
    assert difference["what"] == what

    parts = {"code", "versions", "processor", "precision", "device"} - {what}
    tolerated = ", ".join(f'"{part}"' for part in sorted(parts))
    write_text(tmp_path / "plan.toml", PLAN.format(tolerates=f"tolerates = [{tolerated}]"))
    refused = refusal(run_command(line))
    assert f"{what} differs: " in refused
    assert said in refused
    assert "does not tolerate" in refused


def test_runs_that_ran_alike_differ_in_nothing(finished: Path, tmp_path: Path) -> None:
    reference = the_run(finished)
    candidate = Path(shutil.copytree(reference, tmp_path / "candidate"))
    program = words("compare-cv-runs", reference, tmp_path, tmp_path)[:5]
    write_text(tmp_path / "plan.toml", PLAN.format(tolerates="tolerates = []"))
    done = run_command([*program, str(candidate), "--plan", str(tmp_path / "plan.toml")])
    assert done.returncode == 0, done.stderr
    assert "differs" not in done.stdout
