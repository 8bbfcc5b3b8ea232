"""What the thresholds of gate plans can and cannot see, on the data of finished reference runs.

    python benchmarks/thresholds.py RUN [RUN ...] [--out docs/results/thresholds.json]

A RUN is that of the reference under one scheme. Every plan of configs/gates for that scheme is
tried as `essay-scoring power` tries it, in fewer conditions but with four times the prompts too;
plans that ask the same are tried once. Where one seeks a better candidate by intervals, each figure
is tried alone as well, by an interval above zero. Six minutes of one core; ESSAY_SCORING_WORKERS=1
keeps it to one. The same runs give the same figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from essay_scoring.cli.progress_display import progress_display
from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.files import write_json
from essay_scoring.core.progress import Progress
from essay_scoring.core.scale import FloatArray
from essay_scoring.judging.compare_runs import require_reference, require_scheme
from essay_scoring.judging.plans import Check, GatePlan, load_plan
from essay_scoring.judging.power import DEFAULT_SIMULATIONS
from essay_scoring.judging.power_curve import POWER, Pairs, detectable, leading_check, rate_of
from essay_scoring.judging.power_pairs import Setting
from essay_scoring.judging.power_trials import Trial, correlation_of, run_trials, trials_of
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.statistics.comparison import Metric
from essay_scoring.statistics.power_population import Population, fit_population
from essay_scoring.statistics.threshold_free import PRMSE

GATES = Path("configs/gates")
LEFT_OUT = ("equal on every prompt", "errors correlated 0.50", "twice the essays")
"""Conditions of `power` that are done without here, for the sake of time."""

SCENARIOS = ("everywhere", "worst_prompts")
ROOM = {"pooled_qwk": 0.0, "low_tail_adjacent": -0.10, "high_tail_adjacent": -0.07}
"""A plan by intervals whose guardrails equal scorers pass about four times in five, each."""

WANTED = (0.02, 0.01)
"""True differences of which it is told how many prompts would show them."""

FALLS = 0.6
"""Noise that four times the prompts leave above this share does not go down with their root."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Reference:
    """A reference's run, what it shows, and how its errors go with a candidate's."""

    run: RunRecord
    population: Population
    correlation: float
    source: str

    @classmethod
    def of(cls, run: RunRecord) -> Reference:
        population = fit_population(run.predictions)
        return cls(run, population, *correlation_of(population, run, None, None))

    def told(self) -> Record:
        return {
            "scheme": self.run.scheme,
            "run": self.run.folder.name,
            "manifest_sha256": self.run.manifest_sha256,
            "essays": len(self.run.predictions),
            "prompts": len(set(self.run.predictions.prompts)),
            "correlation": {"value": self.correlation, "source": self.source},
        }


def asked(plans: Sequence[GatePlan]) -> Iterator[tuple[list[str], GatePlan]]:
    """Yield each question once, with the names of all plans that ask it."""
    alike: dict[str, list[GatePlan]] = {}
    for plan in plans:
        said = plan.model_dump(include={"scheme", "rule", "min_prompt_n", "bottom_k", "checks"})
        alike.setdefault(str(said), []).append(plan)
    for own in alike.values():
        yield [plan.name for plan in own], own[0]


def seeks_by_interval(plan: GatePlan) -> bool:
    """Return whether a plan asks, by an interval, that a candidate be better in some figure."""
    return plan.rule == "interval" and any(check.kind == "superiority" for check in plan.checks)


def each_figure(plan: GatePlan) -> GatePlan:
    """Return a plan that asks of every figure of one rating that its interval lie above zero."""
    above_zero = tuple(
        Check(metric=metric, kind="superiority", delta_at_least=0.0)
        for metric in get_args(Metric)
        if metric != PRMSE
    )
    return plan.model_copy(update={"name": "figures", "checks": above_zero})


def trials(simulations: int, correlation: float) -> list[Trial]:
    """Return the conditions that a plan is tried in: the present one, more alike, more data."""
    every = trials_of(simulations, correlation)
    present, *others = [trial for trial in every if trial.condition.name not in LEFT_OUT]
    twice = next(trial for trial in others if trial.condition.prompts == 2)
    more = replace(twice.condition, name="four times the prompts", prompts=4)
    gains = {where: gains for where, gains in present.gains.items() if where in SCENARIOS}
    return [replace(present, gains=gains), *others, replace(twice, condition=more)]


