"""A corpus whose prompts have scales of their own, from a file to a judged run."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import read_json, write_text
from essay_scoring.core.progress import Progress
from essay_scoring.records.config import load_run_config
from essay_scoring.records.finished_run import read_run
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.run_reports import write_run_reports
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.run import open_run

RANGES = {"1": (2, 12), "2": (1, 6), "3": (0, 3), "4": (0, 3), "7": (0, 30), "8": (0, 60)}

CONFIG = """
name = "many"
baselines = ["mean"]
[data.corpus]
kind = "table"
path = "asap.tsv"
encoding = "cp1252"
columns = { id = "essay_id", text = "essay", prompt = "essay_set", score = "domain1_score" }
[data.corpus.scales.by_prompt]
%s
[data.preparation]
min_words = 1
[data.splits]
n_splits = 3
[scorer]
family = "length"
[training]
mapping = "round_half_band"
[evaluation]
min_prompt_n = 10
replicates = 100
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with essays whose length gives their score away, and a config."""
    rng = np.random.default_rng(0)
    with (tmp_path / "asap.tsv").open("w", encoding="cp1252", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t")
        writer.writerow(["essay_id", "essay_set", "essay", "domain1_score"])
        for number in range(180):
            prompt = list(RANGES)[number % len(RANGES)]
            low, high = RANGES[prompt]
            quality = rng.uniform()
            score = round(low + (high - low) * quality)
            text = " ".join(f"word{number}\u2019s" for _ in range(20 + round(200 * quality)))
            writer.writerow([number, prompt, text + ".", score])
    scales = "\n".join(f'"{p}" = {{ low = {a}, high = {b} }}' for p, (a, b) in RANGES.items())
    write_text(tmp_path / "many.toml", CONFIG % scales)
    return tmp_path


def test_agreement_is_computed_on_each_prompts_own_scale(folder: Path) -> None:
    space = Workspace(folder / "runs", folder / "cache", folder)
    config = load_run_config(folder / "many.toml")
    run = run_cv(
        open_run(config, space, Progress()), report=write_run_reports, resume="again"
    ).folder
    metrics = read_json(run / "artifacts" / "cv_metrics.json")
    assert {row["prompt"] for row in metrics["summary"]["prompts"]} == set(RANGES)
    for row in metrics["summary"]["prompts"]:
        assert row["qwk"] > 0.8, row
    assert metrics["summary"]["confusion"] is None
    with (run / "artifacts" / "residuals_cv_val_oof.csv").open(encoding="utf-8") as stream:
        for line in csv.DictReader(stream):
            low, high = RANGES[line["prompt"]]
            assert low <= float(line["y_pred"]) <= high
            assert float(line["y_pred"]).is_integer()
    assert "own score scale" in (run / "views" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("mapping", ["mean_sigma_lfo", "mean_sigma_by_prompt"])
def test_linked_runs_say_how_and_whether_they_are_transductive(folder: Path, mapping: str) -> None:
    space = Workspace(folder / "runs", folder / "cache", folder)
    config = load_run_config(folder / "many.toml", [f"training.mapping={mapping}"])
    asked = open_run(config, space, Progress())
    run = run_cv(asked, report=write_run_reports, resume="again")
    by_prompt = mapping == "mean_sigma_by_prompt"
    assert run.metrics.transductive is by_prompt
    assert sorted(run.metrics.mapping.linkings) == [0, 1, 2]
    assert run.predictions.refit == mapping
    for view in ("report.html", "cv_report.md"):
        text = (run.folder / "views" / view).read_text(encoding="utf-8")
        assert ("unlabelled essays of the held-out prompt" in text) is by_prompt
        assert "predicted spread" in text
    again = read_run(run.folder)
    assert (again.metrics, again.predictions.refit) == (run.metrics, mapping)


def test_cut_points_over_many_scales_are_refused_in_one_line(folder: Path) -> None:
    space = Workspace(folder / "runs", folder / "cache", folder)
    config = load_run_config(folder / "many.toml", ["training.mapping=qwk_cutpoints_lfo"])
    with pytest.raises(InputError, match="mean_sigma_lfo") as caught:
        open_run(config, space, Progress())
    assert "\n" not in str(caught.value)


def test_a_prompt_without_a_scale_is_named(folder: Path) -> None:
    text = (folder / "many.toml").read_text(encoding="utf-8")
    write_text(folder / "many.toml", text.replace('"8" = { low = 0, high = 60 }', ""))
    space = Workspace(folder / "runs", folder / "cache", folder)
    with pytest.raises(InputError, match="'8'"):
        open_run(load_run_config(folder / "many.toml"), space, Progress())
