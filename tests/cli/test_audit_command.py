from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.cli.main import run
from essay_scoring.core.files import read_json
from tests.conftest import SMOKE


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A finished run of length alone, and the folders of a command."""
    home = tmp_path_factory.mktemp("audit")
    folders = ["--runs-dir", str(home / "runs"), "--cache-dir", str(home / "cache")]
    assert run(["cv", str(SMOKE / "length.toml"), "--set", "baselines=[]", *folders]) == 0
    [folder] = (home / "runs").glob("smoke-length-*")
    return folder, folders


def test_audit_writes_beside_the_runs_and_says_each_verdict(
    audited: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, folders = audited
    assert run(["audit", str(folder), "--attack-essays", "5", *folders]) == 0
    out = folder.parent / "audits" / folder.name
    assert sorted(path.name for path in out.iterdir()) == ["audit.html", "audit.json"]
    said = capsys.readouterr().out
    for section in read_json(out / "audit.json")["sections"]:
        assert f"{section['verdict']}  " in said
        assert section["title"] in said
    assert str(out / "audit.html") in said


def test_another_folder_can_be_named(audited: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, folders = audited
    wanted = ["--out", str(tmp_path / "mine"), "--attack-essays", "1"]
    assert run(["audit", str(folder), *wanted, *folders]) == 0
    record = read_json(tmp_path / "mine" / "audit.json")
    assert record["settings"]["attack_essays"] == 1


def test_what_is_no_finished_run_is_one_clear_error(
    audited: tuple[Path, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["audit", str(tmp_path / "absent"), *audited[1]]) == 4
    assert "not complete" in capsys.readouterr().err
    assert run(["audit", str(audited[0]), "--attack-essays", "0", *audited[1]]) == 2


def test_of_imported_predictions_limits_calibration_and_ceilings_are_audited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        f"e{n},p{n % 3},{n % 3},{1 + n % 5},{1 + (n + 1) % 5},{1 + n % 5 if n % 4 else ''}"
        for n in range(60)
    ]
    table = "\n".join(["record_id,prompt,fold,y_true,y_pred_raw,human2", *rows])
    (tmp_path / "made.csv").write_text(f"{table}\n", encoding="utf-8")
    runs = ["--runs-dir", str(tmp_path / "runs")]
    assert run(["import-predictions", str(tmp_path / "made.csv"), "--run-name", "made", *runs]) == 0
    [folder] = (tmp_path / "runs").glob("made-*")
    assert run(["audit", str(folder), *runs]) == 0
    assert "imported predictions come without essays and models" in caplog.text
    assert "Against the agreement of two raters on 45 essays" in capsys.readouterr().out
    record = read_json(tmp_path / "runs" / "audits" / folder.name / "audit.json")
    assert [section["name"] for section in record["sections"]] == [
        "limits",
        "calibration",
        "ceilings",
    ]
    figures = {figure["name"]: figure["estimate"] for figure in record["sections"][2]["figures"]}
    assert figures["human-human QWK"] == 1.0
