"""The population that power is simulated in, fitted to the predictions of a reference run.

True labels: each prompt has its own distribution, drawn from a Dirichlet prior whose strength is
estimated from all prompts (empirical Bayes), so that prompts differ as much as they truly do and
not as much as their few essays make them seem to.

Predictions: given its true label, a prediction follows the reference's own confusion table, all
prompts together. That keeps the mapping's effects, the pull towards the middle and every tail. Rows
of few essays lean on a regression line with normal errors. A latent standard normal error picks the
label; each prompt shifts it (generosity) and stretches it (accuracy) by random effects whose
variances come from an analysis of variance of the reference's errors. The cuts allow for both, so
that over many prompts the confusion table comes out again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray, ScoreScale
from essay_scoring.statistics.agreement import step_errors
from essay_scoring.statistics.metrics import confusion
from essay_scoring.statistics.predictions import Predictions

PSEUDO_ESSAYS = 5.0
"""How many essays' worth the regression line counts in each row of the confusion table."""

LEAST_SPREAD = 0.3
"""The least standard deviation, in steps, of the errors about that line."""

STRONGEST_PRIOR = 1e4
"""Prompts that vary no more than chance have no finite estimate; this is as good as none."""

MAX_CORRELATION = 0.99

_REACH = np.linspace(-12, 12, 4801)


@dataclass(frozen=True, eq=False)
class ScaleModel:
    """One scale's part of a population, K labels, D observed prompts.

    `labels` (D, K) counts true labels, `prior` (K,) is the Dirichlet prior of their shares. `table`
    (K, K) holds the shares of predicted labels by true label, and `cuts` (K, K - 1) the latent
    errors above which a prediction lies past each label.
    """

    labels: IntArray
    prior: FloatArray
    table: FloatArray
    cuts: FloatArray


@dataclass(frozen=True, eq=False)
class Population:
    """What is fitted: a model for each scale, and the standard deviations of prompt effects.

    `shift` is in units of the latent error within a prompt, `accuracy` that of the logarithm of
    its spread.
    """

    models: dict[ScoreScale, ScaleModel]
    shift: float
    accuracy: float


def fit_population(reference: Predictions) -> Population:
    """Return the population that a reference's predictions show."""
    prompt_of = reference.numbered_prompts()[1]
    errors = standardised_errors(reference)
    within, between = components(errors, errors, prompt_of)
    shift = float(np.sqrt(max(between, 0.0) / within)) if within > 0 else 0.0
    accuracy = _accuracy(errors, prompt_of)
    models = {}
    for scale, at in reference.scales.for_prompts(reference.prompts).items():
        true, final = scale.index(reference.true[at]), scale.index(reference.final[at])
        table = _confusion_table(true, final, scale.n_labels)
        _, own = np.unique(prompt_of[at], return_inverse=True)
        labels = np.zeros((own.max() + 1, scale.n_labels), dtype=np.int64)
        np.add.at(labels, (own, true), 1)
        models[scale] = ScaleModel(labels, _prior(labels), table, _cuts(table, shift, accuracy))
    return Population(models, shift, accuracy)


def latent_correlation(population: Population, one: Predictions, other: Predictions) -> float:
    """Return the correlation of two scorers' latent errors on an essay, from 0 to MAX_CORRELATION.

    The runs are aligned. It is the one under which the population's scorers have errors in steps,
    given true label and prompt, that correlate as those of the two runs do: rounding to labels
    hides part of what two scorers share.
    """
    from scipy.optimize import brentq

    prompt_of = one.numbered_prompts()[1]
    errors = [standardised_errors(run) for run in (one, other)]
    both, *own = (
        components(a, b, prompt_of)[0]
        for a, b in ((errors[0], errors[1]), (errors[0], errors[0]), (errors[1], errors[1]))
    )
    if min(own) <= 0 or both <= 0:
        return 0.0
    found = both / float(np.sqrt(own[0] * own[1]))
    if found >= label_correlation(population, MAX_CORRELATION):
        return MAX_CORRELATION
    return float(brentq(lambda r: label_correlation(population, r) - found, 0.0, MAX_CORRELATION))


def label_correlation(population: Population, correlation: float) -> float:
    """Return how errors in steps correlate, given true labels, under a latent correlation.

    Given what they share the scorers are independent, so their covariance is the variance of the
    label expected then.
    """
    from scipy.special import ndtr

    shared = np.linspace(-6, 6, 601)
    weight = np.exp(-(shared**2) / 2)
    weight /= weight.sum()
    parts = []
    for model in population.models.values():
        own = np.sqrt(1 - correlation)
        at = (np.sqrt(correlation) * shared[:, None, None] - model.cuts) / own
        common = _variance(ndtr(at).sum(axis=-1), weight[:, None])
        shares = np.diff(ndtr(model.cuts), prepend=0.0, append=1.0)
        total = _variance(np.arange(shares.shape[1])[:, None], shares.T)
        n = model.labels.sum(axis=0)
        parts.append((n.sum(), (n * common).sum() / (n * total).sum()))
    sizes, found = np.array(parts).T
    return float(sizes @ found / sizes.sum())


