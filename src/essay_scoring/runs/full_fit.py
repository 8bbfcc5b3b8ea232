"""The fit on everything: one scorer trained on all training essays but `dev`, and its cut-points.

The final test scores the locked essays with it, and `train` saves it, so the model that is tested
is the one that is used.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.scale import FloatArray
from essay_scoring.models.mapping import apply_cutpoints, fit_cutpoints
from essay_scoring.records.fits import FitRecord
from essay_scoring.runs.cross_validation import Save
from essay_scoring.runs.run import Run
from essay_scoring.statistics.predictions import Predictions

NO_ESSAYS = Essays((), (), ())


def fit_everything(
    run: Run, folder: Path, unseen: Essays = NO_ESSAYS, *, save: Save | None = None
) -> FitRecord:
    """Return the sealed fit in `folder`, made unless it is there; it predicts the `unseen` essays.

    Raises EvidenceError for a fit that was changed, or that is of other data, code or settings.
    """
    if run.needs_columns:
        run.columns.warm(run.prepared.train.essays)
    return run.fitter(run.config.scorer).fit_all(folder, unseen, save)


def final_cutpoints(run: Run, past: Predictions) -> FloatArray | None:
    """Return the cut-points of all out-of-fold predictions; None where scores are rounded."""
    scale = run.prepared.train.scales.shared
    if scale is None or run.config.training.mapping == "round_half_band":
        return None
    return fit_cutpoints(past.raw, scale.index(past.true), scale.n_labels)


def predictions_of(
    run: Run, fit: FitRecord, essays: ScoredEssays, past: Predictions
) -> Predictions:
    """Return a fit's predictions of scored essays, mapped by the run's out-of-fold predictions."""
    raw, scale = np.array(fit.raw, dtype=np.float64), run.prepared.train.scales.shared
    cuts = final_cutpoints(run, past)
    final = (
        essays.scales.round(raw, essays.prompts)
        if cuts is None or scale is None
        else apply_cutpoints(raw, cuts, scale)
    )
    folds = np.zeros(len(essays), dtype=np.int64)
    return Predictions(
        essays.essays.ids, essays.prompts, folds, essays.scores, raw, final, essays.scales
    )
