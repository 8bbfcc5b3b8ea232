"""What each construct is worth: agreement lost when the scorer is fitted again without it.

Drop-column importance (Hooker, Mentch and Zhou 2021 on why refitting, unlike permuting, asks no
model about essays that cannot be). Folds, `dev` parts, settings and mapping stay those of the run.
Columns that stand for the same thing cover for one another: a construct that costs nothing to drop
may still be one that the scorer uses. Both sides are means over the same seeds: a run's own seed
may be a lucky one, and then whatever is left out seems to cost what that luck was worth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from essay_scoring.audits.audited_run import FinishedRun
from essay_scoring.audits.constructs import positions_by_construct
from essay_scoring.core.contracts import Columns, ColumnSource
from essay_scoring.core.essays import Essays
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.models.context import Job, ScorerContext
from essay_scoring.models.registry import build_scorer
from essay_scoring.models.scorer_settings import MappingName
from essay_scoring.records.audit_record import AuditSection, Cell, DetailTable, Figure
from essay_scoring.records.config import RunConfig
from essay_scoring.runs.cross_validation import Design
from essay_scoring.runs.mapped_predictions import map_run, plain_mapping
from essay_scoring.statistics.comparison import Comparison, Delta, compare
from essay_scoring.statistics.predictions import Predictions

NAME = "drop_column"
CHANGE = "change of mean QWK"
NOTHING = "nothing"
N_SEEDS = 3

_ROUNDING = 1e-6
"""By how much predictions may differ that come from the same fit on other orders of sums."""

_ALSO = {
    "pooled_qwk": "pooled QWK",
    "worst_prompt_qwk": "worst prompt's QWK",
    "low_tail_adjacent": "low tail",
    "high_tail_adjacent": "high tail",
}


@dataclass(frozen=True, eq=False)
class Refitting:
    """What a scorer is fitted again with: a run's config, design, context and own predictions.

    `context.columns` serves all columns of the run; `recorded` is in the order of its essays.
    """

    config: RunConfig
    design: Design
    context: ScorerContext
    recorded: Predictions


@dataclass(frozen=True)
class _Refits:
    """The scorer without each construct, and itself (`whole`), against itself; a run a seed.

    `off_recorded` is how far the first seed's raw predictions are from the run's.
    """

    by_construct: dict[str, Comparison]
    whole: Comparison
    off_recorded: float


def refitting(finished: FinishedRun) -> Refitting:
    """Return what a finished run is fitted again with."""
    run = finished.run
    return Refitting(run.config, run.design, run.context(Job("refit")), finished.predictions)


def drop_column_section(refitting: Refitting, n_seeds: int = N_SEEDS) -> AuditSection:
    """Return the change of mean QWK over folds when each construct is left out, with intervals.

    Fits the scorer anew for every seed, construct and fold, and with all columns; a linear scorer,
    in which no chance is left, for the run's own seed alone.
    """
    refits = _refits(refitting, _seeds(refitting.config, n_seeds))
    deltas = {name: one.deltas["mean_qwk"] for name, one in refits.by_construct.items()}
    order = sorted(deltas, key=lambda name: _estimate(deltas[name]))
    return AuditSection(
        NAME,
        "What each construct is worth",
        _finding({name: deltas[name] for name in order}, refits, refitting.design.scheme),
        figures=[
            Figure(CHANGE, name, d.estimate, d.n, d.low, d.high)
            for name, d in ((name, deltas[name]) for name in order)
        ],
        tables=[_table(refits, order, refitting.config.training.mapping)],
    )


def _seeds(config: RunConfig, n_seeds: int) -> list[int]:
    """Return the run's own seed and others drawn by name."""
    count = 1 if config.scorer.explained_by == "coefficients" else n_seeds
    others = (derive_seed(config.seed, "drop column", number) for number in range(1, count))
    return [config.seed, *others]


