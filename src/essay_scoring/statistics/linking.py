"""Linear linking: raw predictions given the mean and the spread that scores usually have.

A scorer pulls its predictions towards the middle, and on a prompt that it never saw their mean is
off too. Mean/sigma linking (Marco 1977; Kolen and Brennan 2014, section 6.3) restores both by a
straight line, as RSMTool's scaled predictions do (Madnani and Loukina 2016). What is restored is
learnt on other prompts: with scores and predictions on the common training scale, each prompt
counting alike,

- the usual mean is the mean of the prompts' mean scores;
- the usual spread is exp(a + b * (log n - mean log n)) on a scale of n steps, fitted to the
  deviations of the prompts' scores: on a fine scale raters use a smaller part of its width than on
  a coarse one. b is the least-squares slope, shrunken by a ridge penalty of 1 towards none, so that
  few prompts move it little and prompts of one scale not at all.

The line takes the usual predicted mean and spread, or those of the predictions of the very prompt
that is scored (transductive), to these.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from essay_scoring.core.errors import InputError
from essay_scoring.core.record import Record
from essay_scoring.core.scale import TRAINING_WIDTH, FloatArray, IntArray, ScoreScale, ScoreScales
from essay_scoring.statistics.predictions import Predictions, is_transductive

FEWEST_ESSAYS = 10
"""Essays that a prompt must have for its mean and deviation to count."""

_RIDGE = 1.0


class Linking(Record):
    """A line from raw predictions to scores, all on the training scale from 0 to 4.

    The spread on a scale of n steps is exp(log_spread + slope * (log n - log_steps)).
    """

    true_mean: float = Field(description="mean over prompts of their mean score")
    log_spread: float = Field(description="mean log deviation of a prompt's scores")
    slope: float = Field(description="by how much it changes with the log number of steps")
    log_steps: float = Field(description="mean log number of steps of the prompts' scales")
    raw_mean: float = Field(description="mean over prompts of their mean prediction")
    raw_spread: float = Field(description="root mean squared deviation of a prompt's predictions")

    def spread_on(self, scale: ScoreScale) -> float:
        """Return the deviation that a prompt's scores usually have on a scale, 0 to 4 wide."""
        steps = math.log(scale.n_labels - 1)
        return math.exp(self.log_spread + self.slope * (steps - self.log_steps))

    def scores(self, raw: FloatArray, scale: ScoreScale, *, own: bool = False) -> FloatArray:
        """Return the scores (n,) of raw predictions on one scale, rounded and cut to it.

        `own`: the line takes the mean and deviation of these predictions themselves to the usual
        ones, if there are FEWEST_ESSAYS of them, in place of the usual predicted mean and spread.
        """
        predicted = scale.to_training(raw)
        mean, spread = self.raw_mean, self.raw_spread
        if own and len(raw) >= FEWEST_ESSAYS:
            mean, spread = float(predicted.mean()), _deviation(predicted)
        gain = self.spread_on(scale) / spread if spread else 0.0
        linked = (self.true_mean + gain * (predicted - mean)) / TRAINING_WIDTH
        return scale.round(scale.low + (scale.high - scale.low) * linked)


@dataclass(frozen=True, eq=False)
class PromptMoments:
    """What scores and predictions of each of P prompts are like, each (P,), on the training scale.

    `steps` is the number of steps of a prompt's scale.
    """

    prompts: tuple[str, ...]
    steps: IntArray
    true_mean: FloatArray
    true_spread: FloatArray
    raw_mean: FloatArray
    raw_spread: FloatArray


