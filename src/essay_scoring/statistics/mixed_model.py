"""A linear mixed model of absolute error on arm, with prompts and essays as random effects."""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from essay_scoring.core.errors import MissingExtraError
from essay_scoring.core.record import Record
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.statistics.agreement import common_values, unit
from essay_scoring.statistics.alignment import Arm, aligned_arms
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.student import half_interval, two_sided_p


class Variances(Record):
    """The variance components of a mixed model of absolute error."""

    prompt: float = Field(description="between prompts")
    prompt_by_arm: float = Field(description="of the arm's effect, between prompts")
    essay: float = Field(description="between essays of a prompt")
    residual: float = Field(description="the rest")


class ArmEffect(Record):
    """By how much more the candidate errs; null, with a reason, where the model was not fitted."""

    effect: float | None = Field(description="more absolute error, in `unit`; below zero: less")
    low: float | None = Field(description="lower end of its 95% interval")
    high: float | None = Field(description="upper end")
    p: float | None = Field(description="two-sided")
    variances: Variances | None = Field(description="its components, `unit` squared")
    n: int = Field(description="essays")
    n_prompts: int = Field(description="prompts")
    unit: str = Field(description="what errors are measured in")
    converged: bool = Field(description="whether the model was fitted")
    reason: str | None = Field(description="why it was not")


class _Intercept(NamedTuple):
    """A fitted mean with its standard error, and the variances between and within prompts."""

    mean: float
    error: float
    between: float
    within: float


def arm_effect(reference: Arm, candidate: Arm) -> ArmEffect:
    """Return the effect of the arm on |predicted - true|, both arms on the same essays.

    |error| of essay e of prompt p under arm a is m + effect * x_a + u_p + b_p * x_a + w_e + rest,
    x = -1/2 and 1/2, with random effects of prompt (u), of prompt by arm (b) and of essay (w), a
    mixed model as of Laird and Ware (1982) fitted by REML. Every essay is there once under each
    arm, so its difference and its mean over the arms are independent and the likelihood is the
    product of theirs: the difference has no w_e and no u_p in it, the mean no effect and no b_p.
    Two fits with a random intercept per prompt are therefore the whole model, without matrices of
    essays by essays. The interval is Student's with prompts - 1 degrees of freedom, for the effect
    is one on prompts at large. Errors of several seeds are averaged for each essay. Data that admit
    no fit do not raise: see `converged`. Raises EvidenceError for runs of other essays,
    MissingExtraError without statsmodels.
    """
    arms = aligned_arms(reference, candidate)
    first, second = (np.mean([_absolute_errors(run) for run in arm], axis=0) for arm in arms)
    run = arms[0][0]
    prompts, of_prompt = run.numbered_prompts()
    fits = [_random_intercept(v, of_prompt) for v in (second - first, (first + second) / 2)]
    problems = [fit for fit in fits if isinstance(fit, str)]
    numbers: dict[str, Any] = dict.fromkeys(("effect", "low", "high", "p", "variances"))
    if not problems:
        change, level = (fit for fit in fits if isinstance(fit, _Intercept))
        reach = half_interval(change.error, len(prompts) - 1)
        numbers = {
            "effect": change.mean,
            "low": change.mean - reach,
            "high": change.mean + reach,
            "p": two_sided_p(change.mean / change.error, len(prompts) - 1),
            "variances": Variances(
                prompt=level.between,
                prompt_by_arm=change.between,
                essay=max(level.within - change.within / 4, 0.0),
                residual=change.within / 2,
            ),
        }
    return ArmEffect(
        **numbers,
        n=len(run),
        n_prompts=len(prompts),
        unit=unit(run),
        converged=not problems,
        reason=problems[0] if problems else None,
    )


def _absolute_errors(run: Predictions) -> FloatArray:
    """Return |final - true| of each essay, shape (n,), in the unit of `unit`."""
    true, final, _ = common_values(run)
    return np.abs(final - true)


def _random_intercept(values: FloatArray, of_prompt: IntArray) -> _Intercept | str:
    """Return the REML fit of values (n,) with a random intercept per prompt, or why there is none.

    Values are fitted in units of their standard deviation, in which tolerances mean the same for
    every corpus. Where no variance between prompts is the most likely one, the model is a plain
    mean, which an optimiser that looks for a gradient of zero never reaches. The error of the mean
    is that of generalised least squares under the fitted variances.
    """
    sizes = np.bincount(of_prompt)
    if len(sizes) < 2 or len(values) <= len(sizes):
        return "it takes two prompts and more essays than prompts"
    spread = float(values.std())
    if spread < 1e-9:
        return "the arms differ by the same amount on every essay"
    values = values / spread
    if _most_likely_without_prompts(values, of_prompt):
        found = (float(values.mean()), 0.0, float(values.var(ddof=1)))
    else:
        fitted = _reml(values, of_prompt)
        if isinstance(fitted, str):
            return fitted
        found = fitted
    mean, between, within = found
    error = 1 / math.sqrt(float((sizes / (within + sizes * between)).sum()))
    return _Intercept(mean * spread, error * spread, between * spread**2, within * spread**2)


def _most_likely_without_prompts(values: FloatArray, of_prompt: IntArray) -> bool:
    """Return whether the restricted likelihood of a random intercept falls from variance zero on.

    Its slope there has the sign of sum over prompts of (sum of residuals)^2 less
    s^2 * (n - sum over prompts of n_p^2 / n), what chance alone makes of it.
    """
    n, sizes = len(values), np.bincount(of_prompt)
    sums = np.bincount(of_prompt, weights=values - values.mean())
    by_chance = float(values.var(ddof=1)) * (n - float((sizes**2).sum()) / n)
    return float((sums**2).sum()) <= by_chance


def _reml(values: FloatArray, of_prompt: IntArray) -> tuple[float, float, float] | str:
    """Return mean and the variances between and within prompts by statsmodels, or what failed.

    It starts from the moments: from its own start it often fails on such data, or says that it has
    converged far from the optimum.
    """
    sizes = np.bincount(of_prompt)
    means = np.bincount(of_prompt, weights=values) / sizes
    within = float(((values - means[of_prompt]) ** 2).sum()) / (len(values) - len(sizes))
    if within < 1e-9:
        return "essays of one prompt do not differ"
    between = max(float(means.var(ddof=1)) - within * float((1 / sizes).mean()), 0.001 * within)
    with warnings.catch_warnings():
        try:
            from statsmodels.regression.mixed_linear_model import MixedLM, MixedLMParams
        except ImportError:
            raise MissingExtraError("statsmodels", "statistics") from None
        # What fails is read off the fit. The import asks to show such warnings, so it comes first.
        warnings.simplefilter("ignore")
        start = MixedLMParams.from_components(
            fe_params=np.array([means.mean()]), cov_re=np.array([[between / within]])
        )
        model = MixedLM(values, np.ones((len(values), 1)), groups=of_prompt)
        try:
            fit = model.fit(start_params=start, gtol=1e-8)
        except np.linalg.LinAlgError:
            return "statsmodels met a singular matrix"
        found = (float(fit.fe_params[0]), float(fit.cov_re[0, 0]), float(fit.scale))
    if not fit.converged or not np.isfinite(found).all():
        return "statsmodels' optimiser did not converge"
    return found
