"""Adversarial essays: what spoiling an essay does to its score.

Over-stable is a scorer whose score stays where a reader's would drop, over-sensitive one whose
score rises for padding or moves for what no reader minds (Singla et al. 2021).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from essay_scoring.audits.attacks import ATTACKS, Attack, attacked, keywords_of, swapped_prompts
from essay_scoring.audits.resamples import Limit, Resamples
from essay_scoring.core.essays import Essays
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.number_text import share
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.records.audit_record import AuditSection, Cell, DetailTable, Figure, verdict_on
from essay_scoring.statistics import weighted
from essay_scoring.statistics.agreement import unit
from essay_scoring.statistics.counts import Mask, unit_width
from essay_scoring.statistics.predictions import Predictions

NAME, TITLE = "adversarial", "Adversarial essays"

OVER_STABLE = Limit(0.50, one_sided=True)
"""At most half of the spoilt essays may keep their score."""

OVER_SENSITIVE = Limit(0.10, one_sided=True)
"""At most a tenth may gain by padding, or move for what no reader minds."""

CHANGE, STABLE, SENSITIVE = "mean change of score", "over-stability rate", "over-sensitivity rate"

ScoreWith = Callable[[Essays, IntArray], FloatArray]
"""From essays and the fold whose model scores each, to raw scores of the essays' own scales."""


@dataclass(frozen=True, eq=False)
class Sample:
    """The essays under attack: their predictions and texts, and the corpus they were drawn from."""

    predictions: Predictions
    essays: Essays
    other_prompts: list[str]
    keywords: dict[str, tuple[str, ...]]


def draw_sample(predictions: Predictions, essays: Essays, size: int, seed: int) -> Sample:
    """Return a seeded sample of a run's essays; both arguments have the same rows in one order."""
    rng = np.random.default_rng(derive_seed(seed, "attacked essays"))
    rows = np.sort(rng.permutation(len(essays))[:size])
    others = swapped_prompts(essays, predictions.folds, rows, seed)
    return Sample(predictions.take(rows), essays.take(rows), others, keywords_of(essays))


def spoilt_essays(sample: Sample, seed: int) -> dict[str, Essays]:
    """Return the sample under each attack, by the attack's name."""
    return {
        attack.name: attacked(sample.essays, attack, sample.other_prompts, sample.keywords, seed)
        for attack in ATTACKS
    }


def adversarial(
    sample: Sample, spoilt: dict[str, Essays], score: ScoreWith, seed: int
) -> AuditSection:
    """Return, for each attack, the mean change of the score before mapping and how many escape.

    Every text is scored by the model of the fold that held the essay's prompt out. A change counts
    from half a step of the scale on. Over-stable is an essay that should drop and did not by that;
    over-sensitive one that rose for padding, or moved at all for what no reader minds.
    """
    p = sample.predictions
    resamples = Resamples.of(p, derive_seed(seed, "attacked resamples"))
    before, *after = _scored(score, p, [sample.essays, *(spoilt[one.name] for one in ATTACKS)])
    recorded = _common(p.raw, p, sample.essays)
    half = np.array([unit_width(p.scales, p.scales.of(prompt)) for prompt in p.prompts]) / 2
    figures: list[Figure] = []
    rows: list[tuple[Cell, ...]] = []
    for attack, spoilt_scores in zip(ATTACKS, after, strict=True):
        change = spoilt_scores - before
        figures += _figures(resamples, attack, change, half)
        rows.append((attack.name, attack.expected, *_moves(change, half)))
    off = float(np.abs(before - recorded).max(initial=0))
    figures.append(Figure("largest difference of rescored essays", "none", off, len(p)))
    where = unit(p)
    table = DetailTable(
        f"Changes in {where}; a move is half a step of the scale or more",
        ("attack", "a reader's score would", "mean change", "share falling", "share rising"),
        rows,
    )
    return AuditSection(
        NAME,
        TITLE,
        _finding(figures, len(p), off),
        verdict_on(figures),
        figures,
        [table],
    )


def _figures(
    resamples: Resamples, attack: Attack, change: FloatArray, half: FloatArray
) -> list[Figure]:
    """Return the mean change under an attack, and the rate of essays that it gets past."""
    escaped, name, limit = _escaped(attack, change, half)
    moved = resamples.figure(CHANGE, lambda w: weighted.mean(w, change), group=attack.name)
    return [moved, resamples.share(name, escaped, group=attack.name, limit=limit)]


def _escaped(attack: Attack, change: FloatArray, half: FloatArray) -> tuple[Mask, str, Limit]:
    """Return which essays a reader would have scored otherwise, as what, and how many may."""
    if attack.expected == "drop":
        return change > -half, STABLE, OVER_STABLE
    if attack.expected == "no rise":
        return change >= half, SENSITIVE, OVER_SENSITIVE
    return np.abs(change) >= half, SENSITIVE, OVER_SENSITIVE


def _moves(change: FloatArray, half: FloatArray) -> tuple[float, float, float]:
    """Return the mean change, and the shares of essays that fall and that rise."""
    return float(change.mean()), float((change <= -half).mean()), float((change >= half).mean())


def _scored(score: ScoreWith, p: Predictions, parts: Sequence[Essays]) -> list[FloatArray]:
    """Return the scores of each part in one unit, asked for at once: a model is read once."""
    every = Essays(
        tuple(f"{essay} {number}" for number, part in enumerate(parts) for essay in part.ids),
        tuple(text for part in parts for text in part.texts),
        tuple(prompt for part in parts for prompt in part.prompts),
    )
    raw = score(every, np.tile(p.folds, len(parts))).reshape(len(parts), -1)
    return [_common(row, p, part) for row, part in zip(raw, parts, strict=True)]


def _common(raw: FloatArray, p: Predictions, essays: Essays) -> FloatArray:
    """Return raw scores of essays' own scales in one unit."""
    return raw if p.scales.shared is not None else p.scales.to_training(raw, essays.prompts)


def _finding(figures: Sequence[Figure], n: int, off: float) -> str:
    """Return which attacks get past the scorer, and of which that is not certain."""
    again = "" if off < 1e-3 else f" The essays themselves score up to {off:.3f} otherwise today."
    past, open_ = (
        [figure for figure in figures if figure.result == result]
        for result in ("fail", "undecided")
    )
    said = f"{len(past)} of {len(ATTACKS)} attacks on {n} essays get past the scorer{_named(past)}"
    unsure = f"; of {len(open_)} more that is undecided{_named(open_)}" if open_ else ""
    return f"{said}{unsure}.{again}"


def _named(figures: Sequence[Figure]) -> str:
    told = (f"{one.group} ({share(one.estimate, *one.limits, digits=0)})" for one in figures)
    return f": {', '.join(told)}" if figures else ""
