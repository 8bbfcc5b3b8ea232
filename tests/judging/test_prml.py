"""PRML manifests of registered plans, and what an amendment of a plan says."""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path

import pytest

from essay_scoring.cli.main import run as command
from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.files import write_text
from essay_scoring.judging.judgement import register_with_runs
from essay_scoring.judging.plans import GatePlan
from essay_scoring.judging.prml import Value, canonical_yaml, prml_manifests
from essay_scoring.judging.register import register_of
from essay_scoring.records.judgements import Registration
from tests.judging.registered import Bench, plan_of

CHECKS = [
    {"metric": "pooled_qwk", "kind": "superiority", "delta_at_least": 0.0},
    {"metric": "low_tail_adjacent", "kind": "guardrail", "delta_at_least": -0.05},
]
LOOSER = [CHECKS[0], CHECKS[1] | {"delta_at_least": -0.1}]

GOLDEN = """\
claim_id: 019aca6b-c480-7abc-8def-0123456789ab
comparator: '>='
created_at: '2026-11-28T09:00:00.000000+00:00'
dataset:
  hash: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
  id: prepared essays
metric: pooled_qwk of the candidate less that of the reference, lower end of its 95% interval
metric_args:
  bottom_k: 5
  rule: interval
producer:
  id: essay-scoring
seed: null
threshold: -0.05
version: prml/0.1
"""


def golden() -> dict[str, Value]:
    return {
        "version": "prml/0.1",
        "claim_id": "019aca6b-c480-7abc-8def-0123456789ab",
        "created_at": "2026-11-28T09:00:00.000000+00:00",
        "metric": "pooled_qwk of the candidate less that of the reference, "
        "lower end of its 95% interval",
        "comparator": ">=",
        "threshold": -0.05,
        "dataset": {"id": "prepared essays", "hash": hashlib.sha256(b"").hexdigest()},
        "seed": None,
        "producer": {"id": "essay-scoring"},
        "metric_args": {"rule": "interval", "bottom_k": 5},
    }


def test_the_canonical_bytes() -> None:
    assert canonical_yaml(golden()) == GOLDEN
    # falsify 0.4.0: `falsify hash` of a file with these values.
    assert (
        hashlib.sha256(GOLDEN.encode()).hexdigest()
        == "66d16f7ef079dcc0a5a7b1f4c72b131b53deed66a2fc91093ef200fcf42f2cb8"
    )


def test_canonical_bytes_are_those_of_the_yaml_library() -> None:
    yaml = importlib.import_module("yaml")
    odd: dict[str, Value] = {
        "a": "it's: so",
        "b": 1e-05,
        "c": -0.0,
        "d": ">",
        "e": {"y": 2, "x": 3},
        "g": None,
        "f": 0.25,
    }
    for manifest in (golden(), odd):
        assert canonical_yaml(manifest) == yaml.safe_dump(manifest, width=float("inf"))


def interval_plan(checks: list[dict[str, object]]) -> GatePlan:
    return plan_of(rule="interval", checks=checks)


def manifests(registration: Registration, bench: Bench) -> dict[str, str]:
    return prml_manifests(registration, register_of(bench.space))


def test_a_plan_is_a_manifest_for_each_check(bench: Bench) -> None:
    yaml = importlib.import_module("yaml")
    found = register_with_runs(interval_plan(CHECKS), [bench.reference], bench.space)
    made = manifests(found, bench)
    first = yaml.safe_load(made["trial.pooled_qwk-superiority.prml.yaml"])
    second = yaml.safe_load(made["trial.low_tail_adjacent-guardrail.prml.yaml"])
    assert (first["comparator"], first["threshold"]) == (">", 0.0)
    assert (second["comparator"], second["threshold"]) == (">=", -0.05)
    assert first["dataset"]["hash"] == found.data_sha256
    assert first["metric_args"]["plan_sha256"] == found.plan_sha256
    assert first["created_at"] == found.time
    assert first["claim_id"] != second["claim_id"]
    assert [first["claim_id"][14], first["claim_id"][19] in "89ab"] == ["7", True]
    assert "notes" not in first
    assert manifests(found, bench) == made
    for text in made.values():
        assert text == yaml.safe_dump(yaml.safe_load(text), width=float("inf"))


def test_an_amendment_says_whether_results_had_been_seen(bench: Bench) -> None:
    yaml = importlib.import_module("yaml")
    first = register_with_runs(interval_plan(CHECKS), [bench.reference], bench.space)
    assert (first.amends, first.results_seen) == (None, None)
    looser = interval_plan(LOOSER)
    with pytest.raises(EvidenceError, match="whether results had been seen: --results-seen or"):
        register_with_runs(looser, [bench.reference], bench.space)
    assert len(register_of(bench.space).entries()) == 1
    second = register_with_runs(looser, [bench.reference], bench.space, results_seen=True)
    assert (second.amends, second.results_seen) == (first.plan_sha256, True)
    # What is said already is not asked again.
    assert register_with_runs(looser, [bench.reference], bench.space) == second
    before, after = manifests(first, bench), manifests(second, bench)
    assert before.keys() == after.keys()
    for name, text in after.items():
        manifest = yaml.safe_load(text)
        assert manifest["prior_hash"] == hashlib.sha256(before[name].encode()).hexdigest()
        assert manifest["notes"] == f"amends the plan {first.plan_sha256}, results had been seen"


def test_register_writes_them(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    plan, folder = bench.space.runs.parent / "plan.toml", bench.space.runs.parent / "prml"

    def register(threshold: float, *options: str) -> int:
        text = (
            'name = "trial"\nquestion = "?"\nscheme = "prompt_holdout"\nrule = "interval"\n'
            "allow_dirty = true\n"
            f'[[checks]]\nmetric = "mean_qwk"\nkind = "guardrail"\ndelta_at_least = {threshold}\n'
        )
        write_text(plan, text)
        told = ["--reference", str(bench.reference), "--runs-dir", str(bench.space.runs)]
        return command(["register", str(plan), *told, "--prml", str(folder), *options])

    def hashes() -> set[str]:
        lines = capsys.readouterr().out.splitlines()
        return {line.split("  ")[0] for line in lines if line.endswith(".prml.yaml")}

    assert register(-0.01) == 0
    [path] = folder.iterdir()
    assert path.name == "trial.mean_qwk-guardrail.prml.yaml"
    assert hashes() == {sha256(path)}
    assert register(-0.02) == 4
    assert register(-0.02, "--no-results-seen") == 0
    assert "had not been seen" in path.read_text(encoding="utf-8")
    out = capsys.readouterr().out
    assert "results had been seen: no" in out


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
