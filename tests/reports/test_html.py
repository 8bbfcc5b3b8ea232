from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.files import write_json
from essay_scoring.core.number_text import number
from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.records.finished_run import read_unsealed
from essay_scoring.reports.html import forest, heat, run_page
from essay_scoring.statistics.agreement import Estimate
from essay_scoring.statistics.slices import PromptRow
from essay_scoring.statistics.summary import Confusion, Summary, summarise
from tests.reports.made_run import HOSTILE, hostile_run, write_made_run
from tests.reports.pages import Page, without_script
from tests.statistics.made import MIXED, made_predictions


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("run")
    metrics = hostile_run(folder)
    return run_page(read_unsealed(folder)), metrics


def page_of(folder: Path, **made: Any) -> str:
    write_made_run(folder, made_predictions(**made))
    return run_page(read_unsealed(folder))


def test_the_page_is_well_formed(hostile: tuple[str, dict[str, Any]]) -> None:
    assert Page(hostile[0]).faults == []


def test_the_page_is_alone(hostile: tuple[str, dict[str, Any]]) -> None:
    text, page = hostile[0], Page(hostile[0])
    assert not {"script", "link", "iframe", "object", "embed", "img", "base"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "src"]
    links = [value for value in page.values("href") if not value.startswith("#")]
    assert links == ["../../index.html"]
    assert "@import" not in text
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", text))


def test_hostile_prompts_are_shown_and_never_obeyed(hostile: tuple[str, dict[str, Any]]) -> None:
    page = Page(hostile[0])
    for name in HOSTILE:
        assert name.replace("\u202e", "") in page.texts
    assert "\u202e" not in hostile[0]
    assert "<script" not in without_script(hostile[0])
    # Once in the table, once above its confusion matrix.
    assert page.tags.count("bdi") == 2 * len(hostile[1]["summary"]["prompts"])


def test_the_answer_comes_first(hostile: tuple[str, dict[str, Any]]) -> None:
    text = hostile[0]
    estimate = number(hostile[1]["summary"]["overall"]["qwk"]["estimate"])
    assert text.index('class="answer"') < text.index("<h2 ")
    assert f"agrees with the raters at a QWK of {estimate}" in text


def test_every_prompt_stands_with_its_own_figures(hostile: tuple[str, dict[str, Any]]) -> None:
    texts = Page(hostile[0]).texts
    for row in hostile[1]["summary"]["prompts"]:
        low, high = number(row["low"]), number(row["high"])
        assert f"QWK {number(row['qwk'])}, 95% interval {low} to {high}" in texts


def test_drawings_take_the_colours_of_the_page(hostile: tuple[str, dict[str, Any]]) -> None:
    figures = hostile[0][hostile[0].index('<div class="figures">') :]
    assert re.findall(r"#[0-9a-f]{6}\b", figures) == []
    assert "var(--accent)" in figures
    assert "prefers-color-scheme: dark" in hostile[0]
    assert "@media print" in hostile[0]


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    hostile_run(tmp_path)
    one, other = (run_page(read_unsealed(tmp_path)) for _ in range(2))
    assert one == other


def test_without_matplotlib_the_page_says_how_to_get_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = page_of(tmp_path)
    page = Page(text)
    assert "figures need: pip install 'essay-scoring[figures]'" in page.text
    assert page.faults == []
    assert "Calibration by band" not in page.text
    assert "Agreement by prompt" in page.text


def test_a_run_without_lengths_or_rounds_leaves_those_figures_out(tmp_path: Path) -> None:
    metrics = write_made_run(tmp_path, made_predictions())
    fits = [{**fit, "rounds": None, "curve": {}} for fit in metrics["fits"]]
    write_json(tmp_path / "artifacts" / "cv_metrics.json", metrics | {"fits": fits})
    text = Page(run_page(read_unsealed(tmp_path))).text
    assert "Calibration by band" in text
    assert "Residuals against length" not in text
    assert "Learning curves" not in text


def test_no_large_prompt_is_said_not_invented(tmp_path: Path) -> None:
    text = page_of(tmp_path, n=60)
    assert "no prompt has 20 essays, so there is no worst one" in text
    assert "No prompt has 20 essays or more." in text
    assert "nan" not in Page(text).text.lower().split()


def test_scales_that_differ_have_no_matrix_but_a_page(tmp_path: Path) -> None:
    page = Page(page_of(tmp_path, n_prompts=4, scales=MIXED))
    assert "Each prompt has its own score scale" in page.text
    assert "points of a common scale from 0 to 4" in page.text
    assert page.faults == []


def test_a_long_scale_folds_its_matrix_away(tmp_path: Path) -> None:
    page = Page(page_of(tmp_path, scales=ScoreScales(shared=ScoreScale(low=0, high=60))))
    assert "61 labels" in page.text
    assert page.faults == []


def prompt_row(name: str, *interval: float | None) -> PromptRow:
    qwk, low, high = interval
    return PromptRow(
        prompt=name, n=40, qwk=qwk, low=low, high=high, mae=0.5, mean_residual=0.0, adjacent=1.0
    )


def summary_of(prompts: list[PromptRow], qwk: float | None) -> Summary:
    """Return a summary with these prompts and this pooled QWK."""
    overall = {"qwk": Estimate(estimate=qwk, low=None, high=None, n=40)}
    whole = summarise(made_predictions(60), replicates=0)
    return whole.model_copy(update={"prompts": prompts, "overall": overall})


def test_places_on_the_axis_by_hand() -> None:
    row, flat = prompt_row("a", 0.5, 0.25, 0.75), prompt_row("b", None, None, None)
    found = forest(summary_of([flat, row], 0.6))
    assert [entry["prompt"] for entry in found["rows"]] == ["a", "b"]
    first = found["rows"][0]
    assert (first["low_at"], first["qwk_at"], first["high_at"]) == (25.0, 50.0, 75.0)
    assert found["mean"] == 60.0
    assert found["rows"][1]["qwk_at"] is None
    assert found["ticks"][-1] == (100.0, "1")


def test_an_interval_below_zero_stays_on_the_axis() -> None:
    found = forest(summary_of([prompt_row("a", 0.1, -0.2, 0.4)], None))
    # From -0.5 to 1: -0.2 lies 0.3 / 1.5 = 20% along.
    assert found["rows"][0]["low_at"] == pytest.approx(20.0)
    assert found["ticks"][0] == (0.0, "-0.5")
    assert found["mean"] is None


def test_shades_are_shares_of_the_true_label() -> None:
    found = heat(Confusion(labels=[1.0, 1.5], counts=[[3, 1], [0, 0]]))
    assert found is not None
    assert found["labels"] == ["1", "1.5"]
    assert found["rows"][0]["cells"] == [(3, 0.75), (1, 0.25)]
    assert found["rows"][1]["cells"] == [(0, 0.0), (0, 0.0)]
    assert heat(None) is None
