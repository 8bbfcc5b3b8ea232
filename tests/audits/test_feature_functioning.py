from __future__ import annotations

import numpy as np
import pytest

from essay_scoring.audits.feature_functioning import feature_functioning
from essay_scoring.core.contracts import Columns
from essay_scoring.core.scale import FloatArray
from essay_scoring.records.audit_record import Cell
from tests.audits.made_evidence import made_evidence


def columns_of(**values: FloatArray) -> Columns:
    return Columns(tuple(values), np.stack(list(values.values()), axis=1).astype(np.float32))


def number(cell: Cell) -> float:
    assert isinstance(cell, int | float)
    return cell


def test_a_planted_difference_is_found_and_an_honest_one_is_not() -> None:
    evidence = made_evidence(1500)
    rng, true = np.random.default_rng(5), evidence.predictions.true
    member = np.array([label == "b" for label in evidence.writers["group"]])
    section = feature_functioning(
        evidence,
        columns_of(
            # Half a deviation more for b among equally scored essays.
            planted=true + rng.normal(size=1500) + 0.65 * member,
            honest=true + rng.normal(size=1500),
            noise=rng.normal(size=1500),
        ),
    )
    assert section.verdict == "fail"
    assert section.finding.startswith("1 of 3 effects")
    [flagged] = section.figures
    assert flagged.name.startswith("planted, against ")
    rows = {row[0]: row for row in section.tables[0].rows}
    assert next(iter(rows)) == "planted"
    sign = 1 if "group: b against a" in section.finding else -1
    assert flagged.estimate == pytest.approx(sign * 0.65 / 1.33, abs=0.1)
    assert flagged.low is not None
    assert flagged.low * (flagged.high or 0) > 0
    assert number(rows["planted"][7]) < 0.001
    assert number(rows["honest"][7]) > 0.05


def test_a_difference_in_ability_is_no_difference_in_functioning() -> None:
    evidence = made_evidence(1500)
    true, rng = evidence.predictions.true, np.random.default_rng(1)
    able = (true + rng.normal(size=1500)) > 3
    evidence = made_evidence(1500, writers={"g": tuple(np.where(able, "able", "other"))})
    feature = columns_of(feature=true + 0.7 * rng.normal(size=1500))
    assert feature_functioning(evidence, feature).verdict == "pass"


def test_the_effect_is_that_of_least_squares() -> None:
    evidence = made_evidence(200)
    rng, true = np.random.default_rng(7), evidence.predictions.true
    values = (true + rng.normal(size=200)).astype(np.float32).astype(np.float64)
    section = feature_functioning(evidence, columns_of(feature=values))
    first, other = (group for group in evidence.groups if group.n >= 30)
    rows = first.members | other.members
    design = np.column_stack([np.ones(200), true, other.members])[rows]
    spread = values[rows].std(ddof=1)
    oracle = np.linalg.lstsq(design, values[rows] / spread, rcond=None)[0][2]
    assert section.tables[0].rows[0][2] == pytest.approx(oracle, abs=1e-9)


def test_many_features_that_say_nothing_flag_none() -> None:
    rng = np.random.default_rng(11)
    names = tuple(f"f{number}" for number in range(40))
    noise = Columns(names, rng.normal(size=(6000, 40)).astype(np.float32))
    section = feature_functioning(made_evidence(6000), noise)
    assert section.verdict == "pass"
    assert len(section.tables[0].rows) == 40
    few = Columns(names, noise.values[:200])
    section = feature_functioning(made_evidence(200), few)
    assert section.verdict == "undecided"
    assert "reach beyond it" in section.finding


def test_undefined_values_and_constant_features_are_left_out() -> None:
    evidence = made_evidence(400)
    rng = np.random.default_rng(3)
    holes = rng.normal(size=400)
    holes[:150] = np.nan
    section = feature_functioning(
        evidence, columns_of(holes=holes, flat=np.full(400, 7.0), none=np.full(400, np.nan))
    )
    [row] = section.tables[0].rows
    assert row[0] == "holes"
    assert number(row[5]) < 250


def test_without_features_or_groups_it_says_so() -> None:
    assert "no handcrafted" in feature_functioning(made_evidence(60), None).finding
    alone = made_evidence(60, writers={"g": ("x",) * 60})
    found = feature_functioning(alone, columns_of(f=np.arange(60.0)))
    assert (found.verdict, found.figures) == ("info", ())
