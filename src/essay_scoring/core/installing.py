"""How an optional part of the program is installed from where it runs."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

NAME = "essay-scoring"
_CHECKOUT = Path(__file__).resolve().parents[3]


def install_line(*extras: str) -> str:
    """Return the command that installs extras into the environment that this runs in.

    `pip` alone where that is this environment's own; by path where it is not, or is not found. A
    checkout that was never installed is named by its folder: no index need know its name.
    """
    pip = shutil.which("pip")
    is_ours = pip is not None and Path(pip).parent == Path(sys.executable).parent
    program = "pip" if is_ours else f"{shlex.quote(sys.executable)} -m pip"
    return f"{program} install {_required(extras)}"


def _required(extras: Sequence[str]) -> str:
    """Return what is to be installed: this program, as it is installed, or its checkout."""
    named = ",".join(extras)
    if not {*extras} <= {*_provided()} and (_CHECKOUT / "pyproject.toml").is_file():
        return f"-e '{_CHECKOUT}[{named}]'"
    return f"'{NAME}[{named}]'"


def _provided() -> list[str]:
    """Return the extras that the installed program knows; none where it is not installed.

    What a build left beside the sources of a checkout is no installation.
    """
    from importlib import metadata

    sources = _CHECKOUT / "src"
    found = metadata.distributions(name=NAME)
    installed = (one for one in found if Path(str(one.locate_file(""))).resolve() != sources)
    program = next(installed, None)
    return [] if program is None else program.metadata.get_all("Provides-Extra") or []
