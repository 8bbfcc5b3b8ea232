from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from essay_scoring.cli.main import run
from essay_scoring.core.files import write_text
from tests.conftest import PATIENCE, ROOT, SMOKE

COMMANDS = {
    "init": ["study.toml", "gate.toml", "folds.csv", "--yes", "no essay text"],
    "validate": ["Writes nothing"],
    "prepare-dataset": ["prepared.json", "dataset_integrity_report.md"],
    "make-splits": ["splits.json"],
    "cv": ["cv_metrics.json", "residuals_cv_val_oof.csv", "views/", "manifest.json"],
    "transformer-finetune": [
        "cv_metrics.json",
        "truncation_coverage.json",
        "--use-lora / --no-use-lora",
        "--gradient-checkpointing / --no-gradient-checkpointing",
        "--require-gpu",
        "--canary",
    ],
    "import-predictions": ["run folder"],
    "final-test": ["DATA/locked_test_ledger.jsonl", "opening.json", "final_test.json"],
    "report": ["views/", "report.html", "cv_report.md", "refused"],
    "status": ["Writes nothing"],
    "register": ["plan_register.jsonl"],
    "judge": ["attempts.jsonl", "Exits 0", "3", "4"],
    "compare-cv-runs": ["comparison.md", "comparison.html", "0", "3", "4"],
    "tables": ["NAME.csv", "NAME.tex"],
    "explain": ["explain.json", "explain.html", "explain.svg", "--no-drop-columns"],
    "card": ["MODEL_CARD.md", "TECHNICAL_FILE.md", "--audit", "--study", "Exits 4"],
    "power": ["power.json", "power.md", "power.html", "power.svg"],
    "xgb-sweep": ["sweep.json", "selected_params.json", "sweep_summary.md", "report.html"],
    "optuna-sweep": [
        "optuna_trials.json",
        "selected_params.json",
        "optuna_summary.md",
        "progress.json",
        "--allow-tail-regression",
        "--trials-beyond-cap",
        "Exits 3",
    ],
    "study": ["decision.md", "views/report.html", "Exits 0"],
    "train": ["MODELS/<name>-<fingerprint>", "interval.json", "manifest.json", "--coverage"],
    "score": ["predicted_band", "interval_low", "far_from_training", "--keep-text", "--workers"],
    "encoder": ["list", "fetch", "verify"],
    "export": ["rsmtool", "mlflow", "tensorboard", "adapter", "schemas"],
    "doctor": ["Writes nothing", "--json", "Exits 2"],
    "audit": ["audit.json", "audit.html", "Exits 0"],
    "launch": ["receipt.json", "Exits 2", "5"],
    "remote": ["status", "logs", "cancel", "fetch", "run"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_the_outputs(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    said = capsys.readouterr().out
    for word in COMMANDS[command]:
        assert word in said


def test_every_command_is_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    run(["--help"])
    said = capsys.readouterr().out
    for command in COMMANDS:
        assert command in said


HEAVY = {
    "torch",
    "transformers",
    "xgboost",
    "catboost",
    "optuna",
    "spacy",
    "sklearn",
    "scipy",
    "numpy",
}


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from essay_scoring.cli.main import run\n"
        "run(['--help'])\n"
        "print(sorted(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {name for name in HEAVY if f"'{name}'" in done.stderr}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["cv", "absent.toml"], 2, "no such file"),
        (["cv", str(SMOKE / "mean.toml"), "--set", "scorer.famly=x"], 2, "unknown key"),
        (["status", "absent"], 2, "not a run folder"),
        (["report", "absent"], 4, "not complete"),
        (["encoder", "verify", "no-such-encoder"], 2, "no-such-encoder"),
        (["import-predictions", "absent.csv", "--run-name", "x"], 2, "absent.csv"),
        (["import-predictions", "x.csv", "--run-name", "x", "--scale", "5:1"], 2, "LOW:HIGH:STEP"),
        (["compare-cv-runs", "a", "b", "--plan", "absent.toml"], 2, "no such"),
        (["register", "absent.toml", "--reference", "a"], 2, "no such file"),
        (["register", "absent.toml"], 2, "--reference"),
        (["judge", "absent.toml", "--reference", "a", "--candidate", "b"], 2, "no such file"),
        (["power", "absent.toml", "--reference", "a"], 2, "no such file"),
        (["explain", "absent"], 4, "not complete"),
        (["nonsense"], 2, "nonsense"),
        (["cv"], 2, "Missing argument"),
    ],
)
def test_bad_usage_is_one_clear_error(
    arguments: list[str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == code
    said = capsys.readouterr()
    assert message in said.err
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_boolean_word_after_a_flag_is_refused_with_a_hint(
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = str(ROOT / "configs" / "studies" / "quickstart.toml")
    assert run(["study", study, "--exit-zero", "true"]) == 2
    assert "flags take no value; leave out 'true'" in capsys.readouterr().err


def test_a_bug_is_one_line_without_its_message(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("some essay text")

    monkeypatch.setattr("essay_scoring.records.config.load_run_config", broken)
    assert run(["validate", str(SMOKE / "mean.toml")]) == 1
    said = capsys.readouterr().err
    assert "RuntimeError at" in said
    assert "essay text" not in said
    assert said.count("\n") == 1


def test_prepare_then_other_splits_then_a_run_on_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = "[data.corpus]\nkind='synthetic'\nn_essays=60\nn_locked=12\nn_prompts=6\n"
    write_text(tmp_path / "data.toml", data)
    folders = ["--cache-dir", str(tmp_path / "cache")]
    assert run(["prepare-dataset", str(tmp_path / "data.toml"), *folders]) == 0
    [prepared] = (tmp_path / "cache" / "prepared").glob("synthetic-*")
    assert str(prepared) in capsys.readouterr().out
    splits = tmp_path / "splits.json"
    arguments = ["make-splits", str(prepared), "--out", str(splits), "--n-splits", "3"]
    assert run(arguments) == 0
    head, tail = "name='small'\nbaselines=['mean']\n", "[scorer]\nfamily='length'\n"
    write_text(tmp_path / "run.toml", head + data + tail)
    runs = ["--runs-dir", str(tmp_path / "runs"), "--splits-path", str(splits)]
    assert run(["cv", str(tmp_path / "run.toml"), *folders, *runs]) == 0
    [folder] = (tmp_path / "runs").glob("small-*")
    assert sorted(path.name for path in (folder / "models").glob("fold-*")) == [
        "fold-0",
        "fold-1",
        "fold-2",
    ]
    capsys.readouterr()
    assert run(["status", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("complete")
    assert run(["report", str(folder)]) == 0
    assert run(["validate", str(folder / "config.json")]) == 0


def test_the_exit_code_is_the_verdict(tmp_path: Path, warm_cache: Path) -> None:
    gate = (
        "name='g'\nquestion='Better?'\nscheme='prompt_holdout'\nrule='point'\nmin_prompt_n=5\n"
        "[[checks]]\nmetric='mean_qwk'\nkind='{}'\ndelta_at_least={}\n"
    )
    write_text(tmp_path / "pass.toml", gate.format("superiority", 0.0))
    write_text(tmp_path / "fail.toml", gate.format("superiority", 0.1))
    folders = ["--runs-dir", str(tmp_path / "runs"), "--cache-dir", str(warm_cache)]
    assert run(["cv", str(SMOKE / "length.toml"), "--set", "baselines=[]", *folders]) == 0
    [folder] = map(str, (tmp_path / "runs").glob("smoke-length-*"))
    for plan, code in (("pass", 0), ("fail", 3)):
        arguments = ["compare-cv-runs", folder, folder, "--plan", str(tmp_path / f"{plan}.toml")]
        out = tmp_path / f"{plan}.json"
        assert run([*arguments, "--out", str(out)]) == code
        assert out.exists()
    write_text(tmp_path / "none.toml", gate.split("[[checks]]", maxsplit=1)[0] + "checks=[]\n")
    assert run(["compare-cv-runs", folder, folder, "--plan", str(tmp_path / "none.toml")]) == 2


def test_a_damaged_row_is_told_on_the_terminal_and_rebuilt(
    tmp_path: Path, warm_cache: Path
) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(warm_cache, cache)
    shard = next((cache / "features").glob("linguistic/*/rows.bin"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    folders = ["--runs-dir", str(tmp_path / "runs"), "--cache-dir", str(cache)]
    code = "from essay_scoring.cli.main import program; program()"
    command = [sys.executable, "-c", code, "cv", str(SMOKE / "ridge.toml"), *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning: ") == 1
    assert f"{shard}: 1 row(s) are damaged and are made again" in done.stderr
    assert shard.read_bytes() == whole
