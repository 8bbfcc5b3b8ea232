from __future__ import annotations

import numpy as np
import pytest

from essay_scoring.audits.audit_evidence import Evidence
from essay_scoring.audits.ceilings import QWK_LOSS, R_LOSS, ceilings
from essay_scoring.audits.limits import POOLED_SMD, limits
from essay_scoring.statistics.metrics import pearson, qwk
from essay_scoring.statistics.true_scores import true_scores
from tests.audits.made_evidence import evidence_of, figure


def made(machine: float, rater: float = 0.35, doubled: float = 1.0, n: int = 1500) -> Evidence:
    """Two raters and a machine about one true score, with these errors."""
    rng = np.random.default_rng(8)
    truth = 3 + 0.8 * rng.normal(size=n)
    prompts = [f"p{number}" for number in rng.integers(0, 9, n)]
    first, second = truth + rater * rng.normal(size=n), truth + rater * rng.normal(size=n)
    second = np.clip(np.round(2 * second) / 2, 1, 5)
    second[rng.random(n) >= doubled] = np.nan
    raw = truth + machine * rng.normal(size=n)
    return evidence_of(first, raw, prompts=prompts, second=second)


def test_one_rater_is_said_and_nothing_is_judged() -> None:
    evidence = made(0.3)
    single = Evidence(evidence.predictions, evidence.resamples, evidence.words)
    section = ceilings(single)
    assert (section.verdict, section.figures) == ("info", ())
    assert "one rater" in section.finding
    assert "Degradation needs a second rater" in limits(single).finding
    few = ceilings(made(0.3, doubled=0.01))
    assert (few.verdict, few.figures) == ("info", ())
    assert "too few for a ceiling" in few.finding


def test_a_machine_like_a_rater_passes_and_a_rough_one_fails() -> None:
    assert ceilings(made(0.35)).verdict == "pass"
    rough = ceilings(made(1.0))
    assert rough.verdict == "fail"
    assert figure(rough, QWK_LOSS).passes is False


def test_to_agree_better_than_raters_do_is_no_degradation() -> None:
    section = ceilings(made(0.05, rater=0.7))
    loss = figure(section, R_LOSS)
    assert loss.estimate is not None
    assert loss.estimate < -0.10
    assert loss.passes is True
    assert section.verdict == "pass"


def test_the_figures_by_the_book() -> None:
    evidence = made(0.4, doubled=0.6)
    section, p = ceilings(evidence), evidence.predictions
    second = evidence.second_scores
    assert second is not None
    rows = np.isfinite(second)
    scale = p.scales.of("p0")
    human = qwk(scale.index(p.true[rows]), scale.index(second[rows]), 9)
    machine = qwk(scale.index(p.true[rows]), scale.index(p.final[rows]), 9)
    human_r, machine_r = (pearson(p.true[rows], other[rows]) for other in (second, p.raw))
    assert human is not None
    assert machine is not None
    assert human_r is not None
    assert machine_r is not None
    for name, expected in {
        "human-human QWK": human,
        "human-machine QWK": machine,
        QWK_LOSS: human - machine,
        R_LOSS: human_r - machine_r,
        "disattenuated r": machine_r / human_r**0.5,
    }.items():
        found = figure(section, name)
        assert found.estimate == pytest.approx(expected, abs=1e-9)
        assert found.n == int(rows.sum())
    ratings = np.column_stack([p.true, second])
    prmse = true_scores(np.ones((1, len(p))), p.raw, ratings).prmse[0]
    assert figure(section, "PRMSE, before mapping").estimate == pytest.approx(prmse, abs=1e-9)
    assert figure(section, "PRMSE, before mapping").n == len(p)


def test_prmse_is_near_what_the_data_were_made_from() -> None:
    # True variance 0.64, the machine's error 0.16: PRMSE 1 - 0.16 / 0.64.
    found = figure(ceilings(made(0.4, n=6000)), "PRMSE, before mapping").estimate
    assert found == pytest.approx(0.75, abs=0.04)


@pytest.mark.parametrize("rater", [0.3, 0.7])
def test_true_scores_and_another_rater_reach_the_ceilings(rater: float) -> None:
    # True variance 0.64: reliability 0.64 / (0.64 + rater^2), a step's rounding (1/48) aside.
    section = ceilings(made(0.0, rater=rater, n=6000))
    rho = 0.64 / (0.64 + rater**2)
    best = figure(section, "achievable QWK, of exact true scores").estimate
    like = figure(section, "achievable QWK, of one more rater").estimate
    assert best == pytest.approx(2 * rho / (1 + rho), abs=0.03)
    assert like == pytest.approx(rho, abs=0.04)
    assert figure(section, "human-machine QWK").estimate == pytest.approx(best, abs=0.02)
    assert figure(section, "human-human QWK").estimate == pytest.approx(like, abs=0.005)


def test_ac2_stands_beside_qwk() -> None:
    evidence = made(0.4, doubled=0.6)
    section, p = ceilings(evidence), evidence.predictions
    assert evidence.second_scores is not None
    rows = np.isfinite(evidence.second_scores)
    for name, other in {"human": evidence.second_scores, "machine": p.final}.items():
        true, rated = ((2 * side[rows] - 2).astype(np.int64) for side in (p.true, other))
        share = np.bincount(np.concatenate([true, rated]), minlength=9) / (2 * rows.sum())
        weight = 1 - (np.subtract.outer(np.arange(9), np.arange(9)) / 8) ** 2
        chance = weight.mean() * 9 / 8 * (share * (1 - share)).sum()
        observed = weight[true, rated].mean()
        found = figure(section, f"human-{name} AC2")
        assert found.estimate == pytest.approx((observed - chance) / (1 - chance), abs=1e-9)
        assert found.n == int(rows.sum())


def test_limits_pass_and_fail_by_their_own_figures() -> None:
    good, bad = limits(made(0.3, rater=0.2)), limits(made(1.2))
    assert good.verdict == "pass"
    assert bad.verdict == "fail"
    assert figure(good, "QWK, at least").passes is True
    assert figure(bad, "QWK, at least").passes is False
    assert figure(bad, "QWK, at least").at_least
    assert figure(good, "r, at least").limit == 0.70
    assert figure(good, POOLED_SMD).limit == 0.15
    assert figure(good, QWK_LOSS).limit == 0.10
