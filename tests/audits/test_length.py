from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from essay_scoring.audits.audit_evidence import Evidence
from essay_scoring.audits.length import GAIN, PARTIAL, length
from essay_scoring.core.scale import FloatArray
from essay_scoring.statistics.metrics import pearson
from essay_scoring.statistics.predictions import Predictions
from tests.audits.made_evidence import evidence_of, figure


def made(share: float, n: int = 900) -> tuple[Evidence, Predictions]:
    """Evidence whose machine reads length for a share and ability for the rest; length alone."""
    rng = np.random.default_rng(4)
    ability = rng.normal(size=n)
    size = 0.5 * ability + 0.87 * rng.normal(size=n)
    prompts = [f"p{number}" for number in rng.integers(0, 9, n)]
    true = 3 + 0.7 * (ability + 0.5 * rng.normal(size=n))
    raw = 3 + 0.6 * (share * size + (1 - share) * (ability + 0.3 * rng.normal(size=n)))
    evidence = evidence_of(true, raw, prompts=prompts, words=400 + 100 * size)
    return evidence, scored(evidence.predictions, 3 + 0.6 * size)


def scored(p: Predictions, raw: FloatArray) -> Predictions:
    return replace(p, raw=raw, final=p.scales.round(raw, p.prompts))


def test_a_scorer_that_reads_length_alone_fails() -> None:
    evidence, alone = made(1.0)
    section = length(evidence, alone)
    assert section.verdict == "fail"
    partial = figure(section, PARTIAL)
    assert partial.estimate == pytest.approx(1.0, abs=0.01)
    assert partial.passes is False
    assert "not clearly above" in section.finding


def test_a_scorer_that_reads_the_essay_passes() -> None:
    section = length(*made(0.0))
    assert section.verdict == "pass"
    gain = figure(section, GAIN)
    assert gain.low is not None
    assert gain.low > 0.1


def test_a_scorer_no_better_than_length_fails_though_it_does_not_follow_it() -> None:
    evidence, alone = made(0.0)
    rng = np.random.default_rng(0)
    p = scored(evidence.predictions, rng.permutation(evidence.predictions.raw))
    assert length(replace(evidence, predictions=p), alone).verdict == "fail"


def test_the_correlations_are_those_of_the_essays() -> None:
    evidence, alone = made(0.4)
    section, p = length(evidence, alone), evidence.predictions
    human = figure(section, "human with words (Pearson)").estimate
    assert human == pytest.approx(pearson(evidence.words, p.true), abs=1e-9)
    # What is left of both once the human score is taken out by least squares.
    design = np.column_stack([np.ones(len(p)), p.true])
    rest = [
        values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
        for values in (p.raw, evidence.words)
    ]
    assert figure(section, PARTIAL).estimate == pytest.approx(pearson(*rest), abs=1e-9)


def test_essays_of_one_length_are_no_error() -> None:
    evidence, alone = made(0.0, n=90)
    flat = replace(evidence, words=np.full(90, 300.0))
    section = length(flat, alone)
    assert figure(section, PARTIAL).estimate is None
    assert "undefined" in section.finding
