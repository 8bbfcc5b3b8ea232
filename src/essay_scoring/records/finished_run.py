"""A run: what its folder says of it, verified when it is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.record import Scheme, read_record
from essay_scoring.core.scale import FloatArray
from essay_scoring.records.manifest import MANIFEST, require_intact
from essay_scoring.records.probes import PromptProbe
from essay_scoring.records.residuals import STEM, read_residuals
from essay_scoring.records.run_records import CvMetrics
from essay_scoring.statistics.predictions import Predictions


@dataclass(frozen=True, eq=False)
class RunRecord:
    """A run as its folder holds it.

    `covariates` are columns (n,) by name, NaN where unknown; `probe` is None for a run without one.
    """

    folder: Path
    metrics: CvMetrics
    predictions: Predictions
    covariates: dict[str, FloatArray]
    probe: PromptProbe | None

    @property
    def scheme(self) -> Scheme:
        """Which folds the run used."""
        return self.metrics.run.scheme

    @property
    def mapping(self) -> str:
        """How raw predictions became scores."""
        return self.metrics.mapping.name

    @property
    def manifest_sha256(self) -> str:
        """One hash of every file of the run."""
        return file_sha256(self.folder / MANIFEST)


def read_run(folder: Path) -> RunRecord:
    """Return a finished run; raise EvidenceError unless it is complete and untouched."""
    require_intact(folder)
    return read_unsealed(folder)


def read_unsealed(folder: Path) -> RunRecord:
    """Return a run that is about to be sealed; raise InputError naming the file at fault."""
    artifacts = folder / "artifacts"
    metrics = read_record(CvMetrics, artifacts / "cv_metrics.json")
    residuals = read_residuals(artifacts / f"{STEM}.jsonl", metrics.scales)
    fitted = metrics.mapping.name == "qwk_cutpoints_lfo"
    refit = fitted and metrics.scales.shared is not None
    probe = artifacts / "prompt_probe.json"
    return RunRecord(
        folder,
        metrics,
        replace(residuals.predictions, refit=refit),
        residuals.covariates,
        read_record(PromptProbe, probe) if probe.is_file() else None,
    )
