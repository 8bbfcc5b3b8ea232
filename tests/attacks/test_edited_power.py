"""A simulated power kept in the cache and edited there is simulated again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from essay_scoring.core import worker_pool
from tests.attacks.edited import Shell, edit
from tests.judging.made_power import run_folder

PLAN = """
name = "small"
question = "Better?"
scheme = "prompt_holdout"
rule = "point"
bottom_k = 2
[[checks]]
metric = "mean_qwk"
kind = "superiority"
delta_at_least = 0.01
"""


def test_an_edited_conclusion_is_not_repeated(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(worker_pool.WORKERS_VARIABLE, "1")
    shell = Shell(tmp_path, tmp_path / "cache")
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN, encoding="utf-8")
    asked = (plan, "--reference", run_folder(tmp_path / "run"), "--simulations", "40")
    assert shell.power(*asked) == 0
    first = capfd.readouterr().out
    [kept] = (tmp_path / "cache" / "power").glob("*.json")
    before = kept.read_bytes()

    edit(kept, lambda value: value["record"].update(conclusion="The plan is never wrong."))
    assert shell.power(*asked) == 0
    assert capfd.readouterr().out == first
    assert json.loads(kept.read_bytes()) == json.loads(before)

    kept.write_text("{}", encoding="utf-8")
    assert shell.power(*asked) == 0
    assert capfd.readouterr().out == first
