"""Selecting, and reporting on essays that did not select: nested cross-validation.

Varma and Simon (2006): the figure that a configuration was selected by flatters it. So for each
outer fold a whole search runs on the other folds alone, and what it selects is fitted on them and
predicts the fold. The figures are those of searching and selecting, not of one configuration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from essay_scoring.core.scale import FloatArray
from essay_scoring.models.mapping import fit_mapping
from essay_scoring.records.search import Outcome
from essay_scoring.runs.mapped_predictions import as_predictions
from essay_scoring.search.evaluator import ALL, Evaluator, SearchPart, within
from essay_scoring.search.objectives import TailGuard
from essay_scoring.statistics.predictions import Predictions


def best_first(outcomes: Sequence[Outcome], guard: TailGuard | None = None) -> list[Outcome]:
    """Return the complete outcomes that keep the guardrail, best first; ties to the earlier one."""
    kept = [outcome for outcome in outcomes if outcome.state == "complete"]
    kept = [outcome for outcome in kept if guard is None or guard.keeps(outcome.figures)]
    return sorted(kept, key=lambda kept: (*(-value for value in kept.key or ()), kept.slot))


def report_outer(
    evaluator: Evaluator, chosen: Mapping[SearchPart, Outcome], folder: Path
) -> Predictions:
    """Return predictions of every essay by what the search outside its fold selected.

    A configuration is fitted on all folds but the outer one, and its mapping on its own
    out-of-fold predictions of those folds: nothing about the outer fold enters either.
    """
    design = evaluator.base.design
    raw = np.full(len(design.train), np.nan)
    final = np.full(len(design.train), np.nan)
    for part, outcome in chosen.items():
        config = outcome.config
        whole = evaluator.design(ALL, config)
        fitter = evaluator.run(config).fitter(config.scorer, whole)
        fit = fitter.fit(folder / part.name, [_outer(part)], keep_model=False)
        rows = whole.held_out_rows([_outer(part)])
        raw[rows] = fit.raw
        final[rows] = _mapped_from_inside(evaluator, part, outcome, raw[rows])
    return as_predictions(design, raw, final)


def _mapped_from_inside(
    evaluator: Evaluator, part: SearchPart, outcome: Outcome, raw: FloatArray
) -> FloatArray:
    """Return scores of an outer fold's raw predictions by what the inner ones say alone."""
    config, whole = outcome.config, evaluator.base.design
    held_out = within(whole, whole.held_out_rows([_outer(part)])).train
    inner = evaluator.design(part, config).train
    past = np.array(outcome.raw, dtype=np.float64)
    name = config.training.mapping
    mapping = fit_mapping(name, past, inner.scores, inner.prompts, inner.scales)
    return mapping.scores(raw, held_out.prompts, held_out.scales)


def _outer(part: SearchPart) -> int:
    if part.outer is None:
        raise ValueError(f"part {part.name} leaves no outer fold out")
    return part.outer
