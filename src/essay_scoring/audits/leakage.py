"""Leaks: whether what a fold holds out could have been known to the model that scores it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.number_text import held
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.core.text import text_hash
from essay_scoring.data.duplicates import THRESHOLD, exact_groups, near_pairs
from essay_scoring.data.splits import Scheme
from essay_scoring.records.audit_record import AuditSection, DetailTable, Figure, verdict_on
from essay_scoring.statistics.metrics import pearson

NAME, TITLE = "leakage", "Leaks"

PERMUTATIONS = 4
_LEAST_LIMIT, _ERRORS = 0.05, 3.0
_LISTED = 20

Refit = Callable[[ScoredEssays], FloatArray]
"""From scored essays to out-of-fold predictions (n,) of a scorer fitted on their scores."""


@dataclass(frozen=True, eq=False)
class Holdout:
    """The training essays, the fold that holds each out, (n,), the scheme, and locked essays."""

    train: ScoredEssays
    fold_of: IntArray
    scheme: Scheme
    locked: Essays


def leakage(holdout: Holdout, refit: Refit, what: str, seed: int) -> AuditSection:
    """Return texts that stand on both sides of a fold, and what permuted labels can be told from.

    Equal texts (by hash) and, under `prompt_holdout`, prompts may not lie in several folds, nor a
    training text in the locked test; near-duplicates across folds are counted and listed by id.
    `refit` is asked for predictions after scores were permuted among the essays: they must have
    nothing to do with the scores. `what` says what is refitted.
    """
    pairs = [
        pair
        for pair in near_pairs(holdout.train.essays.texts)
        if holdout.fold_of[pair.first] != holdout.fold_of[pair.second]
    ]
    ids, n = holdout.train.essays.ids, len(holdout.train)
    permuted = permuted_labels(holdout, refit, seed)
    near = _counted("near-duplicate pairs across folds", len(pairs), n)
    figures = [*_overlaps(holdout), near, permuted]
    listed = [
        (ids[pair.first], ids[pair.second], pair.jaccard, int(holdout.fold_of[pair.first]),
         int(holdout.fold_of[pair.second]))
        for pair in pairs[:_LISTED]
    ]  # fmt: skip
    caption = f"Near-duplicates across folds (Jaccard index of five-word shingles >= {THRESHOLD})"
    header = ("first", "second", "Jaccard", "fold of the first", "fold of the second")
    tables = [DetailTable(caption, header, listed)] if listed else []
    leaks = [figure for figure in figures if figure.passes is False]
    finding = _finding(leaks, permuted, what)
    return AuditSection(NAME, TITLE, finding, verdict_on(figures), figures, tables)


def permuted_labels(holdout: Holdout, refit: Refit, seed: int) -> Figure:
    """Return the mean correlation of predictions with permuted scores within a fold, about 0.

    Scores are permuted among the essays of one scale. Within folds, since out-of-fold means lean
    away from the held-out ones. The limit is 0.05, or three standard errors where there are few
    essays: what chance explains.
    """
    train, found = holdout.train, []
    for number in range(PERMUTATIONS):
        rng = np.random.default_rng(derive_seed(seed, "permuted labels", number))
        scores = train.scores.copy()
        for rows in train.scales.for_prompts(train.prompts).values():
            scores[rows] = scores[rng.permutation(rows)]
        shuffled = replace(train, scores=scores)
        raw = train.scales.to_training(refit(shuffled), train.prompts)
        # On scales of their own, prompts differ in level whatever their scores are permuted to.
        found.append(_within_folds(holdout.fold_of, shuffled.targets, raw))
    values = np.array([value for value in found if value is not None])
    n, name = len(train), "correlation with permuted labels"
    if not len(values):
        return Figure(name, "", None, n)
    limit = max(_LEAST_LIMIT, _ERRORS / float(np.sqrt(n * len(values))))
    mean = float(values.mean())
    return Figure(name, "", mean, n, limit=limit, passes=abs(mean) <= limit)


def _within_folds(fold_of: IntArray, scores: FloatArray, raw: FloatArray) -> float | None:
    """Return the mean over folds of the correlation within a fold; None where none is defined."""
    parts = [pearson(scores[fold_of == fold], raw[fold_of == fold]) for fold in np.unique(fold_of)]
    known = [part for part in parts if part is not None]
    return float(np.mean(known)) if known else None


def _overlaps(holdout: Holdout) -> list[Figure]:
    """Return how many texts and prompts lie in several folds, and texts in the locked test."""
    train, folds = holdout.train, holdout.fold_of
    spread = sum(_several(folds, rows) for rows in exact_groups(train.essays.texts))
    locked = {text_hash(text) for text in holdout.locked.texts}
    shared = sum(text_hash(text) in locked for text in train.essays.texts) if locked else 0
    figures = [
        _counted("texts that lie in several folds", spread, len(train)),
        _counted("training texts that lie in the locked test", shared, len(train)),
    ]
    if holdout.scheme == "prompt_holdout":
        prompts = np.asarray(train.prompts, dtype=object)
        split = sum(_several(folds, np.flatnonzero(prompts == name)) for name in set(prompts))
        figures.append(_counted("prompts that lie in several folds", split, len(train)))
    return figures


def _several(folds: IntArray, rows: Sequence[int] | IntArray) -> bool:
    """Tell whether essays lie in more than one fold."""
    return len(np.unique(folds[np.asarray(rows, dtype=np.int64)])) > 1


def _counted(name: str, count: int, n: int) -> Figure:
    """Return a count that must be zero."""
    return Figure(name, "", float(count), n, limit=0.0, passes=count == 0)


def _finding(leaks: list[Figure], permuted: Figure, what: str) -> str:
    """Return what leaks, and what was told from permuted labels."""
    told = "undefined"
    if permuted.estimate is not None:
        told = held(permuted.estimate, *permuted.limits, sign=True)
    tail = f"{what}, fitted on permuted labels, correlates {told} with them."
    if not leaks:
        return f"No text lies on both sides of a fold; {tail}"
    said = "; ".join(f"{figure.name}: {figure.estimate:g}" for figure in leaks)
    return f"Found {said}. {tail[0].upper()}{tail[1:]}"
