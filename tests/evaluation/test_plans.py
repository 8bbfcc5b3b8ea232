from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.evaluation.plans import Check, GatePlan, load_plan

GATES = Path(__file__).parents[2] / "configs" / "gates"

PLAN = """
name = "trial"
question = "Is it better?"
scheme = "prompt_holdout"
rule = "point"

[[checks]]
metric = "mean_qwk"
kind = "guardrail"
delta_at_least = -0.003
"""


def saved(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_primary_gate_is_the_contract() -> None:
    plan = load_plan(GATES / "prompt_holdout_primary.toml")
    assert (plan.scheme, plan.rule) == ("prompt_holdout", "point")
    assert (plan.min_prompt_n, plan.bottom_k) == (30, 5)
    assert plan.checks == (
        Check(metric="worst_prompt_qwk", kind="superiority", delta_at_least=0.010),
        Check(metric="mean_qwk", kind="guardrail", delta_at_least=-0.003),
        Check(metric="low_tail_adjacent", kind="guardrail", delta_at_least=-0.010),
        Check(metric="high_tail_adjacent", kind="guardrail", delta_at_least=-0.010),
    )


def test_the_stability_gate_is_the_contract() -> None:
    plan = load_plan(GATES / "stratified_stability.toml")
    assert (plan.scheme, plan.rule) == ("stratified_text", "point")
    assert plan.checks == (Check(metric="mean_qwk", kind="guardrail", delta_at_least=-0.005),)


def test_every_shipped_plan_loads_under_its_own_name() -> None:
    paths = sorted(GATES.glob("*.toml"))
    assert len(paths) >= 3
    for path in paths:
        assert load_plan(path).name == path.stem


def test_the_hash_is_of_what_a_plan_says_not_of_how(tmp_path: Path) -> None:
    plan = load_plan(saved(tmp_path, PLAN))
    commented = load_plan(saved(tmp_path, "# why\n" + PLAN.replace("-0.003", "-3e-3")))
    loosened = load_plan(saved(tmp_path, PLAN.replace("-0.003", "-0.004")))
    assert plan.sha256 == commented.sha256 != loosened.sha256
    assert GatePlan.model_validate(plan.model_dump()).sha256 == plan.sha256


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (PLAN[PLAN.index("[[checks]]") :], "checks = []", "checks: "),
        (PLAN[PLAN.index("[[checks]]") :], "", "checks: missing key"),
        ('metric = "mean_qwk"', 'metric = "mean_kappa"', "checks.0.metric: "),
        ("delta_at_least = -0.003", "delta_at_least = nan", "checks.0.delta_at_least: "),
        ("delta_at_least = -0.003", "at_least = 0.1", "checks.0.at_least: unknown key"),
        ("delta_at_least = -0.003", "delta_at_least = 0.003", "a guardrail needs"),
        ('"guardrail"', '"superiority"', "a superiority check needs"),
        ('"prompt_holdout"', '"prompt_holdou"', "scheme: "),
        ('name = "trial"', 'name = "trial"\nmin_promt_n = 3', "min_promt_n: unknown key"),
        ('name = "trial"', 'name = "../trial"', "name: "),
        ("question =", "question", "not valid TOML"),
    ],
)
def test_faults_name_file_and_full_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in PLAN
    path = saved(tmp_path, PLAN.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_plan(path)
    assert said in caught.value.line()
    assert str(path) in caught.value.line()
    assert "\n" not in caught.value.line()


def test_one_metric_cannot_be_checked_twice_alike(tmp_path: Path) -> None:
    path = saved(tmp_path, PLAN + PLAN[PLAN.index("[[checks]]") :])
    with pytest.raises(InputError, match="two checks of one kind"):
        load_plan(path)


def test_an_absent_plan_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_plan(tmp_path / "absent.toml")
