"""The contract artifacts of a cross-validated run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from essay_scoring.core.files import write_json
from essay_scoring.core.fingerprint import derive_seed, rows_sha256
from essay_scoring.core.scale import FloatArray
from essay_scoring.core.text import word_count
from essay_scoring.records import provenance
from essay_scoring.records.config import Baseline, EvaluationSettings, config_values
from essay_scoring.records.residuals import COVARIATES, write_residuals
from essay_scoring.runs.cross_validation import JobResult, gather
from essay_scoring.runs.execution import execution_record
from essay_scoring.runs.mapped_predictions import MappedRun, map_run, plain_mapping
from essay_scoring.runs.prompt_probe import is_probed, prompt_probe
from essay_scoring.runs.run import Run
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.summary import covariates, summarise


@dataclass(frozen=True)
class Scored:
    """One arm's mapped predictions and the jobs they came from."""

    mapped: MappedRun
    jobs: list[JobResult]


def predictions_sha256(predictions: Predictions) -> str:
    """Return one hash of who was held out when, and of the true scores.

    Two runs that differ in it cannot be compared.
    """
    rows = zip(
        predictions.ids,
        predictions.prompts,
        (str(fold) for fold in predictions.folds),
        (repr(float(score)) for score in predictions.true),
        strict=True,
    )
    return rows_sha256(sorted(rows))


def summary_of(predictions: Predictions, settings: EvaluationSettings, seed: int) -> dict[str, Any]:
    """Return the figures of a set of predictions under a run's evaluation settings."""
    return summarise(
        predictions,
        min_prompt_n=settings.min_prompt_n,
        bottom_k=settings.bottom_k,
        replicates=settings.replicates,
        seed=derive_seed(seed, "bootstrap"),
    )


def write_artifacts(
    run: Run, folder: Path, scored: Scored, baselines: dict[Baseline, Scored]
) -> None:
    """Write cv_metrics.json, the residual files and what else the run has under artifacts/."""
    artifacts = folder / "artifacts"
    measured = _covariate_values(run)
    predictions = scored.mapped.predictions
    write_residuals(artifacts, predictions, run.config.scheme, measured)
    settings, seed = run.config.evaluation, run.config.seed
    summary = summary_of(predictions, settings, seed)
    write_json(
        artifacts / "cv_metrics.json",
        {
            **metrics_record(_identity(run, folder.name), predictions),
            "mapping": _mapping_record(run, scored, summary),
            "summary": summary,
            "covariates": covariates(predictions, measured),
            "baselines": {
                name: summary_of(other.mapped.predictions, settings, seed)
                for name, other in baselines.items()
            },
            "fits": [_fit_record(job) for job in scored.jobs],
            "execution": execution_record(run, scored.jobs),
        },
    )
    if run.reads_encoder:
        write_json(artifacts / "truncation_coverage.json", run.truncation_coverage())
    if is_probed(run.config):
        write_json(artifacts / "prompt_probe.json", prompt_probe(run, folder / "models"))


def metrics_record(identity: dict[str, Any], predictions: Predictions) -> dict[str, Any]:
    """Return the part of cv_metrics.json that every run has, computed here or elsewhere.

    `identity` says what the run is: run, family, hyperparameters, config, data, transductive.
    """
    rows = {
        "predictions_sha256": predictions_sha256(predictions),
        "n": len(predictions),
        "n_prompts": len(set(predictions.prompts)),
    }
    return {
        "schema": 1,
        **identity,
        "data": {**identity["data"], **rows},
        "scales": predictions.scales.model_dump(mode="json"),
        "code_revision": provenance.code_revision(),
        "versions": provenance.package_versions(),
    }


def _identity(run: Run, folder_name: str) -> dict[str, Any]:
    """Return what the run is, on which data, with which settings."""
    config = run.config
    scorer = config.scorer.model_dump(mode="json")
    return {
        "run": {"name": config.name, "folder": folder_name, "scheme": config.scheme},
        "family": scorer.pop("family"),
        "hyperparameters": {**scorer, **config.training.model_dump(mode="json")},
        "config": config_values(config),
        "data": {
            "kind": config.data.corpus.kind,
            "data_sha256": run.prepared.data_sha256,
            "splits_sha256": run.splits.sha256,
        },
        "transductive": config.features.standardise_by_prompt,
    }


_TOLD_OF_A_FIT = ("rounds", "curve", "n_fit", "n_dev", "seconds", "peak_mib")


def _mapping_record(run: Run, scored: Scored, summary: dict[str, Any]) -> dict[str, Any]:
    """Return the mapping and its cut-points; for the inner fit also what `lfo` would give."""
    name = run.config.training.mapping
    record: dict[str, Any] = {"name": name, "cutpoints": scored.mapped.cutpoints}
    if plain_mapping(name) != name:
        design = run.design
        plain = map_run(plain_mapping(name), design, gather(design, scored.jobs), [])
        other = summary_of(plain.predictions, run.config.evaluation, run.config.seed)
        record["inner_vs_lfo"] = {
            "inner": summary["mean_over_folds"],
            "lfo": other["mean_over_folds"],
        }
    return record


def _fit_record(job: JobResult) -> dict[str, Any]:
    """Return how one fold's fit went."""
    values = asdict(job)
    return {
        "fold": job.folds[0],
        **{key: values[key] for key in _TOLD_OF_A_FIT},
    }


def _covariate_values(run: Run) -> dict[str, FloatArray]:
    """Return the covariates of the residual files that the run's features hold, each (n,)."""
    essays = run.prepared.train.essays
    counts = np.array([word_count(text) for text in essays.texts], dtype=np.float64)
    values = {"word_count": counts}
    if run.needs_columns and "handcrafted" in run.config.features.sets:
        columns = run.handcrafted(essays)
        for name in set(COVARIATES) & set(columns.names) - set(values):
            values[name] = columns.values[:, columns.names.index(name)].astype(np.float64)
    return {name: values[name] for name in COVARIATES if name in values}
