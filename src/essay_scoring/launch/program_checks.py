"""The checks that need Python, run by the host's own interpreter: this file is sent there.

It stands alone: until the host's copy of the package is known to be the one meant, nothing is
imported from it. Every check returns what it found, or raises Refused. Each prints its marker.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

Request = dict[str, Any]

_CANARY_LINE = re.compile(r"^canary ok precision=(\S+) device=(\S+)", re.MULTILINE)
_CANARY_PRECISION = {"none": "fp32", "bf16": "bf16", "fp16": "fp16"}


class Refused(Exception):  # noqa: N818 - a finding, not a fault of the program
    """What a check found wrong, in a few words."""


def check_inputs(request: Request) -> str:
    """Compare every required path with its hash."""
    for required in request["requires"]:
        path = Path(required["path"])
        if not path.exists():
            raise Refused(f"{path} is missing")
        if required["sha256"] and (found := path_sha256(path)) != required["sha256"]:
            raise Refused(f"{path} has sha256 {found}, not {required['sha256']}")
    return f"{len(request['requires'])} path(s)"


def check_code(request: Request) -> str:
    """Compare the sources that can change a number with those of the launching side."""
    from essay_scoring.records import provenance

    found = provenance.code_revision()
    if found != request["code_revision"]:
        raise Refused(
            f"the host runs code revision {found[:12]}, this side {request['code_revision'][:12]}"
        )
    return found


def check_clean(_: Request) -> str:
    """Refuse a checkout with changes, or one that git knows nothing about."""
    from essay_scoring.records import provenance

    state = provenance.git_state()
    if state.commit is None:
        raise Refused("git does not know the code there (not a checkout, or not its owner)")
    if state.dirty is not False:
        raise Refused("the checkout there has uncommitted changes")
    _tell("commit", state.commit)
    return str(state.commit)


def check_command_line(request: Request) -> str:
    """Look for every flag that the host will be given in the help of the command it is given to."""
    for command, flags in request["flags"].items():
        done = _program([command, "--help"], seconds=120)
        if done.returncode != 0:
            raise Refused(f"the program there has no command {command}")
        known = set(re.findall(r"(?<![\w-])--[\w-]+", done.stdout))
        if unknown := [flag for flag in flags if flag not in known]:
            raise Refused(f"{command} there does not know {', '.join(unknown)}")
    return ", ".join(request["flags"])


def check_run(request: Request) -> str:
    """Prepare the data and say which run this is: its folder, its hashes, what is left to do."""
    from essay_scoring.records.manifest import is_complete
    from essay_scoring.runs.parts import missing_parts, parts_of

    if request["graph"] is not None:
        return _graph(request)
    run = _run(request, request["config"])
    folder = run.workspace.runs / run.folder_name
    _tell("run", run.folder_name)
    _tell("data_sha256", run.prepared.data_sha256)
    _tell("splits_sha256", run.splits.sha256)
    _tell("complete", is_complete(folder))
    _tell("parts", [part.name for part in parts_of(run)])
    _tell("missing", missing_parts(run, folder))
    _tell("earlier", {run.folder_name: _receipt(folder)})
    return str(run.folder_name)


def check_image(request: Request) -> str:
    """Compare the marker file of the image with the one that the profile names."""
    machine = request["machine"]
    try:
        found = Path(machine["marker_file"]).read_text("utf-8").strip()
    except OSError:
        raise Refused(f"there is no marker file {machine['marker_file']}") from None
    if found != machine["image_marker"]:
        raise Refused(f"the image is {found}, not {machine['image_marker']}")
    return found


def check_python(request: Request) -> str:
    """Compare Python's version with the prefix asked for."""
    return _of_version("Python", platform.python_version(), request["machine"]["python"])


def check_modules(request: Request) -> str:
    """Import every module asked for."""
    for name in request["machine"]["modules"]:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - whatever an import raises, it failed
            raise Refused(f"{name} cannot be imported ({type(error).__name__})") from None
    return ", ".join(request["machine"]["modules"])


def check_torch(request: Request) -> str:
    """Compare torch's version with the prefix asked for."""
    return _of_version("torch", _torch().__version__, request["machine"]["torch"])


