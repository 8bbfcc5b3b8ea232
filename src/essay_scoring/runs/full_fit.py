"""The fit on everything: one scorer trained on all training essays but `dev`, and its mapping.

The final test scores the locked essays with it, and `train` saves it, so the model that is tested
is the one that is used.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.models.mapping import FittedMapping, fit_mapping
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


def final_mapping(run: Run, past: Predictions) -> FittedMapping:
    """Return the mapping that all out-of-fold predictions teach."""
    mapping = run.config.training.mapping
    return fit_mapping(mapping, past.raw, past.true, past.prompts, past.scales)


def predictions_of(
    run: Run, fit: FitRecord, essays: ScoredEssays, past: Predictions
) -> Predictions:
    """Return a fit's predictions of scored essays, mapped by the run's out-of-fold predictions."""
    raw = np.array(fit.raw, dtype=np.float64)
    final = final_mapping(run, past).scores(raw, essays.prompts, essays.scales)
    folds = np.zeros(len(essays), dtype=np.int64)
    return Predictions(
        essays.essays.ids,
        essays.prompts,
        folds,
        essays.scores,
        raw,
        final,
        essays.scales,
        second=essays.second_scores,
    )
