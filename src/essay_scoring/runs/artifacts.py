"""The contract artifacts of a cross-validated run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from essay_scoring.core.files import write_json
from essay_scoring.core.fingerprint import derive_seed, rows_sha256
from essay_scoring.core.scale import FloatArray
from essay_scoring.core.text import word_count
from essay_scoring.records import provenance
from essay_scoring.records.config import Baseline, EvaluationSettings, config_values
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.fits import Fit, FitRecord
from essay_scoring.records.residuals import COVARIATES
from essay_scoring.records.run_records import (
    AppliedMapping,
    CvMetrics,
    FitRow,
    MetricsData,
    RunName,
)
from essay_scoring.runs.cross_validation import gather
from essay_scoring.runs.mapped_predictions import (
    MappedRun,
    applied_mapping,
    map_run,
    plain_mapping,
)
from essay_scoring.runs.prompt_probe import is_probed, prompt_probe
from essay_scoring.runs.run import Run
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.summary import Summary, covariates, summarise


@dataclass(frozen=True)
class ScorerResult:
    """One scorer's mapped predictions and the fits they came from."""

    mapped: MappedRun
    fits: list[FitRecord]


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


def summary_of(predictions: Predictions, settings: EvaluationSettings, seed: int) -> Summary:
    """Return the figures of a set of predictions under a run's evaluation settings."""
    return summarise(
        predictions,
        min_prompt_n=settings.min_prompt_n,
        bottom_k=settings.bottom_k,
        replicates=settings.replicates,
        seed=derive_seed(seed, "bootstrap"),
    )


def record_of(
    run: Run, folder: Path, scored: ScorerResult, baselines: dict[Baseline, ScorerResult]
) -> RunRecord:
    """Return the record of a run whose fits are all there, as it is to be written."""
    measured = _covariate_values(run)
    predictions = scored.mapped.predictions
    settings, seed = run.config.evaluation, run.config.seed
    summary = summary_of(predictions, settings, seed)
    scorer = run.config.scorer.model_dump(mode="json")
    metrics = CvMetrics(
        run=RunName(name=run.config.name, folder=folder.name, scheme=run.config.scheme),
        family=scorer.pop("family"),
        hyperparameters={**scorer, **run.config.training.model_dump(mode="json")},
        config=config_values(run.config),
        data=metrics_data(
            predictions,
            kind=run.config.data.corpus.kind,
            data_sha256=run.prepared.data_sha256,
            splits_sha256=run.splits.sha256,
        ),
        transductive=run.config.transductive,
        scales=predictions.scales,
        code_revision=provenance.code_revision(),
        versions=provenance.package_versions(),
        mapping=_mapping_record(run, scored, summary),
        summary=summary,
        covariates=covariates(predictions, measured),
        baselines={
            name: summary_of(other.mapped.predictions, settings, seed)
            for name, other in baselines.items()
        },
        fits=[_fit_row(fit) for fit in scored.fits],
    )
    probe = prompt_probe(run, folder / "models") if is_probed(run.config) else None
    return RunRecord(
        folder, metrics, predictions, all_covariates(measured, len(predictions)), probe
    )


def all_covariates(measured: Mapping[str, FloatArray], n: int) -> dict[str, FloatArray]:
    """Return every covariate of the residual files, each (n,), NaN where it was not measured."""
    return {name: measured.get(name, np.full(n, np.nan)) for name in COVARIATES}


def write_coverage(run: Run, folder: Path) -> list[Path]:
    """Write how many essays the encoder would cut, where a run reads one; return the path."""
    if not run.reads_encoder:
        return []
    path = folder / "artifacts" / "truncation_coverage.json"
    write_json(path, run.truncation_coverage())
    return [path]


def metrics_data(
    predictions: Predictions, *, kind: str, data_sha256: str | None, splits_sha256: str | None
) -> MetricsData:
    """Return which essays metrics are of; the hashes are None where predictions were imported."""
    return MetricsData(
        kind=kind,
        data_sha256=data_sha256,
        splits_sha256=splits_sha256,
        predictions_sha256=predictions_sha256(predictions),
        n=len(predictions),
        n_prompts=len(set(predictions.prompts)),
    )


def _mapping_record(run: Run, scored: ScorerResult, summary: Summary) -> AppliedMapping:
    """Return the mapping and its cut-points; for the inner fit also what `lfo` would give."""
    name = run.config.training.mapping
    compared = None
    if plain_mapping(name) != name:
        design = run.design
        plain = map_run(plain_mapping(name), design, gather(design, scored.fits), [])
        other = summary_of(plain.predictions, run.config.evaluation, run.config.seed)
        compared = {"inner": summary.mean_over_folds, "lfo": other.mean_over_folds}
    return applied_mapping(name, scored.mapped.fitted, compared)


def _fit_row(fit: FitRecord) -> FitRow:
    """Return how one fold's fit went."""
    return FitRow(fold=fit.folds[0], **{name: getattr(fit, name) for name in Fit.model_fields})


def _covariate_values(run: Run) -> dict[str, FloatArray]:
    """Return the covariates of the residual files that the run's features hold, each (n,)."""
    essays = run.prepared.train.essays
    counts = np.array([word_count(text) for text in essays.texts], dtype=np.float64)
    values = {"word_count": counts}
    if run.covariates is not None:
        columns = run.covariates(essays)
        for name in set(COVARIATES) & set(columns.names) - set(values):
            values[name] = columns.values[:, columns.names.index(name)].astype(np.float64)
    return {name: values[name] for name in COVARIATES if name in values}
