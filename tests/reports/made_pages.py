"""Every page that the reports make, of hostile names, by its own name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from essay_scoring.core.files import read_json
from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.records.audit_record import AuditSection
from essay_scoring.records.finished_run import read_run, read_unsealed
from essay_scoring.records.listed import change_note, edited
from essay_scoring.records.manifest import write_manifest
from essay_scoring.records.power_results import PowerRecord
from essay_scoring.records.study_results import read_study
from essay_scoring.reports.audit_report import audit_page
from essay_scoring.reports.card_evidence import CardSources, read_evidence
from essay_scoring.reports.comparison_report import comparison_page
from essay_scoring.reports.explain_report import explain_page
from essay_scoring.reports.model_card import write_cards
from essay_scoring.reports.power_report import power_page
from essay_scoring.reports.run_reports import write_run_reports
from essay_scoring.reports.runs_index import index_page
from essay_scoring.reports.search_report import write_search_reports
from essay_scoring.reports.study_reports import study_page, write_study_reports
from tests.conftest import ROOT
from tests.records.made import made_audit, made_explanation
from tests.reports.made_card import audit_of, finished_run, study_of, trained_model, traits_of
from tests.reports.made_comparison import NAMES, made_comparison
from tests.reports.made_run import hostile_run, write_made_run
from tests.reports.test_search_report import SEARCH, folder_of
from tests.statistics.made import MIXED, made_predictions
from tests.studies.made_study import made_section, study_folder

RESULTS = ROOT / "docs" / "results"


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def run_report(folder: Path) -> str:
    hostile_run(folder)
    return read(write_run_reports(read_unsealed(folder))[2])


def mixed_report(folder: Path) -> str:
    write_made_run(folder, made_predictions(n_prompts=4, scales=MIXED))
    return read(write_run_reports(read_unsealed(folder))[2])


def long_report(folder: Path) -> str:
    scales = ScoreScales(shared=ScoreScale(low=0, high=60))
    write_made_run(folder, made_predictions(scales=scales))
    return read(write_run_reports(read_unsealed(folder))[2])


def power(folder: Path) -> str:
    told = read_json(RESULTS / "power_g3_local.json")
    # The published record is of before judging had a hash of its own.
    told["judge_revision"] = told.pop("code_revision", told.get("judge_revision"))
    record = PowerRecord.model_validate(told)
    plan = record.plan.model_copy(update={"name": NAMES[0], "question": NAMES[2]})
    return power_page(record.model_copy(update={"plan": plan, "conclusion": NAMES[0]}))


def search(folder: Path) -> str:
    hostile = SEARCH.model_copy(update={"name": NAMES[0] + NAMES[2]})
    return read(write_search_reports(folder_of(folder, hostile))[1])


def findings(name: str) -> tuple[AuditSection, dict[str, str]]:
    """Return a section of hostile findings, and names of a run that are no better."""
    section = replace(made_section(), name=name)
    if name == "shap_by_construct":
        # Constructs have names of the project's own, which a drawing has room for.
        named = zip(section.figures, ("embeddings", "mechanics"), strict=True)
        section = replace(section, figures=[replace(one, group=group) for one, group in named])
    return section, {"name": NAMES[0], "folder": NAMES[2]}


def explanation(name: str) -> str:
    section, run = findings(name)
    return explain_page(made_explanation(section, **run))


def audit(folder: Path) -> str:
    section, run = findings("subgroups")
    runs = folder / "runs"
    return audit_page(made_audit(section, **run), read_run(finished_run(runs)))


def cards(folder: Path, name: str) -> str:
    """Return the card or the technical file of a run with hostile names, its audit, its study."""
    runs = folder / "runs"
    run, study = finished_run(runs), study_of(runs)
    audit_of(runs)
    evidence = read_evidence(run, CardSources(runs, study=study))
    write_cards(evidence, folder)
    return read(folder / name)


def listing(folder: Path) -> str:
    """Return the index of a runs folder with one of each kind, and a folder that is none."""
    trained_model(folder / "models", finished_run(folder))
    audit_of(folder)
    write_manifest(study_of(folder).parent)
    traits_of(folder, "made-1")
    change_note(folder, "r-1", lambda note: edited(note, add=["kept"], text=NAMES[0]))
    return index_page(folder, folder / "models")


PAGES: dict[str, Callable[[Path], str]] = {
    "run": run_report,
    "mixed scales": mixed_report,
    "long scale": long_report,
    "study": lambda folder: read(write_study_reports(study_folder(folder))[1]),
    "published study": lambda folder: study_page(read_study(RESULTS / "g1_ellipse.study.json")),
    "comparison": lambda folder: comparison_page(made_comparison(folder)),
    "audit": audit,
    "explain": lambda _: explanation("shap_by_construct"),
    "failure cards": lambda _: explanation("failure_card"),
    "power": power,
    "search": search,
    "card": lambda folder: cards(folder, "MODEL_CARD.html"),
    "technical file": lambda folder: cards(folder, "TECHNICAL_FILE.html"),
    "index": listing,
}
