"""Failure cards: the prompts a run agrees with raters on least, and how their essays differ.

A card names essays by id alone. Differences of features are told in standard deviations of the
essays that the prompt's own model could learn from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from essay_scoring.audits.audited_run import FinishedRun
from essay_scoring.audits.constructs import construct_of
from essay_scoring.core.contracts import Columns
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.core.text import word_count
from essay_scoring.records.audit_record import AuditSection, Cell, DetailTable, Figure
from essay_scoring.statistics.agreement import Estimate, overall
from essay_scoring.statistics.counts import Mask
from essay_scoring.statistics.intervals import wilson
from essay_scoring.statistics.metrics import spearman
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.slices import PromptRow, rows_by_prompt
from essay_scoring.statistics.student import mean_interval

NAME = "failure_card"
BIAS = "bias (predicted - true)"
N_FEATURES = 6
N_ESSAYS = 5
FAR = 0.5
"""From how many standard deviations on a difference of features is named in a card's finding."""


@dataclass(frozen=True, eq=False)
class CardMaterial:
    """What cards are drawn from: predictions, and words (n,) and columns of the same essays.

    `prompts` are the recorded figures of each prompt large enough, as `statistics.summary` gives
    them; `columns` None tells nothing of features.
    """

    predictions: Predictions
    prompts: Sequence[PromptRow]
    words: FloatArray
    columns: Columns | None


def failure_cards(material: CardMaterial, bottom_k: int) -> list[AuditSection]:
    """Return one card for each of the `bottom_k` worst prompts, lowest QWK first."""
    rows_of = rows_by_prompt(material.predictions.prompts)
    judged = sorted(
        (row for row in material.prompts if row.qwk is not None),
        key=lambda row: (row.qwk, row.prompt),
    )
    return [_card(row, rows_of[row.prompt], material) for row in judged[:bottom_k]]


def card_material(finished: FinishedRun) -> CardMaterial:
    """Return what a run's cards are drawn from: no columns where it read no handcrafted ones."""
    run, essays = finished.run, finished.run.prepared.train.essays
    words = np.array([word_count(text) for text in essays.texts], dtype=np.float64)
    has_columns = run.config.scorer.reads_columns and "handcrafted" in run.config.features.sets
    prompts = finished.record.metrics.summary.prompts
    # Standardised within prompts, or dropped from the run, a column would tell less than it knows.
    columns = run.handcrafted(essays) if has_columns else None
    return CardMaterial(finished.predictions, prompts, words, columns)


def _card(recorded: PromptRow, rows: IntArray, material: CardMaterial) -> AuditSection:
    """Return the card of one prompt from its recorded figures and its essays' rows."""
    prompt, part = recorded.prompt, material.predictions.take(rows)
    far = _differences(rows, material)
    figures = _figures(recorded, part, material.words[rows])
    return AuditSection(
        NAME,
        f"Failure card: {prompt}",
        _finding(recorded, next(figure for figure in figures if figure.name == BIAS), far),
        figures=figures,
        tables=[
            DetailTable(
                "Features that differ most from the essays trained on, in standard deviations",
                ("feature", "construct", "difference", "mean here", "mean in training", "n"),
                far,
            ),
            _essays("Most over-scored", part, material.words[rows], highest=True),
            _essays("Most under-scored", part, material.words[rows], highest=False),
        ],
    )


def _figures(recorded: PromptRow, part: Predictions, words: FloatArray) -> list[Figure]:
    """Return agreement, bias, tails and the pull of length on one prompt."""
    prompt, n = recorded.prompt, recorded.n
    every = overall(part)
    bias = part.final - part.true
    figures = [
        Figure("QWK", prompt, recorded.qwk, n, recorded.low, recorded.high),
        Figure(BIAS, prompt, float(bias.mean()), n, *mean_interval(bias)),
        Figure("standardised mean difference", prompt, every["smd"].estimate, n),
        _share("adjacent agreement", prompt, every["adjacent"]),
        *(
            _share(f"adjacent agreement, {name} tail", prompt, every[f"{name}_tail_adjacent"])
            for name in ("low", "high")
        ),
    ]
    length = {"true scores": part.true, "predictions": part.final}
    return figures + [
        Figure(f"length with {what} (Spearman)", prompt, spearman(words, scores), n)
        for what, scores in length.items()
    ]


