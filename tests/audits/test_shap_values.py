from __future__ import annotations

import numpy as np
import pytest

from essay_scoring.audits.contributions import Contributions, contributions_of
from essay_scoring.audits.shap_values import shap_section
from essay_scoring.core.essays import ScoredEssays
from essay_scoring.core.scale import FloatArray, ScoreScale, ScoreScales
from essay_scoring.models.registry import build_scorer
from essay_scoring.models.scorer_settings import RidgeSettings, TrainingSettings
from essay_scoring.records.audit_record import AuditSection
from tests.audits.planted import (
    HALVES,
    N_PROMPTS,
    NAMES,
    SIGNAL,
    planted_columns,
    planted_context,
    planted_essays,
    predictions_of,
)

WIDE = ScoreScales(shared=ScoreScale(low=0, high=60))
EACH = ScoreScales(
    by_prompt={f"prompt {i}": ScoreScale(low=0, high=4 + 2 * i) for i in range(N_PROMPTS)}
)


def section_of(essays: ScoredEssays, phi: FloatArray, seed: int = 1) -> AuditSection:
    values = planted_columns(essays.essays).values
    parts = Contributions(NAMES, values, phi, np.full(len(phi), 2.0))
    raw = essays.scales.from_training(parts.totals, essays.prompts)
    return shap_section(parts, predictions_of(essays, raw), seed)


def fitted_section(scales: ScoreScales = HALVES) -> AuditSection:
    train, dev, held_out = (planted_essays(n, scales=scales, seed=n) for n in (240, 60, 120))
    scorer = build_scorer(RidgeSettings(), TrainingSettings(), planted_context(scales))
    scorer.fit(train, dev)
    parts = contributions_of(scorer, held_out.essays)
    return shap_section(parts, predictions_of(held_out, scorer.predict(held_out.essays)), seed=1)


def test_the_planted_construct_leads_with_its_column_and_direction() -> None:
    section = fitted_section()
    first, *others = section.figures
    assert first.group == "mechanics"
    assert first.estimate is not None
    assert first.n == 120
    assert all(first.low > (other.high or 0) for other in others if first.low is not None)
    constructs, columns = section.tables
    assert [row[0] for row in constructs.rows] == [figure.group for figure in section.figures]
    assert sum(float(row[2] or 0) for row in constructs.rows) == pytest.approx(1)
    name, construct, _, direction, _, _, n = columns.rows[0]
    assert (name, construct, n) == (SIGNAL, "mechanics", 120)
    # More errors lower the score, and a linear contribution follows its column exactly.
    assert direction == pytest.approx(-1)


def test_a_construct_is_its_columns_added_before_their_size_is_taken() -> None:
    # Both error columns belong to mechanics: +3 and -2 on every essay make 1, not 5.
    essays = planted_essays(40)
    section = section_of(essays, np.tile([3.0, -2.0, 0.25, 0.0], (40, 1)))
    found = {figure.group: figure.estimate for figure in section.figures}
    assert found == {"mechanics": 1.0, "vocabulary": 0.25, "structure": 0.0}


def test_a_column_with_unknown_values_counts_the_known_ones() -> None:
    essays = planted_essays(70)
    phi = np.random.default_rng(0).normal(size=(70, 4))
    rows = {row[0]: row for row in section_of(essays, phi).tables[1].rows}
    assert rows["paragraph_count"][-1] == 60
    assert rows["mtld"][-1] == 70


def test_a_column_that_never_matters_has_no_direction() -> None:
    essays = planted_essays(40)
    rows = section_of(essays, np.tile([1.0, 0.0, 0.0, 0.0], (40, 1))).tables[1].rows
    assert [row[3] for row in rows] == [None] * 4


def test_an_interval_is_as_wide_as_prompts_differ() -> None:
    # Every essay of a prompt has the same contribution: the interval must reflect ten prompts,
    # about +-t(9) * sd / sqrt(10), and not 300 independent essays.
    essays = planted_essays(300)
    level = np.linspace(0.5, 1.5, N_PROMPTS)
    phi = np.zeros((300, 4))
    phi[:, 0] = [level[int(prompt.split()[1])] for prompt in essays.prompts]
    figure = section_of(essays, phi).figures[0]
    assert figure.low is not None
    assert figure.high is not None
    essays_alone = 2 * 1.96 * level.std() / np.sqrt(300)
    assert figure.high - figure.low > 2 * essays_alone
    assert figure.low < 1.0 < figure.high


@pytest.mark.parametrize(("scales", "worth"), [(WIDE, 15.0), (EACH, 1.0)])
def test_contributions_are_told_in_score_points(scales: ScoreScales, worth: float) -> None:
    # 60 points lie on 4 of the training scale; where each prompt has its own, that scale stays.
    section = section_of(planted_essays(40, scales=scales), np.tile([0.1, 0.0, 0.0, 0.0], (40, 1)))
    assert section.figures[0].estimate == pytest.approx(0.1 * worth)
    assert ("common scale" in section.finding) == (scales is EACH)
