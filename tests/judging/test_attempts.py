"""Runs that failed, were changed, or missed a rule: marked once, refused for ever."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from essay_scoring.core.errors import NotFiniteError
from essay_scoring.core.files import write_text
from essay_scoring.core.progress import Progress
from essay_scoring.judging.attempts import attempts_of, attempts_under
from essay_scoring.records.finished_run import read_run
from essay_scoring.records.more_records import AttemptEntry
from essay_scoring.runs.session import Session, finish
from tests.judging.registered import (
    METRICS,
    STRICT,
    Bench,
    finished,
    made_on,
    plan_of,
    rewritten,
    started,
)

PREDICTIONS = "artifacts/residuals_cv_val_oof.jsonl"


def marked(bench: Bench) -> list[AttemptEntry]:
    return attempts_of(bench.space).entries()


def test_a_run_that_misses_rules_is_invalid_once_and_for_ever(bench: Bench) -> None:
    bench.fine_tuned(device="cpu", effective_batch=8)
    strict, lax = plan_of(evidence=STRICT), plan_of(name="lax")
    bench.register(strict)
    bench.register(lax)
    why = (
        "it misses 2 evidence rule(s) of 'trial': device (cpu; asked for rocm), "
        "effective_batch (8; asked for 32 to 64)"
    )
    assert bench.refusal(strict) == (
        f"{bench.candidate}: invalid evidence: {why}. "
        "To mend: run it again, as a new attempt; attempts.jsonl keeps this one"
    )
    [entry] = marked(bench)
    assert (entry.run, entry.reason) == (bench.candidate.name, why)
    assert entry.manifest_sha256 == read_run(bench.candidate).manifest_sha256
    assert attempts_under(strict, attempts_of(bench.space)) == [entry]
    assert attempts_under(lax, attempts_of(bench.space)) == []
    for plan in (strict, lax):
        assert bench.refusal(plan) == (
            f"{bench.candidate}: refused since {entry.time}: {why}. "
            "To mend: delete the folder and run it again, as a new attempt"
        )
    assert marked(bench) == [entry]


def test_a_marked_run_stays_marked_when_copied_or_written_anew_but_not_when_run_again(
    bench: Bench,
) -> None:
    bench.fine_tuned(device="cpu")
    bench.register(plan_of(evidence=STRICT))
    bench.register(plan_of(name="lax"))
    bench.refusal(plan_of(evidence=STRICT))
    original = bench.candidate
    bench.candidate = Path(shutil.copytree(original, original.with_name("renamed")))
    assert "refused since" in bench.refusal(plan_of(name="lax"))
    bench.candidate = original
    rewritten(original, METRICS, lambda metrics: made_on(metrics["fits"][0], device="rocm"))
    assert "refused since" in bench.refusal(plan_of(name="lax"))
    shutil.rmtree(original)
    again = finished("length", bench.space, 'name="candidate"', "seed=43")
    assert again == original
    assert bench.judge(plan_of(name="lax")).judgement.verdict.outcome == "pass"


def edited(bench: Bench, name: str, old: str, new: str) -> None:
    path = bench.candidate / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    write_text(path, text.replace(old, new, 1))


def other_config(bench: Bench) -> None:
    """Copy a run folder, change its config and metrics alike, and cover that with a manifest."""
    copied = bench.candidate.with_name(f"copied-{bench.candidate.name[-12:]}")
    shutil.copytree(bench.candidate, copied)
    bench.candidate = copied
    rewritten(copied, "config.json", lambda config: config.update(seed=7))
    rewritten(copied, METRICS, lambda metrics: metrics["config"].update(seed=7))


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (
            lambda bench: edited(bench, PREDICTIONS, '"fold": 0', '"fold": 1'),
            f"{PREDICTIONS}: changed since the run ended (checksum differs)",
        ),
        (
            lambda bench: edited(bench, "config.json", '"seed": 43', '"seed": 44'),
            "config.json: changed since the run ended (checksum differs)",
        ),
        (lambda bench: (bench.candidate / PREDICTIONS).unlink(), "1 file(s) added or removed"),
        (lambda bench: write_text(bench.candidate / "manifest.json", "{}"), "manifest.json is not"),
        (
            lambda bench: rewritten(bench.candidate, "config.json", lambda c: c.update(seed=7)),
            "config.json is not the config that the metrics are of",
        ),
        (
            other_config,
            "a run of this config, data, splits, code and packages would be named candidate-",
        ),
        (
            lambda bench: rewritten(
                bench.candidate, METRICS, lambda m: m["data"].update(splits_sha256="0" * 64)
            ),
            "a run of this config, data, splits, code and packages would be named candidate-",
        ),
    ],
)
def test_a_run_changed_after_it_ended_is_caught_and_marked(
    bench: Bench, tamper: Callable[[Bench], object], said: str
) -> None:
    bench.register(plan_of())
    tamper(bench)
    assert said in bench.refusal(plan_of())
    [entry] = marked(bench)
    assert said in entry.reason
    assert (entry.run, entry.manifest_sha256) == (bench.candidate.name, None)
    assert "refused since" in bench.refusal(plan_of())


def test_a_tampered_copy_leaves_the_run_it_was_copied_from_as_it_is(bench: Bench) -> None:
    original = bench.candidate
    bench.register(plan_of())
    bench.candidate = Path(shutil.copytree(original, original.with_name("copy")))
    edited(bench, PREDICTIONS, '"fold": 0', '"fold": 1')
    bench.refusal(plan_of())
    bench.candidate = original
    assert bench.judge(plan_of()).judgement.verdict.outcome == "pass"


def test_a_failed_run_is_listed_with_its_reason_also_once_it_is_resumed(bench: Bench) -> None:
    bench.register(plan_of())
    name = 'name="failing"'
    whole = finished("length", bench.space, name)
    (whole / "manifest.json").unlink()

    def fail(_: Session) -> None:
        raise NotFiniteError("the loss is not finite", where="fold 2")

    with pytest.raises(NotFiniteError):
        finish(whole, "again", Progress(), fail, read=read_run)
    bench.candidate = whole
    why = "the run failed (NotFiniteError: fold 2: the loss is not finite)"
    assert f"invalid evidence: {why}" in bench.refusal(plan_of())
    assert [(entry.reason, entry.manifest_sha256) for entry in marked(bench)] == [(why, None)]
    assert finished("length", bench.space, name) == whole
    assert f"{why}. To mend" in bench.refusal(plan_of())


def test_a_run_that_is_not_finished_is_refused_and_not_marked(bench: Bench) -> None:
    bench.register(plan_of())
    (bench.candidate / "manifest.json").unlink()
    assert "the run is not complete" in bench.refusal(plan_of())
    assert marked(bench) == []


def test_callers_errors_come_before_rules_and_mark_nothing(bench: Bench) -> None:
    """A run given to the wrong plan by mistake must not lose its worth."""
    bench.register(plan_of())
    assert "not registered" in bench.refusal(plan_of(name="strict", evidence=STRICT))
    bench.register(plan_of(name="strict", evidence=STRICT, min_prompt_n=6))
    started(bench.candidate, "2020-01-01T00:00:00+00:00")
    late = plan_of(name="strict", evidence=STRICT, min_prompt_n=6)
    assert "before registration" in bench.refusal(late)
    assert marked(bench) == []
