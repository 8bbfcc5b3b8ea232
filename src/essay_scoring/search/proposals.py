"""What to try next: Optuna's TPE on the exact order of what was tried.

TPE (Bergstra et al. 2011) takes one number per trial and uses nothing of it but the order. No
number holds the order of a lexicographic rule for ever, but the rank among the trials so far does.
So each proposal comes from a study in memory, made of the trials so far with their ranks as values.
It depends on them and on a seed alone: a search that was killed proposes what it would have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from essay_scoring.records.search import Key, State
from essay_scoring.records.search_settings import SearchSettings
from essay_scoring.search.objectives import ranks
from essay_scoring.search.space import Params


@dataclass(frozen=True)
class SamplerTrial:
    """A configuration as a sampler sees it, in the order of being tried.

    `key` compares complete trials, and pruned ones that did the same number of folds, `folds`.
    `excess` holds the constraints: above 0 is infeasible.
    """

    params: Params
    state: Literal[State, "running"]
    key: Key | None = None
    folds: int = 0
    excess: Mapping[str, float] = field(default_factory=dict)


def propose(
    tried: Sequence[SamplerTrial],
    distributions: Mapping[str, Any],
    settings: SearchSettings,
    seed: int,
) -> Params:
    """Return the parameters to try next: by TPE after the start-up trials, before at random."""
    from optuna.samplers import BaseSampler, RandomSampler, TPESampler

    sampler: BaseSampler = RandomSampler(seed=seed)
    if settings.sampler == "tpe":
        sampler = TPESampler(n_startup_trials=settings.startup_trials, seed=seed)
    study = _ranked_study(tried, distributions, sampler)
    return dict(study.ask(dict(distributions)).params)


def importances(
    tried: Sequence[SamplerTrial], distributions: Mapping[str, Any]
) -> dict[str, float]:
    """Return each dimension's share in what sets the good trials apart, most important first.

    PED-ANOVA (Watanabe, Bansal and Hutter 2023) on the ranks; {} for too few trials to tell.
    """
    from optuna.importance import get_param_importances
    from optuna.samplers import RandomSampler

    complete = [one for one in tried if one.state == "complete"]
    if len(set(ranks([one.key for one in complete]))) < _FEWEST_TO_WEIGH:
        return {}
    study = _ranked_study(complete, distributions, RandomSampler(seed=0))
    return {name: float(share) for name, share in get_param_importances(study).items()}


_FEWEST_TO_WEIGH = 5


def _ranked_study(
    tried: Sequence[SamplerTrial], distributions: Mapping[str, Any], sampler: Any
) -> Any:
    """Return a study in memory that holds the trials in their order."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for one, rank in zip(tried, _ranks_of(tried), strict=True):
        known: dict[str, Any] = {"params": one.params, "distributions": dict(distributions)}
        if one.state == "running":
            known["state"] = optuna.trial.TrialState.RUNNING
        elif one.state == "pruned":
            known["state"] = optuna.trial.TrialState.PRUNED
            known |= {"value": rank, "intermediate_values": {one.folds: rank}}
        else:
            known |= {"value": rank, "constraints": dict(one.excess)}
        study.add_trial(optuna.trial.create_trial(**known))
    return study


def _ranks_of(tried: Sequence[SamplerTrial]) -> list[float]:
    """Return each trial's rank among those it may be compared with; failed ones rank lowest."""
    out = [0.0] * len(tried)
    groups: dict[tuple[str, int], list[int]] = {}
    for at, one in enumerate(tried):
        if one.state in ("complete", "pruned"):
            folds = one.folds if one.state == "pruned" else 0
            groups.setdefault((one.state, folds), []).append(at)
    for members in groups.values():
        for at, rank in zip(members, ranks([tried[at].key for at in members]), strict=True):
            out[at] = float(rank)
    return out
