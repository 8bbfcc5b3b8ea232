"""What `doctor --json` prints, field by field."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from essay_scoring.core.record import Record, Sha256
from essay_scoring.records.provenance import Computer, GitState

Versions = dict[str, str | None]


class SurveyedMachine(Computer):
    """What the machine offers a run; null for what the system does not tell."""

    cores: int = Field(description="processors that may be used")
    memory_gib: float | None = Field(description="of the machine, or its container's limit, GiB")
    memory_free_gib: float | None = Field(description="what could be used without swapping, GiB")
    allocator: str = Field(description="who gives memory: system, tcmalloc, jemalloc, mimalloc")


class PythonInUse(Record):
    """The interpreter."""

    version: str = Field(description="its version")
    executable: str = Field(description="its path")


class ExaminedExtra(Record):
    """An optional part of the project."""

    name: str = Field(description="its name")
    installed: bool = Field(description="whether all its packages are here")
    packages: Versions = Field(description="version of each package; null where it is not here")
    differs: dict[str, str] = Field(
        description="the pinned version of each package that is here in another one"
    )
    enables: str = Field(description="what cannot be done without it")
    install: str = Field(description="the command that installs it")


class SurveyedGpu(Record):
    """The GPU that networks would compute on."""

    name: str = Field(description="its name")
    runtime: str = Field(description="CUDA or HIP, and its version")
    memory_gib: float = Field(description="GiB in all")
    memory_free_gib: float = Field(description="GiB that nothing holds now")


class SurveyedDevices(Record):
    """What networks can compute on."""

    cpu_bf16: bool = Field(description="whether the processor computes in bf16 by itself")
    torch: str | None = Field(description="torch's version; null where it is not installed")
    gpu: SurveyedGpu | None = Field(description="the GPU that torch sees; null for none")
    no_gpu: str | None = Field(description="why there is none")


class ExaminedEncoder(Record):
    """An encoder that the project knows."""

    name: str = Field(description="what a config calls it")
    source: str = Field(description="where it comes from")
    present: bool = Field(description="whether it is here")
    intact: bool = Field(description="whether it is here with the pinned weights")
    fault: str | None = Field(description="what is wrong with it here")
    sha256: Sha256 = Field(description="of the pinned weights")
    enables: str = Field(description="what it serves")
    get: str = Field(description="the command that brings it here")


class HubEncoder(Record):
    """An encoder that was fetched from the model hub."""

    name: str = Field(description="its name there")
    sha256: Sha256 = Field(description="of its weights here, by which a config pins it")


class ExaminedData(Record):
    """The data folder and the prepared corpora; only names are looked at."""

    folder: str = Field(description="its path")
    exists: bool = Field(description="whether it is there")
    ellipse: bool = Field(description="whether it holds the files of ELLIPSE")
    tables: list[str] = Field(description="other tables in it, the first twenty by name")
    prepared: list[str] = Field(description="prepared corpora in the cache")


class CodeState(GitState):
    """The code that runs."""

    revision: Sha256 = Field(description="of the sources that a fit runs, without comments")


class SurveyedFolder(Record):
    """A folder that the project writes to."""

    what: Literal["runs", "cache"] = Field(description="what lies in it")
    path: str = Field(description="its path")
    exists: bool = Field(description="whether it is there")
    writeable: bool = Field(description="whether it can be written, or made")
    free_gib: float = Field(description="room on its disk, GiB")


class Examination(Record):
    """doctor --json: all that decides what can be done on a machine.

    What needs the whole base is null where a package of it is missing.
    """

    schema_: Literal[1] = Field(default=1, alias="schema", description="version of this record")
    machine: SurveyedMachine = Field(description="the computer")
    python: PythonInUse = Field(description="the interpreter")
    packages: Versions = Field(description="of the base: version; null where it is not here")
    extras: list[ExaminedExtra] = Field(description="every optional part")
    devices: SurveyedDevices | None = Field(description="what networks can compute on")
    encoders: list[ExaminedEncoder] | None = Field(description="every known encoder")
    hub_encoders: list[HubEncoder] | None = Field(description="those from the model hub")
    data: ExaminedData | None = Field(description="the data folder")
    code: CodeState = Field(description="the sources")
    folders: list[SurveyedFolder] = Field(description="where the project would write")
    problems: list[str] = Field(description="what is required and broken, and how to mend it")
