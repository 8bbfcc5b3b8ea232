"""The scripts that a launch sends to a host, whole: what a dry run prints is what is sent."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from essay_scoring.launch.checks import (
    ON_A_NODE,
    Place,
    PreflightCheck,
    asked_of,
    in_groups,
    names_at,
)
from essay_scoring.launch.invocation import (
    LAUNCHES,
    MODULE,
    array,
    entry,
    folders,
    paths_of,
    python,
    variable,
)
from essay_scoring.launch.profile import Profile, SlurmSettings
from essay_scoring.launch.study_order import SentGraph
from essay_scoring.records import provenance
from essay_scoring.records.config import RunConfig, config_values

SCREEN = "/usr/bin/screen"

_HERE = Path(__file__).parent
_TOOLS = ("awk", "base64", "df", "flock", "gzip", "paste", "sed", "timeout")
_BACKEND_TOOLS = {
    "local": ("setsid",),
    "ssh-screen": (SCREEN,),
    "slurm": ("sbatch", "scancel", "scontrol", "sinfo", "squeue"),
}
_STARTERS = {"local": "local", "ssh-screen": "screen", "slurm": "slurm"}
_GRACE_MINUTES = 2
"""How much longer the scheduler's limit is than the driver's own, which says why it stopped."""


@dataclass(frozen=True)
class Order:
    """What is to be launched where: `array` cuts the run into parts, one job of an array each.

    With `graph` it is that study or search, and `config` the first that is fitted.
    """

    profile: Profile
    config: RunConfig
    array: bool = False
    graph: SentGraph | None = None

    @property
    def configs(self) -> list[RunConfig]:
        """The configs of all that will be fitted."""
        return [self.config] if self.graph is None else self.graph.configs

    @property
    def command(self) -> list[str]:
        """The command of the whole run, study or search, up to its config."""
        if self.graph is not None:
            return [self.graph.command]
        if not _fine_tunes(self.config) or self.array:
            return ["cv"]
        needs_gpu = self.profile.machine.gpu != "none"
        return ["transformer-finetune", *(["--require-gpu"] if needs_gpu else [])]

    def canary(self, config: RunConfig) -> list[str] | None:
        """Return the command of one training step; None where the checks fit a few essays."""
        if not _fine_tunes(config):
            return None
        gpu = ["--require-gpu"] if self.profile.machine.gpu != "none" else []
        return ["transformer-finetune", "--canary", *gpu, *folders(self.profile)]

    def flags(self) -> dict[str, list[str]]:
        """Return every flag that each command of the program will be given on the host."""
        given = {self.command[0]: [*self.command[1:], *folders(self.profile)]}
        if self.graph is not None:
            given[self.command[0]] += ["--step", "--part", "--exit-zero", *self.graph.words]
        elif self.array:
            given["cv"].append("--part")
        for canary in filter(None, map(self.canary, self.configs)):
            given.setdefault(canary[0], []).extend(canary[1:])
        return {
            command: sorted({word for word in words if word.startswith("--")})
            for command, words in given.items()
        }


def _fine_tunes(config: RunConfig) -> bool:
    return config.scorer.family == "transformer"


def preflight_script(order: Order, checks: Sequence[PreflightCheck]) -> str:
    """Return the script of a preflight: `checks` are those that the profile asks for."""
    profile, wanted = order.profile, list(checks)
    container = profile.container
    on_node = profile.backend == "slurm"
    tools = [*_TOOLS, *_BACKEND_TOOLS[profile.backend], *([container.engine] if container else [])]
    lines = [
        *_common(profile),
        variable("cache", profile.cache),
        variable("disk_kib", str(math.ceil(profile.machine.free_disk_gib * 2**20))),
        variable("engine", container.engine if container else ""),
        variable("container", container.name if container else ""),
        variable("partition", (profile.slurm.partition if profile.slurm else None) or ""),
        array("tools", tools),
        array("sbatch", sbatch_options(profile.slurm)),
        array("host_checks", names_at(wanted, "host")),
        array("run_checks", names_at(wanted, "run")),
    ]
    places: tuple[Place, ...] = ("program",) if on_node else ("program", "compute")
    groups = in_groups(names_at(wanted, *places))
    return _script(lines, _program_checks(order, groups), "host.sh", "preflight.sh")


def submit_script(order: Order, checks: Sequence[PreflightCheck]) -> str:
    """Return the script that starts a run; it takes run folder, receipts and parts as arguments."""
    profile = order.profile
    program = [*python(profile), "-m", MODULE]
    seconds = math.ceil(profile.time_limit_minutes * 60)
    lines = [
        *_common(profile),
        variable("starter", "graph" if order.graph else _STARTERS[profile.backend]),
        variable("study", order.graph.path if order.graph else ""),
        variable("inside_runs", paths_of(profile).runs_from(paths_of(profile).inside)),
        variable("limit", str(seconds)),
        variable("minutes", str(math.ceil(seconds / 60) + _GRACE_MINUTES)),
        variable("canary_minutes", str(profile.slurm.canary_minutes if profile.slurm else 0)),
        variable("beat", str(profile.heartbeat_seconds)),
        array("entry", entry(profile)),
        array("sbatch", sbatch_options(profile.slurm)),
        array("program", [*program, *order.command]),
        array("part_program", [*program, "cv"]),
        array("join_program", [*program, "cv"]),
        array("folders", folders(profile)),
        array("changes", order.graph.words if order.graph else []),
        _writer("write_config", json.dumps(config_values(order.config), indent=2)),
        _study_writer(order.graph.texts if order.graph else {}),
        _writer("write_driver", _text("drive.sh")),
        _writer("write_canary", node_script(order, checks)),
    ]
    return _script(lines, "", "host.sh", "submit.sh")


def node_script(order: Order, checks: Sequence[PreflightCheck]) -> str:
    """Return the script of a scheduler's first job, which checks the node it runs on."""
    names = names_at(list(checks), *ON_A_NODE)
    folder = variable("folder", order.profile.folder)
    lines = ["#!/usr/bin/env bash", folder, array("wanted", names)]
    return _script(lines, _program_checks(order, in_groups(names)), "canary.sh")


