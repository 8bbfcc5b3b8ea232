"""Figures that no cut-point touches, against arithmetic written out and against brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.scale import FloatArray
from essay_scoring.statistics import weighted
from essay_scoring.statistics.comparison import compare
from essay_scoring.statistics.intervals import prompt_swaps
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.true_scores import true_scores
from tests.statistics.made import MIXED, made_predictions, of_scores, rescored


def figures(run: Predictions) -> dict[str, float]:
    """Return both figures computed essay by essay."""
    once = np.ones((1, len(run)))
    true, raw = run.in_common_unit(run.true), run.in_common_unit(run.raw)
    out = {"continuous_qwk": float(weighted.continuous_qwk(once, true, raw)[0])}
    if run.second is not None:
        known = np.isfinite(run.second)
        second = run.in_common_unit(np.where(known, run.second, run.true))
        ratings = np.column_stack([true, np.where(known, second, np.nan)])
        out["prmse"] = float(true_scores(once, raw, ratings).prmse[0])
    return out


def test_continuous_qwk_by_hand() -> None:
    run = replace(of_scores([1, 2, 3, 4] * 3, [1, 2, 3, 4] * 3), raw=np.array([1.5, 2, 3, 3.5] * 3))
    # Cov 0.875, variances 1.25 and 0.625, equal means.
    found = compare(run, run, replicates=0).deltas
    assert found["continuous_qwk"].reference == pytest.approx(2 * 0.875 / (1.25 + 0.625))
    assert "prmse" not in found


@pytest.mark.parametrize("scales", ["shared", "mixed"])
def test_deltas_and_swaps_are_those_of_runs_put_together_prompt_by_prompt(scales: str) -> None:
    kind = {"scales": MIXED, "n_prompts": 4} if scales == "mixed" else {}
    one = made_predictions(240, rated_twice=0.5, **kind)  # type: ignore[arg-type]
    other = rescored(one, seed=3)
    found = compare(one, other, min_prompt_n=5, replicates=12, seed=7).deltas
    names, prompt_of = one.numbered_prompts()
    swaps = prompt_swaps(len(names), 12, 7)
    for metric in ("continuous_qwk", "prmse"):
        values = figures(one)[metric], figures(other)[metric]
        assert (found[metric].reference, found[metric].candidate) == pytest.approx(values)
        if found[metric].low is None:
            assert len(names) < 6
            continue
        for row, swap in enumerate(swaps[1:], start=1):
            moved = swap[prompt_of] > 0
            first = replace(one, raw=np.where(moved, other.raw, one.raw))
            second = replace(other, raw=np.where(moved, one.raw, other.raw))
            delta = figures(second)[metric] - figures(first)[metric]
            assert found[metric].swapped[row] == pytest.approx(delta)


def test_a_mapping_changes_neither() -> None:
    one = made_predictions(rated_twice=1.0)
    other = rescored(one, seed=1)
    flat: FloatArray = np.full(len(one), 3.0)
    plain = compare(one, other, replicates=20).deltas
    squeezed = compare(replace(one, final=flat), replace(other, final=flat), replicates=20).deltas
    for metric in ("continuous_qwk", "prmse"):
        assert plain[metric] == squeezed[metric]


def test_prmse_rests_on_the_essays_rated_twice() -> None:
    one = made_predictions(rated_twice=0.3)
    assert one.second is not None
    delta = compare(one, rescored(one, seed=1), replicates=20).deltas["prmse"]
    assert delta.n == int(np.isfinite(one.second).sum())


def test_other_second_ratings_do_not_compare() -> None:
    one = made_predictions(rated_twice=1.0)
    assert one.second is not None
    moved = one.second.copy()
    moved[4] = 1.0 if moved[4] > 1 else 5.0
    with pytest.raises(EvidenceError, match="other second ratings: 1 essays differ"):
        compare(one, replace(one, second=moved), replicates=0)
