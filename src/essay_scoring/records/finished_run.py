"""A run: the one record of it, which its folder holds and which is verified when it is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.record import Scheme, read_record, write_record
from essay_scoring.core.scale import FloatArray
from essay_scoring.records.manifest import MANIFEST, require_intact
from essay_scoring.records.probes import PromptProbe
from essay_scoring.records.residuals import STEM, read_residuals, write_residuals
from essay_scoring.records.run_records import CvMetrics, SecondScores
from essay_scoring.statistics.predictions import Predictions, refit_of

METRICS = Path("artifacts", "cv_metrics.json")
PROBE = Path("artifacts", "prompt_probe.json")
SECOND_SCORES = Path("artifacts", "second_scores.json")


@dataclass(frozen=True, eq=False)
class RunRecord:
    """A run as its folder holds it.

    `covariates` are columns (n,) by name, NaN where unknown; `probe` is None for a run without one.
    `manifest_sha256` is one hash of every file of the run, empty until the run is sealed.
    """

    folder: Path
    metrics: CvMetrics
    predictions: Predictions
    covariates: dict[str, FloatArray]
    probe: PromptProbe | None
    manifest_sha256: str = ""

    @property
    def scheme(self) -> Scheme:
        """Which folds the run used."""
        return self.metrics.run.scheme

    @property
    def mapping(self) -> str:
        """How raw predictions became scores."""
        return self.metrics.mapping.name

    def sealed(self) -> RunRecord:
        """Return the record with the hash of the manifest that its folder has now."""
        return replace(self, manifest_sha256=file_sha256(self.folder / MANIFEST))


def write_run(run: RunRecord) -> list[Path]:
    """Write a run's metrics, residual files, probe and second ratings; return their paths.

    `read_unsealed` returns the same record from them.
    """
    artifacts = (run.folder / METRICS).parent
    written = [*write_residuals(artifacts, run.predictions, run.scheme, run.covariates)]
    second = _second_scores(run.predictions)
    for path, record in ((METRICS, run.metrics), (PROBE, run.probe), (SECOND_SCORES, second)):
        if record is not None:
            write_record(run.folder / path, record)
            written.append(run.folder / path)
    return written


def read_run(folder: Path) -> RunRecord:
    """Return a finished run; raise EvidenceError unless it is complete and untouched."""
    require_intact(folder)
    return read_unsealed(folder).sealed()


def read_metrics(folder: Path) -> CvMetrics:
    """Return a finished run's metrics alone; raise EvidenceError as `read_run` does."""
    return read_record(CvMetrics, require_intact(folder) / METRICS)


def read_unsealed(folder: Path) -> RunRecord:
    """Return a run that is about to be sealed; raise InputError naming the file at fault."""
    metrics = read_record(CvMetrics, folder / METRICS)
    residuals = read_residuals(folder / METRICS.with_name(f"{STEM}.jsonl"), metrics.scales)
    probe, ids = folder / PROBE, residuals.predictions.ids
    refit, second = refit_of(metrics.mapping.name), _read_second(folder / SECOND_SCORES, ids)
    return RunRecord(
        folder,
        metrics,
        replace(residuals.predictions, refit=refit, second=second),
        residuals.covariates,
        read_record(PromptProbe, probe) if probe.is_file() else None,
    )


def _second_scores(predictions: Predictions) -> SecondScores | None:
    """Return the second ratings that there are, None without any."""
    if predictions.second is None or not predictions.has_second:
        return None
    pairs = zip(predictions.ids, predictions.second.tolist(), strict=True)
    return SecondScores(scores={essay: score for essay, score in pairs if np.isfinite(score)})


def _read_second(path: Path, ids: tuple[str, ...]) -> FloatArray | None:
    """Return the second ratings of essays (n,), NaN where missing; None where there is no file."""
    if not path.is_file():
        return None
    scores = read_record(SecondScores, path).scores
    return np.array([scores.get(essay, np.nan) for essay in ids])