def tried(plan: GatePlan, reference: Reference, progress: Progress) -> list[tuple[Setting, Pairs]]:
    """Return what a plan finds in each condition."""
    own = trials(DEFAULT_SIMULATIONS[plan.rule], reference.correlation)
    run, population = reference.run.predictions, reference.population
    settings = [Setting.of(plan, population, run, trial.condition) for trial in own]
    found = run_trials(own, settings, progress, f"thresholds of {plan.name}")
    return list(zip(settings, found, strict=True))


def gate_record(names: list[str], found: Sequence[tuple[Setting, Pairs]]) -> Record:
    """Return how a plan fares: whole, and each of its checks."""
    plan = found[0][0].plan
    lead = leading_check(plan)
    conditions = [
        {
            **record,
            "metric": plan.checks[lead].metric,
            "passes_equals": dict(rate_of(own[0][1].results.count("pass"), _n(own))),
            **_needed(own, lead, [f.margins.min(axis=1) for _, f in own]),
        }
        for record, (_, own) in zip(_conditions(found, ("detectable",)), found, strict=True)
    ]
    return {"plans": names, "scheme": plan.scheme, "rule": plan.rule, "conditions": conditions}


def figures_record(found: Sequence[tuple[Setting, Pairs]]) -> Record:
    """Return what every figure sees, and what a plan with room would."""
    plan, conditions = found[0][0].plan, _conditions(found, ("detectable", "gain", "curve"))
    metrics = [check.metric for check in plan.checks]
    at = [metrics.index(name) for name in get_args(Metric) if name in ROOM]
    room = np.array([ROOM[metrics[place]] for place in at])
    roomy = []
    for setting, own in found:
        margins = [(f.margins[:, at] - room).min(axis=1) for _, f in own]
        passes = dict(rate_of(int((margins[0] >= 0).sum()), _n(own)))
        lead = metrics.index("pooled_qwk")
        name = setting.condition.name
        roomy.append({"name": name, "passes_equals": passes, **_needed(own, lead, margins)})
    return {
        "scheme": plan.scheme,
        "conditions": conditions,
        "with_room": {"thresholds": ROOM, "conditions": roomy},
    }


def _conditions(found: Sequence[tuple[Setting, Pairs]], needed: Sequence[str]) -> list[Record]:
    """Return each condition with what it shows of every check; `needed` are keys of `_needed`."""
    plan = found[0][0].plan
    conditions = [_condition(*one, needed) for one in found]
    present, most = conditions[0], conditions[-1]
    for place, check in enumerate(plan.checks):
        own = [condition["checks"][place] for condition in (present, most)]
        falls = own[1]["noise"]["sd"] < FALLS * own[0]["noise"]["sd"]
        wanted = [-check.delta_at_least] if check.kind == "guardrail" else WANTED
        wide = _shown(plan.rule) * own[0]["noise"]["sd"]
        many = [round(present["prompts"] * (wide / one) ** 2) if falls else None for one in wanted]
        own[0]["prompts_needed"] = [
            {"difference": one, "prompts": n} for one, n in zip(wanted, many, strict=True)
        ]
    return conditions


def _condition(setting: Setting, found: Pairs, needed: Sequence[str]) -> Record:
    """Return one condition: how each check fares with equal scorers, and what it can see."""
    checks = []
    for place, check in enumerate(setting.plan.checks):
        every = _needed(found, place, [simulated.margins[:, place] for _, simulated in found])
        noise = _noise(check, found, place)
        checks.append({**check.model_dump(mode="json"), **noise, **{k: every[k] for k in needed}})
    return {
        "name": setting.condition.name,
        "essays": len(setting.rows),
        "prompts": len(setting.places.prompts),
        "large_prompts": int(setting.large.sum()),
        "correlation": setting.condition.likeness.correlation,
        "replicates": setting.replicates,
        "checks": checks,
    }