def _refits(refitting: Refitting, seeds: Sequence[int]) -> _Refits:
    """Fit the scorer with and without each construct; a sole construct is never left out."""
    names = refitting.context.columns(refitting.design.train.essays.take([0])).names
    everything = np.arange(len(names), dtype=np.int64)
    kept_without = {
        name: np.setdiff1d(everything, at)
        for name, at in positions_by_construct(names).items()
        if len(at) < len(everything)
    }
    fits = (len(kept_without) + 1) * len(seeds) * len(refitting.design.folds)
    with refitting.context.progress.stage("drop columns", fits, "fits") as advance:

        def refit(kept: IntArray) -> list[Predictions]:
            return [_refit(refitting, kept, seed, advance) for seed in seeds]

        whole = refit(everything)
        found = {
            name: _compared(refitting, whole, refit(kept)) for name, kept in kept_without.items()
        }
    off = float(np.abs(whole[0].raw - refitting.recorded.raw).max())
    return _Refits(found, _compared(refitting, whole, whole), off)


def _refit(
    refitting: Refitting, kept: IntArray, seed: int, advance: Callable[[int], None]
) -> Predictions:
    """Return out-of-fold predictions of the scorer fitted on some of its columns."""
    config, design, train = refitting.config, refitting.design, refitting.design.train
    context = replace(refitting.context, columns=_Kept(refitting.context.columns, kept), seed=seed)
    raw: FloatArray = np.empty(len(train), dtype=np.float64)
    for fold in design.folds:
        scorer = build_scorer(config.scorer, config.training, context)
        fit, dev = design.training_rows([fold])
        scorer.fit(train.take(fit), train.take(dev))
        held_out = design.held_out_rows([fold])
        raw[held_out] = scorer.predict(train.essays.take(held_out))
        advance(1)
    return map_run(plain_mapping(config.training.mapping), design, raw, []).predictions


@dataclass(frozen=True, eq=False)
class _Kept:
    """A column source that serves some of another's columns."""

    source: ColumnSource
    positions: IntArray

    def __call__(self, essays: Essays) -> Columns:
        """Return the kept columns of these essays."""
        whole = self.source(essays)
        names = tuple(whole.names[at] for at in self.positions)
        return Columns(names, whole.values.take(self.positions, axis=1))


def _compared(
    refitting: Refitting, reference: list[Predictions], candidate: list[Predictions]
) -> Comparison:
    """Return candidate minus reference, a run a seed, under the run's evaluation settings."""
    settings = refitting.config.evaluation
    return compare(
        reference,
        candidate,
        min_prompt_n=settings.min_prompt_n,
        bottom_k=settings.bottom_k,
        replicates=settings.replicates,
        seed=derive_seed(refitting.config.seed, "drop column"),
    )


def _table(refits: _Refits, order: Sequence[str], mapping: MappingName) -> DetailTable:
    """Return mean QWK, and the change of other figures, for each construct left out."""
    every = {NOTHING: refits.whole} | {name: refits.by_construct[name] for name in order}
    rows: list[tuple[Cell, ...]] = []
    for name, one in every.items():
        mean = one.deltas["mean_qwk"]
        changes = (one.deltas[key].estimate for key in _ALSO)
        rows.append((name, mean.candidate, mean.seeds["candidate"].sd, *changes))
    how = "" if plain_mapping(mapping) == mapping else f", mapped by {plain_mapping(mapping)}"
    off = refits.off_recorded
    same = f"differs from them by up to {off:.1g}" if off > _ROUNDING else "gives them again"
    return DetailTable(
        f"Mean QWK without a construct{how}, its deviation over seeds, and the change of other "
        f"figures; of the run's own raw predictions, the first refit with all columns {same}",
        ("left out", "mean QWK", "SD over seeds", *_ALSO.values()),
        rows,
    )


def _finding(deltas: dict[str, Delta], refits: _Refits, scheme: str) -> str:
    """Return in a sentence or two which constructs cost agreement when left out."""
    lost = [name for name, delta in deltas.items() if delta.high is not None and delta.high < 0]
    told = ", ".join(f"{name} ({_estimate(deltas[name]):+.3f})" for name in lost)
    first = (
        f"Fitted again without {told}, the scorer loses mean QWK over {scheme} folds"
        if lost
        else f"No construct left out alone costs mean QWK over {scheme} folds"
    )
    first += f" (95% intervals of {len(deltas)} changes, not corrected for being many)."
    spread = refits.whole.deltas["mean_qwk"].seeds["reference"]
    if spread.sd is None:
        return first
    return (
        f"{first} Over {spread.n_seeds} seeds the mean QWK of the whole scorer has a standard "
        f"deviation of {spread.sd:.3f}."
    )


def _estimate(delta: Delta) -> float:
    return 0.0 if delta.estimate is None else delta.estimate
