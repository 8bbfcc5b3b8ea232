"""How the program is called on the host: into the container, then Python, then a command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from essay_scoring.launch.profile import ContainerSettings, Profile

MODULE = "essay_scoring.cli.main"
LAUNCHES = ".launches"
"""The folder below the runs where launches keep what is not part of a run."""


@dataclass(frozen=True)
class Paths:
    """The folders of a host, as the host names them and as the program inside sees them."""

    folder: str
    inside: str
    runs: str
    cache: str
    data: str | None

    def runs_from(self, folder: str) -> str:
        """Return the runs folder for someone who knows the working folder as `folder`."""
        return self.runs if self.runs.startswith("/") else f"{folder}/{self.runs}"


def paths_of(profile: Profile) -> Paths:
    """Return the folders of a profile."""
    container = profile.container
    inside = container.folder if container and container.folder else profile.folder
    return Paths(profile.folder, inside, profile.runs, profile.cache, profile.data)


def entry(profile: Profile) -> list[str]:
    """Return the words that put a command into the container; none without one.

    Docker and Podman pass standard input on only when asked to: without `--interactive` a script
    that is piped in would never run, and what it checks would never be checked.
    """
    container = profile.container
    if container is None:
        return []
    folder = paths_of(profile).inside
    if container.engine == "apptainer":
        return ["apptainer", "exec", "--pwd", folder, *container.options, container.name]
    return [container.engine, "exec", *_exec_options(container, folder), container.name]


def _exec_options(container: ContainerSettings, folder: str) -> list[str]:
    return ["--interactive", "--workdir", folder, *container.options]


def python(profile: Profile) -> list[str]:
    """Return the words that start Python with the profile's environment, inside the container."""
    settings = [f"{name}={value}" for name, value in profile.environment.items()]
    return ["env", *settings, "PYTHONUNBUFFERED=1", profile.python]


def folders(profile: Profile) -> list[str]:
    """Return the options that tell any command of the program where its folders are."""
    data = ["--data-dir", profile.data] if profile.data else []
    return ["--runs-dir", profile.runs, "--cache-dir", profile.cache, *data]


def array(name: str, words: Sequence[str]) -> str:
    """Return the bash line that defines an array of words."""
    return f"{name}=({shlex.join(words)})"


def variable(name: str, value: str) -> str:
    """Return the bash line that defines a variable."""
    return f"{name}={shlex.quote(value)}"
