"""TPE against random search, where the best region of the space is known from many draws of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.files import write_text
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.progress import Progress
from essay_scoring.records.search_settings import Search, load_search
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.run import open_run
from essay_scoring.search.evaluator import ALL, Evaluator
from essay_scoring.search.proposals import SamplerTrial, propose
from essay_scoring.search.space import config_fingerprint, space_of
from essay_scoring.search.storage import require_optuna
from tests.conftest import ROOT

SEEDS, TRIALS, DRAWS = 20, 30, 400

SEARCH = f"""
name = "region"
config = "{ROOT}/configs/smoke/xgboost.toml"
set = ["scorer.rounds=12", "scorer.patience=12"]
mode = "flat"
objective = "mean_qwk"
startup_trials = 8
"""
AXES = {
    "scorer.learning_rate": (0.0003, 1.0),
    "scorer.reg_lambda": (0.01, 1000.0),
    "scorer.min_child_weight": (0.5, 100.0),
    "scorer.gamma": (0.0001, 10.0),
}


class Explorer:
    """Runs searches of one space with the engine's own proposals and trials, in memory."""

    def __init__(self, search: Search, space: Workspace) -> None:
        self.search, self.space = search, space_of(search)
        self.evaluator = Evaluator(
            open_run(search.base, space, Progress()), search.settings.objective
        )
        self.folder = space.runs / "tried"
        self.distributions = self.space.distributions()

    def best(self, sampler: str, trials: int, seed: int) -> list[float]:
        """Return the objective of each trial."""
        settings = self.search.settings.model_copy(update={"sampler": sampler})
        tried: list[SamplerTrial] = []
        for number in range(trials):
            # Random proposals depend on no trial, so that a long history costs nothing.
            known = tried if sampler == "tpe" else []
            at = derive_seed(seed, sampler, number)
            params = self.space.rounded(propose(known, self.distributions, settings, at))
            config = self.space.config(params)
            found = self.evaluator.try_out(
                ALL, config, self.folder / f"{config_fingerprint(config)[:16]}.json"
            )
            tried.append(SamplerTrial(params, "complete", found.key))
        return [one.key[0] for one in tried if one.key is not None]


@pytest.mark.slow
def test_thirty_trials_find_the_best_region_more_often_than_thirty_random_ones(
    tmp_path: Path, warm_cache: Path
) -> None:
    """The best region is the top 2% of the space: 30 random draws find it 1 - 0.98^30 = 45%."""
    require_optuna()
    dimensions = "".join(
        f'[space."{path}"]\nkind = "float"\nlow = {low}\nhigh = {high}\nlog = true\n'
        for path, (low, high) in AXES.items()
    )
    write_text(tmp_path / "region.toml", SEARCH + dimensions)
    space = Workspace(tmp_path / "runs", warm_cache, tmp_path)
    explorer = Explorer(load_search(tmp_path / "region.toml"), space)
    edge = float(np.quantile(explorer.best("random", DRAWS, seed=10_000), 0.98))
    times = {
        sampler: sum(max(explorer.best(sampler, TRIALS, seed)) >= edge for seed in range(SEEDS))
        for sampler in ("tpe", "random")
    }
    assert times["random"] < 15
    assert times["tpe"] > times["random"] + 3