def _noise(check: Check, found: Pairs, place: int) -> Record:
    """Return how a check's delta scatters between equal scorers, and how often they pass it.

    `room` is the threshold that they would pass four times in five.
    """
    equal = found[0][1]
    deltas, reached = equal.deltas[:, place], equal.margins[:, place] + check.delta_at_least
    low, high = np.quantile(deltas, [0.025, 0.975])
    return {
        "noise": {"sd": float(deltas.std(ddof=1)), "low": float(low), "high": float(high)},
        "room": float(np.quantile(reached, 1 - POWER)),
        "passes_equals": dict(rate_of(int(equal.passed[:, place].sum()), _n(found))),
    }


def _needed(found: Pairs, figure: int, margins: Sequence[FloatArray]) -> Record:
    """Return what a candidate needs to clear its thresholds four times in five.

    `detectable` is in the figure's own unit and of candidates better everywhere. `gain` is theirs
    in pooled QWK, and in the QWK of the bettered prompts for those better on the worst only;
    `curve` says how often each of them passed.
    """
    out: Record = {"detectable": None, "gain": {}, "curve": []}
    for scenario in SCENARIOS:
        own = [i for i, (one, _) in enumerate(found) if one.scenario in ("equal", scenario)]
        if len(own) == 1:
            continue
        cleared = [margins[i] for i in own]
        gains = [found[i][0].gain for i in own]
        out["gain"][scenario] = _told(gains, cleared)
        if scenario == "everywhere":
            out["detectable"] = _told([found[i][0].deltas[figure] for i in own], cleared)
        for gain, margin in zip(gains[1:], cleared[1:], strict=True):
            rate = dict(rate_of(int((margin >= 0).sum()), len(margin)))
            out["curve"].append({"scenario": scenario, "gain": gain, **rate})
    return out


def _told(true: Sequence[float], margins: Sequence[FloatArray]) -> Record | None:
    """Return the detectable difference as JSON values."""
    power = detectable(true, margins)
    return None if power is None else power.model_dump()


def _shown(rule: str) -> float:
    """Return how many standard deviations of noise a difference must be to pass so often."""
    from scipy.special import ndtri

    return float(ndtri(POWER) + (ndtri(0.975) if rule == "interval" else 0.0))


def _n(found: Pairs) -> int:
    """Return how many equal pairs were simulated."""
    return len(found[0][1].results)


def rounded(value: Any) -> Any:
    """Return a record with numbers to six places: the file stays small, its changes readable."""
    if isinstance(value, Mapping):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return round(value, 6) if isinstance(value, float) else value


def is_asked_of(run: RunRecord, plan: GatePlan) -> bool:
    """Tell whether a run is of a plan's scheme and the reference that it names."""
    try:
        require_scheme(run, plan)
        require_reference(run, plan)
    except EvidenceError:
        return False
    return True


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("references", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def main() -> None:
    given, progress = arguments(), progress_display()
    references = [Reference.of(read_run(folder)) for folder in given.references]
    if len({reference.run.scheme for reference in references}) < len(references):
        raise InputError("two references of one scheme", mend="give one for each scheme")
    plans = [load_plan(path) for path in sorted(GATES.glob("*.toml"))]
    gates, figures = [], []
    for reference in references:
        own = [plan for plan in plans if is_asked_of(reference.run, plan)]
        gates += [gate_record(n, tried(plan, reference, progress)) for n, plan in asked(own)]
        seeking = [each_figure(plan) for plan in own if seeks_by_interval(plan)]
        figures += [figures_record(tried(p, reference, progress)) for _, p in asked(seeking)]
    for gate in gates:
        equals = gate["conditions"][0]["passes_equals"]
        print(f"{', '.join(gate['plans'])}: {equals['passed']} of {equals['n']} equal pairs pass")
    if given.out:
        record = {
            "schema": 1,
            "command": "python benchmarks/thresholds.py RUN RUN --out docs/results/thresholds.json",
            "seed": 0,
            "references": [reference.told() for reference in references],
            "gates": gates,
            "figures": figures,
        }
        write_json(given.out, rounded(record))


if __name__ == "__main__":
    main()
