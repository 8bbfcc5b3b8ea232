"""One page lists all runs and studies of a folder, and leads to their pages."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from essay_scoring.cli.main import app
from essay_scoring.core.files import write_text
from essay_scoring.records.manifest import write_manifest
from essay_scoring.reports.runs_index import index_page, is_runs_folder, listed_again, write_index
from tests.reports.made_card import (
    audit_of,
    finished_run,
    study_of,
    trained_model,
    traits_of,
)
from tests.reports.made_pages import listing
from tests.reports.pages import Page


def test_runs_and_studies_are_listed_with_links_to_their_pages(tmp_path: Path) -> None:
    page = Page(listing(tmp_path))
    links = page.values("href")
    assert "r-1/views/report.html" in links
    assert "audits/r-1/audit.html" not in links
    assert "studies/made-1/views/report.html" in links
    assert "2 fail" in page.text
    write_text(tmp_path / "audits" / "r-1" / "audit.html", "made")
    assert "audits/r-1/audit.html" in Page(index_page(tmp_path)).values("href")


def test_what_has_not_ended_or_cannot_be_read_is_listed_as_such(tmp_path: Path) -> None:
    finished_run(tmp_path)
    write_manifest(study_of(tmp_path).parent)
    write_text(tmp_path / "studies" / "made-1" / "study.json", "[")
    audit_of(tmp_path)
    (tmp_path / "r-2").mkdir()
    write_text(tmp_path / "audits" / "r-1" / "audit.json", "[")
    page = Page(index_page(tmp_path))
    assert "unreadable: r-2: not a run folder" in page.text
    assert "unreadable: study.json: not valid JSON" in page.text
    assert "not audited" in page.text


def test_models_and_studies_of_traits_are_listed_with_their_figures(tmp_path: Path) -> None:
    runs, models = tmp_path / "runs", tmp_path / "models"
    model = trained_model(models, finished_run(runs))
    write_text(runs / "cards" / model.name / "MODEL_CARD.html", "made")
    traits_of(runs, "s-1", "s-2")
    page = Page(index_page(runs, models))
    assert "Models: 1" in page.text
    assert "after r-1" in page.text
    assert "cards/m-1/MODEL_CARD.html" in page.values("href")
    assert "traits/t-1/views/report.html" in page.values("href")
    assert "1 defer, 1 proceed" in page.text


def test_a_runs_folder_is_told_from_a_run(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    assert is_runs_folder(tmp_path)
    assert not is_runs_folder(run)
    assert not is_runs_folder(tmp_path / "nowhere")
    listed_again(run)
    assert not (run / "index.html").exists()


def test_report_of_a_runs_folder_writes_its_index(tmp_path: Path) -> None:
    finished_run(tmp_path)
    done = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "index.html").read_text("utf-8") == index_page(tmp_path)
    assert write_index(tmp_path) == tmp_path / "index.html"
