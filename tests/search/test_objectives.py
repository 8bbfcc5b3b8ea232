from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essay_scoring.core.errors import InputError
from essay_scoring.core.scale import FloatArray
from essay_scoring.records.config import EvaluationSettings
from essay_scoring.records.search import Outcome
from essay_scoring.records.search_settings import Guardrails, Objective
from essay_scoring.search.objectives import (
    SHOWN,
    TailGuard,
    best_runs,
    key_of,
    point_figures,
    ranks,
    require_objective,
)
from essay_scoring.statistics.comparison import compare
from tests.search.made import made_outcome
from tests.statistics.made import made_predictions

LEXICOGRAPHIC: Objective = "worst_prompt_qwk_then_mean_qwk"
ULP = float(np.spacing(0.5))
NEAR = st.sampled_from([0.5, 0.5 + ULP, 0.5 + 2 * ULP, 0.6, -0.2, 1.0])
"""Figures so close that no weighted sum of two of them keeps their order."""


@settings(max_examples=200)
@given(st.lists(st.one_of(st.none(), st.tuples(NEAR, NEAR)), max_size=60))
def test_ranks_keep_the_lexicographic_order_exactly(keys: list[tuple[float, float] | None]) -> None:
    found = ranks(keys)
    for (one, at), (other, below) in itertools.combinations(zip(keys, found, strict=True), 2):
        lowest = (-np.inf, -np.inf)
        assert (at > below) == ((one or lowest) > (other or lowest))
        assert (at == below) == (one == other)


def figures(**columns: list[float]) -> dict[str, FloatArray]:
    """Return figures of runs in one resample."""
    return {name: np.array([values]) for name, values in columns.items()}


def test_the_second_figure_decides_only_between_exact_ties_of_the_first() -> None:
    columns = figures(worst_prompt_qwk=[0.5, 0.5, 0.499], mean_qwk=[0.6, 0.61, 0.9])
    assert best_runs(columns, "worst_prompt_qwk_then_mean_qwk").tolist() == [1]
    # The last bit that the same agreement of two prompts may differ by is no difference.
    columns["worst_prompt_qwk"][0, 0] += ULP
    assert best_runs(columns, "worst_prompt_qwk_then_mean_qwk").tolist() == [1]


def test_equal_runs_and_missing_figures() -> None:
    tied = figures(mean_qwk=[0.5, 0.7, 0.7])
    assert best_runs(tied, "mean_qwk").tolist() == [1]
    missing = figures(mean_qwk=[np.nan, -0.5])
    assert best_runs(missing, "mean_qwk").tolist() == [1]
    allowed = np.array([[True, False, False]])
    assert best_runs(tied, "mean_qwk", allowed).tolist() == [0]
    assert best_runs(tied, "mean_qwk", np.zeros((1, 3), dtype=np.bool_)).tolist() == [2]


def test_a_missing_worst_prompt_is_no_key_and_never_the_mean() -> None:
    found = dict.fromkeys(SHOWN, 0.5) | {"worst_prompt_qwk": None}
    assert key_of(found, LEXICOGRAPHIC) is None
    assert key_of(found, "mean_qwk") == (0.5,)


def test_figures_are_those_that_gates_compare() -> None:
    predictions = made_predictions()
    least = EvaluationSettings(min_prompt_n=5, bottom_k=3)
    found = point_figures(predictions, least)
    compared = compare(predictions, predictions, min_prompt_n=5, bottom_k=3, replicates=0)
    expected = {name: compared.deltas[name].candidate for name in SHOWN}
    assert found == pytest.approx(expected, rel=1e-12)
    assert all(value is not None for value in found.values())


def outcome(low: float | None, high: float | None, state: str = "complete") -> Outcome:
    """Return an outcome with these tails."""
    tails = {"low_tail_adjacent": low, "high_tail_adjacent": high}
    return made_outcome(state=state, figures=tails)


def test_a_tail_may_fall_by_the_tolerance_and_no_further() -> None:
    guard = TailGuard(outcome(0.82, 0.81), Guardrails())
    # 0.82 - 0.81 is 0.01 and a bit more in floating point: a tie is kept.
    assert guard.keeps(outcome(0.81, 0.80).figures)
    assert guard.excess(outcome(0.79, 0.90).figures) == {
        "low_tail_adjacent": 0.02,
        "high_tail_adjacent": -0.1,
    }
    assert not guard.keeps(outcome(0.79, 0.90).figures)


def test_a_guardrail_that_is_not_enforced_still_measures() -> None:
    guard = TailGuard(outcome(0.82, 0.81), Guardrails(), enforced=False)
    worse = outcome(0.5, 0.5).figures
    assert guard.keeps(worse)
    assert guard.breaks(worse)


def test_a_tail_without_essays_cannot_guard() -> None:
    empty = outcome(None, 0.8)
    with pytest.raises(InputError, match="no essay lies in the low tail"):
        TailGuard(empty, Guardrails()).excess(empty.figures)
    assert TailGuard(empty, Guardrails(), enforced=False).keeps(empty.figures)


def test_a_reference_without_the_objective_stops_the_search() -> None:
    with pytest.raises(InputError, match="the reference ended as failed"):
        require_objective(outcome(0.8, 0.8, "failed"), "all")
