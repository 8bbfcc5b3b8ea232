"""The table and the experiment that rsmeval reads."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.cli.main import run
from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.files import read_json
from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.core.spreadsheets import FORMULA_STARTS
from essay_scoring.records.manifest import require_intact
from essay_scoring.reports.rsmtool_export import RsmExport, export_rsmtool
from tests.reports.exported import FORMULAS, finished_run, hostile_predictions
from tests.statistics.made import made_predictions


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, strict=True))


def test_the_columns_are_rsmevals_and_the_experiment_names_them(tmp_path: Path) -> None:
    predictions = made_predictions(60, n_prompts=4, n_folds=3)
    predictions = replace(predictions, second=np.array([3.5] + [np.nan] * 59))
    finished_run(tmp_path / "run-1", predictions)
    table, experiment = export_rsmtool(RsmExport(tmp_path / "run-1"), tmp_path / "out" / "p.csv")
    rows, asked = rows_of(table), read_json(experiment)
    assert experiment == tmp_path / "out" / "p.json"
    assert list(rows[0]) == ["ID", "human", "human2", "system", "prompt"]
    assert [row["ID"] for row in rows] == list(predictions.ids)
    assert [float(row["human"]) for row in rows] == predictions.true.tolist()
    assert [float(row["system"]) for row in rows] == predictions.raw.tolist()
    assert [row["human2"] for row in rows] == ["3.5"] + [""] * 59
    scale = predictions.scales.shared
    assert scale is not None
    assert asked == {
        "experiment_id": "run-1",
        "description": "Out-of-fold predictions of run-1, raw",
        "predictions_file": "p.csv",
        "id_column": "ID",
        "human_score_column": "human",
        "system_score_column": "system",
        "trim_min": scale.low,
        "trim_max": scale.high,
        "exclude_zero_scores": False,
        "subgroups": ["prompt"],
        "second_human_score_column": "human2",
    }


def test_final_scores_and_one_prompt_can_be_asked_for(tmp_path: Path) -> None:
    predictions = made_predictions(60, n_prompts=4, n_folds=3)
    finished_run(tmp_path / "run", predictions)
    prompt = predictions.prompts[5]
    export = RsmExport(tmp_path / "run", prompt, "final")
    table, experiment = export_rsmtool(export, tmp_path / "p.csv")
    mine = [i for i, name in enumerate(predictions.prompts) if name == prompt]
    assert [float(row["system"]) for row in rows_of(table)] == predictions.final[mine].tolist()
    assert "second_human_score_column" not in read_json(experiment)
    with pytest.raises(InputError, match="no essay of the prompt 'none'"):
        export_rsmtool(RsmExport(tmp_path / "run", "none"), tmp_path / "q.csv")


def test_no_cell_is_a_formula_and_numbers_stay_numbers(tmp_path: Path) -> None:
    predictions = hostile_predictions()
    low = replace(predictions, raw=predictions.raw - 5.0)
    finished_run(tmp_path / "run", low)
    table, _ = export_rsmtool(RsmExport(tmp_path / "run"), tmp_path / "p.csv")
    rows = rows_of(table)
    for row in rows:
        assert not row["ID"].startswith(FORMULA_STARTS)
        assert not row["prompt"].startswith(FORMULA_STARTS)
    assert rows[0]["ID"] == f"'{low.ids[0]}"
    *formulas, quoted = FORMULAS
    assert {row["prompt"] for row in rows} >= {quoted, *(f"'{name}" for name in formulas)}
    assert [float(row["system"]) for row in rows] == low.raw.tolist()
    assert float(np.min(low.raw)) < 0


def test_prompts_of_several_scales_are_exported_one_at_a_time(tmp_path: Path) -> None:
    made = made_predictions(60, n_prompts=2, n_folds=2)
    names = sorted(set(made.prompts))
    scales = ScoreScales(
        by_prompt={
            names[0]: ScoreScale(low=1, high=5, step=0.5),
            names[1]: ScoreScale(low=0, high=9),
        }
    )
    whole = np.array([3.0 if prompt == names[1] else 2.5 for prompt in made.prompts])
    finished_run(tmp_path / "run", replace(made, scales=scales, true=whole, final=whole))
    with pytest.raises(InputError, match=r"2 score scales.*--prompt"):
        export_rsmtool(RsmExport(tmp_path / "run"), tmp_path / "p.csv")
    assert not (tmp_path / "p.csv").exists()
    _, experiment = export_rsmtool(RsmExport(tmp_path / "run", names[1]), tmp_path / "p.csv")
    assert (read_json(experiment)["trim_min"], read_json(experiment)["trim_max"]) == (0.0, 9.0)


def test_a_run_is_exported_as_it_was_written_and_stays_so(tmp_path: Path) -> None:
    finished_run(tmp_path / "run")
    with pytest.raises(InputError, match="inside the finished run"):
        export_rsmtool(RsmExport(tmp_path / "run"), tmp_path / "run" / "artifacts" / "p.csv")
    with pytest.raises(InputError, match="not named"):
        export_rsmtool(RsmExport(tmp_path / "run"), tmp_path / "p.json")
    export_rsmtool(RsmExport(tmp_path / "run"), tmp_path / "p.csv")
    require_intact(tmp_path / "run")
    (tmp_path / "run" / "run.log").write_text("another line\n", encoding="utf-8")
    with pytest.raises(EvidenceError, match="changed since the run ended"):
        export_rsmtool(RsmExport(tmp_path / "run"), tmp_path / "q.csv")
    assert not (tmp_path / "q.csv").exists()


TABLE = """
name = "rated-twice"
baselines = []
[data]
[data.corpus]
kind = "table"
path = "essays.csv"
columns = { id = "id", text = "text", prompt = "topic", score = "r1", second_score = "r2" }
scales = { shared = { low = 1, high = 6, step = 1 } }
[data.preparation]
min_words = 1
[scorer]
family = "length"
[evaluation]
min_prompt_n = 5
replicates = 100
"""


def test_the_second_rater_comes_from_the_corpus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(5)
    with (tmp_path / "essays.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "text", "topic", "r1", "r2"])
        for i in range(40):
            words = " ".join(f"w{rng.integers(900)}" for _ in range(20 + 5 * (i % 6)))
            writer.writerow([f"e{i}", words, f"topic {i % 8}", 1 + i % 6, "" if i == 7 else 2])
    (tmp_path / "run.toml").write_text(TABLE, encoding="utf-8")
    folders = ["--cache-dir", str(tmp_path / "cache"), "--data-dir", str(tmp_path)]
    runs = ["--runs-dir", str(tmp_path / "runs")]
    assert run(["cv", str(tmp_path / "run.toml"), *folders, *runs]) == 0
    [folder] = (tmp_path / "runs").glob("rated-twice-*")
    capsys.readouterr()
    out = tmp_path / "p.csv"
    assert run(["export", "rsmtool", str(folder), "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n{out.with_suffix('.json')}\n"
    given = {row["ID"]: row["human2"] for row in rows_of(out)}
    assert given == {f"e{i}": "" if i == 7 else "2.0" for i in range(40)}
