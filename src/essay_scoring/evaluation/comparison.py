"""A candidate against a reference on the same essays: paired differences with intervals."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, get_args

import numpy as np

from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.metrics import finite_or_none
from essay_scoring.core.scale import FloatArray
from essay_scoring.evaluation import counts as c
from essay_scoring.evaluation.agreement import by_prompt
from essay_scoring.evaluation.bootstrap import interval, resample
from essay_scoring.evaluation.counts import Sums, observed, sums_of, tabulate
from essay_scoring.evaluation.figures import (
    fold_qwk,
    mean_of_defined,
    mean_of_lowest,
    overall_figures,
    prompt_qwk,
)
from essay_scoring.evaluation.plans import Metric
from essay_scoring.evaluation.predictions import Predictions

DELTAS: tuple[str, ...] = (*get_args(Metric), "mae", "rmse", "smd")
"""The figures compared. More is better, but for `mae` and `rmse` (less) and `smd` (nearer 0)."""


@dataclass(frozen=True, eq=False)
class Delta:
    """One figure of both runs and candidate minus reference, None where a run has no such figure.

    `low` and `high` bound a 95% interval; `share_positive` is the share of resamples with a delta
    above zero; `n` counts the essays the figure rests on. `draws` (R,) are the resampled deltas,
    NaN where undefined.
    """

    metric: str
    reference: float | None
    candidate: float | None
    estimate: float | None
    low: float | None
    high: float | None
    share_positive: float | None
    n: int
    draws: FloatArray = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return all but the draws."""
        return {name: value for name, value in vars(self).items() if name != "draws"}


@dataclass(frozen=True)
class Slice:
    """A prompt, its QWK and its number of essays."""

    prompt: str
    qwk: float
    n: int


