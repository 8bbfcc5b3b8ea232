"""Trials per minute of a search, beside a plain loop that prepares its matrices for each trial.

Run: python benchmarks/search.py SEARCH.toml RUNS CACHE [TRIALS]
The columns should be in the store already: run the config of the search with `cv` first. All ways
try the same configurations; nothing is given up between folds.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from record import record

from essay_scoring.core.progress import Progress
from essay_scoring.data.corpora import data_folder
from essay_scoring.records.config import RunConfig
from essay_scoring.records.search_settings import Search, load_search
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.run import open_run
from essay_scoring.search.evaluator import ALL
from essay_scoring.search.search_workers import help_in, helpers
from essay_scoring.search.storage import require_optuna
from essay_scoring.search.work import open_search


def search_of(path: Path, trials: int) -> Search:
    """Return the search, flat, of random configurations that all go through every fold."""
    asked = ['mode="flat"', f"trials={trials}", f"startup_trials={trials}"]
    return load_search(path, [*asked, "pruning.after_trials=1000"], allow_tail_regression=True)


def time_search(search: Search, space: Workspace, workers: int) -> tuple[float, list[RunConfig]]:
    """Return the seconds of all trials but the reference's, and the configurations tried."""
    place = open_search(search, space, Progress(), None)
    place.guard(ALL)
    start = time.perf_counter()
    with helpers(workers, help_in, place.folder.path, open_search, search, space, Progress(), None):
        place.work(lambda: None)
    seconds = time.perf_counter() - start
    return seconds, [RunConfig.model_validate(one.config) for one in place.outcomes(ALL)]


def time_plain_loop(configs: list[RunConfig], space: Workspace, folder: Path) -> float:
    """Return the seconds of cross-validating each configuration from its data on."""
    start = time.perf_counter()
    for number, config in enumerate(configs):
        run = open_run(config, space, Progress())
        fitter = run.fitter(config.scorer)
        for fold in run.design.folds:
            fitter.fit(folder / f"{number}" / f"fold-{fold}", [fold])
    return time.perf_counter() - start


def main() -> None:
    """Print a line for each way of trying the same configurations."""
    path, runs, cache = (Path(argument) for argument in sys.argv[1:4])
    trials = int(sys.argv[4]) if len(sys.argv) > 4 else 12
    search = search_of(path, trials)
    require_optuna()
    runs.mkdir(parents=True, exist_ok=True)
    print(f"{trials} trials of {search.base.name}, all folds")
    with tempfile.TemporaryDirectory(dir=runs) as name:
        folder = Path(name)
        configs: list[RunConfig] = []
        for workers in (1, 2):
            space = Workspace(folder / str(workers), cache, data_folder())
            seconds, configs = time_search(search, space, workers)
            report(f"search, {workers} worker(s)", trials, seconds)
        space = Workspace(folder / "plain", cache, data_folder())
        report("plain loop", trials, time_plain_loop(configs, space, folder / "plain"))


def report(way: str, trials: int, seconds: float) -> None:
    """Print how fast a way is."""
    record(way, minutes=60 * trials, seconds=round(seconds, 2))
    print(f"{way:<20} {seconds:7.1f} s  {60 * trials / seconds:6.1f} trials a minute", flush=True)


if __name__ == "__main__":
    main()
