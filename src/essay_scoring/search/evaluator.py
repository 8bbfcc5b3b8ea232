"""Tries configurations on one search's data, with as little redone as can be.

Configurations with the same features share one table of columns; all share the prepared essays and
who is held out. A configuration's result is one small file that appears whole, so whatever ends a
search, what was tried stays tried.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from essay_scoring.core.errors import NotFiniteError
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.record import read_record, write_record
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.records.config import RunConfig
from essay_scoring.records.fits import FitRecord
from essay_scoring.records.search import REFERENCE, Figures, Key, Outcome, State
from essay_scoring.records.search_settings import Objective
from essay_scoring.runs.cross_validation import Design, gather
from essay_scoring.runs.mapped_predictions import map_run
from essay_scoring.runs.run import Run, with_prompt_texts
from essay_scoring.search.objectives import key_of, point_figures
from essay_scoring.search.space import Params
from essay_scoring.statistics.predictions import Predictions

GiveUp = Callable[[int, Key | None], bool]
"""Told the number of folds done and the rule's figures on them; says whether to stop there."""


def never(_done: int, _key: Key | None) -> bool:
    """Go through all folds."""
    return False


@dataclass(frozen=True)
class SearchPart:
    """The essays that one selection may see: all of them, or those outside an outer fold."""

    name: str
    outer: int | None = None


ALL = SearchPart("all")
"""The part that selects what is handed over: every training essay."""


@dataclass
class _Values:
    """What is known of a configuration so far, by the names of an Outcome's fields."""

    state: State
    figures: Figures = field(default_factory=dict)
    key: Key | None = None
    steps: dict[int, Key] = field(default_factory=dict)
    raw: tuple[float, ...] = ()
    rounds: tuple[int | None, ...] = ()
    seconds: float = 0.0
    reason: str | None = None


class Evaluator:
    """Tries configurations on the data of a base run."""

    def __init__(self, run: Run, objective: Objective) -> None:
        self.base, self.objective = run, objective
        self._by_features: dict[str, Run] = {}

    @property
    def folds(self) -> list[int]:
        """The outer folds' numbers."""
        return self.base.design.folds

    def rows(self, part: SearchPart) -> IntArray:
        """Return the rows of the corpus that a part may see."""
        return np.flatnonzero(self.base.design.fold_of != part.outer)

    def design(self, part: SearchPart, config: RunConfig) -> Design:
        """Return who is held out when on a part. Essays outside it are not even in the design."""
        whole = replace(self.base.design, dev_share=config.training.dev_share, seed=config.seed)
        return whole if part.outer is None else within(whole, self.rows(part))

    def run(self, config: RunConfig) -> Run:
        """Return the run of a configuration, its columns shared with all of the same features."""
        config = with_prompt_texts(config, self.base.prepared)
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
        part: SearchPart,
        config: RunConfig,
        path: Path,
        give_up: GiveUp = never,
        *,
        slot: int = REFERENCE,
        params: Params | None = None,
    ) -> Outcome:
        """Return how a configuration does on a part; read it from `path` if it lies there.

        Folds that were finished before a kill are not fitted again: they lie beside `path` until
        all are done. A configuration whose training is not finite is a failed outcome, which ends
        no search.
        """
        folds = path.with_suffix("")
        if path.is_file():
            outcome = read_record(Outcome, path)
        else:
            try:
                values = self._fold_by_fold(part, config, folds, give_up)
            except NotFiniteError as error:
                values = _Values("failed", reason=error.line())
            outcome = Outcome(slot=slot, params=params or {}, config=config, **vars(values))
            write_record(path, outcome)
        # Whoever wrote the outcome may have been killed before the folds were removed.
        shutil.rmtree(folds, ignore_errors=True)
        return outcome

    def predictions(self, part: SearchPart, outcome: Outcome) -> Predictions:
        """Return the out-of-fold predictions of a complete outcome, mapped as it was judged."""
        design = self.design(part, outcome.config)
        return self._mapped(design, outcome.config, np.array(outcome.raw))

    def _fold_by_fold(
        self, part: SearchPart, config: RunConfig, folder: Path, give_up: GiveUp
    ) -> _Values:
        run, design = self.run(config), self.design(part, config)
        fitter = run.fitter(config.scorer, design)
        fits: list[FitRecord] = []
        values = _Values("complete")
        for done, fold in enumerate(design.folds, start=1):
            fits.append(fitter.fit(folder / f"fold-{fold}", [fold], keep_model=False))
            values.rounds += (fits[-1].rounds,)
            values.seconds = round(values.seconds + fits[-1].seconds, 3)
            # Cut-points for a fold come from other folds, so a single one has none yet.
            if done == 1:
                continue
            values.figures = self._figures(design, config, fits)
            values.key = key_of(values.figures, self.objective)
            if values.key is not None:
                values.steps[done] = values.key
            if done < len(design.folds) and give_up(done, values.key):
                values.state = "pruned"
                return values
        if values.key is None:
            values.state, values.reason = "failed", "a figure of the objective is undefined"
        else:
            values.raw = tuple(gather(design, fits).tolist())
        return values

    def _figures(self, design: Design, config: RunConfig, fits: list[FitRecord]) -> Figures:
        """Return the figures over the folds done so far, as if there were no others."""
        seen = within(design, design.held_out_rows([fit.folds[0] for fit in fits]))
        predictions = self._mapped(seen, config, gather(seen, fits))
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
