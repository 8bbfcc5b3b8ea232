from __future__ import annotations

import numpy as np
import pytest

from essay_scoring.audits.audit_evidence import Evidence
from essay_scoring.audits.calibration import PROMPT, SLOPE, calibration
from tests.audits.made_evidence import evidence_of, figure


def made(slope: float = 1.0, shift: float = 0.0, odd: float = 0.0, n: int = 1200) -> Evidence:
    """Evidence whose human scores rise by `slope` a point of prediction; p0 is off by `odd`."""
    rng = np.random.default_rng(2)
    prompts = [f"p{number}" for number in rng.integers(0, 9, n)]
    raw = 3 + 0.6 * rng.normal(size=n)
    true = 3 + slope * (raw - 3) + 0.3 * rng.normal(size=n)
    machine = raw + shift + odd * np.array([prompt == "p0" for prompt in prompts])
    return evidence_of(true, machine, prompts=prompts)


def test_a_calibrated_scorer_passes() -> None:
    section = calibration(made())
    assert section.verdict == "pass"
    assert figure(section, SLOPE).estimate == pytest.approx(0.0, abs=0.06)
    assert figure(section, "deviation of machine over human scores").estimate == pytest.approx(
        0.9, abs=0.05
    )


def test_a_generous_scorer_fails() -> None:
    section = calibration(made(shift=0.3))
    assert section.verdict == "fail"
    smd = figure(section, "SMD")
    assert smd.passes is False
    assert smd.estimate == pytest.approx(0.3 / 0.67, abs=0.06)


def test_scores_pulled_to_the_middle_fail() -> None:
    section = calibration(made(slope=1.6))
    assert section.verdict == "fail"
    assert figure(section, SLOPE).estimate == pytest.approx(0.6, abs=0.1)
    assert figure(section, "SMD").passes is True


def test_the_slope_is_that_of_least_squares() -> None:
    evidence = made(slope=1.3)
    p = evidence.predictions
    slope, intercept = np.polyfit(p.raw, p.true, 1)
    section = calibration(evidence)
    assert figure(section, SLOPE).estimate == pytest.approx(slope - 1, abs=1e-9)
    found = figure(section, "intercept of human on machine scores").estimate
    assert found == pytest.approx(intercept, abs=1e-9)
    assert figure(section, "deviation, human").estimate == pytest.approx(p.true.std(ddof=1))


def test_the_prompt_that_is_off_comes_first() -> None:
    section = calibration(made(odd=0.5))
    prompts = [one for one in section.figures if one.name == PROMPT]
    assert prompts[0].group == "p0"
    assert prompts[0].estimate == pytest.approx(0.5, abs=0.1)
    assert prompts[0].low is not None
    assert prompts[0].low > 0.3
    assert "1 of 9 prompts" in section.finding or "2 of 9 prompts" in section.finding


def test_bands_are_the_run_s_own_figures() -> None:
    evidence = made()
    section, p = calibration(evidence), evidence.predictions
    for band, n, _, residual, _ in section.tables[0].rows:
        rows = p.true == float(str(band))
        assert n == int(rows.sum())
        if n:
            assert residual == pytest.approx(float((p.final - p.true)[rows].mean()))
