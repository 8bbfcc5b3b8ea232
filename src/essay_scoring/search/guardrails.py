"""Guardrails: neither tail may get worse than the reference's by more than a tolerance."""

from __future__ import annotations

from dataclasses import dataclass

from essay_scoring.core.errors import InputError
from essay_scoring.search.evaluator import Outcome
from essay_scoring.search.objectives import TAILS
from essay_scoring.search.search_settings import Guardrails

_DIGITS = 12


@dataclass(frozen=True)
class TailGuard:
    """Holds trials to the reference's tails on the same folds; not `enforced` it only measures."""

    reference: Outcome
    tolerance: Guardrails
    enforced: bool = True

    def excess(self, figures: dict[str, float | None]) -> dict[str, float]:
        """Return by how much each tail falls below what is allowed; above 0 breaks the guardrail.

        These are Optuna's constraints: 0 or less is feasible. A tail without essays is left out, or
        raises InputError where the guardrail is enforced.
        """
        out = {}
        for tail in TAILS:
            ours, theirs = figures[tail], self.reference.figures[tail]
            if ours is not None and theirs is not None:
                # A tie with the tolerance must not fail by the last bit of a subtraction.
                out[tail] = round(theirs - ours - getattr(self.tolerance, tail), _DIGITS)
            elif self.enforced:
                raise InputError(
                    f"no essay lies in the {tail.removesuffix('_adjacent').replace('_', ' ')}",
                    where="guardrails",
                    mend="search on essays of both tails, or give --allow-tail-regression",
                )
        return out

    def keeps(self, figures: dict[str, float | None]) -> bool:
        """Tell whether both tails are as good as they must be to be selected."""
        return not self.enforced or not self.breaks(figures)

    def breaks(self, figures: dict[str, float | None]) -> bool:
        """Tell whether a tail is worse than tolerated, enforced or not."""
        return any(value > 0 for value in self.excess(figures).values())


def require_objective(reference: Outcome, part: str) -> None:
    """Raise InputError where the reference itself has no figure to be compared by."""
    if reference.state != "complete":
        raise InputError(
            f"the reference ended as {reference.state} ({reference.reason})",
            where=f"guardrails, {part}",
            mend="lower evaluation.min_prompt_n, or choose another objective or reference",
        )
