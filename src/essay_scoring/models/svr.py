"""Support vector regression (Drucker et al. 1997) on standardised columns, by scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from essay_scoring.core.contracts import Matrix
from essay_scoring.core.scale import FloatArray
from essay_scoring.models.estimators import EstimatorScorer
from essay_scoring.models.scorer_settings import SVRSettings

_STEPS = 2.0**14


class SVRScorer(EstimatorScorer[SVRSettings]):
    """Support vectors fitted on `train`, at the penalty that errs least on `dev`."""

    tuned = "penalty"

    def estimators(self, n_columns: int) -> Mapping[float, Any]:
        """Return one regression per penalty, the kernel's width in shares of the columns."""
        from sklearn.svm import SVR

        chosen = self.settings
        how = {"gamma": chosen.gamma / n_columns, "epsilon": chosen.epsilon}
        return {penalty: SVR(C=penalty, **how) for penalty in chosen.penalties}

    def standardised(self, values: Matrix) -> FloatArray:
        """Return standardised columns in steps of 2**-14 of a deviation.

        Products of such numbers, and sums of thousands of these, are exact. The solver takes the
        same path on every processor, whatever the order in which its kernels add up.
        """
        steps: FloatArray = np.rint(super().standardised(values) * _STEPS) / _STEPS
        return steps

    def outputs(self, z: FloatArray) -> FloatArray:
        """Return the kernel expansion: products of matrices, many times faster than libsvm's."""
        from sklearn.metrics.pairwise import rbf_kernel

        model = self.estimator
        kernel: FloatArray = rbf_kernel(z, model.support_vectors_, model.gamma)
        expansion: FloatArray = kernel @ model.dual_coef_[0] + float(model.intercept_[0])
        return expansion
