"""Gate plans that come with the package, by name."""

from __future__ import annotations

from pathlib import Path

from essay_scoring.core.errors import ArgumentError
from essay_scoring.judging.plans import GatePlan, load_plan

_PLANS = ("prompt_holdout_interval", "prompt_holdout_primary", "stratified_stability")


def preset_names() -> list[str]:
    """Return the names of the plans that come with the package."""
    return list(_PLANS)


def plan_of(plan: GatePlan | str | Path) -> GatePlan:
    """Return a gate plan, or that of a TOML file or a preset; ArgumentError for neither."""
    if isinstance(plan, GatePlan):
        return plan
    if str(plan) in _PLANS:
        return load_plan(Path(f"preset:gates/{plan}"))
    if not Path(plan).is_file():
        raise ArgumentError(
            f"{str(plan)!r} is neither a file nor a preset",
            where="plan",
            mend=f"name a TOML file, or one of {', '.join(_PLANS)}",
        )
    return load_plan(Path(plan))
