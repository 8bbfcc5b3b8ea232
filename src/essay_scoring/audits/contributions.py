"""What each column adds to each prediction: Shapley values, exact for each family of scorers.

Of trees by TreeSHAP (Lundberg et al. 2020, algorithm 2), which both libraries carry; of a linear
model, with columns taken as independent, coefficient times deviation from the training mean
(Lundberg and Lee 2017, corollary 1). Everything is on the training scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from essay_scoring.core.contracts import Matrix, Scorer
from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.scale import FloatArray
from essay_scoring.models.boosted_catboost import CatBoostScorer
from essay_scoring.models.boosted_xgboost import XGBoostScorer
from essay_scoring.models.ensemble import EnsembleScorer
from essay_scoring.models.family import fitted
from essay_scoring.models.ridge import RidgeScorer

EXPLAINABLE = ("ridge", "xgboost", "catboost")


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

    Raises InputError for a scorer that reads no columns or predicts classes.
    """
    if isinstance(scorer, EnsembleScorer):
        return _mean([contributions_of(member, essays) for member in scorer.members])
    if isinstance(scorer, RidgeScorer):
        return _linear(scorer, essays)
    if not isinstance(scorer, XGBoostScorer | CatBoostScorer):
        raise InputError(
            "only scorers on feature columns have contributions by column",
            mend=f"explain a run of one of {', '.join(EXPLAINABLE)}",
        )
    if scorer.mode.n_classes:
        raise InputError(
            f"mode {scorer.settings.mode!r} predicts classes, whose contributions add up to "
            "log-odds and not to a score",
            mend="explain a run of mode 'regression'",
        )
    values = scorer.columns.matrix(essays)
    if isinstance(scorer, XGBoostScorer):
        both = _of_xgboost(scorer, values)
    else:
        both = _of_catboost(scorer, values)
    return Contributions(scorer.columns.names, values, both[:, :-1], both[:, -1])


def _of_xgboost(scorer: XGBoostScorer, values: Matrix) -> FloatArray:
    """Return contributions and, in the last column, the base value, shape (n, p + 1)."""
    import xgboost

    threads = scorer.context.threads
    # The booster holds the trees up to the best round alone, so that all of it is explained.
    found = fitted(scorer.booster).predict(
        xgboost.DMatrix(values, nthread=threads), pred_contribs=True
    )
    return np.asarray(found, dtype=np.float64)


def _of_catboost(scorer: CatBoostScorer, values: Matrix) -> FloatArray:
    """Return contributions and, in the last column, the base value, shape (n, p + 1)."""
    import catboost

    found = fitted(scorer.booster).get_feature_importance(
        catboost.Pool(values), type="ShapValues", thread_count=scorer.context.threads
    )
    return np.asarray(found, dtype=np.float64)


def _linear(scorer: RidgeScorer, essays: Essays) -> Contributions:
    """Return a linear model's contributions; an undefined value stands at the mean and adds 0."""
    model, values = fitted(scorer.model), scorer.columns.matrix(essays)
    phi = model.standardiser.apply(values) * model.coefficients
    return Contributions(scorer.columns.names, values, phi, np.full(len(phi), model.intercept))


def _mean(parts: list[Contributions]) -> Contributions:
    """Return the mean of contributions to the predictions of the same essays."""
    phi = np.mean([part.phi for part in parts], axis=0)
    base = np.mean([part.base for part in parts], axis=0)
    return Contributions(parts[0].names, parts[0].values, phi, base)
