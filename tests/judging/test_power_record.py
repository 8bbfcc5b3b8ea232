from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from essay_scoring.core import worker_pool as workers
from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.files import read_json, write_json
from essay_scoring.core.progress import Progress, ProgressEvent
from essay_scoring.core.record import read_record, write_record
from essay_scoring.judging.power import (
    DEFAULT_SIMULATIONS,
    PowerSettings,
    conclusion,
    known_power,
    power_of,
)
from essay_scoring.judging.power_trials import (
    DEFAULT_CORRELATION,
    baselines_of,
    correlation_of,
    trials_of,
)
from essay_scoring.records import provenance
from essay_scoring.records.manifest import write_manifest
from essay_scoring.records.power_results import DetectableDelta, PowerRecord
from essay_scoring.statistics.power_population import fit_population
from tests.judging.made_power import RUN, made_run, small_plan, small_record
from tests.statistics.made import MIXED, made_predictions, rescored

QUICK = PowerSettings(40)


@pytest.fixture(autouse=True)
def _one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(workers.WORKERS_VARIABLE, "1")


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PowerRecord]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(workers.WORKERS_VARIABLE, "1")
        yield small_record(tmp_path_factory.mktemp("power") / "run")


def test_the_record_holds_what_was_asked_and_found(record: PowerRecord, tmp_path: Path) -> None:
    write_record(tmp_path / "power.json", record)
    assert read_record(PowerRecord, tmp_path / "power.json") == record
    assert record.plan.sha256 == small_plan().sha256
    assert record.reference.essays == 400
    names = [trial.name for trial in record.trials]
    assert names == [
        "as it is",
        "equal on every prompt",
        "errors correlated 0.50",
        "errors correlated 0.95",
        "twice the essays",
        "four times the essays",
        "twice the prompts",
    ]
    sizes = {t.name: (t.essays, t.prompts, t.large_prompts) for t in record.trials}
    assert sizes["as it is"] == (400, 8, 8)
    assert sizes["four times the essays"] == (1600, 8, 8)
    assert sizes["twice the prompts"] == (800, 16, 16)
    first = record.trials[0].candidates
    assert [one.scenario for one in first].count("equal") == 1
    assert {one.scenario for one in first} == {
        "equal",
        "everywhere",
        "worst_prompts",
        "low_tail",
    }
    assert (first[0].n, first[1].n) == (40, 6)
    # The larger the true gain everywhere, the more often the plan passes.
    rates = [one.rate for one in first if one.scenario in ("equal", "everywhere")]
    assert rates[-1] == 1 > rates[0]


def test_the_reference_looks_like_what_is_simulated(record: PowerRecord) -> None:
    for row in record.population.figures:
        assert row.low is not None
        assert row.high is not None
        assert row.low - 0.02 <= row.observed <= row.high + 0.02


def test_the_conclusion_is_one_line_of_the_record_s_figures(record: PowerRecord) -> None:
    line, equal = record.conclusion, record.trials[0].candidates[0]
    assert "\n" not in line
    assert line.startswith("With 400 essays on 8 prompts the plan small passes two equal scorers")
    assert f"{equal.rate:.1%} of the time (n = 40, 95% interval" in line
    assert line.endswith("in mean QWK of the worst prompts with 80% power.")


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        (None, "detects no gain up to +0.200 in mean QWK with 80% power"),
        (0.0, "passes them with 80% power, which is no gate at all"),
        (0.0871, "detects +0.087 in mean QWK with 80% power"),
    ],
)
def test_the_conclusion_says_what_was_not_reached(
    record: PowerRecord, delta: float | None, words: str
) -> None:
    row = DetectableDelta(
        scenario="everywhere",
        check=None,
        metric="mean_qwk",
        kind="plan",
        delta=delta,
        low=None,
        high=None,
        tried=0.2,
    )
    trial = record.trials[0].model_copy(update={"detectable": (row,)})
    assert words in conclusion("small", record.reference, trial)


