"""The reports of a study: its decision record and one page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from essay_scoring.core.record import read_record
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.manifest import VIEWS
from essay_scoring.records.study_results import STUDY, StudyRecord
from essay_scoring.reports.brief import Asked, brief
from essay_scoring.reports.comparison_tables import comparison_tables
from essay_scoring.reports.decision import (
    consequence,
    decision_record,
    order_table,
    standing_lines,
    tuning_line,
    verdict,
)
from essay_scoring.reports.forest import arms_forest, bands_forest, decision_forest
from essay_scoring.reports.html import (
    FROM_GROUP,
    calibration_and_length,
    drawings,
    forest,
    rendered,
)
from essay_scoring.reports.study_evidence import AUDITED, AUDITS, Beside, Best, best_of, read_beside
from essay_scoring.reports.study_table import HEADER, sections
from essay_scoring.reports.texts import write_texts
from essay_scoring.statistics.summary import Summary

Row = dict[str, Any]

INLINE = Beside()
"""A study with nothing beside it: its page is made from study.json alone."""

SPREAD = "Mean over folds ± population standard deviation; 95% intervals, prompts as units; "
CAPTIONS = {
    "calibration": "What a score means: the mean true score of the essays given it; larger dots "
    "stand for more essays.",
    "length": "Prediction before mapping minus true score; points and bars are the mean and the "
    "middle 80% of each tenth of the essays by length.",
}


def write_study_reports(folder: Path, decided: RunRecord | None = None) -> list[Path]:
    """Write `decision.md` of a study folder that is not sealed yet, and its views; their paths."""
    study = read_record(StudyRecord, folder / STUDY)
    sealed = write_texts(folder, {"decision.md": decision_record(study)})
    return [*sealed, *_write_page(folder, study, decided)]


def write_study_views(folder: Path) -> list[Path]:
    """Write `report.html` of a study under views/, which no seal covers; its path.

    Besides study.json it shows what RUNS holds of the run decided for: artifacts and audits.
    """
    return _write_page(folder, read_record(StudyRecord, folder / STUDY), None)


def _write_page(folder: Path, study: StudyRecord, decided: RunRecord | None) -> list[Path]:
    page = study_page(study, read_beside(folder, study, decided))
    return write_texts(folder / VIEWS, {"report.html": page})


def study_page(study: StudyRecord, beside: Beside = INLINE) -> str:
    """Return the HTML of a study: decision, arms and one figure; what is wrong; details."""
    shown, best = study.comparisons, best_of(study, beside)
    return rendered(
        "study.html.jinja",
        home=FROM_GROUP,
        answers=brief(_asked(study, best, beside)),
        study=study,
        verdict=verdict(study),
        consequence=consequence(study),
        order=order_table(study),
        standing=standing_lines(study),
        tuning=tuning_line(study.tuning) if study.tuning else None,
        forests=[arms_forest(one) for one in shown],
        decision=_decision(study),
        checks=decision_forest(study.gates, sys.maxsize),
        sections=sections(study),
        header=HEADER,
        spread=SPREAD,
        tables=[table for one in shown for table in comparison_tables(one)],
        missing=next((one.statistics for one in shown if one.statistics), None),
        provenance=_provenance(study),
        **_wrong(best, beside),
    )


def _asked(study: StudyRecord, best: Best, beside: Beside) -> Asked:
    """Return what there is to answer a decision-maker with."""
    sections = beside.audits.get(AUDITED, ())
    if beside.run is not None:
        return Asked.of_run(beside.run, sections, study)
    row = next(run for run in study.runs if run.run == best.run)
    return Asked(best.run, best.summary, row.baselines, None, sections, row.scheme, study)


def _decision(study: StudyRecord) -> Row | None:
    """Return the figure of the first screen: every gate's checks, or the first of each."""
    drawn = decision_forest(study.gates)
    if drawn is None:
        return None
    left = "" if drawn["whole"] else " The first check of each gate; all are under Details."
    caption = (
        "Candidate minus reference with its 95% interval; the solid line is no difference, the "
        f"dashed one the threshold.{left}"
    )
    return drawn | {"caption": caption}


def _wrong(best: Best, beside: Beside) -> Row:
    """Return what the section on the model decided for shows."""
    whole = best.summary if isinstance(best.summary, Summary) else None
    wanted = {} if beside.run is None else calibration_and_length(beside.run)
    lacking = [
        {"title": title, "command": f"essay-scoring {Path(file).stem} RUNS/{best.run}"}
        for file, (title, _) in AUDITS.items()
        if title not in beside.audits
    ]
    return {
        "best": best,
        "prompts": forest(whole) if whole else None,
        "bands": bands_forest(whole) if whole else None,
        "drawings": drawings(wanted),
        "captions": CAPTIONS,
        "audited": beside.audits.items(),
        "unaudited": lacking,
    }


def _provenance(study: StudyRecord) -> list[tuple[str, str]]:
    """Return what the decision rests on, as pairs."""
    git, data, machine = study.git, study.data, study.machine
    return [
        ("date", study.date),
        ("data", str(data.data_sha256)),
        ("splits", str(data.splits_sha256)),
        ("code of fits", study.code_revision),
        ("code of judgements", study.judge_revision or "not recorded"),
        ("commit", f"{git.commit}{' (dirty)' if git.dirty else ''}"),
        ("machine", f"{machine.processor}, {machine.threads} threads"),
        *((f"plan {plan.name}", plan.sha256) for plan in study.plans),
    ]
