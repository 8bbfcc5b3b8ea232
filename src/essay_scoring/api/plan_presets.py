"""Gate plans that come with the package, by name."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from essay_scoring.core.errors import ArgumentError
from essay_scoring.judging.plans import GatePlan, load_plan

_FOLDER = files("essay_scoring.api").joinpath("presets")


def preset_names() -> list[str]:
    """Return the names of the plans that come with the package."""
    names = (Path(entry.name) for entry in _FOLDER.iterdir())
    return sorted(name.stem for name in names if name.suffix == ".toml")


def plan_of(plan: GatePlan | str | Path) -> GatePlan:
    """Return a gate plan, or that of a TOML file or a preset; ArgumentError for neither."""
    if isinstance(plan, GatePlan):
        return plan
    if str(plan) in preset_names():
        with as_file(_FOLDER.joinpath(f"{plan}.toml")) as path:
            return load_plan(path)
    if not Path(plan).is_file():
        raise ArgumentError(
            f"{str(plan)!r} is neither a file nor a preset",
            where="plan",
            mend=f"name a TOML file, or one of {', '.join(preset_names())}",
        )
    return load_plan(Path(plan))
