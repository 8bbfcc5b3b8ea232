from __future__ import annotations

import json
from pathlib import Path

import pytest

from essay_scoring.cli.main import run
from essay_scoring.records.config import RunConfig
from essay_scoring.records.workspace import Workspace
from tests.conftest import SMOKE, smoke_config

COMMAND = ["transformer-finetune", str(SMOKE / "transformer.toml")]

FLAGS: dict[str, dict[str, object]] = {
    "--scheme stratified_text": {"scheme": "stratified_text"},
    "--splits-path my/splits.json": {"splits_path": "my/splits.json"},
    "--run-name mine": {"name": "mine"},
    "--model-name all-mpnet-base-v2": {"model_name": "all-mpnet-base-v2"},
    "--max-length 96": {"max_length": 96},
    "--chunk-overlap-tokens 9": {"chunk_overlap_tokens": 9},
    "--no-use-lora": {"use_lora": False},
    "--use-lora --set scorer.use_lora=false": {"use_lora": True},
    "--gradient-checkpointing": {"gradient_checkpointing": True},
    "--no-gradient-checkpointing": {"gradient_checkpointing": False},
    "--mixed-precision bf16": {"mixed_precision": "bf16"},
    "--invariance group_dro": {"invariance": {"method": "group_dro"}},
    "--invariance none": {"invariance": {"method": "none"}},
    "--no-require-gpu --set scorer.lora.rank=3": {"lora": {"rank": 3}},
}


def config_of(flags: list[str], monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    """Return the config that the command would cross-validate."""
    seen: list[RunConfig] = []
    monkeypatch.setattr(
        "essay_scoring.cli.run_commands.cross_validate", lambda config, _: seen.append(config)
    )
    assert run([*COMMAND, *flags]) == 0
    return seen[0]


@pytest.mark.parametrize("flags", FLAGS)
def test_every_flag_reaches_the_config_and_nothing_else_changes(
    flags: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flags that were read and then lost gave runs that were not what they said."""
    found = json.loads(config_of(flags.split(), monkeypatch).model_dump_json())
    expected = json.loads(smoke_config("transformer").model_dump_json())
    for key, value in FLAGS[flags].items():
        table = expected if key in expected else expected["scorer"]
        table[key] = table[key] | value if key == "lora" else value
    found["scorer"]["invariance"] = {
        key: found["scorer"]["invariance"][key] for key in expected["scorer"]["invariance"]
    }
    assert found == expected


def test_a_method_s_own_settings_stay_where_the_flag_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = ["--set", "scorer.invariance.method=adversarial"]
    table += ["--set", "scorer.invariance.strength=0.3"]
    same = config_of([*table, "--invariance", "adversarial"], monkeypatch)
    assert same.model_dump()["scorer"]["invariance"]["strength"] == 0.3
    other = config_of([*table, "--invariance", "none"], monkeypatch)
    assert other.model_dump()["scorer"]["invariance"] == {"method": "none"}


def test_require_gpu_refuses_a_cpu_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("essay_scoring.runs.fine_tuning.device_in_use", lambda: "cpu")
    folders = ["--runs-dir", str(tmp_path / "runs"), "--cache-dir", str(tmp_path / "cache")]
    assert run([*COMMAND, *folders, "--require-gpu"]) == 2
    assert "a GPU is required and this process sees none" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_fp16_on_a_cpu_is_refused_before_training(
    space: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("essay_scoring.runs.run.device_in_use", lambda: "cpu")
    folders = ["--runs-dir", str(space.runs), "--cache-dir", str(space.cache)]
    assert run([*COMMAND, *folders, "--mixed-precision", "fp16"]) == 2
    assert "scorer.mixed_precision: fp16 does not train on a CPU" in capsys.readouterr().err


def test_a_config_of_another_family_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["transformer-finetune", str(SMOKE / "ridge.toml")]) == 2
    assert "trains the family 'ridge', not a transformer" in capsys.readouterr().err


def test_the_canary_prints_one_line_and_makes_no_run(
    space: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--runs-dir", str(space.runs), "--cache-dir", str(space.cache)]
    assert run([*COMMAND, *folders, "--canary"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("canary ok precision=fp32 device=")
    assert said.count("\n") == 1
    assert not space.runs.exists()
