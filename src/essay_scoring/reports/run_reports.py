"""The reports of one run: diagnostics that its seal covers, pages that can be made again."""

from __future__ import annotations

from pathlib import Path

from essay_scoring.records.finished_run import RunRecord, read_unsealed
from essay_scoring.records.manifest import VIEWS
from essay_scoring.reports.cv_report import cv_report
from essay_scoring.reports.html import run_page
from essay_scoring.reports.residual_diagnostics import residual_diagnostics
from essay_scoring.reports.texts import write_texts


def write_run_reports(run: RunRecord) -> list[Path]:
    """Write `reports/residual_diagnostics.md` of a run that is not sealed yet, and its views.

    They are made from the record alone, the same record giving the same bytes. Returns their paths.
    """
    diagnostics = residual_diagnostics(run.metrics, run.predictions)
    sealed = write_texts(run.folder / "reports", {"residual_diagnostics.md": diagnostics})
    return [*sealed, *_write_views(run)]


def write_run_views(folder: Path) -> list[Path]:
    """Write `cv_report.md` and `report.html` under views/, which no seal covers; their paths.

    Raises InputError for an artifact that is absent or faulty.
    """
    return _write_views(read_unsealed(folder))


def _write_views(run: RunRecord) -> list[Path]:
    pages = {"cv_report.md": cv_report(run), "report.html": run_page(run)}
    return write_texts(run.folder / VIEWS, pages)
