"""Settings that ship with the program: named `preset:NAME` wherever a file of settings is named."""

from __future__ import annotations

import difflib
import os.path
from pathlib import Path

from essay_scoring.core.errors import InputError

PRESETS = Path(__file__).resolve().parents[1] / "presets"
_PREFIX = "preset:"


def settings_file(name: str | Path, folder: Path | None = None) -> Path:
    """Return the file of a name: that of a preset, or one relative to `folder`.

    Raises InputError for a preset that there is not.
    """
    if not str(name).startswith(_PREFIX):
        return Path(name) if folder is None else folder / name
    wanted = str(name).removeprefix(_PREFIX).removesuffix(".toml")
    known = preset_names()
    if wanted not in known:
        near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.4) or known
        raise InputError(
            f"there is no preset {wanted!r}",
            where=str(name),
            mend=f"take one of {', '.join(f'{_PREFIX}{other}' for other in near)}",
        )
    return PRESETS / f"{wanted}.toml"


def shown_name(path: Path) -> str:
    """Return how a file of settings is named on a command line from here: a preset by its name."""
    if path.resolve().is_relative_to(PRESETS):
        return _PREFIX + path.resolve().relative_to(PRESETS).with_suffix("").as_posix()
    return Path(os.path.normpath(path)).as_posix()


def preset_names() -> list[str]:
    """Return the names of all presets, in order."""
    return sorted(
        path.relative_to(PRESETS).with_suffix("").as_posix() for path in PRESETS.rglob("*.toml")
    )
