"""Linear models on standardised columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from essay_scoring.core.contracts import Matrix
from essay_scoring.core.scale import FloatArray
from essay_scoring.models.arrays import read_arrays, write_arrays

_CONSTANT = 1e-6
"""A column whose deviation is below this share of its mean is constant: float32 carries about seven
digits, so what is left is rounding, and dividing by it would make one odd essay a giant."""


@dataclass(frozen=True, eq=False)
class Standardiser:
    """Means and deviations of the training rows, each (p,); an undefined value becomes the mean."""

    mean: FloatArray
    deviation: FloatArray

    def apply(self, values: Matrix) -> FloatArray:
        """Return columns as deviations from the training mean, shape (n, p); NaN becomes 0."""
        scaled = (values.astype(np.float64) - self.mean) / self.deviation
        return np.nan_to_num(scaled, nan=0.0)


@dataclass(frozen=True, eq=False)
class LinearModel:
    """intercept + standardised columns times coefficients (p,)."""

    standardiser: Standardiser
    coefficients: FloatArray
    intercept: float

    def predict(self, values: Matrix) -> FloatArray:
        """Return predictions, shape (n,), for columns of shape (n, p)."""
        product: FloatArray = self.standardiser.apply(values) @ self.coefficients
        return product + self.intercept


def linear_contributions(z: FloatArray, coefficients: FloatArray, intercept: float) -> FloatArray:
    """Return a linear model's contributions to n predictions, then its base, shape (n, p + 1).

    `z` (n, p) are standardised columns; an undefined value stands at the mean and adds 0.
    """
    return np.column_stack([z * coefficients, np.full(len(z), intercept)])


def fit_standardiser(values: Matrix) -> Standardiser:
    """Return means and deviations of the defined values; a constant column gets deviation 1."""
    wide = values.astype(np.float64)
    defined = ~np.isnan(wide)
    count = np.maximum(defined.sum(axis=0), 1)
    mean = np.where(defined, wide, 0.0).sum(axis=0) / count
    square = np.where(defined, wide - mean, 0.0) ** 2
    deviation = np.sqrt(square.sum(axis=0) / count)
    constant = deviation <= _CONSTANT * np.abs(mean)
    return Standardiser(mean, np.where(constant, 1.0, deviation))


def fit_ridge_path(
    values: Matrix, targets: FloatArray, weights: FloatArray, alphas: Sequence[float]
) -> list[LinearModel]:
    """Return one ridge model per strength (Hoerl and Kennard 1970), the intercept unpenalised.

    Each minimises sum_i w_i (y_i - b - z_i c)^2 + alpha |c|^2 on standardised columns z. One
    eigendecomposition, of the smaller of Z'Z and ZZ', serves all strengths.
    """
    standardiser = fit_standardiser(values)
    z = standardiser.apply(values)
    z_mean, y_mean = np.average(z, axis=0, weights=weights), np.average(targets, weights=weights)
    root = np.sqrt(weights)
    z, y = (z - z_mean) * root[:, None], (targets - y_mean) * root
    if z.shape[1] <= z.shape[0]:
        power, basis = np.linalg.eigh(z.T @ z)
        right, start = basis, basis.T @ (z.T @ y)
    else:
        power, basis = np.linalg.eigh(z @ z.T)
        right, start = z.T @ basis, basis.T @ y
    power = np.maximum(power, 0.0)
    models = []
    for alpha in alphas:
        coefficients = right @ (start / (power + alpha))
        models.append(
            LinearModel(standardiser, coefficients, float(y_mean - z_mean @ coefficients))
        )
    return models


def write_linear(path: Path, model: LinearModel) -> None:
    """Write a linear model as safetensors."""
    arrays = {
        "mean": model.standardiser.mean,
        "deviation": model.standardiser.deviation,
        "coefficients": model.coefficients,
        "intercept": np.array([model.intercept]),
    }
    write_arrays(path, arrays)


def read_linear(path: Path, n_columns: int) -> LinearModel:
    """Return the model in a file; raise InputError if it does not fit `n_columns` columns."""
    columns = dict.fromkeys(("mean", "deviation", "coefficients"), (n_columns,))
    shapes = {**columns, "intercept": (1,)}
    arrays = read_arrays(path, shapes, f"a linear model of {n_columns} columns")
    standardiser = Standardiser(arrays["mean"], arrays["deviation"])
    return LinearModel(standardiser, arrays["coefficients"], float(arrays["intercept"][0]))
