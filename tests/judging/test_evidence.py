"""Whether a run was made as a plan's evidence rules ask, and how a run records it."""

from __future__ import annotations

import pytest

from essay_scoring.judging.evidence import demands
from essay_scoring.judging.plans import EvidenceRules
from essay_scoring.records.finished_run import read_run
from essay_scoring.records.manifest import write_manifest
from tests.judging.registered import (
    LATER,
    METRICS,
    STRICT,
    Bench,
    plan_of,
    rewritten,
    started,
)


def missed(bench: Bench) -> list[str]:
    rules = EvidenceRules.model_validate(STRICT)
    return [one.rule for one in demands(rules, read_run(bench.candidate)) if not one.met]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"device": "cuda"}, "device"),
        ({"host": "small"}, "host"),
        ({"precision": "fp16"}, "precision"),
        ({"finite": False}, "finite"),
        ({"gradient_checkpointing": False}, "gradient_checkpointing"),
        ({"effective_batch": 31}, "effective_batch"),
        ({"effective_batch": 65}, "effective_batch"),
        ({"effective_batch": None}, "effective_batch"),
        ({"length_bucketing": False}, "length_bucketing"),
        ({"chunked": False}, "chunked"),
        ({"pooled": None}, "pooled"),
    ],
)
def test_each_rule_missed_alone_is_named_alone(
    bench: Bench, changes: dict[str, object], rule: str
) -> None:
    bench.fine_tuned()
    assert missed(bench) == []
    bench.fine_tuned(**changes)
    assert missed(bench) == [rule]


def test_a_run_without_its_receipt_was_not_launched_detached(bench: Bench) -> None:
    bench.fine_tuned()
    (bench.candidate / "receipt.json").unlink()
    write_manifest(bench.candidate)
    assert missed(bench) == ["detached"]


def test_a_run_resumed_on_another_host_was_not_made_on_the_named_one(bench: Bench) -> None:
    bench.fine_tuned()
    started(bench.candidate, LATER, host="elsewhere")
    [host] = [
        one for one in demands(EvidenceRules(host="big"), read_run(bench.candidate)) if not one.met
    ]
    assert host.line() == "host (big, elsewhere; asked for big)"


def test_a_batch_at_either_end_of_the_window_is_within_it(bench: Bench) -> None:
    for size in (32, 64):
        bench.fine_tuned(effective_batch=size)
        assert missed(bench) == []


def test_rules_that_a_plan_does_not_name_are_not_asked(bench: Bench) -> None:
    assert demands(EvidenceRules(), read_run(bench.candidate)) == []


def test_a_family_that_does_not_answer_a_rule_misses_it(bench: Bench) -> None:
    """Trees record device, precision and finite numbers, and nothing of batches or chunks."""
    assert missed(bench) == [
        "device",
        "host",
        "detached",
        "gradient_checkpointing",
        "effective_batch",
        "length_bucketing",
        "chunked",
        "pooled",
    ]
    general = EvidenceRules(device="any", precision=("fp32", "bf16"), finite=True)
    assert all(one.met for one in demands(general, read_run(bench.candidate)))


def test_any_device_must_still_be_recorded(bench: Bench) -> None:
    rewritten(bench.candidate, METRICS, lambda metrics: metrics.update(fits=[]))
    [device] = demands(EvidenceRules(device="any"), read_run(bench.candidate))
    assert (device.met, device.line()) == (False, "device (not recorded; asked for any)")


def test_the_reference_need_not_meet_the_candidates_rules(bench: Bench) -> None:
    plan = plan_of(evidence=STRICT)
    bench.fine_tuned()
    bench.register(plan)
    found = bench.judge(plan)
    answers = found.gate("a").evidence[bench.candidate.name]
    assert len(answers) == 10
    assert all(answer.met for answer in answers)
    assert not bench.space.attempts.exists()


def test_every_fit_records_what_it_ran_with(bench: Bench) -> None:
    for fit in read_run(bench.reference).metrics.fits:
        [environment] = fit.environments
        assert environment.device in ("cpu", "cuda", "rocm")
        assert environment.machine.instruction_set
        assert environment.versions.keys() >= {"python", "numpy"}
        assert len(environment.code_revision) == 64
        assert (fit.precisions[0] in ("fp32", "bf16"), fit.finite) == (True, True)


@pytest.mark.parametrize(
    ("rule", "value", "said"),
    [
        ("device", "cpu", "device (cpu, rocm; asked for rocm)"),
        ("precision", "fp16", "precision (fp16, bf16; asked for fp32 or bf16)"),
        ("host", "elsewhere", "host (elsewhere, big; asked for big)"),
        ("finite", False, "finite (no, yes; asked for yes)"),
    ],
)
def test_one_fit_made_otherwise_is_enough_to_miss_a_rule(
    bench: Bench, rule: str, value: object, said: str
) -> None:
    """The other folds, and the process that joined them, met every rule."""
    bench.fine_tuned({rule: value})
    rules = plan_of(evidence=STRICT).evidence
    assert [one.line() for one in demands(rules, read_run(bench.candidate)) if not one.met] == [
        said
    ]
