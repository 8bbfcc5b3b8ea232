"""A study or search that is to be launched: its files, and the graph of jobs of its steps."""

from __future__ import annotations

import os.path
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import read_text
from essay_scoring.judging.study_plan import Study
from essay_scoring.records.config import RunConfig
from essay_scoring.records.search_settings import Search
from essay_scoring.records.study_results import StudyStep

_MOST_BYTES = 4 << 20

GraphKind = Literal["study", "search"]

GROUPS: dict[GraphKind, str] = {"study": "studies", "search": "searches"}
"""The folders below the runs that studies and searches lie in."""


@dataclass(frozen=True)
class SentGraph:
    """A study or a search as it is sent: its files by their paths below one folder.

    `path` is the one of them that names the others, `overrides` are laid over it there as here, and
    `sha256` is of all that it asks for, by which the host tells that it read the same. `configs`
    are those that will be fitted, the first of all first; a search has `workers`.
    """

    kind: GraphKind
    path: str
    texts: dict[str, str]
    overrides: tuple[str, ...]
    configs: list[RunConfig]
    sha256: str
    workers: int = 1

    @property
    def command(self) -> str:
        """The command that does the whole of it."""
        return "study" if self.kind == "study" else "optuna-sweep"

    @property
    def group(self) -> str:
        """The folder below the runs that its own lies in."""
        return GROUPS[self.kind]

    @property
    def words(self) -> list[str]:
        """The options of the command that lay the overrides over it."""
        return [word for change in self.overrides for word in ("--set", change)]


def sent_study(study: Study, overrides: Sequence[str]) -> SentGraph:
    """Return a study with all that it is read from; InputError for a file outside its tree."""
    main = study.schemes[0]
    configs = [study.config(arm, main) for arm in study.settings.arms]
    path, texts = _texts(study.path, study.files())
    return SentGraph("study", path, texts, tuple(overrides), configs, study.sha256)


def sent_search(search: Search, overrides: Sequence[str], workers: int) -> SentGraph:
    """Return a search with all that it is read from; InputError for a file outside its tree."""
    path, texts = _texts(search.path, search.files())
    configs = [search.base, search.reference]
    return SentGraph("search", path, texts, tuple(overrides), configs, search.sha256, workers)


def _texts(path: Path, named: Sequence[Path]) -> tuple[str, dict[str, str]]:
    """Return a file's path below the folder that holds all that it names, and the text of each."""
    files = {Path(os.path.normpath(file.absolute())): file for file in named}
    root = Path(os.path.commonpath([file.parent for file in files]))
    if root == Path(root.anchor):
        raise InputError(
            "this and the files that it names have no folder in common",
            where=str(path),
            mend="name its configs, plans and searches by relative paths",
        )
    texts = {
        file.relative_to(root).as_posix(): read_text(name, _MOST_BYTES, "utf-8-sig")
        for file, name in files.items()
    }
    return Path(os.path.normpath(path.absolute())).relative_to(root).as_posix(), texts


def graph_lines(steps: Sequence[StudyStep]) -> str:
    """Return the graph as the host reads it: a step a line, with those that it waits for.

    NAME AFTER TASKS DONE OF: AFTER and TASKS with commas, `-` for none; TASKS is `done` where
    nothing is left, `job` for a step that is no array. A step of AFTER that may fail ends in `?`.
    """
    may_fail = {step.name for step in steps if step.may_fail}
    return "".join(f"{' '.join(_words(step, may_fail))}\n" for step in steps)


def _words(step: StudyStep, may_fail: Set[str]) -> list[str]:
    total = len(step.tasks) if step.is_array else 1
    left = len(step.missing) if step.is_array else int(not step.is_done)
    tasks = "job" if not step.is_array else ranges(step.missing)
    return [
        step.name,
        ",".join(f"{name}?" if name in may_fail else name for name in step.after) or "-",
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
