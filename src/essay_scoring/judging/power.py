"""`power`: what a gate plan can tell on the data of a reference run, before any candidate runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from essay_scoring.core.errors import InputError
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.progress import Progress
from essay_scoring.core.record import read_record, write_record
from essay_scoring.judging.compare_runs import require_reference, require_scheme
from essay_scoring.judging.gates import judge
from essay_scoring.judging.plans import GatePlan
from essay_scoring.judging.power_curve import (
    POWER,
    Pairs,
    candidate_record,
    detectable_records,
)
from essay_scoring.judging.power_pairs import REPLICATES, Setting
from essay_scoring.judging.power_trials import correlation_of, run_trials, trials_of, until_known
from essay_scoring.records import provenance
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.power_results import (
    CachedPower,
    Correlation,
    DetectableDelta,
    FigureResemblance,
    PopulationRecord,
    PowerRecord,
    PowerReference,
    SimulatedPlan,
    TrialRecord,
)
from essay_scoring.statistics.comparison import compare
from essay_scoring.statistics.power_population import MAX_CORRELATION, fit_population
from essay_scoring.statistics.slices import constant_prompts

FEWEST_SIMULATIONS = 40

MOST_SIMULATIONS = 4000

DEFAULT_SIMULATIONS = {"point": 800, "interval": 400}
"""By the rule of the plan: an interval costs several times as much as an estimate."""

FIGURES = {
    "mean_qwk": "mean QWK",
    "pooled_qwk": "pooled QWK",
    "worst_prompt_qwk": "worst-prompt QWK",
    "shrunken_worst_qwk": "shrunken worst-prompt QWK",
    "bottom_k_mean": "mean QWK of the worst prompts",
    "low_tail_adjacent": "low-tail agreement",
    "high_tail_adjacent": "high-tail agreement",
    "continuous_qwk": "QWK before mapping",
    "prmse": "PRMSE before mapping",
}
"""The figures of checks in words."""


@dataclass(frozen=True)
class PowerSettings:
    """How many equal pairs to simulate, how their errors correlate, and the seed.

    None: from DEFAULT_SIMULATIONS on as many as the plan's `power_error` takes, at most
    MOST_SIMULATIONS; and as estimated. Raises InputError for fewer than FEWEST_SIMULATIONS
    and for a correlation that is none.
    """

    simulations: int | None = None
    correlation: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.simulations is not None and self.simulations < FEWEST_SIMULATIONS:
            raise InputError(
                f"{self.simulations} simulations are too few to tell anything",
                mend=f"ask for {FEWEST_SIMULATIONS} or more",
            )
        if self.correlation is not None and not 0 <= self.correlation <= MAX_CORRELATION:
            raise InputError(
                f"the correlation {self.correlation:g} is not between 0 and {MAX_CORRELATION}",
                mend="correct it, or leave it out to have it estimated",
            )


def power_of(
    plan: GatePlan,
    reference: RunRecord,
    settings: PowerSettings,
    progress: Progress,
    *,
    like: RunRecord | None = None,
) -> PowerRecord:
    """Return what power.json holds: false passes, power by scenario, detectable deltas.

    `like` is a run that resembles the reference as much as a candidate will. Raises EvidenceError
    where the plan cannot judge runs of the reference's data at all.
    """
    require_scheme(reference, plan)
    require_reference(reference, plan)
    run = reference.predictions
    observed = _own_figures(plan, reference)
    population = fit_population(run)
    correlation, source = correlation_of(population, reference, settings.correlation, like)
    simulations = settings.simulations or DEFAULT_SIMULATIONS[plan.rule]
    trials = trials_of(simulations, correlation)
    tried = [Setting.of(plan, population, run, trial.condition, settings.seed) for trial in trials]
    stage = f"power of {plan.name}"
    results = run_trials(trials, tried, progress, stage)
    if settings.simulations is None:
        (equal, simulated), *better = results[0]
        simulated = until_known(tried[0], simulated, MOST_SIMULATIONS, progress, stage)
        simulations, results[0] = len(simulated.results), [(equal, simulated), *better]
    records = tuple(_trial(plan, *pair) for pair in zip(tried, results, strict=True))
    about = PowerReference(
        run=reference.folder.name,
        manifest_sha256=reference.manifest_sha256,
        essays=len(run),
        prompts=len(set(run.prompts)),
    )
    return PowerRecord(
        plan=SimulatedPlan(
            **plan.model_dump(mode="json", exclude={"tolerates", "power_error"}), sha256=plan.sha256
        ),
        reference=about,
        simulations=simulations,
        seed=settings.seed,
        replicates=tried[0].replicates,
        correlation=Correlation(value=correlation, source=source),
        population=PopulationRecord(
            shift=population.shift,
            accuracy=population.accuracy,
            figures=_resemblance(plan, observed, results[0]),
        ),
        trials=records,
        judge_revision=provenance.judge_revision(),
        conclusion=conclusion(plan.name, about, records[0]),
    )


def known_power(
    plan: GatePlan,
    reference: RunRecord,
    cache: Path,
    progress: Progress,
    *,
    settings: PowerSettings | None = None,
    like: RunRecord | None = None,
) -> PowerRecord:
    """Return `power_of`; what the same code simulated of the same before is read from CACHE/power/.

    The file's name hashes plan, reference and `like` (by their manifests), settings and code. A
    file that was changed, so that its record does not have the hash beside it, is simulated again.
    """
    settings = settings or PowerSettings()
    identity = {
        "plan": plan.sha256,
        "runs": [run.manifest_sha256 for run in (reference, like) if run],
        "settings": asdict(settings),
        "judge": provenance.judge_revision(),
    }
    path = cache / "power" / f"{plan.name}-{fingerprint(identity)[:16]}.json"
    if (kept := _intact(path)) is not None:
        return kept
    record = power_of(plan, reference, settings, progress, like=like)
    write_record(path, CachedPower(sha256=_sha256(record), record=record))
    return record


def _intact(path: Path) -> PowerRecord | None:
    """Return the record of a cached file, None where there is none as it was written."""
    if not path.is_file():
        return None
    try:
        kept = read_record(CachedPower, path)
    except InputError:
        return None
    return kept.record if kept.sha256 == _sha256(kept.record) else None


def _sha256(record: PowerRecord) -> str:
    return fingerprint(record.model_dump(mode="json"))


def conclusion(plan: str, reference: PowerReference, trial: TrialRecord) -> str:
    """Return in one line how often a plan passes equal scorers, and what it detects."""
    equal = trial.candidates[0]
    return (
        f"With {reference.essays:,} essays on {reference.prompts} prompts the plan "
        f"{plan} passes two equal scorers {equal.rate:.1%} of the time "
        f"(n = {equal.n}, 95% interval {equal.low:.1%} to {equal.high:.1%}) "
        f"and {_detects(trial.detectable)}."
    )


def _detects(rows: Sequence[DetectableDelta]) -> str:
    """Return in words what the whole plan detects of a candidate that is better everywhere."""
    whole = [row for row in rows if (row.kind, row.scenario) == ("plan", "everywhere")]
    if not whole:
        return "was tried with no better candidate"
    figure, delta, tried = whole[0].metric, whole[0].delta, whole[0].tried
    if delta is None:
        return f"detects no gain up to {tried:+.3f} in {FIGURES[figure]} with {POWER:.0%} power"
    if delta <= 0:
        return f"passes them with {POWER:.0%} power, which is no gate at all"
    return f"detects {delta:+.3f} in {FIGURES[figure]} with {POWER:.0%} power"


def _own_figures(plan: GatePlan, reference: RunRecord) -> list[float]:
    """Return the reference's figure for each check.

    Judged against itself, a run is invalid evidence only where a slice of the plan is empty.
    """
    run = reference.predictions
    slices = {"min_prompt_n": plan.min_prompt_n, "bottom_k": plan.bottom_k}
    comparison = compare(run, run, replicates=REPLICATES, **slices)
    constant = constant_prompts(run, plan.min_prompt_n)
    return [check.reference for check in judge(plan, comparison, constant).findings]


def _resemblance(
    plan: GatePlan, observed: Sequence[float], pairs: Pairs
) -> tuple[FigureResemblance, ...]:
    """Return each check's figure of the reference beside the middle 95% of simulated references."""
    rows = []
    _, equal = pairs[0]
    for place, check in enumerate(plan.checks):
        drawn = equal.reference[:, place][np.isfinite(equal.reference[:, place])]
        low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (np.nan, np.nan)
        rows.append(
            FigureResemblance(
                metric=check.metric,
                observed=observed[place],
                simulated=float(drawn.mean()) if len(drawn) else None,
                low=float(low) if len(drawn) else None,
                high=float(high) if len(drawn) else None,
            )
        )
    return tuple(rows)


def _trial(plan: GatePlan, setting: Setting, pairs: Pairs) -> TrialRecord:
    """Return one condition with the power of its candidates."""
    condition = setting.condition
    return TrialRecord(
        name=condition.name,
        essays=len(setting.rows),
        prompts=len(setting.places.prompts),
        large_prompts=int(setting.large.sum()),
        correlation=condition.likeness.correlation,
        shared_prompts=condition.likeness.shared_prompts,
        candidates=tuple(candidate_record(plan, *pair) for pair in pairs),
        detectable=tuple(detectable_records(plan, pairs)),
    )
