"""The reports of one run."""

from __future__ import annotations

from pathlib import Path

from essay_scoring.records.run_folder import read_run_folder
from essay_scoring.reports.cv_report import cv_report
from essay_scoring.reports.html import run_page
from essay_scoring.reports.residual_diagnostics import residual_diagnostics
from essay_scoring.reports.texts import write_texts


def write_run_reports(folder: Path) -> list[Path]:
    """Write `cv_report.md`, `residual_diagnostics.md` and `report.html` under reports/.

    They are made from artifacts/ alone, the same artifacts giving the same bytes. Returns their
    paths; raises InputError for an artifact that is absent or faulty.
    """
    run = read_run_folder(folder)
    reports = {
        "cv_report.md": cv_report(run.metrics, run.probe),
        "residual_diagnostics.md": residual_diagnostics(run.metrics, run.residuals.predictions),
        "report.html": run_page(run),
    }
    return write_texts(folder / "reports", reports)
