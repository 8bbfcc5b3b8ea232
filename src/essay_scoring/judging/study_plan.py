"""Study files: arms in a strict order, each with its config, gates, conditions and seeds."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import Field, model_validator

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import write_json
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.names import Name
from essay_scoring.core.settings import Settings, build_settings
from essay_scoring.data.data_settings import Corpus
from essay_scoring.data.splits import Scheme
from essay_scoring.judging.plans import GatePlan, load_plan
from essay_scoring.judging.power import FEWEST_SIMULATIONS
from essay_scoring.records.config import (
    RunConfig,
    config_values,
    extended_files,
    load_run_config,
    read_extended_toml,
)
from essay_scoring.records.presets import settings_file, shown_name
from essay_scoring.records.search_settings import Search, load_search
from essay_scoring.records.study_results import Ending

Seed = Annotated[int, Field(ge=0, lt=2**31)]


class Arm(Settings):
    """One configuration of a study; `set` overrides keys of its config file.

    With `seeds` there is one run for each, alike but for the config's seed, and the arm's figures
    are means over them; without, one run with the config's own.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,56}$")
    config: str
    set: tuple[str, ...] = ()
    seeds: tuple[Seed, ...] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _distinct_seeds(self) -> Self:
        if self.seeds and len(set(self.seeds)) < len(self.seeds):
            raise ValueError("a seed is there twice")
        return self

    @property
    def each_seed(self) -> tuple[int | None, ...]:
        """The seeds to run, None for the config's own."""
        return self.seeds or (None,)


AnyArm = TypeVar("AnyArm", bound=Arm)


class Conditional(Arm):
    """An arm that runs if every candidate named in `runs_if` ended in one of the ways listed."""

    runs_if: dict[str, Annotated[tuple[Ending, ...], Field(min_length=1)]] = Field(
        default_factory=dict
    )


class Tuning(Settings):
    """The tuning round of a candidate that passed: a search file's space, tried `trials` times."""

    search: str
    trials: int = Field(ge=1, le=50)


class Candidate(Conditional):
    """An arm that must pass every one of its gate plans."""

    gates: tuple[str, ...] = Field(min_length=1)
    tuning: Tuning | None = None


class StudySettings(Settings):
    """A study file. `context` arms are run and shown but judged by no gate.

    A candidate without `runs_if` runs unless one before it passed; without `stop_after_pass`, also
    then. `seed_tolerance` is by how much the mean QWK of an arm's seeds may differ, highest less
    lowest, before the arm is called unstable. `power_simulations` is how many pairs `power`
    simulates: None as many as it would by itself, 0 none, which the record says.
    """

    name: Name
    question: str = Field(min_length=1)
    reference: Arm
    candidates: tuple[Candidate, ...] = Field(min_length=1)
    context: tuple[Conditional, ...] = ()
    stop_after_pass: bool = True
    seed_tolerance: float | None = Field(default=None, gt=0)
    power_simulations: int | None = Field(default=None, ge=0)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Every arm of the file."""
        return (self.reference, *self.candidates, *self.context)

    @model_validator(mode="after")
    def _enough_simulations(self) -> Self:
        if self.power_simulations and self.power_simulations < FEWEST_SIMULATIONS:
            raise ValueError(f"power_simulations is 0, or {FEWEST_SIMULATIONS} or more")
        return self

    @model_validator(mode="after")
    def _distinct_names(self) -> Self:
        tuned = [tuned_name(arm) for arm in self.candidates if arm.tuning]
        names = [*(arm.name for arm in self.arms), *tuned]
        if len(set(names)) < len(names):
            raise ValueError("arms need names of their own")
        return self

    @model_validator(mode="after")
    def _conditions_look_back(self) -> Self:
        before: list[str] = []
        for arm in self.candidates:
            _require_known(arm, before, "an earlier candidate")
            before.append(arm.name)
        for context in self.context:
            _require_known(context, before, "a candidate")
        return self

    @model_validator(mode="after")
    def _says_what_is_unstable(self) -> Self:
        many = [arm.name for arm in self.candidates if len(arm.each_seed) > 1]
        if many and self.seed_tolerance is None:
            raise ValueError(f"'{many[0]}' has several seeds, which needs seed_tolerance")
        return self


@dataclass(frozen=True)
class Study:
    """A study file with its arms' configs, gate plans and searches read and checked."""

    path: Path
    settings: StudySettings
    plans: dict[str, tuple[GatePlan, ...]]
    searches: dict[str, Search]

    @property
    def schemes(self) -> tuple[Scheme, ...]:
        """Every scheme that some gate needs, in order of first use; the first is the main one."""
        seen = dict.fromkeys(plan.scheme for plans in self.plans.values() for plan in plans)
        return tuple(seen)

    @property
    def distinct_plans(self) -> tuple[GatePlan, ...]:
        """Every plan once, in order of first use."""
        return tuple(
            {plan.sha256: plan for plans in self.plans.values() for plan in plans}.values()
        )

    @property
    def corpus(self) -> Corpus:
        """The corpus of every arm."""
        return self.config(self.settings.reference, self.schemes[0]).data.corpus

    def config(self, arm: Arm, scheme: Scheme, seed: int | None = None) -> RunConfig:
        """Return an arm's run config under a scheme, named after the arm."""
        overrides = [*arm.set, f'name="{arm.name}"', f'scheme="{scheme}"']
        if seed is not None:
            overrides.append(f"seed={seed}")
        return load_run_config(settings_file(arm.config, self.path.parent), overrides)

    @property
    def sha256(self) -> str:
        """The hash of what the study asks for, whatever data it is asked about."""
        return fingerprint(self._values())

    def write(self, path: Path) -> None:
        """Write what the study asks for: its settings, its arms' configs, plans and searches."""
        write_json(path, self._values())

    def _values(self) -> dict[str, Any]:
        main = self.schemes[0]
        return {
            "study": self.settings.model_dump(mode="json"),
            "configs": {
                arm.name: config_values(self.config(arm, main)) for arm in self.settings.arms
            },
            "plans": {name: [plan.sha256 for plan in plans] for name, plans in self.plans.items()},
            "searches": {
                name: search.settings.model_dump(mode="json", exclude={"config", "set"})
                for name, search in self.searches.items()
            },
        }

    def files(self) -> list[Path]:
        """Return every file that the study is read from, but for presets, as each is named."""
        folder, found = self.path.parent, extended_files(self.path)
        for arm in self.settings.arms:
            found += extended_files(settings_file(arm.config, folder))
        for candidate in self.settings.candidates:
            for gate in candidate.gates:
                found += extended_files(settings_file(gate, folder))
            if candidate.tuning is not None:
                file = settings_file(candidate.tuning.search, folder)
                named = self.searches[candidate.name].settings.guardrails.reference
                found += extended_files(file)
                if named is not None:
                    found += extended_files(settings_file(named, file.parent))
        return list(dict.fromkeys(found))

    def command(self, arm: Arm, scheme: Scheme, seed: int | None = None) -> str:
        """Return the command that does the run of `config` by itself, from where the study ran."""
        config = shown_name(settings_file(arm.config, self.path.parent))
        changes = [*arm.set, *([] if seed is None else [f"seed={seed}"])]
        sets = [word for change in changes for word in ("--set", change)]
        words = ["essay-scoring", "cv", config, "--run-name", arm.name, "--scheme", scheme, *sets]
        return shlex.join(words)


