"""The candidates of a study as one family."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from essay_scoring.core.scale import FloatArray
from essay_scoring.judging.gates import judge
from essay_scoring.judging.multiplicity import family_wise
from essay_scoring.judging.plans import Check, GatePlan
from essay_scoring.records.judgements import FAMILY_LEVEL
from essay_scoring.statistics.comparison import Comparison, compare
from essay_scoring.statistics.predictions import Predictions
from tests.statistics.made import made_predictions, rescored

PLAN = GatePlan(
    name="trial",
    question="?",
    scheme="prompt_holdout",
    rule="interval",
    min_prompt_n=10,
    checks=(
        Check(metric="pooled_qwk", kind="superiority", delta_at_least=0.0),
        Check(metric="low_tail_adjacent", kind="guardrail", delta_at_least=-0.9),
    ),
)
REFERENCE = made_predictions(400, n_prompts=10, n_folds=5, noise=0.5)


def compared(candidate: Predictions, reference: Predictions = REFERENCE) -> Comparison:
    return compare(reference, candidate, min_prompt_n=10, replicates=300, seed=1)


@pytest.fixture(scope="module")
def candidates() -> dict[str, Comparison]:
    """Return one candidate that is better and three as good as the reference."""
    noises = {"better": 0.42, "a": 0.5, "b": 0.5, "c": 0.5}
    return {
        name: compared(rescored(REFERENCE, seed=seed, noise=noise))
        for seed, (name, noise) in enumerate(noises.items())
    }


def test_a_single_candidate_needs_no_correction(candidates: dict[str, Comparison]) -> None:
    for name, comparison in candidates.items():
        [found] = family_wise(PLAN, {name: comparison}, 1).values()
        assert found.adjusted_p == found.p
        passed = judge(PLAN, comparison).findings[0].result == "passed"
        assert passed == (found.p <= FAMILY_LEVEL)


def test_candidates_that_did_not_run_count_as_if_they_shared_nothing(
    candidates: dict[str, Comparison],
) -> None:
    one = {"better": candidates["better"]}
    [alone], [among] = (family_wise(PLAN, one, size).values() for size in (1, 5))
    assert among.candidates == 5
    assert among.adjusted_p == pytest.approx(min(1, 5 * alone.p))


def test_those_that_ran_cost_no_more_than_their_bound(candidates: dict[str, Comparison]) -> None:
    before = family_wise(PLAN, {"better": candidates["better"]}, 4)["better"]
    after = family_wise(PLAN, candidates, 4)["better"]
    assert after.p == before.p
    assert after.p <= after.adjusted_p <= before.adjusted_p


def test_the_same_candidate_many_times_is_one_candidate(candidates: dict[str, Comparison]) -> None:
    same = {f"copy {number}": candidates["better"] for number in range(6)}
    for found in family_wise(PLAN, same, 6).values():
        assert found.adjusted_p == pytest.approx(found.p)


def test_every_check_must_be_met(candidates: dict[str, Comparison]) -> None:
    strict = PLAN.model_copy(
        update={
            "checks": (
                *PLAN.checks,
                Check(metric="mean_qwk", kind="superiority", delta_at_least=0.9),
            )
        }
    )
    found = family_wise(strict, candidates, 4)["better"]
    assert found.p > 0.5
    assert not found.passes


def test_a_candidate_without_an_interval_is_left_out() -> None:
    few = made_predictions(200, n_prompts=4)
    comparison = compare(few, rescored(few, seed=1), min_prompt_n=10, replicates=50)
    assert family_wise(PLAN, {"few": comparison}, 1) == {}


def equal_scorers(seed: int, n: int) -> list[Predictions]:
    """Return the predictions of n equal scorers on new essays of 12 prompts."""
    rng = np.random.default_rng(seed)
    base = made_predictions(480, n_prompts=12, n_folds=4, seed=seed)
    prompt_of = base.numbered_prompts()[1]
    shared = rng.normal(size=len(base))

    def scored() -> Predictions:
        own: FloatArray = rng.normal(size=len(base))
        shift = 0.2 * rng.normal(size=12)[prompt_of]
        raw = base.true + 0.5 * (0.8 * shared + 0.6 * own) + shift
        return replace(base, raw=raw, final=base.scales.round(raw, base.prompts))

    return [scored() for _ in range(n)]


@pytest.mark.slow
def test_nineteen_equal_candidates_rarely_let_one_pass() -> None:
    alone = among = 0
    studies = 60
    for seed in range(studies):
        reference, *others = equal_scorers(seed, 20)
        judged = {f"{at}": compared(run, reference) for at, run in enumerate(others)}
        found = family_wise(PLAN, judged, 19).values()
        alone += any(one.p <= FAMILY_LEVEL for one in found)
        among += any(one.passes for one in found)
    print(f"of {studies} studies: {alone} pass one alone, {among} among all")  # noqa: T201
    assert alone > 0.1 * studies
    assert among <= 0.05 * studies
