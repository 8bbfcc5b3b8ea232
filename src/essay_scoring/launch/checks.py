"""The checks of a preflight: their order, where each runs, and when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from essay_scoring.launch.profile import Profile

Place = Literal["host", "program", "compute", "run"]
"""Where a check runs: on the host by bash; in the program's interpreter where jobs are submitted;
in the interpreter where the job itself will run; on the host again, once the run's name is known.
Without a scheduler the third is the second. Each place is reached only if those before it held."""

Needed = Callable[[Profile], bool]


def _always(_: Profile) -> bool:
    return True


@dataclass(frozen=True)
class PreflightCheck:
    """One check: the marker it must print, where it runs, and which profiles ask for it."""

    name: str
    place: Place
    needed: Needed = _always


CHECKS: tuple[PreflightCheck, ...] = (
    PreflightCheck("folder", "host"),
    PreflightCheck("tools", "host"),
    PreflightCheck("disk", "host"),
    PreflightCheck("scheduler", "host", lambda p: p.backend == "slurm"),
    PreflightCheck("resources", "host", lambda p: p.backend == "slurm"),
    PreflightCheck("container", "host", lambda p: p.container is not None),
    PreflightCheck("image", "compute", lambda p: p.machine.image_marker is not None),
    PreflightCheck("python", "compute", lambda p: p.machine.python is not None),
    PreflightCheck("modules", "compute", lambda p: bool(p.machine.modules)),
    PreflightCheck("torch", "compute", lambda p: p.machine.torch is not None),
    PreflightCheck("runtime", "compute", lambda p: p.machine.runtime is not None),
    PreflightCheck("gpu", "compute", lambda p: p.machine.gpu != "none"),
    PreflightCheck("gpu_memory", "compute", lambda p: p.machine.free_gpu_memory_gib is not None),
    PreflightCheck("inputs", "program", lambda p: bool(p.requires)),
    PreflightCheck("code", "program"),
    PreflightCheck("clean", "program"),
    PreflightCheck("command_line", "program"),
    PreflightCheck("run", "program"),
    PreflightCheck("canary", "compute"),
    PreflightCheck("live", "run"),
    PreflightCheck("session", "run", lambda p: p.backend == "ssh-screen"),
)

ON_A_NODE: tuple[Place, ...] = ("compute",)
"""What a scheduler's first job checks, since only there are the machine and its GPU to be seen."""


def asked_of(profile: Profile) -> list[PreflightCheck]:
    """Return the checks that a profile asks for, in order: every one of them must say ok."""
    return [check for check in CHECKS if check.needed(profile)]


def in_groups(names: list[str]) -> list[list[str]]:
    """Return the program's checks in groups, each reached only if those before it held.

    What asks the package for anything comes after what says that it is the one meant, and what
    takes long comes last.
    """
    late = [["code", "clean"], ["command_line"], ["run"], ["canary"]]
    first = [name for name in names if not any(name in group for group in late)]
    groups = [first, *([name for name in group if name in names] for group in late)]
    return [group for group in groups if group]


def names_at(checks: list[PreflightCheck], *places: Place) -> list[str]:
    """Return the names of the checks at these places, in order."""
    return [check.name for check in checks if check.place in places]
