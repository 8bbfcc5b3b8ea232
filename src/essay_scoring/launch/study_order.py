"""A study that is to be launched: its files, and the graph of jobs that its steps become."""

from __future__ import annotations

import os.path
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import read_text
from essay_scoring.core.settings import build_settings
from essay_scoring.judging.study_plan import Study
from essay_scoring.records.config import RunConfig
from essay_scoring.records.study_results import StudyStep

_MOST_BYTES = 4 << 20


@dataclass(frozen=True)
class SentStudy:
    """A study as it is sent: its files by their paths below one folder, and which of them it is.

    `overrides` are laid over its arms there as here; `sha256` is of all that it asks for, by which
    the host tells that it read the same.
    """

    study: Study
    overrides: tuple[str, ...]
    path: str
    texts: dict[str, str]

    @property
    def sha256(self) -> str:
        """The hash of what the study is."""
        return self.study.sha256

    @property
    def configs(self) -> list[RunConfig]:
        """The configs of its arms under its main scheme, the reference's first."""
        main = self.study.schemes[0]
        return [self.study.config(arm, main) for arm in self.study.settings.arms]

    @property
    def words(self) -> list[str]:
        """The options of `study` that lay the overrides over its arms."""
        return [word for change in self.overrides for word in ("--set", change)]


def sent_study(study: Study, overrides: Sequence[str]) -> SentStudy:
    """Return a study with all that it is read from; InputError for a file outside its tree."""
    files = {Path(os.path.normpath(file.absolute())): file for file in study.files()}
    root = Path(os.path.commonpath([path.parent for path in files]))
    if root == Path(root.anchor):
        raise InputError(
            "the study and the files that it names have no folder in common",
            where=str(study.path),
            mend="name its configs, plans and searches by relative paths",
        )
    texts = {
        path.relative_to(root).as_posix(): read_text(file, _MOST_BYTES, "utf-8-sig")
        for path, file in files.items()
    }
    path = Path(os.path.normpath(study.path.absolute())).relative_to(root)
    return SentStudy(study, tuple(overrides), path.as_posix(), texts)


def read_steps(values: Sequence[object]) -> list[StudyStep]:
    """Return the steps that a host has told."""
    return [build_settings(StudyStep, each, "the host's steps") for each in values]


def graph_lines(steps: Sequence[StudyStep]) -> str:
    """Return the graph as the host reads it: a step a line, with those that it waits for.

    NAME AFTER TASKS DONE OF: AFTER and TASKS with commas, `-` for none; TASKS is `done` where
    nothing is left, `job` for a step that is no array.
    """
    return "".join(f"{' '.join(_words(step))}\n" for step in steps)


def _words(step: StudyStep) -> list[str]:
    total = len(step.tasks) if step.is_array else 1
    left = len(step.missing) if step.is_array else int(not step.is_done)
    tasks = "job" if not step.is_array else ranges(step.missing)
    return [
        step.name,
        ",".join(step.after) or "-",
        "done" if step.is_done else tasks,
        str(total - left),
        str(total),
    ]


def ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers as sbatch takes them: 0-2,5."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
