"""What an arm's residuals follow: regression on covariates with errors clustered by prompt."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
from pydantic import Field

from essay_scoring.core.errors import MissingExtraError
from essay_scoring.core.record import Record
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.statistics.agreement import common_values
from essay_scoring.statistics.metrics import finite_or_none
from essay_scoring.statistics.predictions import Predictions

MIN_KNOWN = 0.5
"""The share of essays for which a covariate must be known, or it would cost the others too many."""


class Effect(Record):
    """A regression coefficient with its 95% interval and p; null where undefined."""

    coefficient: float | None = Field(description="points per standard deviation")
    low: float | None = Field(description="lower end of its 95% interval")
    high: float | None = Field(description="upper end")
    p: float | None = Field(description="two-sided")


class CovariateEffect(Record):
    """What errors follow of one covariate, the others held fixed."""

    covariate: str = Field(description="its name")
    n: int = Field(description="essays that know every covariate used")
    n_prompts: int = Field(description="their prompts")
    residual: Effect | None = Field(description="on predicted minus true; above zero: generous")
    abs_residual: Effect | None = Field(description="on its absolute value")
    left_out: str | None = Field(description="why both are null")


def covariate_effects(
    predictions: Predictions, columns: Mapping[str, FloatArray]
) -> list[CovariateEffect]:
    """Return the effect of each covariate (n,) on residuals and on absolute residuals.

    Both outcomes are regressed by least squares on all covariates (n,) together, each standardised
    over the essays that know all of them. An effect is in points per standard deviation, the
    others held fixed, with errors robust to any dependence within a prompt
    (Liang and Zeger 1986) and Student's t of prompts - 1 degrees of freedom, too narrow still below
    some twenty prompts. It is None where `left_out` says why: hardly known, constant, a
    combination of covariates before it, or too few essays or prompts. A residual is predicted
    minus true: a positive coefficient means more generous scores. Raises MissingExtraError.
    """
    true, final, _ = common_values(predictions)
    residual = final - true
    left_out = {name: "hardly known" for name, values in columns.items() if not _known(values)}
    names = [name for name in columns if name not in left_out]
    rows = np.isfinite(np.array([columns[name] for name in names])).all(axis=0)
    rows = np.broadcast_to(rows, residual.shape)
    design, unusable = _design({name: columns[name][rows] for name in names})
    left_out |= unusable
    names = [name for name in names if name not in left_out]
    prompts, of_prompt = predictions.take(np.flatnonzero(rows)).numbered_prompts()
    n = int(rows.sum())
    if len(prompts) < 2 or n <= len(names) + 1:
        left_out |= dict.fromkeys(names, "too few essays or prompts")
        names = []
    outcomes = {"residual": residual, "abs_residual": np.abs(residual)}
    effects: dict[str, dict[str, Effect]] = {
        name: {}
        if not names
        else dict(zip(names, _clustered(values[rows], design, of_prompt), strict=True))
        for name, values in outcomes.items()
    }
    return [
        CovariateEffect(
            covariate=name,
            n=n,
            n_prompts=len(prompts),
            residual=effects["residual"].get(name),
            abs_residual=effects["abs_residual"].get(name),
            left_out=left_out.get(name),
        )
        for name in columns
    ]


def _known(values: FloatArray) -> bool:
    """Return whether a covariate is known for enough essays."""
    return len(values) > 0 and float(np.isfinite(values).mean()) >= MIN_KNOWN


def _design(columns: Mapping[str, FloatArray]) -> tuple[FloatArray, dict[str, str]]:
    """Return ones and the standardised columns that say something new, and why others do not."""
    n = len(next(iter(columns.values()), ()))
    kept, left_out = [np.ones(n)], {}
    for name, values in columns.items():
        spread = float(values.std(ddof=1)) if n > 1 else 0.0
        if spread <= 1e-9 * max(1.0, float(np.abs(values).max(initial=0))):
            left_out[name] = "constant"
            continue
        standard = (values - values.mean()) / spread
        before = np.column_stack(kept)
        rest = standard - before @ np.linalg.lstsq(before, standard, rcond=None)[0]
        if float(rest @ rest) <= 1e-8 * n:
            left_out[name] = "a combination of covariates before it"
            continue
        kept.append(standard)
    return np.column_stack(kept), left_out


def _clustered(outcome: FloatArray, design: FloatArray, clusters: IntArray) -> list[Effect]:
    """Return the effect of every column of the design but the first."""
    with warnings.catch_warnings():
        try:
            from statsmodels.regression.linear_model import OLS
        except ImportError:
            raise MissingExtraError("statsmodels", "statistics") from None
        warnings.simplefilter("ignore")  # An outcome without spread: its p is None below.
        fit = OLS(outcome, design).fit(
            cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True
        )
        bounds, p_values = fit.conf_int(alpha=0.05), fit.pvalues
    return [
        Effect(
            coefficient=finite_or_none(float(fit.params[place])),
            low=finite_or_none(float(bounds[place, 0])),
            high=finite_or_none(float(bounds[place, 1])),
            p=finite_or_none(float(p_values[place])),
        )
        for place in range(1, design.shape[1])
    ]
