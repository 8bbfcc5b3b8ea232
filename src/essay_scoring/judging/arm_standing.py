"""Which arms of a study are told apart, and what the one decided for owes to being one of several.

Neither decides anything: gates do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.judging.plans import GatePlan
from essay_scoring.records.config import EvaluationSettings
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.search import WinnersCurse
from essay_scoring.search.winners_curse import Selection, winners_curse
from essay_scoring.statistics.comparison import compare

FIGURE = "pooled_qwk"
_SWAPS = 500

Arms = Mapping[str, Sequence[RunRecord]]
"""The runs of each arm, one a seed, all of one scheme."""


def luck_of(decided: str, candidates: Arms, plan: GatePlan) -> WinnersCurse | None:
    """Return what the candidate decided for would lose elsewhere, were it the best by mean QWK.

    Of each arm the first seed counts. None for fewer than two candidates, or another arm.
    """
    if decided not in candidates:
        return None
    names = list(candidates)
    settings = EvaluationSettings(min_prompt_n=plan.min_prompt_n, bottom_k=plan.bottom_k)
    return winners_curse(
        [candidates[name][0].predictions for name in names],
        names.index(decided),
        Selection("mean_qwk", settings),
        seed=derive_seed(0, "luck", plan.sha256),
    )


def tied_arms(arms: Arms, plan: GatePlan) -> tuple[tuple[str, ...], ...]:
    """Return the largest groups of arms no two of which are told apart, the best arm first.

    Two are told apart where the 95% interval of their difference in pooled QWK leaves zero out;
    pairs are not corrected for their number. An arm may be in several groups (Piepho 2004).
    """
    point = {name: runs[0].metrics.summary.overall["qwk"].estimate for name, runs in arms.items()}
    order = sorted(arms, key=lambda name: -(point[name] or 0.0))
    tied = {pair: not _apart(arms[pair[0]], arms[pair[1]], plan) for pair in combinations(order, 2)}
    return tuple(_largest(order, tied))


def _apart(one: Sequence[RunRecord], other: Sequence[RunRecord], plan: GatePlan) -> bool:
    found = compare(
        [run.predictions for run in one],
        [run.predictions for run in other],
        min_prompt_n=plan.min_prompt_n,
        bottom_k=plan.bottom_k,
        replicates=_SWAPS,
        seed=derive_seed(0, "ties", plan.sha256),
    ).deltas[FIGURE]
    return found.low is not None and found.high is not None and not found.low <= 0 <= found.high


def _largest(
    order: Sequence[str], tied: Mapping[tuple[str, str], bool]
) -> Iterator[tuple[str, ...]]:
    """Yield the groups of names all tied with one another that no larger one holds."""
    groups: list[tuple[str, ...]] = [()]
    for name in order:
        kept = [tuple(n for n in group if tied[n, name]) for group in groups]
        groups += [(*group, name) for group in kept]
        sets = dict.fromkeys(groups)
        groups = [group for group in sets if not any(set(group) < set(more) for more in sets)]
    yield from sorted(groups, key=lambda group: [order.index(name) for name in group])
