"""How much of a winner's lead is luck: re-selecting in resamples, judged on what they left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.records.config import EvaluationSettings
from essay_scoring.records.search import WinnersCurse
from essay_scoring.records.search_settings import Guardrails, Objective
from essay_scoring.search.objectives import TAILS, best_runs, figure_arrays
from essay_scoring.statistics.bootstrap import resample
from essay_scoring.statistics.counts import Draws, Mask, Tables, observed, tabulate, whole_prompts
from essay_scoring.statistics.predictions import Predictions

REPLICATES = 500


@dataclass(frozen=True)
class Selection:
    """How a run is selected: by a rule, among those that keep the guardrail if there is one.

    Of the runs the last is then the reference, which stays where no other keeps its tails.
    """

    objective: Objective
    settings: EvaluationSettings
    guardrails: Guardrails | None = None

    def pick(self, tables: Tables, draws: Draws) -> IntArray:
        """Return the position of the run that each resample selects, shape (R,)."""
        figures = figure_arrays(tables, draws, self.settings)
        return best_runs(figures, self.objective, self._allowed(figures))

    def _allowed(self, figures: dict[str, FloatArray]) -> Mask | None:
        if self.guardrails is None:
            return None
        allowed = np.ones(figures[TAILS[0]].shape, dtype=np.bool_)
        for tail in TAILS:
            floor = figures[tail][:, -1:] - getattr(self.guardrails, tail)
            # A tail that a resample left without essays says nothing against a run.
            allowed &= ~(figures[tail] < floor - 1e-12)
        allowed[:, -1] = False
        return allowed


def winners_curse(
    runs: Sequence[Predictions],
    winner: int,
    selection: Selection,
    *,
    seed: int,
    replicates: int = REPLICATES,
) -> WinnersCurse | None:
    """Return the expected drop of `runs[winner]`; None where it was selected from fewer than two.

    Each resample draws prompts and essays within them (two-level bootstrap), selects by the rule,
    and judges what it selected on the prompts that it did not draw: BBC-CV (Tsamardinos, Greasidou
    and Borboudakis 2018), on prompts. Left-out prompts are few, and the worst of few is not so bad,
    so leads are compared and not figures: drop = the winner's lead over the average run, less the
    selected runs' mean lead on left-out prompts. For a mean that is BBC-CV itself. Pruned trials
    are not among the runs, so the drop is of a selection from somewhat fewer.
    """
    candidates = len(runs) - (selection.guardrails is not None)
    if candidates < 2:
        return None
    tables, settings = tabulate(runs), selection.settings
    point = figure_arrays(tables, observed(tables), settings, strict=True)
    leads: dict[str, list[FloatArray]] = {name: [] for name in point}
    picks: list[IntArray] = []
    for inside, outside in _in_and_out(tables, replicates, seed):
        picks.append(selection.pick(tables, inside))
        for name, values in figure_arrays(tables, outside, settings).items():
            leads[name].append(_lead(values, picks[-1], candidates))
    chosen = np.concatenate(picks)
    apparent = {name: _number(values[0, winner]) for name, values in point.items()}
    drop = {
        name: _number(
            _lead(values, np.array([winner]), candidates)[0] - _mean(np.concatenate(leads[name]))
        )
        for name, values in point.items()
    }
    return WinnersCurse(
        apparent=apparent,
        drop=drop,
        expected={name: _minus(apparent[name], drop[name]) for name in point},
        reselected=float((chosen == winner).mean()),
        selected=len(np.unique(chosen)),
        candidates=candidates,
        replicates=replicates,
        seed=seed,
    )


def _in_and_out(tables: Tables, replicates: int, seed: int) -> Iterator[tuple[Draws, Draws]]:
    """Yield resamples of prompts and essays, each with the essays of the prompts it left out."""
    for inside in resample(tables, replicates, seed, "prompts"):
        yield inside, whole_prompts(tables, (inside.drawn == 0).astype(np.int64))


def _lead(values: FloatArray, picked: IntArray, candidates: int) -> FloatArray:
    """Return by how much the picked run of each resample is above the average candidate, (R,)."""
    average = values[:, :candidates].mean(axis=1)
    return np.asarray(values[np.arange(len(values)), picked] - average)


def _mean(values: FloatArray) -> float:
    """Return the mean of the defined values, NaN of none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _minus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other
