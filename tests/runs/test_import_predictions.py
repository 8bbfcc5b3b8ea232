"""Predictions of another scorer as people have them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from essay_scoring.cli.display import print_run
from essay_scoring.core.errors import InputError
from essay_scoring.core.progress import Progress
from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.runs.import_predictions import ALL, ImportRequest, import_predictions
from tests.records.made import require_equal

SCALES = ScoreScales(shared=ScoreScale(low=1, high=5))
N = 60


def rows(**changed: Any) -> dict[str, list[str]]:
    """Return columns of predictions on three prompts, each a fold; raw values err by up to 0.4."""
    true = [1 + (at * 7) % 5 for at in range(N)]
    columns = {
        "record_id": [f"e{at}" for at in range(N)],
        "prompt": [f"P{at % 3}" for at in range(N)],
        "fold": [str(at % 3) for at in range(N)],
        "y_true": [str(score) for score in true],
        "y_pred_raw": [f"{score + (at % 5 - 2) / 5:.2f}" for at, score in enumerate(true)],
    }
    return {**columns, **changed}


def imported(folder: Path, columns: dict[str, list[str]], **request: Any) -> RunRecord:
    path = folder / "predictions.csv"
    lines = [columns.keys(), *zip(*columns.values(), strict=True)]
    path.write_text("".join(",".join(line) + "\n" for line in lines), "utf-8")
    asked: dict[str, Any] = {"scheme": "prompt_holdout", "mapping": None, "columns": {}}
    order = ImportRequest(path=path, name="x", scales=SCALES, **(asked | request))
    made = import_predictions(
        order, folder / "runs", Progress(), report=lambda _: None, resume="again"
    )
    require_equal(made, read_run(made.folder))
    return made


def test_the_shape_of_rsmtool_is_imported_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = rows()
    columns = {"ID": own["record_id"], "human": own["y_true"], "system": own["y_pred_raw"]}
    with caplog.at_level(logging.WARNING):
        run = imported(tmp_path, columns, scheme="stratified_text")
    assert "record_id = ID, y_true = human, y_pred_raw = system" in caplog.text
    assert "has no column 'fold'" in caplog.text
    assert run.mapping == "round_half_band"
    assert set(run.predictions.prompts) == {ALL}
    assert run.metrics.summary.overall["qwk"].estimate == 1.0
    with pytest.raises(InputError, match="nothing shows that prompts were held out whole"):
        imported(tmp_path, columns)


def test_a_table_of_essays_is_sent_to_the_commands_that_take_one(tmp_path: Path) -> None:
    essays = {"id": rows()["record_id"], "text": ["SECRET"] * N, "score": rows()["y_true"]}
    with pytest.raises(
        InputError, match=r"no column holds predictions.*essay-scoring init"
    ) as told:
        imported(tmp_path, essays)
    assert "SECRET" not in told.value.line()
    nameless = rows()
    del nameless["record_id"]
    with pytest.raises(InputError, match="no column 'record_id'"):
        imported(tmp_path, nameless)


def test_the_rounded_figure_stands_beside_the_mapped_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = imported(tmp_path, rows())
    assert run.mapping == "qwk_cutpoints_lfo"
    print_run(run)
    said = capsys.readouterr().out
    assert "note: pooled QWK 1.000 by qwk_cutpoints_lfo, 1.000 with predictions rounded" in said


@pytest.mark.parametrize(
    ("of", "said"),
    [(lambda y: y / 10, "all 60 predictions lie off"), (lambda y: 2 * y, "36 of 60 predictions")],
)
def test_predictions_on_another_scale_are_said_once(
    of: Any, said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    raw = [f"{of(float(value)):.3f}" for value in rows()["y_true"]]
    with caplog.at_level(logging.WARNING):
        imported(tmp_path, rows(y_pred_raw=raw))
    assert said in caplog.text
    assert caplog.text.count("off the scale") == 1


def test_predictions_that_stray_a_little_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        imported(tmp_path, rows())
    assert caplog.text == ""


def test_a_constant_prompt_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    true = [
        "3" if prompt == "P1" else score
        for prompt, score in zip(rows()["prompt"], rows()["y_true"], strict=True)
    ]
    run = imported(tmp_path, rows(y_true=true, y_pred=true))
    print_run(run)
    said = capsys.readouterr().out
    assert "mean QWK is over 2 of 3 folds: fold 1 has none" in said
    assert "one score throughout to 1 of 3 prompts ('P1')" in said


def test_prompts_in_several_spellings_are_one(tmp_path: Path) -> None:
    prompts = [name.lower() if at % 4 == 0 else name for at, name in enumerate(rows()["prompt"])]
    assert set(imported(tmp_path, rows(prompt=prompts)).predictions.prompts) == {"P0", "P1", "P2"}


def test_nearly_equal_prompts_are_refused_merged_or_kept(tmp_path: Path) -> None:
    names = ["Night walks", "Old maps", "Nigth walks"]
    columns = rows(
        prompt=[names[at % 3] for at in range(N)], fold=[str(at % 3 % 2) for at in range(N)]
    )
    with pytest.raises(
        InputError, match=r"'Night walks' and 'Nigth walks'.*--similar-prompts merge"
    ):
        imported(tmp_path, columns)
    merged = imported(tmp_path, columns, similar_prompts="merge")
    assert set(merged.predictions.prompts) == {"Night walks", "Old maps"}
    kept = imported(tmp_path, columns, similar_prompts="keep")
    assert len(set(kept.predictions.prompts)) == 3


def test_means_of_raters_are_rounded_for_agreement(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    true = [f"{min(5.0, int(score) + 0.33):.2f}" for score in rows()["y_true"]]
    with caplog.at_level(logging.WARNING):
        run = imported(tmp_path, rows(y_true=true))
    assert "rounded to the nearest label for agreement" in caplog.text
    np.testing.assert_array_equal(run.predictions.true, [float(s) for s in rows()["y_true"]])


def test_the_own_residual_files_come_back_with_the_same_ids(tmp_path: Path) -> None:
    ids = [f"{'-+@='[at % 4]}e{at}" for at in range(N)]
    first = imported(tmp_path, rows(record_id=ids))
    for suffix in (".csv", ".jsonl"):
        path = first.folder / "artifacts" / f"residuals_cv_val_oof{suffix}"
        order = ImportRequest(path, f"back{suffix[1:]}", "prompt_holdout", SCALES, None, {})
        again = import_predictions(
            order, tmp_path / "runs", Progress(), report=lambda _: None, resume="again"
        )
        assert again.predictions.ids == tuple(ids)


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    columns = rows()
    columns["y_true"][3], columns["fold"][5], columns["y_pred_raw"][7] = "9", "0.5", "x"
    with pytest.raises(InputError) as caught:
        imported(tmp_path, columns)
    for said in ("row 4 (line 5)", "row 6 (line 7)", "row 8 (line 9)"):
        assert said in str(caught.value)
