from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from essay_scoring.records.config import EvaluationSettings
from essay_scoring.records.search import WinnersCurse
from essay_scoring.records.search_settings import Guardrails, Objective
from essay_scoring.search.objectives import point_figures
from essay_scoring.search.winners_curse import Selection, winners_curse
from essay_scoring.statistics.predictions import Predictions
from tests.statistics.made import made_predictions, rescored

LEAST = EvaluationSettings(min_prompt_n=10, bottom_k=3)


def equals(n: int, seed: int) -> list[Predictions]:
    """Return runs of equal worth: the same raters, noise of their own."""
    truth = made_predictions(600, n_prompts=24, seed=seed)
    return [rescored(truth, seed=100 * seed + run, noise=0.8) for run in range(n)]


def curse_of(
    runs: list[Predictions], objective: Objective = "mean_qwk", replicates: int = 200
) -> WinnersCurse:
    """Return the curse of the best run."""
    name = {"mean_qwk": "mean_qwk"}.get(objective, "worst_prompt_qwk")
    values = [point_figures(run, LEAST)[name] or 0.0 for run in runs]
    selection = Selection(objective, LEAST)
    found = winners_curse(runs, int(np.argmax(values)), selection, seed=1, replicates=replicates)
    assert found is not None
    return found


@pytest.mark.parametrize("objective", ["mean_qwk", "worst_prompt_qwk_then_mean_qwk"])
def test_the_lead_of_the_best_of_equals_is_nearly_all_luck(objective: Objective) -> None:
    """Equal runs differ by noise alone, so the average run is what the best is worth elsewhere."""
    name = "mean_qwk" if objective == "mean_qwk" else "worst_prompt_qwk"
    leads, drops = [], []
    for seed in range(24):
        runs = equals(12, seed)
        found = curse_of(runs, objective, replicates=20)
        average = np.mean([point_figures(run, LEAST)[name] or 0.0 for run in runs])
        leads.append((found.apparent[name] or 0.0) - average)
        drops.append(found.drop[name] or 0.0)
    # Over 40 such corpora the ratio was 0.94 for the mean and 0.89 for the worst prompt.
    assert 0.7 < np.mean(drops) / np.mean(leads) < 1.3


def test_a_true_lead_stays() -> None:
    """One run is far better: every resample selects it, and little of its lead is luck."""
    runs = equals(8, 0)
    better = rescored(made_predictions(600, n_prompts=24, seed=0), seed=999, noise=0.3)
    found = curse_of([*runs, better])
    assert found.reselected == 1.0
    assert found.selected == 1
    average = np.mean([point_figures(run, LEAST)["mean_qwk"] or 0.0 for run in [*runs, better]])
    lead = (found.apparent["mean_qwk"] or 0.0) - average
    assert abs(found.drop["mean_qwk"] or 0.0) < 0.15 * lead


def test_expected_is_apparent_less_the_drop_and_the_same_each_time() -> None:
    runs = equals(4, 1)
    found = curse_of(runs, replicates=50)
    assert curse_of(runs, replicates=50) == found
    for name, expected in found.expected.items():
        apparent, drop = found.apparent[name], found.drop[name]
        assert apparent is not None
        assert drop is not None
        assert expected == apparent - drop


def test_one_run_beat_none() -> None:
    runs = equals(2, 0)
    guarded = Selection("mean_qwk", LEAST, Guardrails())
    assert winners_curse(runs[:1], 0, Selection("mean_qwk", LEAST), seed=1) is None
    # The last of guarded runs is the reference, which is no candidate.
    assert winners_curse(runs, 0, guarded, seed=1) is None


def test_resamples_hold_candidates_to_the_guardrail() -> None:
    """A run whose high tail is always two steps off is never selected, however good the rest."""
    truth = made_predictions(600, n_prompts=24, seed=0)
    perfect = replace(truth, final=truth.true)
    top = truth.true >= 4.0
    broken = replace(truth, final=np.where(top, truth.true - 1.0, truth.true))
    plain = rescored(truth, seed=5, noise=0.9)
    runs = [broken, plain, perfect]
    free = winners_curse(runs[:2], 0, Selection("mean_qwk", LEAST), seed=1, replicates=50)
    rule = Guardrails(high_tail_adjacent=0.9, low_tail_adjacent=1)
    held = winners_curse(runs, 1, Selection("mean_qwk", LEAST, rule), seed=1, replicates=50)
    assert free is not None
    assert held is not None
    assert free.reselected == 1.0
    assert held.candidates == 2
    assert held.reselected == 1.0
