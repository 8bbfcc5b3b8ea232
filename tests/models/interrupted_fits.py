"""Interrupt boosting at random moments: a process of its own, since cut native code aborts it.

Usage: python -m tests.models.interrupted_fits FAMILY FITS
Prints one JSON line: how many fits were interrupted and how many ended.
"""

from __future__ import annotations

import json
import random
import signal
import sys
from collections import Counter

from essay_scoring.core import interrupts
from essay_scoring.core.errors import Interrupted
from essay_scoring.models.registry import build_scorer
from essay_scoring.models.scorer_settings import CatBoostSettings, TrainingSettings, XGBoostSettings

from .made import context, made_essays

QUICK = {"rounds": 200, "patience": 200}
FAMILIES: dict[str, XGBoostSettings | CatBoostSettings] = {
    "xgboost": XGBoostSettings.model_validate(QUICK),
    "catboost": CatBoostSettings.model_validate(QUICK),
}


def main(family: str, fits: int) -> Counter[str]:
    """Fit with an alarm set between 0.1 ms and 0.1 s, mostly early, where matrices are built."""
    signal.signal(signal.SIGALRM, lambda number, _: interrupts.stop(number))
    interrupts.GRACE_SECONDS = 0.0
    train, dev = made_essays(150), made_essays(60, seed=1)
    rng, endings = random.Random(7), Counter[str]()
    for _ in range(fits):
        scorer = build_scorer(FAMILIES[family], TrainingSettings(), context())
        try:
            signal.setitimer(signal.ITIMER_REAL, 10 ** rng.uniform(-4, -1))
            scorer.fit(train, dev)
            signal.setitimer(signal.ITIMER_REAL, 0)
            endings["whole"] += 1
        except Interrupted:
            endings["interrupted"] += 1
    return endings


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], int(sys.argv[2]))) + "\n")