def _share(name: str, prompt: str, found: Estimate) -> Figure:
    """Return a share of a prompt's essays with Wilson's interval."""
    if found.estimate is None:
        return Figure(name, prompt, None, found.n)
    return Figure(name, prompt, found.estimate, found.n, *wilson(found.estimate, found.n))


def _differences(rows: IntArray, material: CardMaterial) -> list[tuple[Cell, ...]]:
    """Return feature, construct, difference in deviations, both means and n, largest first."""
    if material.columns is None:
        return []
    columns = material.columns
    values = columns.values.astype(np.float64)
    here, there = values[rows], values[_trained_on(rows, material.predictions)]
    found: list[tuple[float, tuple[Cell, ...]]] = []
    for at, name in enumerate(columns.names):
        own, other = _known(here[:, at]), _known(there[:, at])
        if not len(own) or len(other) < 2 or not other.std(ddof=1) > 0:
            continue
        mean, usual = float(own.mean()), float(other.mean())
        far = (mean - usual) / float(other.std(ddof=1))
        found.append((far, (name, construct_of(name), far, mean, usual, len(own))))
    found.sort(key=lambda one: -abs(one[0]))
    return [row for _, row in found[:N_FEATURES]]


def _trained_on(rows: IntArray, predictions: Predictions) -> Mask:
    """Return which essays the models that predicted these rows could learn from.

    Essays of the same prompt in other folds are left out: the prompt is what is being compared.
    """
    same_prompt = np.zeros(len(predictions), dtype=bool)
    same_prompt[rows] = True
    own_folds = np.unique(predictions.folds[rows])
    same_fold: Mask = predictions.folds == own_folds[0]
    return ~same_prompt & ~same_fold if len(own_folds) == 1 else ~same_prompt


def _known(values: FloatArray) -> FloatArray:
    return values[np.isfinite(values)]


def _essays(caption: str, part: Predictions, words: FloatArray, *, highest: bool) -> DetailTable:
    """Return ids and scores of the essays whose score is furthest off on one side.

    The score that was given counts; of equal ones, the prediction before mapping.
    """
    side = 1.0 if highest else -1.0
    off, before = side * (part.final - part.true), side * (part.raw - part.true)
    order = np.lexsort((-before, -off))
    rows = [at for at in order[:N_ESSAYS] if off[at] > 0]
    return DetailTable(
        caption,
        ("essay", "true", "predicted", "before mapping", "words"),
        [
            (
                part.ids[at],
                *(float(v[at]) for v in (part.true, part.final, part.raw)),
                int(words[at]),
            )
            for at in rows
        ],
    )


def _finding(recorded: PromptRow, bias: Figure, far: Sequence[tuple[Cell, ...]]) -> str:
    """Return in a few words how the prompt fares and what is unlike in its essays."""
    text = f"QWK {recorded.qwk:.2f} on {recorded.n} essays"
    if bias.estimate is not None and bias.low is not None and bias.high is not None:
        if bias.low <= 0 <= bias.high:
            text += "; scores are not off to one side beyond chance"
        else:
            way = "high" if bias.estimate > 0 else "low"
            text += f"; scores are {abs(bias.estimate):.2f} points too {way} on average"
    told = [f"{row[0]} {row[2]:+.1f} SD" for row in far if _size(row[2]) >= FAR][:3]
    return f"{text}; unlike the training essays in {', '.join(told)}." if told else f"{text}."


def _size(cell: Cell) -> float:
    return abs(cell) if isinstance(cell, float) else 0.0
