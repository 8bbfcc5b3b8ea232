from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from essay_scoring.core.errors import MissingExtraError
from essay_scoring.core.scale import FloatArray
from essay_scoring.statistics.covariate_regression import covariate_effects
from tests.statistics.made import made_predictions

RUN = made_predictions(240, n_prompts=12)
RNG = np.random.default_rng(3)
LENGTH, ERRORS = RNG.normal(400, 90, len(RUN)), RNG.gamma(2, 3, len(RUN))
FOLLOWING = replace(RUN, final=np.clip(RUN.true + np.round((LENGTH - 400) / 90) / 2, 1, 5))


def by_hand(outcome: FloatArray, columns: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Return coefficients and their cluster-robust errors, written out."""
    n, k = len(outcome), len(columns) + 1
    x = np.column_stack([np.ones(n), *((v - v.mean()) / v.std(ddof=1) for v in columns)])
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ x.T @ outcome
    rest, meat = outcome - x @ beta, np.zeros((k, k))
    prompts = np.array(RUN.prompts)
    groups = np.unique(prompts)
    for prompt in groups:
        at = prompts == prompt
        score = x[at].T @ rest[at]
        meat += np.outer(score, score)
    g = len(groups)
    correction = g / (g - 1) * (n - 1) / (n - k)
    return beta[1:], np.sqrt(np.diag(correction * bread @ meat @ bread))[1:]


@pytest.mark.parametrize("outcome", ["residual", "abs_residual"])
def test_it_is_least_squares_with_errors_clustered_by_prompt(outcome: str) -> None:
    residual = FOLLOWING.final - FOLLOWING.true
    values = residual if outcome == "residual" else np.abs(residual)
    beta, error = by_hand(values, [LENGTH, ERRORS])
    rows = covariate_effects(FOLLOWING, {"length": LENGTH, "errors": ERRORS})
    t = 2.200985  # Student's t of 11 degrees of freedom, two-sided 5%
    for place, row in enumerate(rows):
        effect = getattr(row, outcome)
        assert effect.coefficient == pytest.approx(beta[place])
        assert effect.low == pytest.approx(beta[place] - t * error[place], abs=1e-6)
        assert effect.high == pytest.approx(beta[place] + t * error[place], abs=1e-6)
        assert (row.n, row.n_prompts, row.left_out) == (240, 12, None)


def test_what_residuals_follow_is_found_and_what_they_do_not_is_not() -> None:
    length, errors = covariate_effects(FOLLOWING, {"length": LENGTH, "errors": ERRORS})
    assert length.residual is not None
    assert errors.residual is not None
    assert length.residual.low is not None
    assert length.residual.p is not None
    assert errors.residual.low is not None
    assert errors.residual.high is not None
    assert length.residual.low > 0.2  # half a point per deviation, less what the ends clip
    assert length.residual.p < 1e-4
    assert errors.residual.low < 0 < errors.residual.high


def test_unknown_values_cost_their_essays_and_unknown_columns_only_themselves() -> None:
    some, hardly = ERRORS.copy(), ERRORS.copy()
    some[:40], hardly[: len(RUN) // 2 + 1] = np.nan, np.nan
    columns = {"length": LENGTH, "errors": some, "hardly": hardly, "never": np.full(240, np.nan)}
    rows = {row.covariate: row for row in covariate_effects(FOLLOWING, columns)}
    assert {row.n for row in rows.values()} == {200}
    assert rows["hardly"].left_out == rows["never"].left_out == "hardly known"
    assert rows["never"].residual is None
    part = FOLLOWING.take(np.arange(40, 240))
    alone = covariate_effects(part, {"length": LENGTH[40:], "errors": ERRORS[40:]})
    assert [rows["length"], rows["errors"]] == alone
    assert json.dumps([row.model_dump() for row in rows.values()], allow_nan=False)


def test_a_constant_and_a_combination_are_left_out() -> None:
    columns = {"same": np.full(240, 7.0), "length": LENGTH, "twice": 2 * LENGTH - 5}
    same, length, twice = covariate_effects(FOLLOWING, columns)
    assert same.left_out == "constant"
    assert twice.left_out == "a combination of covariates before it"
    assert length == covariate_effects(FOLLOWING, {"length": LENGTH})[0]


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_too_few_essays_leave_no_effect(rows: int) -> None:
    part = FOLLOWING.take(np.arange(rows))
    found = covariate_effects(part, {"length": LENGTH[:rows], "errors": ERRORS[:rows]})
    for row in found:
        assert row.residual is None
        assert row.left_out is not None


def test_one_prompt_leaves_no_effect() -> None:
    part = FOLLOWING.take(np.flatnonzero(np.array(RUN.prompts) == "p00"))
    (row,) = covariate_effects(part, {"length": np.arange(float(len(part)))})
    assert (row.left_out, row.n_prompts) == ("too few essays or prompts", 1)


def test_residuals_that_are_all_zero_have_no_p_and_warn_nobody() -> None:
    (row,) = covariate_effects(replace(RUN, final=RUN.true), {"length": LENGTH})
    assert row.residual is not None
    assert row.residual.coefficient == 0
    assert json.dumps(row.model_dump(), allow_nan=False)


def test_no_covariates_no_rows() -> None:
    assert covariate_effects(RUN, {}) == []


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels.regression.linear_model", None)
    with pytest.raises(MissingExtraError, match="statsmodels"):
        covariate_effects(RUN, {"length": LENGTH})
