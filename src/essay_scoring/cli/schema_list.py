"""The files that have schemas, in the order in which they are told of."""

from __future__ import annotations

from essay_scoring.judging.plans import GatePlan
from essay_scoring.judging.study_plan import StudySettings
from essay_scoring.launch.profile import Profile
from essay_scoring.models.card import Card
from essay_scoring.records import locked_test, search
from essay_scoring.records import more_records as more
from essay_scoring.records import run_records as records
from essay_scoring.records.audit_record import AuditRecord, ExplainRecord
from essay_scoring.records.config import RunConfig
from essay_scoring.records.examination import Examination
from essay_scoring.records.exported import ExportedColumns
from essay_scoring.records.fits import FitRecord
from essay_scoring.records.judgements import CandidatesRecord, JudgementRecord
from essay_scoring.records.listed import FolderNotes, Listing
from essay_scoring.records.power_results import PowerRecord
from essay_scoring.records.probes import PromptProbe
from essay_scoring.records.search_settings import SearchSettings
from essay_scoring.records.study_results import StudyRecord
from essay_scoring.records.trait_results import TraitsRecord
from essay_scoring.reports.schemas import Schema

SCHEMAS = (
    Schema("config", "RUN/config.json", RunConfig),
    Schema("provenance", "RUN/provenance.json", records.Provenance),
    Schema("status", "RUN/status.json", records.Status),
    Schema("progress", "RUN/progress.json", records.ProgressRecord),
    Schema("cv_metrics", "RUN/artifacts/cv_metrics.json", records.CvMetrics),
    Schema("residuals", "RUN/artifacts/residuals_cv_val_oof.jsonl", more.ResidualRow),
    Schema(
        "truncation_coverage", "RUN/artifacts/truncation_coverage.json", more.TruncationCoverage
    ),
    Schema("prompt_probe", "RUN/artifacts/prompt_probe.json", PromptProbe),
    Schema("second_scores", "RUN/artifacts/second_scores.json", records.SecondScores),
    Schema("final_test", "RUN/artifacts/final_test.json", locked_test.FinalTest),
    Schema("opening", "RUN/opening.json", locked_test.Opening),
    Schema("job", "RUN/models/fold-K/job.json", FitRecord),
    Schema("scorer", "RUN/models/fold-K/model/scorer.json", Card),
    Schema("receipt", "RUN/receipt.json", more.Receipt),
    Schema("manifest", "RUN/manifest.json", records.Manifest),
    Schema("study_record", "STUDY/study.json", StudyRecord),
    Schema("traits_record", "TRAITS/traits.json", TraitsRecord),
    Schema("search_record", "SEARCH/artifacts/search.json", search.SearchRecord),
    Schema("search_trials", "SEARCH/artifacts/optuna_trials.json", search.TrialsRecord),
    Schema("search_outcome", "SEARCH/trials/PART/CONFIGURATION.json", search.Outcome),
    Schema("grid_record", "SEARCH/artifacts/sweep.json", search.GridRecord),
    Schema("notes", "RUNS/notes.json, MODELS/notes.json", FolderNotes),
    Schema("listing", "runs --json", Listing),
    Schema("examination", "doctor --json", Examination),
    Schema("audit", "audit.json", AuditRecord),
    Schema("explain", "explain.json", ExplainRecord),
    Schema("exported_columns", "export columns --out", ExportedColumns),
    Schema("comparison", "compare-cv-runs --out", CandidatesRecord),
    Schema("judgement", "judge --out", JudgementRecord),
    Schema("power", "power.json", PowerRecord),
    Schema("plan_register", "RUNS/plan_register.jsonl", more.RegisterEntry),
    Schema("attempts", "RUNS/attempts.jsonl", more.AttemptEntry),
    Schema("locked_test_ledger", "DATA/locked_test_ledger.jsonl", locked_test.OpeningEntry),
    Schema("splits", "PREPARED/splits.json", more.SplitsRecord),
    Schema("gate_plan", "configs/gates/*.toml", GatePlan),
    Schema("study", "configs/studies/*.toml", StudySettings),
    Schema("search", "configs/search/*.toml", SearchSettings),
    Schema("profile", "configs/profiles/*.toml", Profile),
)