def prompt_moments(
    raw: FloatArray, true: FloatArray, prompts: Sequence[str], scales: ScoreScales
) -> PromptMoments:
    """Return the moments of prompts that have FEWEST_ESSAYS whose scores are not all alike."""
    names, of = np.unique(np.asarray(prompts, dtype=object), return_inverse=True)
    values = [scales.to_training(scores, prompts) for scores in (true, raw)]
    rows: dict[str, tuple[float, ...]] = {}
    for number, name in enumerate(names):
        scores, predicted = (each[of == number] for each in values)
        if len(scores) >= FEWEST_ESSAYS and (spread := _deviation(scores)):
            steps = scales.of(name).n_labels - 1
            moments = (scores.mean(), spread, predicted.mean(), _deviation(predicted))
            rows[name] = (steps, *map(float, moments))
    table = np.array([*rows.values()], dtype=np.float64).reshape(-1, 5)
    return PromptMoments(tuple(rows), table[:, 0].astype(np.int64), *table[:, 1:].T)


def fit_linking(moments: PromptMoments, weights: FloatArray | None = None) -> Linking:
    """Return the linking that prompts show, each counting by its weight (P,), or alike.

    Raises InputError where no prompt has enough essays.
    """
    if not len(moments.prompts):
        raise InputError(
            f"no prompt outside the fold has {FEWEST_ESSAYS} essays whose scores differ, so the "
            "usual spread of scores is not known",
            mend="use mapping 'round_half_band'",
        )
    share = np.ones(len(moments.prompts)) if weights is None else weights
    share = share / share.sum()
    logs, spreads = np.log(moments.steps), np.log(moments.true_spread)
    log_steps, log_spread = float(share @ logs), float(share @ spreads)
    apart = len(share) * share * (logs - log_steps)
    slope = float(apart @ (spreads - log_spread) / (apart @ (logs - log_steps) + _RIDGE))
    return Linking(
        true_mean=float(share @ moments.true_mean),
        log_spread=log_spread,
        slope=slope,
        log_steps=log_steps,
        raw_mean=float(share @ moments.raw_mean),
        raw_spread=math.sqrt(float(share @ moments.raw_spread**2)),
    )


def linked_scores(
    linking: Linking,
    raw: FloatArray,
    prompts: Sequence[str],
    scales: ScoreScales,
    *,
    by_prompt: bool,
) -> FloatArray:
    """Return the scores (n,) of raw predictions, own scales; `by_prompt` as `Linking.scores` own.

    The essays of a prompt must then come together.
    """
    names, of = np.unique(np.asarray(prompts, dtype=object), return_inverse=True)
    out = np.empty(len(raw), dtype=np.float64)
    for number, name in enumerate(names):
        rows = of == number
        out[rows] = linking.scores(raw[rows], scales.of(name), own=by_prompt)
    return out


def linked_anew(run: Predictions, drawn: FloatArray) -> Iterator[FloatArray]:
    """Yield the scores (n,) of a linked run under each of R weightings of its prompts, (R, P).

    The prompts outside a fold count by their weights where its linking is fitted; those of
    `numbered_prompts`. Where none of them is drawn, all count alike.
    """
    names, _ = run.numbered_prompts()
    place = {name: at for at, name in enumerate(names)}
    parts = []
    for fold in np.unique(run.folds):
        held = run.folds == fold
        moments = prompt_moments(*_rows(run, ~held), run.scales)
        at = np.array([place[name] for name in moments.prompts], dtype=np.int64)
        parts.append((held, moments, at))
    by_prompt = is_transductive(run.refit)
    for weights in drawn:
        final = run.final.copy()
        for held, moments, at in parts:
            linking = fit_linking(moments, weights[at] if weights[at].any() else None)
            raw, _, prompts = _rows(run, held)
            final[held] = linked_scores(linking, raw, prompts, run.scales, by_prompt=by_prompt)
        yield final


def _rows(run: Predictions, kept: np.ndarray) -> tuple[FloatArray, FloatArray, list[str]]:
    """Return raw and true scores and prompts of some rows."""
    return run.raw[kept], run.true[kept], [run.prompts[at] for at in np.flatnonzero(kept)]


def _deviation(values: FloatArray) -> float:
    """Return the population deviation; 0 where values differ by no more than rounding does."""
    deviation = float(values.std())
    return deviation if deviation > 1e-9 * max(1.0, float(np.abs(values).max())) else 0.0