def test_the_same_question_has_the_same_answer_in_one_process_or_two(
    record: PowerRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(workers.WORKERS_VARIABLE, "2")
    try:
        assert small_record(tmp_path / "run").trials == record.trials
    finally:
        workers.close_workers()


def test_an_answer_is_kept_for_the_same_plan_run_settings_and_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, cache = made_run(tmp_path / "run"), tmp_path / "cache"
    heard: list[ProgressEvent] = []

    def ask(**changes: Any) -> PowerRecord:
        asked = {"plan": small_plan(), "reference": run, "settings": QUICK, **changes}
        plan, reference = asked.pop("plan"), asked.pop("reference")
        return known_power(plan, reference, cache, Progress(heard.append), **asked)

    first = ask()
    n_told = len(heard)
    assert ask() == first
    assert len(heard) == n_told > 0
    other = made_run(tmp_path / "other", rescored(RUN, seed=1, noise=0.8))
    ask(settings=PowerSettings(40, 0.5))
    ask(like=other)
    monkeypatch.setattr(provenance, "judge_revision", lambda: "e" * 64)
    assert ask().judge_revision == "e" * 64
    assert len(list((cache / "power").glob("small-*.json"))) == 4


def test_the_correlation_comes_from_the_nearest_baseline(tmp_path: Path) -> None:
    near = RUN.raw + 0.3 * np.random.default_rng(1).normal(size=len(RUN))
    run = made_run(tmp_path / "run", baselines={"ridge": near, "mean": np.full(len(RUN), 3.0)})
    assert set(baselines_of(run)) == {"ridge", "mean"}
    population = fit_population(RUN)
    value, source = correlation_of(population, run, None, None)
    assert source == "as with the reference's own baseline 'ridge'"
    assert 0.7 < value < 0.99
    assert correlation_of(population, run, 0.3, None) == (0.3, "as given")


def test_without_a_baseline_it_is_assumed_and_a_like_run_tells_it(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    assert baselines_of(run) == {}
    population = fit_population(RUN)
    assert correlation_of(population, run, None, None)[0] == DEFAULT_CORRELATION
    order = np.random.default_rng(0).permutation(len(RUN))
    same = made_run(tmp_path / "same", replace(RUN, raw=RUN.raw + 0.0).take(order))
    assert correlation_of(population, run, None, same) == (0.99, "as with same")
    with pytest.raises(InputError, match="give one of them"):
        correlation_of(population, run, 0.5, same)


def test_half_of_a_baseline_is_no_baseline(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", baselines={"ridge": RUN.raw})
    job = run.folder / "models" / "baselines" / "ridge" / "fold-0" / "job.json"
    values = read_json(job)
    write_json(job, values | {"ids": values["ids"][1:], "raw": values["raw"][1:]})
    write_manifest(job.parent)
    assert baselines_of(run) == {}


@pytest.mark.parametrize(
    ("simulations", "correlation", "message"),
    [(39, None, "too few"), (40, 1.0, "not between 0 and"), (40, -0.1, "not between 0 and")],
)
def test_settings_that_tell_nothing_are_refused(
    simulations: int, correlation: float | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        PowerSettings(simulations, correlation)


def test_a_plan_that_cannot_judge_the_run_is_invalid_evidence(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    with pytest.raises(EvidenceError, match="scheme prompt_holdout"):
        power_of(small_plan(scheme="stratified_text"), run, QUICK, Progress())
    with pytest.raises(EvidenceError, match="bottom_k_mean"):
        power_of(small_plan(min_prompt_n=4000), run, QUICK, Progress())


def test_scales_that_differ_by_prompt(tmp_path: Path) -> None:
    run = made_predictions(160, n_prompts=4, scales=MIXED)
    found = power_of(small_plan(), made_run(tmp_path / "run", run), QUICK, Progress())
    assert found.trials[-1].prompts == 8
    assert 0 <= found.trials[0].candidates[0].rate <= 0.6


def test_each_trial_has_a_condition_of_its_own() -> None:
    trials = trials_of(400, 0.94)
    names = [trial.condition.name for trial in trials]
    assert len(set(names)) == len(names)
    # 0.95 would say the same as the present 0.94.
    assert "errors correlated 0.95" not in names
    assert trials[0].equal == 400 == DEFAULT_SIMULATIONS["interval"]
