"""Targets softened by the analytic scores.

A holistic score on half bands is a coarse reading of what a rater thought. Where the same rater
also scored traits, the least-squares reading of the score from them has part of that coarseness
averaged out; a scorer that learns it errs less on the scores themselves. Cut-points, dev and every
reported figure use the scores as given.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import ScoredEssays

_DIGITS = 6


def soften(train: ScoredEssays, share: float) -> ScoredEssays:
    """Return essays whose targets are (1 - share) * score + share * its regression on the traits.

    The regression is by least squares over the essays rated in every trait; the others keep their
    score, as do all with share 0 and those softened before. Raises InputError where there are no
    traits, or too few essays that have them all.
    """
    if not share or train.softened is not None:
        return train
    targets, traits = train.targets, [train.traits[name] for name in sorted(train.traits)]
    columns = np.column_stack([np.ones(len(train)), *traits])
    rated = np.isfinite(columns).all(axis=1) & np.isfinite(targets)
    if not traits or rated.sum() <= 2 * columns.shape[1]:
        n_rated = int(rated.sum()) if traits else 0
        raise InputError(
            f"{n_rated} of {len(train)} training essays have analytic scores, all of them: too few "
            "to soften targets by",
            where="training.trait_share",
            mend="set it to 0, or name the corpus's trait columns",
        )
    weights = np.linalg.lstsq(columns[rated], targets[rated], rcond=None)[0]
    softened = targets.copy()
    softened[rated] += share * (columns[rated] @ weights - targets[rated])
    # Rounded differently by every processor's linear algebra, they led solvers along other paths.
    return replace(train, softened=np.round(softened, _DIGITS))