@dataclass(frozen=True, eq=False)
class Comparison:
    """Deltas by name, in order of DELTAS, and how they were computed.

    `worst_prompts` names each run's own worst prompt, None where no prompt is large enough.
    """

    deltas: dict[str, Delta]
    worst_prompts: dict[str, Slice | None]
    n: int
    n_prompts: int
    n_folds: int
    min_prompt_n: int
    bottom_k: int
    replicates: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as a JSON-able dictionary, without draws."""
        out = dict(vars(self))
        out["deltas"] = [delta.to_json() for delta in self.deltas.values()]
        out["worst_prompts"] = {
            run: None if worst is None else asdict(worst)
            for run, worst in self.worst_prompts.items()
        }
        return out


def compare(
    reference: Predictions,
    candidate: Predictions,
    *,
    min_prompt_n: int = 30,
    bottom_k: int = 5,
    replicates: int = 2000,
    seed: int = 20_000,
) -> Comparison:
    """Return candidate minus reference, both resampled by the same draws.

    Rows are matched by id. The worst prompt and the bottom k are each run's own, among prompts of
    at least `min_prompt_n` essays. Raises EvidenceError, naming what differs, for runs of other
    essays, prompts, true scores, folds or scales. With no replicates there are no intervals.
    """
    candidate = aligned(reference, candidate)
    tables = tabulate([reference, candidate])
    large = tables.layout.sizes >= min_prompt_n
    point = _figures(sums_of(tables, observed(tables)), large, bottom_k, strict=True)
    blocks = [
        _figures(sums_of(tables, draws), large, bottom_k, strict=False)
        for draws in resample(tables, replicates, seed, "prompts")
    ]
    n = _essays(tables.counts @ tables.moments[:, 0], int(tables.layout.sizes[large].sum()))
    n_prompts = len(tables.layout.prompts)
    deltas = {
        name: _delta(name, point[name], [block[name] for block in blocks], n[name], n_prompts)
        for name in DELTAS
    }
    runs = {"reference": reference, "candidate": candidate}
    return Comparison(
        deltas=deltas,
        worst_prompts={name: worst_prompt(run, min_prompt_n) for name, run in runs.items()},
        n=len(reference),
        n_prompts=n_prompts,
        n_folds=len(tables.layout.folds),
        min_prompt_n=min_prompt_n,
        bottom_k=bottom_k,
        replicates=replicates,
        seed=seed,
    )


def aligned(reference: Predictions, candidate: Predictions) -> Predictions:
    """Return the candidate with its rows in the order of the reference.

    Raises EvidenceError naming the first thing that differs.
    """
    places = {record: row for row, record in enumerate(candidate.ids)}
    for run, which in ((reference, "reference"), (candidate, "candidate")):
        if len(set(run.ids)) < len(run):
            raise _differ(f"an essay occurs twice in the {which}")
    missing = [record for record in reference.ids if record not in places]
    extra = len(candidate) - (len(reference) - len(missing))
    if missing or extra:
        raise _differ(
            f"other essays: {len(missing)} only in the reference, {extra} only in the candidate"
        )
    if not len(reference):
        raise _differ("there are no essays")
    if reference.scales != candidate.scales:
        raise _differ("other score scales")
    matched = candidate.take(np.array([places[record] for record in reference.ids]))
    prompts = np.array([a != b for a, b in zip(reference.prompts, matched.prompts, strict=True)])
    _same_column(reference, "prompts", prompts)
    _same_column(reference, "true scores", reference.true != matched.true)
    _same_column(reference, "folds", reference.folds != matched.folds)
    return matched


def worst_prompt(run: Predictions, min_prompt_n: int) -> Slice | None:
    """Return the prompt with the lowest QWK among those large enough, None without any."""
    rows = [row for row in by_prompt(run, min_prompt_n)[0] if row["qwk"] is not None]
    worst = min(rows, key=lambda row: (row["qwk"], row["prompt"]), default=None)
    return None if worst is None else Slice(worst["prompt"], worst["qwk"], worst["n"])


def _figures(sums: Sums, large: c.Mask, bottom_k: int, *, strict: bool) -> dict[str, FloatArray]:
    """Return the figures of DELTAS, each (R, 2); `strict`: a fold without QWK leaves no mean."""
    figures = overall_figures(sums)
    kappa = np.where(large, prompt_qwk(sums), np.nan)
    drawn = np.broadcast_to(sums.drawn[:, None], kappa.shape)
    folds = fold_qwk(sums)
    figures["pooled_qwk"] = figures["qwk"]
    figures["mean_qwk"] = folds.mean(axis=-1) if strict else mean_of_defined(folds)
    figures["worst_prompt_qwk"] = mean_of_lowest(kappa, drawn, 1)
    figures["bottom_k_mean"] = mean_of_lowest(kappa, drawn, bottom_k)
    return {name: figures[name] for name in DELTAS}


def _delta(name: str, point: FloatArray, blocks: list[FloatArray], n: int, n_prompts: int) -> Delta:
    """Return one delta from its point figures (1, 2) and blocks of resampled ones (R, 2)."""
    pairs = np.concatenate([*blocks, np.empty((0, 2))])
    draws = pairs[:, 1] - pairs[:, 0]
    low, high = interval(draws, n_prompts)
    reference, candidate = (finite_or_none(float(value)) for value in point[0])
    known = reference is not None and candidate is not None
    defined = draws[np.isfinite(draws)]
    return Delta(
        metric=name,
        reference=reference,
        candidate=candidate,
        estimate=float(point[0, 1] - point[0, 0]) if known else None,
        low=low if known else None,
        high=high if known else None,
        share_positive=float((defined > 0).mean()) if known and low is not None else None,
        n=n,
        draws=draws,
    )


def _essays(moments: FloatArray, in_large_prompts: int) -> dict[str, int]:
    """Return how many essays each figure rests on, from the summed moments of a run."""
    special = {
        "worst_prompt_qwk": in_large_prompts,
        "bottom_k_mean": in_large_prompts,
        "low_tail_adjacent": int(moments[c.LOW]),
        "high_tail_adjacent": int(moments[c.HIGH]),
    }
    return dict.fromkeys(DELTAS, int(moments[c.N])) | special


def _same_column(reference: Predictions, what: str, differs: c.Mask) -> None:
    """Raise EvidenceError if any essay differs, naming the first one."""
    rows = np.flatnonzero(differs)
    if len(rows):
        first = reference.ids[rows[0]]
        raise _differ(f"other {what}: {len(rows)} essays differ, the first is {first!r}")


def _differ(how: str) -> EvidenceError:
    """Return the error for two runs that may not be compared."""
    return EvidenceError(
        f"the runs cannot be compared: {how}",
        mend="compare runs of the same prepared data and splits",
    )
