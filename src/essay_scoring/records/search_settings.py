"""A search file: what is varied, what is maximised, and what may not get worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, model_validator

from essay_scoring.core.errors import InputError
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.names import Name
from essay_scoring.core.settings import Settings, build_settings
from essay_scoring.records.config import (
    RunConfig,
    apply_overrides,
    config_values,
    extended_files,
    load_run_config,
    read_extended_toml,
)
from essay_scoring.records.presets import settings_file

Objective = Literal["worst_prompt_qwk_then_mean_qwk", "bottom_k_mean", "shrunken_worst", "mean_qwk"]
Mode = Literal["nested", "flat"]

CAP = 50
"""More trials than this need a reason: each one more makes the best look better than it is."""

FEWEST = 30
"""Fewer trials than this are a try-out, and the summary says so."""


FLAT_LABEL = "selected on the folds it reports"
NESTED_LABEL = "selected inside, reported on outer folds that selected nothing"


class _Range(Settings):
    low: float
    high: float
    log: bool = False
    step: float | None = None

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.high <= self.low:
            raise ValueError("high must be greater than low")
        if self.log and self.low <= 0:
            raise ValueError("log needs low > 0")
        if self.step is not None and (self.log or not 0 < self.step <= self.high - self.low):
            raise ValueError("step must lie within the range, and needs log = false")
        return self


class FloatRange(_Range):
    """A number from `low` to `high`; `log` searches its logarithm, `step` makes it discrete."""

    kind: Literal["float"]


class IntRange(_Range):
    """A whole number from `low` to `high`."""

    kind: Literal["int"]
    low: int
    high: int
    step: int | None = None


class Choice(Settings):
    """One of several values: a list of plain ones, or a table of named ones of any form."""

    kind: Literal["choice"]
    values: tuple[str | bool | int | float, ...] | dict[str, Any] = Field(min_length=2)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        named = [f"{type(value).__name__} {value}" for value in self.values]
        if len(set(named)) < len(named):
            raise ValueError("the values must differ")
        return self


Dimension = Annotated[FloatRange | IntRange | Choice, Field(discriminator="kind")]


class Guardrails(Settings):
    """By how much either tail's adjacent accuracy may fall below the reference's.

    `reference` names a run config beside the search file; None is the search's own config as it
    stands.
    """

    reference: str | None = None
    low_tail_adjacent: float = Field(default=0.01, ge=0)
    high_tail_adjacent: float = Field(default=0.01, ge=0)


class Pruning(Settings):
    """Give a trial up between folds when fewer than `keep_above` of the others did no better.

    Compared with trials that ran to the end, on the same folds, once there are `after_trials` of
    them and never before `after_folds` folds: the worst prompt falls as folds are added, so figures
    over other folds say nothing.
    """

    keep_above: float = Field(default=0.25, ge=0, lt=1)
    after_trials: int = Field(default=8, ge=1)
    after_folds: int = Field(default=2, ge=2)


class SearchSettings(Settings):
    """A search file. `config` is the run config that `space` varies, `set` its overrides."""

    name: Name
    config: str
    set: tuple[str, ...] = ()
    mode: Mode = "nested"
    objective: Objective = "worst_prompt_qwk_then_mean_qwk"
    trials: int = Field(default=40, ge=1, le=1000)
    sampler: Literal["tpe", "random"] = "tpe"
    startup_trials: int = Field(default=10, ge=1)
    seed: int = Field(default=42, ge=0, lt=2**31)
    guardrails: Guardrails = Guardrails()
    pruning: Pruning | None = Pruning()
    space: dict[str, Dimension] = Field(min_length=1)


@dataclass(frozen=True)
class Search:
    """A search with the configs it names read: `base` is varied, `reference` guards the tails."""

    path: Path
    settings: SearchSettings
    base: RunConfig
    reference: RunConfig
    allow_tail_regression: bool = False
    beyond_cap: str | None = None

    @property
    def asks(self) -> dict[str, JsonValue]:
        """All that the search asks for, whatever the files are called that say it."""
        settings = self.settings
        return {
            "search": settings.model_dump(mode="json", exclude={"config", "set", "guardrails"}),
            "guardrails": settings.guardrails.model_dump(mode="json", exclude={"reference"}),
            "allow_tail_regression": self.allow_tail_regression,
            "base": config_values(self.base),
            "reference": config_values(self.reference),
        }

    @property
    def sha256(self) -> str:
        """The hash of all that the search asks for."""
        return fingerprint(self.asks)

    def files(self) -> list[Path]:
        """Return every file that the search is read from, but for presets, as each is named."""
        named = [self.settings.config, self.settings.guardrails.reference]
        configs = [settings_file(name, self.path.parent) for name in named if name is not None]
        found = [file for path in (self.path, *configs) for file in extended_files(path)]
        return list(dict.fromkeys(found))


def load_search(
    path: Path,
    overrides: Sequence[str] = (),
    *,
    allow_tail_regression: bool = False,
    beyond_cap: str | None = None,
) -> Search:
    """Return the search of a TOML file; everything that it names is read and checked now.

    `beyond_cap` is the reason for more than CAP trials. Raises InputError for the first thing that
    is wrong.
    """
    path = settings_file(path)
    values = apply_overrides(read_extended_toml(path), overrides)
    settings = build_settings(SearchSettings, values, str(path))
    if settings.trials > CAP and not beyond_cap:
        raise InputError(
            f"trials: {settings.trials} is more than {CAP}",
            where=str(path),
            mend="lower it, or give a reason with --trials-beyond-cap REASON",
        )
    base = load_run_config(settings_file(settings.config, path.parent), settings.set)
    named = settings.guardrails.reference
    reference = base if named is None else load_run_config(settings_file(named, path.parent))
    _require_same_judging(base, reference, path)
    return Search(path, settings, base, reference, allow_tail_regression, beyond_cap)


def _require_same_judging(base: RunConfig, reference: RunConfig, path: Path) -> None:
    """Refuse a reference on other data or folds than the trials it guards."""
    for key in ("data", "splits_path", "scheme", "seed", "evaluation"):
        if getattr(base, key) != getattr(reference, key):
            raise InputError(
                f"guardrails.reference differs from the search's own config in {key}",
                where=str(path),
                mend="give both configs the same data, folds and evaluation",
            )
