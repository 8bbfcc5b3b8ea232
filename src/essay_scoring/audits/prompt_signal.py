"""Prompt probe: how much of the prompt is left in what a scorer reads, and in what it says."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from essay_scoring.audits.audit_evidence import Evidence
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.scale import FloatArray
from essay_scoring.records.audit_record import AuditSection, Figure
from essay_scoring.records.probes import PromptProbe
from essay_scoring.statistics.probe import Probe, Values, pooled, probe_counts

NAME, TITLE = "prompt_probe", "Prompt probe"

SCORE = "the predicted score alone"

_RECORDED = {
    "learnt": "learnt representation",
    "frozen": "the encoder before training",
    "tfidf": "words (TF-IDF)",
}


def prompt_signal(
    evidence: Evidence, read: Mapping[str, Values], recorded: PromptProbe | None, seed: int
) -> AuditSection:
    """Return how well a linear classifier names the prompt of a held-out essay.

    `read` holds what the scorer reads, by name, each (n, d): probed among the prompts of each fold,
    of which the fold's model knew nothing, as `prompt_probe.json` is (`recorded`, None without).
    Nothing here has a limit: a prompt's name can be read off honest differences in topic. The share
    of the errors' variance that lies between prompts says what it costs.
    """
    values = {**read, SCORE: evidence.common[2][:, None]}
    figures = [_probed(evidence, name, one, seed) for name, one in values.items()]
    for name, where in _RECORDED.items():
        if recorded is not None and name in recorded.held_out:
            figures.append(_of_record(where, recorded.held_out[name]))
    figures = [figure for figure in figures if figure.estimate is not None]
    between = evidence.resamples.figure(
        "share of the errors' variance between prompts",
        lambda weights: _between(evidence, weights),
    )
    told = "; ".join(f"{f.name} {f.estimate:.2f} ({f.group})" for f in figures)
    share = "undefined" if between.estimate is None else f"{between.estimate:.0%}"
    return AuditSection(
        NAME,
        TITLE,
        f"Accuracy of naming the prompt of a held-out essay: {told or 'too few essays'}. {share} "
        "of the variance of the errors lies between prompts.",
        figures=[*figures, between],
    )


def _probed(evidence: Evidence, name: str, values: Values, seed: int) -> Figure:
    """Return the accuracy within folds, their counts added up."""
    p = evidence.predictions
    prompts = np.asarray(p.prompts, dtype=object)
    known = np.where(np.isfinite(values), values, np.nan)
    parts = []
    for fold in np.unique(p.folds):
        rows = np.flatnonzero(p.folds == fold)
        part = _filled(known[rows])
        labels = [str(prompt) for prompt in prompts[rows]]
        parts.append(probe_counts(part, labels, derive_seed(seed, "audit probe", name, int(fold))))
    return _of_record(name, pooled(parts))


def _of_record(name: str, found: Probe) -> Figure:
    """Return a probe as a figure; the group says what guessing gives."""
    guess = "" if found.majority is None else f"majority {found.majority:.2f}"
    return Figure(name, guess, found.accuracy, found.n, found.low, found.high)


def _filled(values: Values) -> FloatArray:
    """Return values with the mean of their column where they are undefined, 0 where all are."""
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0.0).sum(axis=0, dtype=np.float64) / count
    return np.where(known, values, mean).astype(np.float64)


def _between(evidence: Evidence, weights: FloatArray) -> FloatArray:
    """Return the analysis-of-variance estimate of the prompts' share of the residual variance.

    (MSB - MSW) / (MSB + (n0 - 1) MSW), the intraclass correlation of unequal groups (Donner 1986),
    at least 0; few essays a prompt do not raise it as they do eta squared.
    """
    true, final, _ = evidence.common
    residual, prompt_of = final - true, evidence.resamples.prompt_of
    marks = np.eye(len(evidence.resamples.layout.prompts))[prompt_of]
    n, sums = weights @ marks, weights @ (marks * residual[:, None])
    total, groups = n.sum(axis=1), (n > 0).sum(axis=1)
    squares = weights @ residual**2
    with np.errstate(invalid="ignore", divide="ignore"):
        of_groups = np.where(n > 0, sums**2 / np.where(n > 0, n, 1), 0.0).sum(axis=1)
        between = (of_groups - sums.sum(axis=1) ** 2 / total) / (groups - 1)
        within = (squares - of_groups) / (total - groups)
        size = (total - (n**2).sum(axis=1) / total) / (groups - 1)
        share = (between - within) / (between + (size - 1) * within)
    return np.asarray(np.where(np.isnan(share), share, np.maximum(share, 0.0)))
