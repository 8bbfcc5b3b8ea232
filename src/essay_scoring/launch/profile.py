"""Profiles: which host, how to get in, what must hold there before anything may start."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from essay_scoring.core.settings import Settings, build_settings, read_toml

Backend = Literal["local", "ssh-screen", "slurm"]
_WORD = r"^[^-\s][^\n]*$"
"""What may follow options on a command line: not empty, and never taken for an option."""


class SshSettings(Settings):
    """A host of OpenSSH; `config` is an ssh_config file beside the profile, for a host of its own.

    Keys, ports and user names belong in that file: nothing here can weaken the check of host keys.
    """

    host: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@:-]*$")
    config: str | None = None
    connect_seconds: PositiveInt = 15


class ContainerSettings(Settings):
    """Where Python is found: a running container, or an Apptainer image.

    `name` is the container's name, or the image's path. `folder` is the working folder as seen
    inside (None: the same path). `options` are added to `exec`, for example `--rocm`.
    """

    engine: Literal["docker", "podman", "apptainer"]
    name: str = Field(pattern=_WORD)
    folder: str | None = Field(default=None, pattern="^/")
    options: tuple[str, ...] = ()


class RequiredPath(Settings):
    """A file or folder that must be there, with its sha256 where it is frozen.

    A folder's hash is that of the lines `sha256sum` prints for its files in order of their paths.
    """

    path: str = Field(pattern=_WORD)
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")


class MachineContract(Settings):
    """What the machine must offer. Versions are prefixes: 2.9 admits 2.9.1 but not 2.90.

    `image_marker` is what `marker_file` must hold, which says which image a container runs.
    """

    gpu: Literal["none", "cuda", "hip"] = "none"
    runtime: str | None = None
    torch: str | None = None
    python: str | None = None
    free_gpu_memory_gib: PositiveFloat | None = None
    free_disk_gib: PositiveFloat = 2.0
    image_marker: str | None = Field(default=None, min_length=1)
    marker_file: str = Field(default="/etc/essay-scoring-image", pattern="^/")
    modules: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _gpu_named(self) -> Self:
        if self.gpu == "none" and (self.runtime or self.free_gpu_memory_gib):
            raise ValueError("runtime and free_gpu_memory_gib need gpu = 'cuda' or 'hip'")
        return self


class SlurmSettings(Settings):
    """What is asked of the scheduler for each job; `options` are further flags of sbatch."""

    partition: str | None = Field(default=None, pattern=_WORD)
    account: str | None = Field(default=None, pattern=_WORD)
    qos: str | None = Field(default=None, pattern=_WORD)
    gres: str | None = Field(default=None, pattern=_WORD)
    constraint: str | None = Field(default=None, pattern=_WORD)
    cpus: PositiveInt | None = None
    memory_gib: PositiveInt | None = None
    canary_minutes: PositiveInt = 30
    options: tuple[str, ...] = ()


class Profile(Settings):
    """One host profile.

    `folder` is the checkout that runs there; `runs`, `cache`, `data`, `python` and required paths
    are relative to it. `precision` is the one that a fine-tuned run must be configured with.
    """

    backend: Backend
    folder: str = Field(pattern=_WORD)
    runs: str = Field(default="runs", pattern=_WORD)
    cache: str = Field(default="cache", pattern=_WORD)
    data: str | None = Field(default=None, pattern=_WORD)
    python: str = Field(default=".venv/bin/python", pattern=_WORD)
    precision: Literal["none", "bf16", "fp16", "auto"] | None = None
    time_limit_minutes: PositiveFloat = 24 * 60
    preflight_minutes: PositiveFloat = 60
    heartbeat_seconds: PositiveInt = 5
    ssh: SshSettings | None = None
    container: ContainerSettings | None = None
    machine: MachineContract = MachineContract()
    environment: dict[str, str] = Field(default_factory=dict)
    requires: tuple[RequiredPath, ...] = ()
    slurm: SlurmSettings | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.backend == "ssh-screen" and self.ssh is None:
            raise ValueError("backend 'ssh-screen' needs [ssh]")
        if self.backend == "local" and self.ssh is not None:
            raise ValueError("backend 'local' takes no [ssh]; 'ssh-screen' and 'slurm' do")
        if (self.backend == "slurm") != (self.slurm is not None):
            raise ValueError("[slurm] goes with backend 'slurm', and with no other")
        if self.ssh is not None and not self.folder.startswith("/"):
            raise ValueError("folder must be an absolute path on the host")
        if self.machine.image_marker and self.container is None:
            raise ValueError("machine.image_marker needs [container]")
        return self

    @model_validator(mode="after")
    def _environment_names(self) -> Self:
        for name in self.environment:
            if not name.isidentifier() or not name.isascii():
                raise ValueError(f"environment: {name!r} cannot be the name of a variable")
        return self

    @property
    def where(self) -> str:
        """The host in words, for messages."""
        return self.ssh.host if self.ssh else "this machine"


def load_profile(path: Path) -> Profile:
    """Return the profile of a TOML file; InputError names the first key that is wrong.

    Paths on this side (an ssh_config, the folder of a local profile) become absolute.
    """
    profile = build_settings(Profile, read_toml(path), str(path))
    changes: dict[str, object] = {}
    if profile.ssh is None:
        changes["folder"] = str(Path(profile.folder).absolute())
    elif profile.ssh.config is not None:
        config = str((path.parent / profile.ssh.config).absolute())
        changes["ssh"] = profile.ssh.model_copy(update={"config": config})
    return profile.model_copy(update=changes)