def host_script(profile: Profile, name: str) -> str:
    """Return one of the scripts that ask or tell a host about a launch: observe.sh, cancel.sh."""
    lines = [*_common(profile), array("entry", entry(profile))]
    return _script(lines, "", "host.sh", name)


def sbatch_options(slurm: SlurmSettings | None) -> list[str]:
    """Return what sbatch is asked for, for every job."""
    if slurm is None:
        return []
    memory = f"{slurm.memory_gib}G" if slurm.memory_gib else None
    asked = {
        "--partition": slurm.partition,
        "--account": slurm.account,
        "--qos": slurm.qos,
        "--gres": slurm.gres,
        "--constraint": slurm.constraint,
        "--cpus-per-task": slurm.cpus,
        "--mem": memory,
    }
    return [*(f"{flag}={value}" for flag, value in asked.items() if value), *slurm.options]


def _request(order: Order) -> str:
    """Return what the checks in the program's interpreter are told, as JSON."""
    profile = order.profile
    request = {
        "runs": profile.runs,
        "cache": profile.cache,
        "data": profile.data,
        "scratch": f"{profile.runs}/{LAUNCHES}",
        "code_revision": provenance.code_revision(),
        "config": config_values(order.config),
        "requires": [required.model_dump() for required in profile.requires],
        "machine": profile.machine.model_dump(),
        "precision": profile.precision,
        "flags": order.flags(),
        "canaries": [[config_values(each), order.canary(each)] for each in order.configs],
        "graph": None if order.graph is None else _graph_request(order.graph),
        "canary_seconds": profile.preflight_minutes * 60,
    }
    return json.dumps(request, sort_keys=True)


def expected_markers(profile: Profile, checks: Sequence[PreflightCheck]) -> list[str]:
    """Return the names of the checks whose markers a preflight must bring back."""
    on_node = names_at(list(checks), *ON_A_NODE) if profile.backend == "slurm" else []
    return [check.name for check in checks if check.name not in on_node]


def checks_of(order: Order) -> list[PreflightCheck]:
    """Return the checks that an order's profile asks for."""
    return asked_of(order.profile)


def _common(profile: Profile) -> list[str]:
    return [
        variable("folder", profile.folder),
        variable("runs", profile.runs),
        variable("launches", LAUNCHES),
        variable("backend", profile.backend),
        variable("screen", SCREEN),
    ]


def _program_checks(order: Order, groups: Sequence[Sequence[str]]) -> str:
    """Return the bash function that pipes the program's checks into its interpreter."""
    given = [f"json.loads({_request(order)!r})", *(repr(list(group)) for group in groups)]
    source = f"{_text('program_checks.py')}\n\nmain({', '.join(given)})"
    start = array("python", [*entry(order.profile), *python(order.profile)])
    return f'{start}\nprogram_checks() {{\n    "${{python[@]}}" - {_here(source)}\n}}'


def _graph_request(sent: SentGraph) -> dict[str, Any]:
    return {
        "kind": sent.kind,
        "workers": sent.workers,
        "path": sent.path,
        "texts": sent.texts,
        "set": list(sent.overrides),
        "sha256": sent.sha256,
    }


def _study_writer(texts: Mapping[str, str]) -> str:
    """Return the bash function that writes the files of a study or search into a folder."""
    lines = ["write_study() {", '    mkdir -p -- "$1" || return 1']
    for path, text in texts.items():
        folder, file = (shlex.quote(f"/{each}") for each in (Path(path).parent.as_posix(), path))
        lines.append(f'    mkdir -p -- "$1"{folder} && cat >"$1"{file} {_here(text)}')
    return "\n".join([*lines, "}"])


def _writer(name: str, text: str) -> str:
    """Return the bash function that writes a text to the path it is given, whole."""
    return f'{name}() {{\n    cat >"$1.new" {_here(text)}\n    mv -f -- "$1.new" "$1"\n}}'


def _here(text: str) -> str:
    """Return a here-document that nothing in it can end or change."""
    lines = text.rstrip("\n").split("\n")
    number = 0
    while (mark := f"END_{number}") in lines:
        number += 1
    return "\n".join([f"<<'{mark}'", *lines, mark])


def _script(lines: Sequence[str], function: str, *names: str) -> str:
    """Return definitions and files as one script, read whole before anything of it runs."""
    parts = ["\n".join(lines), function, *(_text(name) for name in names)]
    # Nothing a script starts may read on in the script itself.
    end = 'main "$@" </dev/null\nexit'
    return "\n".join([*(part.rstrip("\n") for part in parts if part), end, ""])


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