def standardised_errors(run: Predictions) -> FloatArray:
    """Return errors in steps less the mean of their true label, (n,), of one variance a scale."""
    errors = step_errors(run).astype(np.float64)
    for scale, at in run.scales.for_prompts(run.prompts).items():
        label = scale.index(run.true[at])
        n = np.maximum(np.bincount(label), 1)
        errors[at] -= (np.bincount(label, errors[at]) / n)[label]
        spread = errors[at].std()
        errors[at] /= spread if spread > 0 else 1.0
    return errors


def components(one: FloatArray, other: FloatArray, prompt_of: IntArray) -> tuple[float, float]:
    """Return the covariance within and between prompts of two columns (n,).

    Analysis of variance with unequal sizes (Searle, Casella and McCulloch 1992, chapter 3); the
    one between may come out below zero. Zero where there is nothing to estimate it from.
    """
    sizes = np.bincount(prompt_of)
    n, prompts = len(one), len(sizes)
    means = [np.bincount(prompt_of, column) / sizes for column in (one, other)]
    rest = [column - mean[prompt_of] for column, mean in zip((one, other), means, strict=True)]
    within = float(rest[0] @ rest[1] / (n - prompts)) if n > prompts else 0.0
    if prompts < 2:
        return within, 0.0
    off = [mean - column.mean() for column, mean in zip((one, other), means, strict=True)]
    between = float((sizes * off[0] * off[1]).sum() / (prompts - 1))
    size = (n - (sizes**2).sum() / n) / (prompts - 1)
    return within, float((between - within) / size)


def _accuracy(errors: FloatArray, prompt_of: IntArray) -> float:
    """Return the standard deviation between prompts of the log of the errors' spread.

    Squared errors within prompts have a mean that varies by prompt; of a log-normal spread their
    squared coefficient of variation is exp(4 sd^2) - 1.
    """
    sizes = np.bincount(prompt_of)
    rest = errors - (np.bincount(prompt_of, errors) / sizes)[prompt_of]
    kept = sizes[prompt_of] > 1
    if not kept.any() or not rest.any():
        return 0.0
    of_kept = np.unique(prompt_of[kept], return_inverse=True)[1]
    n = np.bincount(of_kept)[of_kept]
    squares = rest[kept] ** 2 * n / (n - 1)
    _, between = components(squares, squares, of_kept)
    return float(np.sqrt(np.log1p(max(between, 0.0) / squares.mean() ** 2) / 4))


def _prior(labels: IntArray) -> FloatArray:
    """Return the Dirichlet prior, (K,), of maximal likelihood: mean times strength."""
    from scipy.optimize import minimize_scalar
    from scipy.special import gammaln

    k, n = labels.shape[1], labels.sum(axis=1)
    mean = (labels.sum(axis=0) + 1 / k) / (n.sum() + 1)

    def loss(log_strength: float) -> float:
        strength = np.exp(log_strength)
        prompts = gammaln(strength) - gammaln(strength + n)
        shares = gammaln(labels + strength * mean) - gammaln(strength * mean)
        return -float(prompts.sum() + shares.sum())

    best = minimize_scalar(loss, bounds=(0, np.log(STRONGEST_PRIOR)), method="bounded")
    return np.asarray(np.exp(best.x) * mean)


def _confusion_table(true: IntArray, final: IntArray, k: int) -> FloatArray:
    """Return the shares of predicted labels by true label, (K, K), no row and no cell empty."""
    from scipy.special import ndtr

    spread = float(true.var())
    slope = float(((true - true.mean()) * final).mean() / spread) if spread > 0 else 0.0
    line = final.mean() + slope * (np.arange(k) - true.mean())
    off = max(LEAST_SPREAD, float((final - line[true]).std()))
    past = ndtr((np.arange(k - 1) + 0.5 - line[:, None]) / off)
    smooth = np.diff(past, prepend=0.0, append=1.0, axis=1)
    counts = confusion(true, final, k) + PSEUDO_ESSAYS * smooth
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def _cuts(table: FloatArray, shift: float, accuracy: float) -> FloatArray:
    """Return the cuts under which errors with random prompt effects give the table on average."""
    from scipy.special import ndtr

    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    spread = np.sqrt(np.exp(2 * accuracy * nodes) + shift**2)
    below = ndtr(_REACH[:, None] / spread) @ (weights / weights.sum())
    return np.interp(np.cumsum(table, axis=1)[:, :-1], below, _REACH)


def _variance(values: FloatArray | IntArray, weights: FloatArray) -> FloatArray:
    """Return the variance over the first axis of values under weights that sum to one."""
    mean = (weights * values).sum(axis=0)
    return np.asarray((weights * (values - mean) ** 2).sum(axis=0))
