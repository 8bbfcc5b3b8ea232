"""A finished run as MLflow shows it: params, metrics, a nested run for each fold, artifacts.

It is exported after the run, so that tracking changes neither a run's numbers nor its name.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from essay_scoring.core.errors import InputError, MissingExtraError
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.record import read_record
from essay_scoring.records.config import shown_config
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.records.manifest import VIEWS
from essay_scoring.records.provenance import GitState
from essay_scoring.records.run_records import CvMetrics, Provenance
from essay_scoring.reports.fold_scalars import FoldScalars, Scalar, folds_of, run_times
from essay_scoring.statistics.summary import Summary

EXPERIMENT = "essay-scoring"
IDENTITY = "essay_scoring.metrics_sha256"
"""The tag by which a run is found again: the sha256 of its cv_metrics.json."""

_FILES = ("config.json", "provenance.json", "manifest.json")
_FOLDERS = ("artifacts", "reports", VIEWS)
_LONGEST = 6000
"""Characters of a parameter."""

_MOST_PARAMS, _MOST_METRICS = 100, 1000
"""How many of them MLflow takes at once."""

_PLAIN = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True)
class Exported:
    """The id of a run in MLflow, and whether it stood there already."""

    run_id: str
    stood: bool


def export_mlflow(run: Path, uri: str, experiment: str = EXPERIMENT) -> Exported:
    """Write a finished run to MLflow, once: a run that stands there is left as it is.

    No model, log or essay text goes there: config, provenance, artifacts, reports and views. Raises
    MissingExtraError without mlflow, InputError where MLflow refuses, and EvidenceError for a run
    that is not as it was written.
    """
    record = read_run(run)
    client_of, failure = _mlflow()
    try:
        client = client_of(tracking_uri=uri)
        return _Export(client, record, _experiment_id(client, experiment)).write()
    except failure as error:
        message = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(f"MLflow refuses: {message}", where=uri, mend="check --uri") from None


def run_metrics(metrics: CvMetrics) -> dict[str, float]:
    """Return the figures of a run by MLflow's names; those that have no value are left out."""
    summary = metrics.summary
    out = dict(_figures(summary, ""))
    for name, baseline in metrics.baselines.items():
        out |= dict(_figures(baseline, f"baseline.{name}."))
    return out


def run_params(values: Any, prefix: str = "") -> dict[str, str]:
    """Return a config by dotted keys; a table whose keys are names from a corpus stays one."""
    if isinstance(values, dict) and values and all(_PLAIN.fullmatch(key) for key in values):
        parts = (run_params(value, f"{prefix}{key}.") for key, value in values.items())
        return {key: value for part in parts for key, value in part.items()}
    text = values if isinstance(values, str) else json.dumps(values, ensure_ascii=False)
    return {prefix.removesuffix("."): text[:_LONGEST]}


class _Export:
    """One run on its way into one experiment."""

    def __init__(self, client: Any, record: RunRecord, experiment: str) -> None:
        run = record.folder
        self._client, self._run, self._experiment = client, run, experiment
        self._metrics = record.metrics
        self._sha256 = file_sha256(run / "artifacts" / "cv_metrics.json")
        self._started, self._ended = (round(1000 * seconds) for seconds in run_times(run))

    def write(self) -> Exported:
        """Return the run in MLflow, making it unless it stands there whole."""
        for found in self._found(f"tags.`{IDENTITY}` = '{self._sha256}'"):
            if found.info.status == "FINISHED":
                return Exported(str(found.info.run_id), True)
            # An export that was cut short; what it left is made again.
            for part in (*self._found(_children(found.info.run_id)), found):
                self._client.delete_run(part.info.run_id)
        parent = self._create(self._run.resolve().name, {IDENTITY: self._sha256, **self._tags()})
        figures = run_metrics(self._metrics)
        self._log_params(parent, run_params(shown_config(self._metrics.config)))
        self._log_scalars(parent, [Scalar(name, 0, value) for name, value in figures.items()])
        for fold in folds_of(self._metrics):
            self._write_fold(parent, fold)
        for name in _FILES:
            self._client.log_artifact(parent, str(self._run / name))
        for name in filter(lambda name: (self._run / name).is_dir(), _FOLDERS):
            self._client.log_artifacts(parent, str(self._run / name), name)
        self._end(parent)
        return Exported(parent, False)

    def _write_fold(self, parent: str, fold: FoldScalars) -> None:
        """Write a nested run: how a fold's fit went, and what it came to."""
        child = self._create(fold.name, {"mlflow.parentRunId": parent})
        self._log_params(child, {"fold": str(fold.fold)})
        self._log_scalars(child, fold.scalars)
        self._end(child)

    def _tags(self) -> dict[str, str]:
        metrics, git = self._metrics, _git(self._run)
        tags = {
            "essay_scoring.run": metrics.run.folder,
            "essay_scoring.scheme": metrics.run.scheme,
            "essay_scoring.family": metrics.family,
            "essay_scoring.code_revision": metrics.code_revision,
        }
        return tags | ({"mlflow.source.git.commit": git.commit} if git and git.commit else {})

    def _create(self, name: str, tags: dict[str, str]) -> str:
        made = self._client.create_run(
            self._experiment, start_time=self._started, tags=tags, run_name=name
        )
        return str(made.info.run_id)

    def _end(self, run_id: str) -> None:
        self._client.set_terminated(run_id, "FINISHED", end_time=self._ended)

    def _log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        rows = [Param(key, value) for key, value in params.items()]
        for at in range(0, len(rows), _MOST_PARAMS):
            self._client.log_batch(run_id, params=rows[at : at + _MOST_PARAMS])

    def _log_scalars(self, run_id: str, scalars: Sequence[Scalar]) -> None:
        from mlflow.entities import Metric

        rows = [Metric(one.name, one.value, self._ended, one.step) for one in scalars]
        for at in range(0, len(rows), _MOST_METRICS):
            self._client.log_batch(run_id, metrics=rows[at : at + _MOST_METRICS])

    def _found(self, condition: str) -> list[Any]:
        return list(self._client.search_runs([self._experiment], condition))


def _mlflow() -> tuple[Any, type[Exception]]:
    """Return MLflow's class of clients and its error.

    Unless told otherwise, it reports its use to nobody, and gives a server up after seconds.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError:
        raise MissingExtraError("mlflow", "tracking") from None
    return MlflowClient, MlflowException


def _experiment_id(client: Any, name: str) -> str:
    found = client.get_experiment_by_name(name)
    return str(client.create_experiment(name) if found is None else found.experiment_id)


def _figures(summary: Summary, prefix: str) -> Iterator[tuple[str, float]]:
    """Yield the figures of a summary that are numbers."""
    named = {
        f"overall.{name}{part}": getattr(figure, key)
        for name, figure in summary.overall.items()
        for key, part in (("estimate", ""), ("low", ".low"), ("high", ".high"))
    }
    for name, folds in summary.mean_over_folds.items():
        named |= {f"mean_over_folds.{name}": folds.mean, f"sd_over_folds.{name}": folds.std}
    worst = summary.worst_prompt
    named |= {
        "worst_prompt.qwk": None if worst is None else worst.qwk,
        "bottom_k_mean": summary.bottom_k_mean,
    }
    yield from ((f"{prefix}{key}", value) for key, value in named.items() if value is not None)


def _children(run_id: str) -> str:
    return f"tags.mlflow.parentRunId = '{run_id}'"


def _git(run: Path) -> GitState | None:
    """Return the commit that a run was started from; imported predictions have none."""
    path = run / "provenance.json"
    return read_record(Provenance, path).environment.git if path.is_file() else None
