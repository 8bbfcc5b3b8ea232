from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.errors import EvidenceError, MissingExtraError
from essay_scoring.core.scale import FloatArray
from essay_scoring.statistics.mixed_model import arm_effect
from essay_scoring.statistics.predictions import Predictions
from tests.statistics.made import HALVES, made_predictions, of_scores, rescored

N_PROMPTS, SIZE = 6, 10


def balanced(spread: float) -> tuple[Predictions, Predictions]:
    """Two arms on prompts of one size; how much the arms differ varies by prompt with `spread`."""
    rng = np.random.default_rng(4)
    prompts = [f"p{number}" for number in range(N_PROMPTS) for _ in range(SIZE)]
    true = np.full(len(prompts), 3.0)
    hard = np.repeat(rng.normal(0.5, 0.3, N_PROMPTS), SIZE)
    shift = np.repeat(rng.normal(0.3, spread, N_PROMPTS), SIZE)
    runs = []
    for own in (0.0, shift):
        error = hard + own + rng.normal(0.3, 0.4, len(prompts))
        final = HALVES.round(true + np.abs(error), prompts)
        runs.append(of_scores(true.tolist(), final.tolist(), prompts=prompts))
    return runs[0], runs[1]


def mean_squares(values: FloatArray) -> tuple[float, float]:
    """Return the mean squares between and within prompts of one size."""
    table = values.reshape(N_PROMPTS, SIZE)
    within = float(table.var(axis=1, ddof=1).mean())
    return SIZE * float(table.mean(axis=1).var(ddof=1)), within


def test_in_a_balanced_design_it_is_the_analysis_of_variance() -> None:
    reference, candidate = balanced(0.8)
    first, second = (np.abs(run.final - run.true) for run in (reference, candidate))
    difference, mean = second - first, (first + second) / 2
    found = arm_effect(reference, candidate)
    # REML is the analysis of variance here, which tests the effect over the prompts' means.
    prompt_means = difference.reshape(N_PROMPTS, SIZE).mean(axis=1)
    error = prompt_means.std(ddof=1) / np.sqrt(N_PROMPTS)
    assert found.converged
    assert found.effect == pytest.approx(prompt_means.mean())
    assert found.low == pytest.approx(prompt_means.mean() - 2.570582 * error, abs=1e-6)
    assert found.high == pytest.approx(prompt_means.mean() + 2.570582 * error, abs=1e-6)
    between, within = mean_squares(difference)
    level_between, level_within = mean_squares(mean)
    assert found.variances is not None
    assert found.variances.prompt_by_arm == pytest.approx((between - within) / SIZE, rel=1e-4)
    assert found.variances.residual == pytest.approx(within / 2, rel=1e-4)
    assert found.variances.prompt == pytest.approx((level_between - level_within) / SIZE, rel=0.01)
    essay = level_within - within / 4
    assert found.variances.essay == pytest.approx(max(essay, 0), rel=1e-4)
    assert (found.n, found.n_prompts, found.unit) == (60, 6, "score points")


def test_variances_are_found_again_at_the_size_of_a_corpus() -> None:
    rng = np.random.default_rng(0)
    n, prompt = 17_000, rng.integers(0, 40, 17_000)
    level = 1.5 + 0.1 * rng.normal(size=40)[prompt] + 0.3 * rng.normal(size=n)
    effect = -0.1 + 0.05 * rng.normal(size=40)[prompt]
    scale = HALVES.model_copy(update={"shared": HALVES.shared.model_copy(update={"step": 0.001})})  # type: ignore[union-attr]
    runs = []
    for side in (-0.5, 0.5):
        error = np.clip(level + side * effect + 0.2 * rng.normal(size=n), 0, None)
        final = np.clip(1 + np.round(error, 3), 1, 5)
        runs.append(
            of_scores([1.0] * n, final.tolist(), prompts=[f"p{k}" for k in prompt], scales=scale)
        )
    found = arm_effect(*runs)
    assert found.low is not None
    assert found.high is not None
    assert found.low < -0.1 < found.high < 0
    assert found.p is not None
    assert found.p < 1e-6
    components = {"prompt": 0.1, "prompt_by_arm": 0.05, "essay": 0.3, "residual": 0.2}
    assert found.variances is not None
    for name, deviation in components.items():
        assert getattr(found.variances, name) == pytest.approx(deviation**2, rel=0.6), name
    for name in ("essay", "residual"):
        assert getattr(found.variances, name) == pytest.approx(components[name] ** 2, rel=0.05), (
            name
        )


