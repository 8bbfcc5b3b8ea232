from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from essay_scoring.audits.drop_column import Refitting, drop_column_section
from essay_scoring.core.contracts import Columns
from essay_scoring.core.essays import Essays
from essay_scoring.models.registry import build_scorer
from essay_scoring.models.scorer_settings import CatBoostSettings
from essay_scoring.records.audit_record import Figure
from essay_scoring.records.provenance import Environment
from essay_scoring.runs.cross_validation import Fitter, Origin, gather
from tests.audits.planted import (
    NAMES,
    SIGNAL,
    planted_columns,
    planted_context,
    planted_design,
    planted_essays,
    predictions_of,
)
from tests.conftest import smoke_config
from tests.records.made import ENVIRONMENT


def refitting(tmp_path_factory: pytest.TempPathFactory, *overrides: str) -> Refitting:
    """Return the refitting of a ridge run whose out-of-fold predictions `cv`'s own loop made."""
    settings = ["evaluation.replicates=200", "training.mapping=round_half_band", *overrides]
    config = smoke_config("ridge", *settings)
    design, context = planted_design(planted_essays()), planted_context(seed=config.seed)
    folder = tmp_path_factory.mktemp("jobs")
    origin = Origin("made", config.scorer, Environment.model_validate(ENVIRONMENT), "fp32")
    build = lambda _: build_scorer(config.scorer, config.training, context)  # noqa: E731
    fitter = Fitter(design, build, origin)
    jobs = [fitter.fit(folder / str(fold), [fold]) for fold in design.folds]
    recorded = predictions_of(design.train, gather(design, jobs))
    return Refitting(config, design, context, recorded)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Refitting:
    return refitting(tmp_path_factory)


def by_group(figures: object) -> dict[str, Figure]:
    assert isinstance(figures, list)
    return {figure.group: figure for figure in figures}


def test_only_the_construct_that_matters_costs_agreement(planted: Refitting) -> None:
    section = drop_column_section(planted)
    found = by_group(section.figures)
    assert next(iter(found)) == "mechanics"
    assert set(found) == {"mechanics", "vocabulary", "structure"}
    lost = found["mechanics"]
    assert lost.estimate is not None
    assert lost.estimate < -0.5
    assert lost.high is not None
    assert lost.high < 0
    for name in ("vocabulary", "structure"):
        low, high = found[name].low, found[name].high
        assert low is not None
        assert high is not None
        assert low <= 0 <= high
    assert "without mechanics" in section.finding
    assert "vocabulary" not in section.finding


def test_a_refit_with_all_columns_is_the_run_itself(planted: Refitting) -> None:
    assert "gives them again" in drop_column_section(planted).tables[0].caption
    moved = replace(planted.recorded, raw=planted.recorded.raw + 0.5)
    section = drop_column_section(replace(planted, recorded=moved))
    assert "differs from them by up to 0.5" in section.tables[0].caption


def test_what_has_no_chance_in_it_is_fitted_under_one_seed(planted: Refitting) -> None:
    section = drop_column_section(planted, n_seeds=3)
    assert "seeds" not in section.finding
    assert {row[2] for row in section.tables[0].rows} == {None}


def test_both_sides_are_means_over_the_same_seeds(planted: Refitting) -> None:
    scorer = CatBoostSettings(rounds=12, learning_rate=0.3, subsample=0.4)
    config = planted.config.model_copy(update={"scorer": scorer})
    trees = replace(planted, config=config)
    one, two = (drop_column_section(trees, n_seeds) for n_seeds in (1, 2))
    assert one.tables[0].rows[0][2] is None
    assert float(two.tables[0].rows[0][2] or 0) > 0
    assert one.tables[0].rows[0][1] != two.tables[0].rows[0][1]
    assert "Over 2 seeds" in two.finding
    # Against itself, seed by seed, the scorer never changes.
    assert two.tables[0].rows[0][0] == "nothing"
    assert two.tables[0].rows[0][3:] == (0, 0, 0, 0)


def test_a_sole_construct_is_not_left_out(planted: Refitting) -> None:
    def errors_alone(essays: Essays) -> Columns:
        whole = planted_columns(essays)
        return Columns(NAMES[:2], whole.values[:, :2])

    context = replace(planted.context, columns=errors_alone)
    section = drop_column_section(replace(planted, context=context))
    assert section.figures == []
    assert "No construct left out alone" in section.finding


def test_cut_points_of_inner_folds_give_way_to_plain_ones(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    inner = refitting(tmp_path_factory, "training.mapping=qwk_cutpoints_inner")
    caption = drop_column_section(inner).tables[0].caption
    assert "mapped by qwk_cutpoints_lfo" in caption


def test_the_same_run_gives_the_same_section(planted: Refitting) -> None:
    assert drop_column_section(planted) == drop_column_section(planted)


def test_the_planted_signal_is_there() -> None:
    train = planted_essays()
    signal = planted_columns(train.essays).values[:, NAMES.index(SIGNAL)]
    assert np.corrcoef(signal, train.scores)[0, 1] < -0.9
