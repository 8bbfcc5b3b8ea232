"""`audit`: what is wrong with a finished run, as one record without any essay text."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from essay_scoring.audits import feature_functioning as features
from essay_scoring.audits import leakage as leaks
from essay_scoring.audits import length as counting
from essay_scoring.audits import prompt_signal as probing
from essay_scoring.audits import robustness as attacking
from essay_scoring.audits.audit_evidence import MIN_GROUP, Evidence
from essay_scoring.audits.audited_run import (
    FinishedRun,
    identity_of,
    open_finished,
)
from essay_scoring.audits.calibration import calibration
from essay_scoring.audits.ceilings import ceilings
from essay_scoring.audits.limits import limits
from essay_scoring.audits.refits import brief_settings, out_of_fold
from essay_scoring.audits.resamples import Resamples
from essay_scoring.audits.subgroups import subgroups
from essay_scoring.core.essays import Essays
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.progress import Progress
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.core.text import word_count
from essay_scoring.data.prepared import LOCKED, read_essays
from essay_scoring.models.context import Job
from essay_scoring.models.registry import load_scorer
from essay_scoring.models.scorer_settings import LengthSettings, TransformerSettings
from essay_scoring.records.audit_record import AuditRecord, AuditSection, AuditSettings
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.mapped_predictions import map_run, plain_mapping
from essay_scoring.runs.prompt_probe import prompt_probe

ATTACKED_ESSAYS = 60
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Audit:
    """What audit.json holds, and how many seconds each section took."""

    record: AuditRecord
    seconds: dict[str, float]


def audit_run(
    folder: Path,
    workspace: Workspace,
    progress: Progress,
    *,
    attack_essays: int = ATTACKED_ESSAYS,
) -> Audit:
    """Return the audit of a finished run; `attack_essays` of its essays are spoilt and rescored.

    Of imported predictions there are no essays and no models, so only limits, calibration and human
    ceilings are looked into. Raises EvidenceError for a run that is not complete or was changed,
    and where data or splits are no longer those of the run.
    """
    imported = read_run(folder)
    if imported.metrics.family == "imported":
        return _imported_audit(imported)
    work = _Work(open_finished(folder, workspace, progress), progress, attack_essays)
    sections: list[AuditSection] = []
    seconds: dict[str, float] = {}
    with progress.stage("audit", len(work.parts), "sections") as advance:
        for part in work.parts:
            started = time.perf_counter()
            sections.append(part())
            seconds[sections[-1].name] = time.perf_counter() - started
            advance(1)
    evidence = work.evidence
    settings = AuditSettings(
        seed=work.seed,
        replicates=len(evidence.resamples.weights),
        attack_essays=attack_essays,
        permutations=leaks.PERMUTATIONS,
        min_group_n=MIN_GROUP,
    )
    record = AuditRecord(run=work.finished.identity, settings=settings, sections=tuple(sections))
    return Audit(record, seconds)


def _imported_audit(run: RunRecord) -> Audit:
    """Return what predictions alone tell."""
    _log.warning(
        "imported predictions come without essays and models: limits, calibration and human "
        "ceilings are looked into, the rest is left out"
    )
    predictions = run.predictions
    seed = derive_seed(run.metrics.summary.settings.seed, "audit")
    resamples = Resamples.of(predictions, derive_seed(seed, "bootstrap"))
    unknown, overall = np.full(len(predictions), np.nan), run.metrics.summary.overall
    evidence = Evidence(predictions, resamples, unknown, {}, predictions.second, overall)
    sections, seconds = [], {}
    for part in (limits, calibration, ceilings):
        started = time.perf_counter()
        sections.append(part(evidence))
        seconds[sections[-1].name] = time.perf_counter() - started
    settings = AuditSettings(
        seed=seed,
        replicates=len(resamples.weights),
        attack_essays=0,
        permutations=0,
        min_group_n=MIN_GROUP,
    )
    record = AuditRecord(run=identity_of(run), settings=settings, sections=tuple(sections))
    return Audit(record, seconds)


@dataclass(frozen=True, eq=False)
class _Work:
    """A run under audit, and each section as a function that has all it needs."""

    finished: FinishedRun
    progress: Progress
    attack_essays: int

    @property
    def parts(self) -> tuple[Callable[[], AuditSection], ...]:
        """The sections in the order in which they are read."""
        return (
            lambda: limits(self.evidence),
            lambda: subgroups(self.evidence),
            self.feature_functioning,
            self.length,
            lambda: calibration(self.evidence),
            lambda: ceilings(self.evidence),
            self.prompt_probe,
            self.leakage,
            self.adversarial,
        )

    @property
    def seed(self) -> int:
        """The seed of everything drawn in the audit."""
        return derive_seed(self.finished.run.config.seed, "audit")

    @property
    def essays(self) -> Essays:
        """The run's essays, in the order of the evidence."""
        return self.finished.run.prepared.train.essays

    @cached_property
    def evidence(self) -> Evidence:
        """Predictions and what is known of each essay, in the order of the prepared essays."""
        train, predictions = self.finished.run.prepared.train, self.finished.predictions
        return Evidence(
            predictions,
            Resamples.of(predictions, derive_seed(self.seed, "bootstrap")),
            np.array([word_count(text) for text in train.essays.texts], dtype=np.float64),
            train.writers,
            train.second_scores,
            self.finished.record.metrics.summary.overall,
        )

    @property
    def reads_handcrafted(self) -> bool:
        """Whether the scorer reads handcrafted columns."""
        config = self.finished.run.config
        return config.scorer.reads_columns and "handcrafted" in config.features.sets

    @property
    def has_models(self) -> bool:
        """Whether every fold's model lies in the run folder."""
        folds = self.finished.run.design.folds
        return all((self.model(fold) / "scorer.json").is_file() for fold in folds)

    def model(self, fold: int) -> Path:
        """Return the folder of the model that held a fold out."""
        return self.finished.models / f"fold-{fold}" / "model"

    def feature_functioning(self) -> AuditSection:
        columns = self.finished.run.handcrafted(self.essays) if self.reads_handcrafted else None
        return features.feature_functioning(self.evidence, columns)

    def length(self) -> AuditSection:
        run = self.finished.run
        raw = out_of_fold(run, run.prepared.train, LengthSettings())
        name = plain_mapping(run.config.training.mapping)
        alone = map_run(name, run.design, raw, []).predictions
        return counting.length(self.evidence, alone)

    def prompt_probe(self) -> AuditSection:
        run, read = self.finished.run, {}
        if run.config.scorer.reads_columns:
            read["all columns the scorer reads"] = run.columns(self.essays).values
        if self.reads_handcrafted:
            read["handcrafted features"] = run.handcrafted(self.essays).values
        recorded = self.finished.record.probe
        forms = isinstance(run.config.scorer, TransformerSettings)
        if recorded is None and forms and self.has_models:
            recorded = prompt_probe(run, self.finished.models)
        return probing.prompt_signal(self.evidence, read, recorded, self.seed)

    def leakage(self) -> AuditSection:
        run = self.finished.run
        settings, what = brief_settings(run.config.scorer)
        locked = read_essays(run.prepared.folder / LOCKED)
        holdout = leaks.Holdout(run.prepared.train, run.design.fold_of, run.config.scheme, locked)
        return leaks.leakage(
            holdout, lambda train: out_of_fold(run, train, settings), what, self.seed
        )

    def adversarial(self) -> AuditSection:
        name, title, run = attacking.NAME, attacking.TITLE, self.finished.run
        if not self.has_models:
            said = "The run folder holds no model of each fold, so nothing can be scored again."
            return AuditSection(name, title, said)
        if run.config.features.standardise_by_prompt and run.config.scorer.reads_columns:
            said = "The run standardises columns among the essays predicted together: no essay has "
            return AuditSection(name, title, f"{said}a score of its own to attack.")
        if run.config.features.imported and run.config.scorer.reads_columns:
            said = "The run reads imported columns, which stay as they are when a text is edited."
            return AuditSection(name, title, said)
        sample = attacking.draw_sample(
            self.evidence.predictions, self.essays, self.attack_essays, self.seed
        )
        spoilt = attacking.spoilt_essays(sample, self.seed)
        if run.config.scorer.reads_columns:
            run.columns.warm(self.essays)
            run.columns.warm(_distinct(spoilt.values(), self.essays))
        return attacking.adversarial(sample, spoilt, self.score, self.seed)

    def score(self, essays: Essays, folds: IntArray) -> FloatArray:
        """Return raw scores, each by the model of its fold, (n,)."""
        raw = np.empty(len(essays))
        for fold in np.unique(folds):
            rows = np.flatnonzero(folds == fold)
            scorer = load_scorer(self.model(int(fold)), self.finished.run.context(Job("audit")))
            raw[rows] = scorer.predict(essays.take(rows))
        return raw


def _distinct(parts: Iterable[Essays], known: Essays) -> Essays:
    """Return each essay of the parts once, less those whose text and prompt are known."""
    seen = set(zip(known.texts, known.prompts, strict=True))
    kept: list[tuple[str, str, str]] = []
    for part in parts:
        for essay, text, prompt in zip(part.ids, part.texts, part.prompts, strict=True):
            if (text, prompt) not in seen:
                seen.add((text, prompt))
                kept.append((essay, text, prompt))
    ids, texts, prompts = zip(*kept, strict=True) if kept else ((), (), ())
    return Essays(tuple(ids), tuple(texts), tuple(prompts))
