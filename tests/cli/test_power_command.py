from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.cli.main import run
from essay_scoring.core.files import write_text
from essay_scoring.core.worker_pool import WORKERS_VARIABLE
from tests.judging.made_power import run_folder

PLAN = """
name = "small"
question = "Better?"
scheme = "prompt_holdout"
rule = "{rule}"
[[checks]]
metric = "mean_qwk"
kind = "superiority"
delta_at_least = 0.0
"""


@pytest.mark.parametrize("rule", ["point", "interval"])
def test_power_prints_a_table_and_writes_what_it_says(
    rule: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WORKERS_VARIABLE, "1")
    write_text(tmp_path / "plan.toml", PLAN.format(rule=rule))
    folder, cache = run_folder(tmp_path / "run"), tmp_path / "cache"
    asked = ["power", str(tmp_path / "plan.toml"), "--reference", str(folder)]
    asked += ["--simulations", "40", "--cache-dir", str(cache)]
    assert run(asked) == 0
    said = capsys.readouterr().out
    assert said.startswith("With 400 essays on 8 prompts the plan small passes two equal scorers")
    assert "twice the prompts" in said
    assert [path.parent.name for path in tmp_path.rglob("*.json*") if "small-" in path.name] == [
        "power"
    ]
    out = tmp_path / "out"
    assert run([*asked, "--out", str(out)]) == 0
    assert said in capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == [
        "power.html",
        "power.json",
        "power.md",
        "power.svg",
    ]


def test_a_run_of_another_scheme_is_invalid_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = PLAN.format(rule="point").replace("prompt_holdout", "stratified_text")
    write_text(tmp_path / "plan.toml", plan)
    folder = run_folder(tmp_path / "run")
    assert run(["power", str(tmp_path / "plan.toml"), "--reference", str(folder)]) == 4
    assert "judges stratified_text" in capsys.readouterr().err