def check_runtime(request: Request) -> str:
    """Compare the version of CUDA or HIP that torch was built for with the prefix asked for."""
    kind = request["machine"]["gpu"]
    found = getattr(_torch().version, kind, None)
    if found is None:
        raise Refused(f"torch there was not built for {kind.upper()}")
    return _of_version(kind.upper(), str(found), request["machine"]["runtime"])


def check_gpu(request: Request) -> str:
    """Refuse a machine without a GPU of the kind asked for that torch can use."""
    torch, kind = _torch(), request["machine"]["gpu"]
    if not torch.cuda.is_available() or getattr(torch.version, kind, None) is None:
        raise Refused(f"torch there sees no GPU through {kind.upper()}")
    return str(torch.cuda.get_device_name(0))


def check_gpu_memory(request: Request) -> str:
    """Compare the free memory of the first GPU with the minimum."""
    try:
        free = _torch().cuda.mem_get_info()[0] / 2**30
    except (RuntimeError, AssertionError):
        raise Refused("torch there cannot tell the free GPU memory") from None
    least = request["machine"]["free_gpu_memory_gib"]
    if free < least:
        raise Refused(f"{free:.1f} GiB of GPU memory are free, not {least:g}")
    return f"{free:.1f} GiB free"


def check_canary(request: Request) -> str:
    """Take one training step of every model, in its precision, where it will be trained."""
    return "; ".join(dict.fromkeys(_canary(request, *each) for each in request["canaries"]))


def _canary(request: Request, config: dict[str, Any], command: list[str] | None) -> str:
    if command is None:
        return _small_fit(request, config)
    path = Path(request["scratch"]) / f".canary-{os.getpid()}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config), "utf-8")
    try:
        done = _program([command[0], str(path), *command[1:]], request["canary_seconds"])
    finally:
        path.unlink()
    found = _CANARY_LINE.search(done.stdout)
    if done.returncode != 0 or found is None:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise Refused(said[-1] if said else f"it ended with code {done.returncode}")
    precision, device = found.groups()
    wanted = _CANARY_PRECISION.get(request["precision"])
    if wanted is not None and precision != wanted:
        raise Refused(f"it computed in {precision}, not {wanted}")
    if request["machine"]["gpu"] != "none" and device == "cpu":
        raise Refused("it computed on the CPU")
    return found[0]


def path_sha256(path: Path) -> str:
    """Return the sha256 (hex) of a file, or of the `sha256sum` lines of a folder's files."""
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    files = sorted(each for each in path.rglob("*") if each.is_file())
    lines = [f"{path_sha256(each)}  {each.relative_to(path).as_posix()}\n" for each in files]
    return hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()


def main(request: Request, *groups: list[str]) -> None:
    """Run groups of checks in order; a group is reached only if all before it held."""
    os.environ["TERM"], os.environ["COLUMNS"] = "dumb", "1000"
    # A worker process would look for the file of the main module, which came from a pipe.
    globals().pop("__file__", None)
    for names in groups:
        results = [_marked(name, request) for name in names]
        if not all(results):
            return


def _marked(name: str, request: Request) -> bool:
    """Run one check and print its marker; whatever it raises, it has failed."""
    check: Callable[[Request], str] = globals()[f"check_{name}"]
    try:
        result, held = f"ok {check(request)}", True
    except Refused as refusal:
        result, held = f"failed: {refusal}", False
    except BaseException as error:  # noqa: BLE001 - unknown is failure
        result, held = f"failed: {_said(error)}", False
    sys.stdout.write(f"CHECK {name} {' '.join(result.split())}\n")
    sys.stdout.flush()
    return held


def _said(error: BaseException) -> str:
    """Return what may be said of an error: an unexpected one's message could quote an essay."""
    line = getattr(error, "line", None)
    if callable(line):
        return str(line())
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {place.filename}:{place.lineno}"


def _tell(name: str, value: object) -> None:
    """Print a fact that the launching side needs."""
    sys.stdout.write(f"FACT {name} {json.dumps(value)}\n")