def test_no_variance_between_prompts_leaves_a_plain_mean() -> None:
    reference = made_predictions(400)
    candidate = rescored(reference, seed=1, noise=0.1)
    difference = np.abs(candidate.final - reference.true) - np.abs(reference.final - reference.true)
    found = arm_effect(reference, candidate)
    assert found.converged
    assert found.variances is not None
    assert found.variances.prompt_by_arm == 0
    assert found.effect == pytest.approx(difference.mean())
    reach = 2.364624 * difference.std(ddof=1) / 20  # Student's t of 7 degrees of freedom
    assert found.high == pytest.approx(difference.mean() + reach)
    assert found.variances.residual == pytest.approx(difference.var(ddof=1) / 2)


def test_prompts_of_unequal_size_are_weighed_by_restricted_likelihood() -> None:
    # The likelihood written out with whole matrices: no variances nearby are likelier.
    reference, candidate = balanced(0.8)
    rows = np.flatnonzero(np.arange(60) % 10 < np.repeat([3, 10, 5, 9, 2, 10], 10))
    reference, candidate = reference.take(rows), candidate.take(rows)
    y = np.abs(candidate.final - candidate.true) - np.abs(reference.final - reference.true)
    _, at = np.unique(reference.prompts, return_inverse=True)

    def restricted(between: float, within: float) -> float:
        v = within * np.eye(len(y)) + between * (at[:, None] == at)
        weights = np.linalg.solve(v, np.ones(len(y)))
        rest = y - weights @ y / weights.sum()
        return float(
            -np.linalg.slogdet(v)[1] - np.log(weights.sum()) - rest @ np.linalg.solve(v, rest)
        )

    found = arm_effect(reference, candidate).variances
    assert found is not None
    between, within = found.prompt_by_arm, 2 * found.residual
    best = restricted(between, within)
    for b, w in ((1.02, 1), (0.98, 1), (1, 1.02), (1, 0.98)):
        assert restricted(b * between, w * within) < best


def test_swapping_the_arms_turns_the_effect() -> None:
    reference, candidate = balanced(0.5)
    there, back = arm_effect(reference, candidate), arm_effect(candidate, reference)
    assert there.effect == pytest.approx(-(back.effect or 0))
    assert there.low == pytest.approx(-(back.high or 0), abs=1e-4)
    assert there.p == pytest.approx(back.p, rel=1e-3)


def test_errors_are_averaged_over_seeds_and_rows_matched_by_id() -> None:
    reference = made_predictions(300)
    first, second = rescored(reference, seed=1), rescored(reference, seed=2)
    turned = second.take(np.random.default_rng(0).permutation(300))
    both = arm_effect(reference, [first, turned])
    singly = [
        float(np.mean(np.abs(run.final - run.true) - np.abs(reference.final - reference.true)))
        for run in (first, second)
    ]
    assert both.effect == pytest.approx(np.mean(singly), abs=0.02)
    assert both == arm_effect([reference, reference], [first, second])


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (made_predictions(100, n_prompts=1, n_folds=1), "two prompts"),
        (made_predictions(8).take(np.arange(2)), "two prompts"),
        (made_predictions(100), "same amount"),
    ],
)
def test_what_admits_no_fit_is_said_in_the_record(run: Predictions, said: str) -> None:
    found = arm_effect(run, run)
    assert not found.converged
    assert found.reason is not None
    assert said in found.reason
    assert (found.effect, found.low, found.high, found.p, found.variances) == (None,) * 5
    assert json.dumps(found.model_dump(mode="json"), allow_nan=False)


def test_arms_that_differ_by_the_prompt_alone_admit_no_fit() -> None:
    places = np.arange(40)
    true, prompts = [3.0] * 40, [f"p{place % 4}" for place in places]
    first = 3 + places // 4 % 2 / 2
    runs = [
        of_scores(true, final.tolist(), prompts=prompts)
        for final in (first, first + places % 4 / 2)
    ]
    found = arm_effect(*runs)
    assert (found.converged, found.reason) == (False, "essays of one prompt do not differ")


def test_runs_of_other_essays_are_refused() -> None:
    run = made_predictions(50)
    with pytest.raises(EvidenceError, match="other essays"):
        arm_effect(run, run.take(np.arange(49)))


def test_statsmodels_warns_nobody_from_its_very_first_fit() -> None:
    # Its import asks Python to show its warnings, whatever was ignored before.
    code = (
        "from tests.statistics.test_mixed_model import balanced\n"
        "from essay_scoring.statistics.mixed_model import arm_effect\n"
        "for spread in (0.05, 0.2, 0.8): assert arm_effect(*balanced(spread)).converged"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels.regression.mixed_linear_model", None)
    with pytest.raises(MissingExtraError, match=r"essay-scoring\[statistics\]"):
        arm_effect(*balanced(0.5))
