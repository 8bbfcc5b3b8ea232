"""The one way in which training stops on a number that is not finite: saying where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from essay_scoring.core.errors import NotFiniteError
from essay_scoring.features.precision import Arithmetic

_NAMED_PROMPTS = 3


@dataclass(frozen=True)
class Place:
    """Where a number was computed: the job, what it was doing, and in which numbers.

    `epoch` and `step` count from 1; they are None outside training.
    """

    job: str
    doing: str
    arithmetic: Arithmetic
    epoch: int | None = None
    step: int | None = None

    def stop(self, what: str, prompts: Sequence[str], tokens: Sequence[int]) -> NotFiniteError:
        """Return the error to raise; `prompts` and `tokens` are those of the essays concerned."""
        counted = (("epoch", self.epoch), ("step", self.step))
        at = [f"{name} {number}" for name, number in counted if number is not None]
        where = [self.job, self.doing, *at, _named(prompts), f"up to {max(tokens)} tokens"]
        return NotFiniteError(
            f"{what} not finite in {self.arithmetic.precision}",
            where=", ".join(where),
            mend=self._mend(),
        )

    def _mend(self) -> str:
        if self.arithmetic.precision == "fp32":
            return "check the weights and the scores, or lower scorer.learning_rate"
        return "run with scorer.mixed_precision=none, or lower scorer.learning_rate"


def _named(prompts: Sequence[str]) -> str:
    """Return the first few prompts by name and how many more there are."""
    names = sorted(set(prompts))
    more = len(names) - _NAMED_PROMPTS
    listed = ", ".join(repr(name) for name in names[:_NAMED_PROMPTS])
    return f"prompt {listed}" + (f" and {more} more" if more > 0 else "")
