"""A study cut into steps that several jobs do, so that its last, `study` itself, only judges.

Columns, then the fits of the reference and their join, then the plans put in force, then the fits
and joins of every arm that runs however others end, then the judgement. What a condition decides
on is left to the judgement, which runs it as ever.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from essay_scoring.core.errors import EvidenceError, InputError, NotFiniteError
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.progress import Progress
from essay_scoring.data.splits import Scheme
from essay_scoring.judging.attempts import attempts_of, require_unmarked
from essay_scoring.judging.plans import GatePlan
from essay_scoring.judging.register import is_registered, register_of, registrations
from essay_scoring.judging.study import Outside, StudyRunner
from essay_scoring.judging.study_arms import Planned
from essay_scoring.judging.study_plan import Candidate, Conditional, Study
from essay_scoring.records.config import RunConfig, config_values
from essay_scoring.records.finished_run import read_run
from essay_scoring.records.manifest import is_complete
from essay_scoring.records.search_settings import Search
from essay_scoring.records.study_results import StudyStep
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.column_tasks import (
    COLUMNS,
    ColumnTask,
    column_tasks,
    columns_step,
    task_of,
)
from essay_scoring.runs.parts import missing_parts, parts_of, run_part
from essay_scoring.runs.run import Run

PLANS, JUDGE = "plans", "judge"

_log = logging.getLogger("essay_scoring")


@dataclass(frozen=True)
class StudyPart:
    """An arm under a scheme; `plan` is the first that judges it there, None for what none does."""

    arm: Planned
    scheme: Scheme
    plan: GatePlan | None

    @property
    def name(self) -> str:
        """The arm and its scheme, as steps name them."""
        return f"{self.arm.name}:{self.scheme}"

    @property
    def is_reference(self) -> bool:
        """Whether every other part waits for this one."""
        return self.arm.role == "reference"

    def configs(self) -> list[RunConfig]:
        """Return the configs of its runs, one for each seed."""
        return [self.arm.config(self.scheme, seed) for seed in self.arm.seeds]


def study_parts(study: Study) -> list[StudyPart]:
    """Return the arms that run however others end, under each of their schemes.

    That is the reference, the first candidate, those after it if the study goes on after a pass,
    and context; none that has conditions of its own.
    """
    settings = study.settings
    parts = [
        StudyPart(Planned.of(study, settings.reference, "reference"), scheme, None)
        for scheme in study.schemes
    ]
    first = settings.candidates[0]
    for arm in _unconditional(settings.candidates):
        if arm is first or not settings.stop_after_pass:
            plans = {plan.scheme: plan for plan in reversed(study.plans[arm.name])}
            planned = Planned.of(study, arm, "candidate")
            parts += [StudyPart(planned, scheme, plan) for scheme, plan in plans.items()]
    scheme = study.distinct_plans[0].scheme
    for shown in _unconditional(settings.context):
        parts.append(StudyPart(Planned.of(study, shown, "context"), scheme, None))
    return parts


def _unconditional(arms: Sequence[Conditional]) -> Iterator[Candidate | Conditional]:
    return (arm for arm in arms if not arm.runs_if)


class StudySteps:
    """The steps of a study, in an order in which they can be done; `do` does one of them."""

    def __init__(self, runner: StudyRunner) -> None:
        self._runner, self._study = runner, runner.study
        self._space = runner.arms.workspace
        self._parts = {part.name: part for part in study_parts(runner.study)}

    @property
    def folder(self) -> Path:
        """The folder of the study, named by everything its decision depends on."""
        return self._runner.folder

    @property
    def base(self) -> Run:
        """A run of the reference, whose data and splits all share."""
        return self._runner.arms.base

    def config_hashes(self) -> dict[str, str]:
        """Return the hash of the config of every run that a step works in, by its folder."""
        runs = (each for part in self._parts.values() for each in self._runs(part))
        return {folder.name: fingerprint(config_values(run.config)) for run, folder in runs}

    def all(self) -> list[StudyStep]:
        """Return every step, with what is left of it. Nothing is computed or written."""
        references = [name for name, part in self._parts.items() if part.is_reference]
        steps = [columns_step(self._column_tasks)]
        for part in self._parts.values():
            if not part.is_reference:
                continue
            steps += [self._fits(part), self._join(part)]
        joins = tuple(f"join:{name}" for name in references)
        steps.append(StudyStep(name=PLANS, after=joins, is_done=self._in_force()))
        for part in self._parts.values():
            if not part.is_reference:
                steps += [self._fits(part), self._join(part)]
        joins = tuple(f"join:{name}" for name in self._parts)
        steps.append(StudyStep(name=JUDGE, after=(PLANS, *joins), is_done=self.is_complete))
        return steps

    @property
    def is_complete(self) -> bool:
        """Whether the study is finished; EvidenceError where something was changed since."""
        folder = self._runner.folder
        return is_complete(folder) and self._runner.standing(folder) is not None

    def do(self, name: str, task: int | None) -> None:
        """Do one step, or one task of it; what is done already is left as it is.

        Raises InputError for a step or task that the study does not have.
        """
        kind, _, part = name.partition(":")
        pairs = [f"{kind}:{part}" for part in self._parts for kind in ("fits", "join")]
        if name not in (known := [COLUMNS, PLANS, *pairs]):
            mend = f"name one of {', '.join(known)}"
            raise InputError(f"the study has no step '{name}'", where="--step", mend=mend)
        if kind == COLUMNS:
            task_of(self._column_tasks, task).do()
        elif kind == PLANS:
            self._put_in_force()
        elif kind == "fits":
            self._fit(self._parts[part], task)
        else:
            self._finish(self._parts[part])

    def _fits(self, part: StudyPart) -> StudyStep:
        names: list[str] = []
        missing: list[int] = []
        for run, folder in self._runs(part):
            left = [] if self._is_settled(part, folder) else missing_parts(run, folder)
            missing += [len(names) + number for number in left]
            names += [f"{folder.name}/{each.name}" for each in parts_of(run)]
        return StudyStep(
            name=f"fits:{part.name}",
            after=(COLUMNS,) if part.is_reference else (COLUMNS, PLANS),
            tasks=tuple(names),
            missing=tuple(missing),
            is_done=not missing,
            runs=tuple(folder.name for _, folder in self._runs(part)),
        )

    def _join(self, part: StudyPart) -> StudyStep:
        folders = [folder for _, folder in self._runs(part)]
        return StudyStep(
            name=f"join:{part.name}",
            after=(f"fits:{part.name}",),
            is_done=all(self._is_settled(part, folder) for folder in folders),
            runs=tuple(folder.name for folder in folders),
        )

    def _is_settled(self, part: StudyPart, folder: Path) -> bool:
        """Tell whether a run is finished, or is an attempt that came to nothing and stays one."""
        if is_complete(folder):
            return True
        if part.plan is None or not (folder / "status.json").is_file():
            return False
        try:
            require_unmarked(folder, attempts_of(self._space))
        except EvidenceError:
            return True
        return False

    def _fit(self, part: StudyPart, task: int | None) -> None:
        """Do one fit. What is not finite ends an arm that is judged, when it is joined."""
        if not part.is_reference:
            register = register_of(self._space)
            for plan in self._study.distinct_plans:
                registrations(plan, register)
        tasks = [
            (run, number) for run, _ in self._runs(part) for number in range(len(parts_of(run)))
        ]
        run, number = task_of(tasks, task)
        try:
            run_part(run, number, resume=self._runner.resume)
        except NotFiniteError as error:
            if part.is_reference:
                raise
            _log.warning("%s", error.line())

    def _finish(self, part: StudyPart) -> None:
        """Join the fits of an arm; that a run is no evidence is left for the judgement to say."""
        try:
            self._runner.arms.run(part.arm, part.scheme, part.plan)
        except (EvidenceError, NotFiniteError) as error:
            if part.is_reference:
                raise
            _log.warning("%s", error.line())

    def _put_in_force(self) -> None:
        for part in self._parts.values():
            if part.is_reference:
                for _, folder in self._runs(part):
                    read_run(folder)
                self._runner.arms.run(part.arm, part.scheme)
        self._runner.put_plans_in_force()

    def _in_force(self) -> bool:
        """Tell whether every plan is registered for the reference as it stands."""
        register = register_of(self._space)
        folders = {
            part.scheme: [folder for _, folder in self._runs(part)]
            for part in self._parts.values()
            if part.is_reference
        }
        if not all(is_complete(folder) for each in folders.values() for folder in each):
            return False
        return all(
            is_registered(plan, [read_run(folder) for folder in folders[plan.scheme]], register)
            for plan in self._study.distinct_plans
        )

    @cached_property
    def _column_tasks(self) -> list[ColumnTask]:
        runs = [run for part in self._parts.values() for run, _ in self._runs(part)]
        return column_tasks(runs)

    def _runs(self, part: StudyPart) -> list[tuple[Run, Path]]:
        runs = [self._runner.arms.base.on_same_data(config) for config in part.configs()]
        return [(run, self._space.runs / run.folder_name) for run in runs]


def steps_of(study: Study, workspace: Workspace, progress: Progress) -> StudySteps:
    """Return the steps of a study to look at: it makes no pages, and nothing of it is tuned."""

    def nothing(*_: object) -> None:
        """Write and say nothing."""

    def untuned(search: Search) -> Path:
        raise ValueError(f"{search.settings.name} is not run here")

    outside = Outside(nothing, nothing, nothing, untuned)
    return StudySteps(StudyRunner(study, workspace, progress, outside=outside, resume=""))
