"""The bench: one search's data, on which configurations are tried with as little redone as can be.

Configurations with the same features share one table of columns; all share the prepared essays and
who is held out. A configuration's result is one small file that appears whole, so whatever ends a
search, what was tried stays tried.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from essay_scoring.core.errors import NotFiniteError
from essay_scoring.core.files import read_json, write_json
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.records.config import RunConfig, config_values
from essay_scoring.records.fits import FitRecord
from essay_scoring.runs.cross_validation import Design, gather
from essay_scoring.runs.mapped_predictions import map_run
from essay_scoring.runs.run import Run
from essay_scoring.search.objectives import Key, key_of, point_figures
from essay_scoring.search.search_settings import Objective
from essay_scoring.statistics.predictions import Predictions

State = Literal["complete", "pruned", "failed"]
REFERENCE = -1
"""The slot of a reference, which is no trial."""

GiveUp = Callable[[int, Key | None], bool]
"""Told the number of folds done and the rule's figures on them; says whether to stop there."""


def never(_done: int, _key: Key | None) -> bool:
    """Go through all folds."""
    return False


@dataclass(frozen=True)
class Part:
    """The essays that one selection may see: all of them, or those outside an outer fold."""

    name: str
    outer: int | None = None


@dataclass(frozen=True)
class Outcome:
    """How a configuration did on a part: figures over the folds done, and how it came by them.

    `raw` are the out-of-fold predictions (own scale) in the order of the part's essays, () unless
    the state is complete. `steps` has the rule's figures after each number of folds. `slot` and
    `params` say which trial of a search it was.
    """

    config: dict[str, Any]
    state: State
    key: Key | None
    figures: dict[str, float | None]
    steps: dict[int, Key]
    raw: tuple[float, ...]
    rounds: tuple[int | None, ...]
    seconds: float
    reason: str | None = None
    slot: int = REFERENCE
    params: dict[str, Any] = field(default_factory=dict)


class Bench:
    """Tries configurations on the data of a base run."""

    def __init__(self, run: Run, objective: Objective) -> None:
        self.base, self.objective = run, objective
        self._by_features: dict[str, Run] = {}

    @property
    def folds(self) -> list[int]:
        """The outer folds' numbers."""
        return self.base.design.folds

    def rows(self, part: Part) -> IntArray:
        """Return the rows of the corpus that a part may see."""
        return np.flatnonzero(self.base.design.fold_of != part.outer)

    def design(self, part: Part, config: RunConfig) -> Design:
        """Return who is held out when on a part. Essays outside it are not even in the design."""
        whole = replace(self.base.design, dev_share=config.training.dev_share, seed=config.seed)
        return whole if part.outer is None else within(whole, self.rows(part))

    def run(self, config: RunConfig) -> Run:
        """Return the run of a configuration, its columns shared with all of the same features."""
        key = fingerprint(config.features.model_dump(mode="json"))
        first = self._by_features.setdefault(key, replace(self.base, config=config))
        run = replace(first, config=config)
        if config.scorer.reads_columns:
            first.columns.warm(first.prepared.train.essays)
            # `columns` is a cached property: what lies under its name is not built again.
            vars(run)["columns"] = first.columns
        return run

    def try_out(
        self,
        part: Part,
        config: RunConfig,
        folder: Path,
        give_up: GiveUp = never,
        **about: Any,
    ) -> Outcome:
        """Return how a configuration does on a part; read it from `folder`.json if it lies there.

        `about` fills in the outcome's slot and params. Folds that were finished before a kill are
        not fitted again. A configuration whose training is not finite is a failed outcome, which
        ends no search.
        """
        path = folder.with_name(f"{folder.name}.json")
        if path.is_file():
            return read_outcome(path)
        try:
            outcome = self._fold_by_fold(part, config, folder, give_up)
        except NotFiniteError as error:
            values = config_values(config)
            outcome = Outcome(values, "failed", None, {}, {}, (), (), 0.0, error.line())
        outcome = replace(outcome, **about)
        write_json(path, asdict(outcome))
        shutil.rmtree(folder, ignore_errors=True)
        return outcome

    def predictions(self, part: Part, outcome: Outcome) -> Predictions:
        """Return the out-of-fold predictions of a complete outcome, mapped as it was judged."""
        config = RunConfig.model_validate(outcome.config)
        return self._mapped(self.design(part, config), config, np.array(outcome.raw))

    def _fold_by_fold(
        self, part: Part, config: RunConfig, folder: Path, give_up: GiveUp
    ) -> Outcome:
        run, design = self.run(config), self.design(part, config)
        fitter = run.fitter(config.scorer, design)
        jobs: list[FitRecord] = []
        steps: dict[int, Key] = {}
        figures: dict[str, float | None] = {}
        for done, fold in enumerate(design.folds, start=1):
            at = folder / f"fold-{fold}"
            jobs.append(fitter.fit(at, [fold], keep_model=False))
            # Cut-points for a fold come from other folds, so a single one has none yet.
            if done == 1:
                continue
            figures = self._figures(design, config, jobs)
            key = key_of(figures, self.objective)
            if key is not None:
                steps[done] = key
            if done < len(design.folds) and give_up(done, key):
                return _outcome("pruned", config, figures, steps, jobs)
        reason = None if len(design.folds) in steps else "a figure of the objective is undefined"
        state: State = "failed" if reason else "complete"
        outcome = _outcome(state, config, figures, steps, jobs)
        raw = gather(design, jobs)
        return replace(outcome, reason=reason, raw=tuple(float(value) for value in raw))

    def _figures(
        self, design: Design, config: RunConfig, jobs: list[FitRecord]
    ) -> dict[str, float | None]:
        """Return the figures over the folds done so far, as if there were no others."""
        seen = within(design, design.held_out_rows([job.folds[0] for job in jobs]))
        predictions = self._mapped(seen, config, gather(seen, jobs))
        return point_figures(predictions, config.evaluation)

    @staticmethod
    def _mapped(design: Design, config: RunConfig, raw: FloatArray) -> Predictions:
        return map_run(config.training.mapping, design, raw, []).predictions


def within(design: Design, rows: IntArray) -> Design:
    """Return the design of some rows alone, its folds and groups as they were."""
    return replace(
        design,
        train=design.train.take(rows),
        fold_of=design.fold_of[rows],
        groups=tuple(design.groups[row] for row in rows),
    )


def read_outcome(path: Path) -> Outcome:
    """Return the outcome of a file that a bench wrote."""
    values = read_json(path)
    values["steps"] = {int(done): tuple(key) for done, key in values["steps"].items()}
    for name in ("raw", "rounds", "key"):
        values[name] = None if values[name] is None else tuple(values[name])
    return Outcome(**values)


def _outcome(
    state: State,
    config: RunConfig,
    figures: dict[str, float | None],
    steps: dict[int, Key],
    jobs: list[FitRecord],
) -> Outcome:
    return Outcome(
        config=config_values(config),
        state=state,
        key=steps.get(len(jobs)),
        figures=figures,
        steps=steps,
        raw=(),
        rounds=tuple(job.rounds for job in jobs),
        seconds=round(sum(job.seconds for job in jobs), 3),
    )
