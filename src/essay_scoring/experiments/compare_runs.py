"""`compare-cv-runs`: a candidate run against a reference run, through a gate plan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.files import read_json
from essay_scoring.core.fingerprint import derive_seed, file_sha256
from essay_scoring.core.scale import ScoreScales
from essay_scoring.evaluation.comparison import Comparison, compare
from essay_scoring.evaluation.gates import Verdict, judge
from essay_scoring.evaluation.plans import GatePlan
from essay_scoring.evaluation.predictions import Predictions
from essay_scoring.evaluation.residuals import read_residuals
from essay_scoring.experiments.manifest import MANIFEST, require_intact

_MUST_AGREE = {
    "data_sha256": "the prepared data",
    "splits_sha256": "the splits",
    "predictions_sha256": "the essays, folds or true scores",
}


@dataclass(frozen=True)
class RunRecord:
    """A finished run as its folder tells it."""

    folder: Path
    metrics: dict[str, Any]
    predictions: Predictions

    @property
    def scheme(self) -> str:
        """Which folds the run used."""
        return str(self.metrics["run"]["scheme"])

    @property
    def mapping(self) -> str:
        """How raw predictions became scores."""
        return str(self.metrics["mapping"]["name"])

    @property
    def manifest_sha256(self) -> str:
        """One hash of every file of the run."""
        return file_sha256(self.folder / MANIFEST)


@dataclass(frozen=True)
class Judgement:
    """A comparison, and what the gate plan says of it."""

    plan: GatePlan
    comparison: Comparison
    verdict: Verdict


def read_run(folder: Path) -> RunRecord:
    """Return a finished run; raise EvidenceError unless it is complete and untouched."""
    require_intact(folder)
    metrics = read_json(folder / "artifacts" / "cv_metrics.json")
    scales = ScoreScales.model_validate(metrics["scales"])
    path = folder / "artifacts" / "residuals_cv_val_oof.jsonl"
    return RunRecord(folder, metrics, read_residuals(path, scales).predictions)


def judge_runs(
    reference: RunRecord, candidate: RunRecord, plan: GatePlan, *, replicates: int = 2000
) -> Judgement:
    """Return the plan's verdict on a candidate; raise EvidenceError where runs do not compare."""
    require_comparable(reference, candidate, plan)
    comparison = compare(
        reference.predictions,
        candidate.predictions,
        min_prompt_n=plan.min_prompt_n,
        bottom_k=plan.bottom_k,
        replicates=replicates,
        seed=derive_seed(0, "comparison", plan.sha256),
    )
    return Judgement(plan, comparison, judge(plan, comparison))


def require_comparable(reference: RunRecord, candidate: RunRecord, plan: GatePlan) -> None:
    """Raise EvidenceError naming the first thing that makes two runs incomparable."""
    for run in (reference, candidate):
        if run.scheme != plan.scheme:
            raise EvidenceError(
                f"scheme {run.scheme}, but the plan '{plan.name}' judges {plan.scheme}",
                where=str(run.folder),
                mend=f"run it with --scheme {plan.scheme}",
            )
    where = f"{reference.folder} and {candidate.folder}"
    for key, what in _MUST_AGREE.items():
        ours, theirs = reference.metrics["data"][key], candidate.metrics["data"][key]
        # Imported predictions know neither data nor splits; their rows must still be the same.
        if ours != theirs and ours is not None and theirs is not None:
            raise EvidenceError(
                f"{what} differ ({key})", where=where, mend="run both on the same data and splits"
            )
    if reference.mapping != candidate.mapping:
        raise EvidenceError(
            f"mappings differ ({reference.mapping}, {candidate.mapping})",
            where=where,
            mend="run both with the same training.mapping",
        )
