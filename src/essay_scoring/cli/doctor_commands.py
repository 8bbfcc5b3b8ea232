"""The command that looks around: doctor."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from essay_scoring.cli.help_pages import Panel, PlainCommand
from essay_scoring.cli.options import CACHE, RUNS, CacheFolder, DataFolder, RunsFolder

if TYPE_CHECKING:
    from essay_scoring.records.examination import (
        Examination,
        ExaminedData,
        ExaminedEncoder,
        HubEncoder,
        SurveyedDevices,
        SurveyedFolder,
        Versions,
    )

BROKEN = 2
"""The exit code where something that is required is broken."""

_SLOW = {"system": " (long training is faster with LD_PRELOAD set to tcmalloc or jemalloc)"}


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("doctor", cls=PlainCommand, rich_help_panel=Panel.INSPECT)(doctor)


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all of it as one JSON object.")
    ] = False,
    runs_dir: RunsFolder = RUNS,
    cache_dir: CacheFolder = CACHE,
    data_dir: DataFolder = None,
) -> int:
    """Show machine, versions, extras, devices, encoders and data, and what is missing would enable.

    Works on a bare install. Writes nothing. Exits 2 if something required is broken, else 0.
    """
    from essay_scoring.launch.doctor import examine

    found = examine(runs_dir, cache_dir, data_dir)
    if as_json:
        typer.echo(json.dumps(found.model_dump(mode="json"), indent=2))
    else:
        typer.echo("\n".join(doctor_lines(found)))
    return BROKEN if found.problems else 0


def doctor_lines(found: Examination) -> Iterator[str]:
    """Yield the lines of the examination, a section after the other."""
    yield from _machine(found)
    yield from _packages(found)
    if found.devices is not None:
        yield from _devices(found.devices)
    if found.encoders is not None:
        yield from _encoders(found.encoders, found.hub_encoders or ())
    if found.data is not None:
        yield from _data(found.data)
    yield from _folders(found.folders)
    yield "\nproblems" if found.problems else "\nnothing that is required is broken"
    yield from (f"  {problem}" for problem in found.problems)


def _machine(found: Examination) -> Iterator[str]:
    machine, code = found.machine, found.code
    dirty = {True: ", with uncommitted changes", False: "", None: ""}[code.dirty]
    yield "machine"
    yield f"  {machine.host}, {machine.system}"
    yield f"  {machine.cores} cores, {machine.processor}"
    yield f"  memory {_gib(machine.memory_gib)}, {_gib(machine.memory_free_gib)} of it free"
    yield f"  allocator: {machine.allocator}{_SLOW.get(machine.allocator, '')}"
    yield f"  Python {found.python.version}, {found.python.executable}"
    yield f"  code {code.revision[:12]}, commit {(code.commit or 'unknown')[:12]}{dirty}"


def _packages(found: Examination) -> Iterator[str]:
    yield "\nbase"
    yield f"  {_versions(found.packages)}"
    yield "\nextras"
    for extra in found.extras:
        yield f"  {_mark(extra.installed)} {extra.name}: {extra.enables}"
        yield f"      {_versions(extra.packages)}"
        for name, pinned in extra.differs.items():
            yield f"      {name} {pinned} is the version that is tested"
        if not extra.installed:
            yield f"      {extra.install}"


def _devices(devices: SurveyedDevices) -> Iterator[str]:
    gpu = devices.gpu
    yield "\ndevices"
    yield f"  CPU: bf16 {'native' if devices.cpu_bf16 else 'not native'}"
    if gpu is None:
        yield f"  GPU: none ({devices.no_gpu})"
    else:
        memory = f"{_gib(gpu.memory_gib)}, {_gib(gpu.memory_free_gib)} free"
        yield f"  GPU: {gpu.name}, {gpu.runtime}, {memory}"


def _encoders(encoders: Sequence[ExaminedEncoder], hub: Sequence[HubEncoder]) -> Iterator[str]:
    yield "\nencoders"
    for encoder in encoders:
        yield f"  {_mark(encoder.intact)} {encoder.name}: {encoder.enables}"
        yield f"      sha256 {encoder.sha256[:12]}, from {encoder.source}"
        if encoder.fault:
            yield f"      broken: {encoder.fault}"
        if not encoder.present:
            yield f"      {encoder.get}"
    for other in hub:
        yield f"  {_mark(True)} {other.name}, from the model hub"
        yield f'      sha256 = "{other.sha256}"'


def _data(data: ExaminedData) -> Iterator[str]:
    absent = "" if data.exists else " (absent; --data-dir names another)"
    yield f"\ndata: {data.folder}{absent}"
    yield f"  {_mark(data.ellipse)} ELLIPSE: preset:ellipse/study, configs/ellipse_*.toml"
    yield f"  {_mark(True)} synthetic: configs/synthetic_*.toml, made here"
    if data.tables:
        yield f"  other tables: {', '.join(data.tables)}"
    if data.prepared:
        yield f"  prepared: {', '.join(data.prepared)}"


def _folders(folders: Sequence[SurveyedFolder]) -> Iterator[str]:
    yield "\nfolders"
    for folder in folders:
        state = "" if folder.exists else ", not there yet"
        yield (
            f"  {_mark(folder.writeable)} {folder.what}: {folder.path}{state}, "
            f"{_gib(folder.free_gib)} free"
        )


def _versions(packages: Versions) -> str:
    return ", ".join(f"{name} {version or '(missing)'}" for name, version in packages.items())


def _mark(present: bool) -> str:
    return "[x]" if present else "[ ]"


def _gib(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:.1f} GiB"
