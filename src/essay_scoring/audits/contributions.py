"""What each column adds to each prediction: Shapley values, exact for each family of scorers.

Each family takes its own predictions apart (`explained_by` of its settings): trees by TreeSHAP
(Lundberg et al. 2020, algorithm 2), which both libraries carry; a linear model, with columns taken
as independent, by coefficient times deviation from the training mean (Lundberg and Lee 2017,
corollary 1). Everything is on the training scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from essay_scoring.core.contracts import Matrix, Scorer
from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.scale import FloatArray
from essay_scoring.models.ensemble import EnsembleScorer
from essay_scoring.models.family import FamilyScorer
from essay_scoring.models.family_settings import FamilySettings


@dataclass(frozen=True, eq=False)
class Contributions:
    """A prediction taken apart: `base` (n,) plus the row sum of `phi` (n, p) on the training scale.

    `names` are the p columns, and `values` (n, p) what they held; NaN means undefined.
    """

    names: tuple[str, ...]
    values: Matrix
    phi: FloatArray
    base: FloatArray

    @property
    def totals(self) -> FloatArray:
        """What the parts add up to, shape (n,)."""
        total: FloatArray = self.base + self.phi.sum(axis=1)
        return total


def contributions_of(scorer: Scorer, essays: Essays) -> Contributions:
    """Return the contributions to a fitted scorer's predictions; of an ensemble, its members' mean.

    Raises InputError for a scorer that cannot be taken apart by column.
    """
    if isinstance(scorer, EnsembleScorer):
        return _mean([contributions_of(member, essays) for member in scorer.members])
    if not isinstance(scorer, FamilyScorer) or scorer.settings.explained_by is None:
        raise InputError(
            "this scorer's predictions cannot be taken apart by column",
            mend=f"explain a run of one of {explained_families()}",
        )
    values = scorer.columns.matrix(essays)
    parts = scorer.contributions(values)
    return Contributions(scorer.columns.names, values, parts[:, :-1], parts[:, -1])


def explained_families() -> str:
    """Return the families whose predictions can be taken apart, by name."""
    kinds = (kind for kind in FamilySettings.__subclasses__() if kind.explained_by)
    return ", ".join(str(kind.model_fields["family"].default) for kind in kinds)


def _mean(parts: list[Contributions]) -> Contributions:
    """Return the mean of contributions to the predictions of the same essays."""
    phi = np.mean([part.phi for part in parts], axis=0)
    base = np.mean([part.base for part in parts], axis=0)
    return Contributions(parts[0].names, parts[0].values, phi, base)