def tuned_name(arm: Arm) -> str:
    """Return the name of an arm after its tuning round."""
    return f"{arm.name}-tuned"


def load_study(path: Path, overrides: Sequence[str] = ()) -> Study:
    """Return the study of a TOML file or a preset; all that it names is read now.

    Each `a.b=value` of `overrides` is laid over all arms whose config has that setting. Raises
    InputError for the first thing that is wrong, and where arms differ in their data.
    """
    path = settings_file(path)
    settings = build_settings(StudySettings, read_extended_toml(path), str(path))
    for override in overrides:
        settings = _overridden(settings, override, path)
    plans = {
        arm.name: tuple(load_plan(settings_file(gate, path.parent)) for gate in arm.gates)
        for arm in settings.candidates
    }
    study = Study(path, settings, plans, {})
    main = study.schemes[0]
    data = study.config(settings.reference, main).data
    for arm in settings.arms:
        if study.config(arm, main).data != data:
            raise InputError(
                f"arm '{arm.name}' uses other data than the reference",
                where=str(path),
                mend="give every arm the same [data]",
            )
    for candidate in settings.candidates:
        if candidate.tuning is not None:
            study.searches[candidate.name] = _search(study, candidate, candidate.tuning)
    return study


_THE_STUDYS_OWN = ("name", "scheme", "seed")


def _overridden(settings: StudySettings, override: str, path: Path) -> StudySettings:
    """Return the settings with an override added to what every arm that has it sets."""
    key = override.partition("=")[0].strip()
    if key in _THE_STUDYS_OWN:
        raise InputError(
            f"{key} is the study's own, not an arm's to set",
            where=f"--set {override}",
            mend="change the study file",
        )
    having = {
        arm.name
        for arm in settings.arms
        if _has(
            config_values(load_run_config(settings_file(arm.config, path.parent), arm.set)),
            key.split("."),
        )
    }
    if not having:
        raise InputError(
            f"no arm has a setting {key!r}",
            where=f"--set {override}",
            mend="name a setting of some arm's config, such as scorer.model_name",
        )

    def laid_over(arm: AnyArm) -> AnyArm:
        added = (override,) if arm.name in having else ()
        return arm.model_copy(update={"set": (*arm.set, *added)})

    arms = {
        "reference": laid_over(settings.reference),
        "candidates": tuple(map(laid_over, settings.candidates)),
        "context": tuple(map(laid_over, settings.context)),
    }
    return settings.model_copy(update=arms)


def _has(values: Any, keys: Sequence[str]) -> bool:
    """Tell whether nested tables have a value at these keys."""
    for key in keys:
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


def _require_known(arm: Conditional, known: Sequence[str], what: str) -> None:
    """Raise ValueError for a condition on anything but the names known."""
    for name in arm.runs_if:
        if name not in known:
            raise ValueError(f"'{arm.name}' runs if '{name}', which is not {what}")


def _search(study: Study, arm: Candidate, tuning: Tuning) -> Search:
    """Return the search that tunes a candidate: the file's space around the arm's own config.

    Only what the gates let an arm choose may be tuned: with another mapping than the reference's
    it could not be judged.
    """
    main = study.schemes[0]
    own: dict[str, Any] = {
        "name": f"{study.settings.name[:40]}-{arm.name[:20]}",
        "config": str(settings_file(arm.config, study.path.parent).resolve()),
        "set": [*arm.set, f'name="{tuned_name(arm)}"', f'scheme="{main}"'],
        "trials": tuning.trials,
    }
    path = settings_file(tuning.search, study.path.parent)
    search = load_search(
        path, [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in own.items()]
    )
    if "training.mapping" in search.settings.space:
        raise InputError(
            f"the tuning of '{arm.name}' varies training.mapping, in which arms may not differ",
            where=str(path),
            mend="remove it from the space",
        )
    return search
