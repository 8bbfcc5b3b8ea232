from __future__ import annotations

import numpy as np
import pytest

from essay_scoring.audits.prompt_signal import SCORE, prompt_signal
from essay_scoring.records.probes import PromptProbe
from essay_scoring.statistics.probe import Probe
from tests.audits.made_evidence import evidence_of, made_evidence

BETWEEN = "share of the errors' variance between prompts"


def test_columns_that_give_the_prompt_away_are_told_from_noise() -> None:
    evidence = made_evidence(600)
    rng = np.random.default_rng(0)
    number = evidence.resamples.prompt_of
    telling = np.eye(12)[number] + 0.1 * rng.normal(size=(600, 12))
    noise = rng.normal(size=(600, 5))
    noise[3, 2] = np.nan
    section = prompt_signal(evidence, {"telling": telling, "noise": noise}, None, 1)
    found = {one.name: one for one in section.figures}
    assert section.verdict == "info"
    assert found["telling"].estimate == pytest.approx(1.0)
    # Four prompts a fold, so that a guess is right in a quarter of the cases.
    assert found["noise"].estimate == pytest.approx(0.25, abs=0.08)
    assert found[SCORE].estimate == pytest.approx(0.25, abs=0.08)
    assert found["noise"].group.startswith("majority 0.")
    assert found["noise"].n == 600


def test_errors_that_go_with_the_prompt_are_counted_once() -> None:
    rng = np.random.default_rng(1)
    prompts = [f"p{number:02d}" for number in rng.integers(0, 12, 2400)]
    shift = dict(zip(sorted(set(prompts)), rng.normal(size=12), strict=True))
    true = 3 + 0.1 * rng.normal(size=2400)
    own = np.array([shift[prompt] for prompt in prompts])
    shifted = evidence_of(true, true + 0.6 * own + 0.6 * rng.normal(size=2400), prompts=prompts)
    plain = evidence_of(true, true + 0.6 * rng.normal(size=2400), prompts=prompts)
    shares = [
        next(one for one in prompt_signal(e, {}, None, 1).figures if one.name == BETWEEN)
        for e in (shifted, plain)
    ]
    drawn = float(np.var(own[np.unique(prompts, return_index=True)[1]], ddof=1)) * 0.36
    assert shares[0].estimate == pytest.approx(drawn / (drawn + 0.36), abs=0.12)
    assert shares[1].estimate == pytest.approx(0.0, abs=0.01)


def test_what_a_run_recorded_of_its_representations_is_shown() -> None:
    row = Probe(accuracy=0.5, low=0.4, high=0.6, n=90, majority=0.3, classes=4)
    recorded = PromptProbe(training_sample=200, held_out={"learnt": row}, training={})
    section = prompt_signal(made_evidence(120), {}, recorded, 1)
    found = {one.name: one for one in section.figures}["learnt representation"]
    assert (found.estimate, found.low, found.high, found.n) == (0.5, 0.4, 0.6, 90)
    assert found.group == "majority 0.30"


def test_too_few_essays_are_said() -> None:
    evidence = evidence_of(np.full(6, 3.0), np.full(6, 3.0), prompts=list("aabbcc"))
    assert "too few essays" in prompt_signal(evidence, {}, None, 1).finding