def _program(arguments: list[str], seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a command of the program with this interpreter."""
    command = [sys.executable, "-m", "essay_scoring.cli.main", *arguments]
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"no answer within {seconds:g} s") from None


def _torch() -> Any:
    try:
        return importlib.import_module("torch")
    except Exception as error:  # noqa: BLE001 - whatever an import raises, it failed
        raise Refused(f"torch cannot be imported ({type(error).__name__})") from None


def _of_version(what: str, found: str, prefix: str) -> str:
    """Return the version if the prefix covers it, part by part: 2.9 covers 2.9.1, not 2.90."""
    parts, wanted = re.split(r"[.+-]", found), prefix.split(".")
    if parts[: len(wanted)] != wanted:
        raise Refused(f"{what} is {found}, not {prefix}")
    return found


def _graph(request: Request) -> str:
    """Read the study or search that was sent, and say which it is and what is left of its steps."""
    sent, space = request["graph"], _workspace(request)
    Path(request["scratch"]).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".study-", dir=request["scratch"]) as folder:
        for name, text in sent["texts"].items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        sha256, steps = _steps(sent, Path(folder) / sent["path"], space)
        if sha256 != sent["sha256"]:
            raise Refused(f"the {sent['kind']} read there is not the one that was sent")
        return _tell_steps(steps, space)


def _steps(sent: dict[str, Any], path: Path, space: Any) -> tuple[str, Any]:
    """Return the hash of what a file asks for, and its steps."""
    from essay_scoring.core.progress import Progress
    from essay_scoring.judging.study_plan import load_study
    from essay_scoring.judging.study_steps import steps_of

    if sent["kind"] == "study":
        study = load_study(path, sent["set"])
        return study.sha256, steps_of(study, space, Progress())
    from essay_scoring.records.search_settings import load_search
    from essay_scoring.search.search_steps import search_steps

    search = load_search(path, sent["set"])
    return search.sha256, search_steps(search, space, sent["workers"])


def _tell_steps(steps: Any, space: Any) -> str:
    """Say which study or search this is, what is left of its steps, and where they work."""
    name, listed = str(steps.folder.name), steps.all()
    folders = {run: space.runs / run for step in listed for run in step.runs}
    folders[f"{steps.folder.parent.name}/{name}"] = steps.folder
    _tell("run", name)
    _tell("folders", " ".join(folders))
    _tell("data_sha256", steps.base.prepared.data_sha256)
    _tell("splits_sha256", steps.base.splits.sha256)
    _tell("complete", steps.is_complete)
    _tell("configs", steps.config_hashes())
    _tell("steps", [step.model_dump() for step in listed])
    _tell("earlier", {run: _receipt(path) for run, path in folders.items()})
    return name


def _receipt(folder: Path) -> Any:
    """Return the receipt that lies in a folder, None where there is none."""
    path = folder / "receipt.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def _run(request: Request, config: dict[str, Any]) -> Any:
    """Return the run of a config, its data prepared."""
    from essay_scoring.core.progress import Progress
    from essay_scoring.core.settings import build_settings
    from essay_scoring.records.config import RunConfig
    from essay_scoring.runs.run import open_run

    return open_run(build_settings(RunConfig, config, "config"), _workspace(request), Progress())


def _workspace(request: Request) -> Any:
    from essay_scoring.data.corpora import data_folder
    from essay_scoring.records.workspace import Workspace

    data = Path(request["data"]) if request["data"] else data_folder()
    return Workspace(Path(request["runs"]), Path(request["cache"]), data)


def _small_fit(request: Request, config: dict[str, Any]) -> str:
    """Fit the scorer on a few essays; its predictions must be finite numbers."""
    from essay_scoring.models.context import Job

    run = _run(request, config)
    fold = run.design.folds[0]
    train, essays = run.prepared.train, run.prepared.train.essays
    fit, dev = (rows[:: len(rows) // 48 + 1] for rows in run.design.training_rows([fold]))
    scorer = run.build(run.config.scorer, Job("canary"))
    scorer.fit(train.take(fit), train.take(dev))
    held_out = run.design.held_out_rows([fold])[:16]
    scorer.predict(essays.take(held_out))
    return f"canary ok, {len(fit)} essays fitted"
