"""The space of a search: from what a sampler proposes to a whole RunConfig, and its fingerprint."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from essay_scoring.core.errors import InputError
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.settings import build_settings
from essay_scoring.models.scorer_settings import TrainingSettings
from essay_scoring.records.config import RunConfig, config_values, lay_over
from essay_scoring.records.search_settings import Choice, Dimension, FloatRange, Search

Params = dict[str, Any]
"""One value per dimension as Optuna keeps it: a number, or the name of a choice."""

SEARCHABLE = ("scorer", "training", "features")
_DIGITS = 4


@dataclass(frozen=True)
class Space:
    """What is varied around a base config."""

    base: RunConfig
    dimensions: Mapping[str, Dimension]

    def distributions(self) -> dict[str, Any]:
        """Return Optuna's distribution of each dimension."""
        from optuna import distributions as of

        made: dict[str, Any] = {}
        for path, dimension in self.dimensions.items():
            if isinstance(dimension, Choice):
                made[path] = of.CategoricalDistribution(list(_named(dimension)))
            elif isinstance(dimension, FloatRange):
                made[path] = of.FloatDistribution(
                    dimension.low, dimension.high, log=dimension.log, step=dimension.step
                )
            else:
                made[path] = of.IntDistribution(
                    dimension.low, dimension.high, log=dimension.log, step=dimension.step or 1
                )
        return made

    def rounded(self, params: Params) -> Params:
        """Return the parameters with continuous ones cut to four digits that a reader can use."""
        out = dict(params)
        for path, dimension in self.dimensions.items():
            if isinstance(dimension, FloatRange) and dimension.step is None:
                value = float(f"{params[path]:.{_DIGITS}g}")
                out[path] = min(max(value, dimension.low), dimension.high)
        return out

    def config(self, params: Params) -> RunConfig:
        """Return the run config of some parameters; InputError where the settings refuse them."""
        values = config_values(self.base)
        for path, dimension in self.dimensions.items():
            value = params[path]
            if isinstance(dimension, Choice):
                value = _named(dimension)[value]
            values = lay_over(values, _at(path, value))
        return build_settings(RunConfig, values, "space")

    def check(self) -> None:
        """Raise InputError, naming the key, for a dimension with a value that no run can have."""
        for path, dimension in self.dimensions.items():
            if path.split(".")[0] not in SEARCHABLE or path == "scorer.family":
                raise InputError(
                    f"space.{path}: a search varies {', '.join(SEARCHABLE)} of one family, never "
                    "the data, the folds, the seed or how it is judged",
                    mend="remove it",
                )
            for value in _ends(dimension):
                self._check_value(path, value)

    def _check_value(self, path: str, value: Any) -> None:
        values = lay_over(config_values(self.base), _at(path, value))
        config = build_settings(RunConfig, values, f"space.{path}, value {value!r}")
        if config.training.mapping == "qwk_cutpoints_inner":
            raise InputError(
                "training.mapping: a search fits cut-points on the folds it selects on",
                where=f"space.{path}" if path == "training.mapping" else "the base config",
                mend="use qwk_cutpoints_lfo or round_half_band",
            )


def space_of(search: Search) -> Space:
    """Return the space of a search, checked."""
    space = Space(search.base, search.settings.space)
    space.check()
    return space


def config_fingerprint(config: RunConfig) -> str:
    """Return one hash for all configs that give the same predictions.

    The name, the baselines and the figures asked for change none, and neither do the weights' cap
    and power where nothing is weighted.
    """
    values = config_values(config)
    for key in ("name", "baselines", "evaluation"):
        del values[key]
    if config.training.weighting == "none":
        plain = TrainingSettings().model_dump(mode="json")
        values["training"] |= {key: plain[key] for key in ("weight_cap", "weight_power")}
    return fingerprint(values)


def grid_cells(base: RunConfig, axes: Mapping[str, list[Any]]) -> list[tuple[Params, RunConfig]]:
    """Return every cell of a grid with its config, the last axis varying fastest."""
    cells = []
    for combination in itertools.product(*axes.values()):
        params = dict(zip(axes, combination, strict=True))
        values = config_values(base)
        for path, value in params.items():
            values = lay_over(values, _at(path, value))
        cells.append((params, build_settings(RunConfig, values, "grid")))
    return cells


def _named(choice: Choice) -> dict[Any, Any]:
    """Return the values of a choice by the names that Optuna knows them by."""
    if isinstance(choice.values, dict):
        return dict(choice.values)
    return {value: value for value in choice.values}


def _ends(dimension: Dimension) -> list[Any]:
    """Return the values at which a setting would refuse a dimension: its ends, or every choice."""
    if isinstance(dimension, Choice):
        return list(_named(dimension).values())
    return [dimension.low, dimension.high]


def _at(path: str, value: Any) -> dict[str, Any]:
    """Return a table that holds the value under a dotted path."""
    table = value
    for key in reversed(path.split(".")):
        table = {key: table}
    return dict(table)
