"""Essay scoring that must hold up on writing prompts it has never seen.

The names of `__all__` are the Python API; each is imported when it is first asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from essay_scoring.api.comparing import ScoreComparison, ScoreVerdict, compare
    from essay_scoring.api.loading import LoadedRun, LoadedStudy, load_run, load_study
    from essay_scoring.api.studying import run_study
    from essay_scoring.api.synthetic_table import synthetic_essays
    from essay_scoring.core.errors import EssayScoringError
    from essay_scoring.scoring.estimator import EssayScorer
    from essay_scoring.scoring.regressor import EssayScoreRegressor

__version__ = "0.1.0"

__all__ = [
    "EssayScoreRegressor",
    "EssayScorer",
    "EssayScoringError",
    "LoadedRun",
    "LoadedStudy",
    "ScoreComparison",
    "ScoreVerdict",
    "compare",
    "load_run",
    "load_study",
    "run_study",
    "synthetic_essays",
]

_MODULES = {
    "api.comparing": ("ScoreComparison", "ScoreVerdict", "compare"),
    "api.loading": ("LoadedRun", "LoadedStudy", "load_run", "load_study"),
    "api.studying": ("run_study",),
    "api.synthetic_table": ("synthetic_essays",),
    "core.errors": ("EssayScoringError",),
    "scoring.estimator": ("EssayScorer",),
    "scoring.regressor": ("EssayScoreRegressor",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Return a name of the API, imported when it is first asked for: the package stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
