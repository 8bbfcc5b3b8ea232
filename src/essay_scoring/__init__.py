"""Essay scoring that must hold up on writing prompts it has never seen."""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Return EssayScorer, imported when it is first asked for: the package itself stays light."""
    if name == "EssayScorer":
        from importlib import import_module

        return import_module("essay_scoring.scoring.estimator").EssayScorer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
