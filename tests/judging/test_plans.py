from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.judging.plans import Check, FineTuningRules, GatePlan, load_plan

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
    assert {path.stem for path in paths} >= {"g1", "g3_strict", "g3_local"}
    for path in paths:
        assert load_plan(path).name == path.stem


def test_g1_asks_what_the_contracts_primary_gate_asks() -> None:
    g1, primary = (load_plan(GATES / f"{name}.toml") for name in ("g1", "prompt_holdout_primary"))
    same = ("scheme", "rule", "min_prompt_n", "bottom_k", "checks", "allow_dirty")
    assert all(getattr(g1, key) == getattr(primary, key) for key in same)


def test_g3_on_the_named_host_and_on_any_machine_differ_in_evidence_alone() -> None:
    strict, local = (load_plan(GATES / f"{name}.toml") for name in ("g3_strict", "g3_local"))
    assert strict.rule == "interval"
    apart = {"name": "g3_local", "evidence": local.evidence}
    assert strict.model_copy(update=apart) == local
    rules = strict.evidence
    assert (rules.device, rules.host, rules.finite, rules.detached) == ("rocm", "hemma", True, True)
    assert rules.precision
    assert rules.fine_tuning == FineTuningRules(
        gradient_checkpointing=True,
        effective_batch=(32, 64),
        length_bucketing=True,
        chunked_and_pooled=True,
    )
    assert (local.evidence.device, local.evidence.host) == ("any", None)


def test_the_strict_order_is_about_the_contracts_reference() -> None:
    """XGBoost b28c376a73, figure by figure."""
    for name in ("g1", "g3_strict", "g3_local"):
        assert load_plan(GATES / f"{name}.toml").reference == {
            "features": {
                "sets": ["handcrafted", "embeddings"],
                "drop": ["has_conclusion", "clause_count", "flesch_kincaid"],
            },
            "scorer": {
                "family": "xgboost",
                "mode": "regression",
                "max_depth": 3,
                "min_child_weight": 20,
                "reg_lambda": 5.0,
                "reg_alpha": 1.0,
                "learning_rate": 0.03,
                "colsample_bytree": 0.6,
                "subsample": 0.8,
                "rounds": 1500,
                "patience": 100,
            },
            "training": {
                "weighting": "sqrt_inv_freq",
                "weight_cap": 3.0,
                "mapping": "qwk_cutpoints_lfo",
            },
        }


def test_a_rule_that_is_not_asked_for_leaves_the_hash_as_it_was(tmp_path: Path) -> None:
    plain = load_plan(saved(tmp_path, PLAN))
    unasked = load_plan(saved(tmp_path, PLAN + "[evidence]\nfinite = false\n"))
    asked = load_plan(saved(tmp_path, PLAN + "[evidence]\nfinite = true\n"))
    assert plain.sha256 == unasked.sha256 != asked.sha256
    assert plain.frozen()["evidence"] == {}
    assert GatePlan.model_validate(asked.frozen()) == asked


@pytest.mark.parametrize(
    "said",
    [
        "allow_dirty = true",
        "bottom_k = 4",
        'reference.scorer.family = "xgboost"',
        "reference.seed = 42",
        "evidence.fine_tuning.effective_batch = [32, 64]",
    ],
)
def test_all_that_a_plan_says_is_in_its_hash(tmp_path: Path, said: str) -> None:
    plain = load_plan(saved(tmp_path, PLAN))
    assert load_plan(saved(tmp_path, f"{said}\n{PLAN}")).sha256 != plain.sha256


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
        ('name = "trial"', 'name = "trial"\nreference.seed = nan', "reference.seed"),
        ('name = "trial"', 'name = "trial"\nreference.day = 2026-01-01', "reference.day"),
        ('name = "trial"', 'name = "trial"\nevidence.device = "tpu"', "evidence.device: "),
        ('name = "trial"', 'name = "trial"\nevidence.precision = []', "evidence.precision: "),
        ('name = "trial"', 'name = "trial"\nevidence.detachd = true', "evidence.detachd: unknown"),
        (
            'name = "trial"',
            'name = "trial"\nevidence.fine_tuning.effective_batch = [64, 32]',
            "effective_batch needs 1 <= low <= high",
        ),
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
