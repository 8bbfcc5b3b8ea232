"""Study files: an ordered list of arms, each with its config and the gates it must pass."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from essay_scoring.core.errors import InputError
from essay_scoring.core.settings import Settings, build_settings, read_toml
from essay_scoring.data.splits import Scheme
from essay_scoring.evaluation.plans import GatePlan, load_plan
from essay_scoring.experiments.config import RunConfig, load_run_config


class Arm(Settings):
    """One configuration of a study; `set` overrides keys of its config file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    config: str
    set: tuple[str, ...] = ()


class Candidate(Arm):
    """An arm that must pass every one of its gate plans."""

    gates: tuple[str, ...] = Field(min_length=1)


class StudySettings(Settings):
    """A study file. `context` arms are run and shown but judged by no gate."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    question: str = Field(min_length=1)
    reference: Arm
    candidates: tuple[Candidate, ...] = Field(min_length=1)
    context: tuple[Arm, ...] = ()
    stop_after_pass: bool = True

    @model_validator(mode="after")
    def _distinct_names(self) -> Self:
        names = [arm.name for arm in (self.reference, *self.candidates, *self.context)]
        if len(set(names)) < len(names):
            raise ValueError("arms need names of their own")
        return self


@dataclass(frozen=True)
class Study:
    """A study file with its arms' configs and its gate plans read and checked."""

    path: Path
    settings: StudySettings
    plans: dict[str, tuple[GatePlan, ...]]

    @property
    def schemes(self) -> tuple[Scheme, ...]:
        """Every scheme that some gate needs, in order of first use; the first is the main one."""
        seen = dict.fromkeys(plan.scheme for plans in self.plans.values() for plan in plans)
        return tuple(seen)

    def config(self, arm: Arm, scheme: Scheme) -> RunConfig:
        """Return an arm's run config under a scheme, named after the arm."""
        overrides = [*arm.set, f'name="{arm.name}"', f'scheme="{scheme}"']
        return load_run_config(self.path.parent / arm.config, overrides)


def load_study(path: Path) -> Study:
    """Return the study of a TOML file; every config and plan it names is read now.

    Raises InputError for the first that is wrong, and where arms differ in their data.
    """
    settings = build_settings(StudySettings, read_toml(path), str(path))
    plans = {
        arm.name: tuple(load_plan(path.parent / gate) for gate in arm.gates)
        for arm in settings.candidates
    }
    study = Study(path, settings, plans)
    main = study.schemes[0]
    data = study.config(settings.reference, main).data
    for arm in (*settings.candidates, *settings.context):
        if study.config(arm, main).data != data:
            raise InputError(
                f"arm '{arm.name}' uses other data than the reference",
                where=str(path),
                mend="give every arm the same [data]",
            )
    return study
