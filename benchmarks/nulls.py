"""What gates and intervals do between two runs that are made equal by swapping whole prompts.

    python benchmarks/nulls.py REFERENCE CANDIDATE --plan configs/gates/lift.toml [--swaps 300]
        [--out docs/results/nulls.json] [--cache CACHE]

Each swap changes a random half of the prompts between the two runs, fits the cut-points of both
again, and judges them as if they were reference and candidate: whatever the runs are, the two that
come out are equal by construction. Prints how often the 95% interval of each figure excludes 0, how
often each plan passes, and what `power` predicts of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.files import write_json
from essay_scoring.core.progress import Progress
from essay_scoring.judging.gates import judge
from essay_scoring.judging.plans import GatePlan, load_plan
from essay_scoring.judging.power import known_power
from essay_scoring.judging.power_curve import rate_of
from essay_scoring.models.mapping import mapped_anew
from essay_scoring.records.finished_run import read_run
from essay_scoring.records.provenance import git_state, machine, package_versions
from essay_scoring.statistics.alignment import aligned_arms
from essay_scoring.statistics.comparison import DELTAS, compare
from essay_scoring.statistics.predictions import Predictions

Pair = tuple[Predictions, Predictions]


def swapped(pair: Pair, seed: int) -> Pair:
    """Return the runs with a random half of their prompts changed between them."""
    one, other = pair
    names, prompt_of = one.numbered_prompts()
    moved = np.random.default_rng(seed).integers(0, 2, len(names))[prompt_of] == 1
    return _mixed(one, other, moved), _mixed(other, one, moved)


def _mixed(kept: Predictions, away: Predictions, moved: Any) -> Predictions:
    """Return a run whose marked rows are those of another, mapped to scores anew."""
    raw = np.where(moved, away.raw, kept.raw)
    final = np.where(moved, away.final, kept.final)
    return mapped_anew(replace(kept, raw=raw, final=final))


def judged(
    pair: Pair, plans: Sequence[GatePlan], seed: int
) -> tuple[dict[str, bool | None], dict[str, bool]]:
    """Return which intervals exclude 0, None where there is none, and which plans pass."""
    excludes: dict[str, bool | None] = {}
    passes = {}
    runs = swapped(pair, seed)
    for plan in plans:
        slices = {"min_prompt_n": plan.min_prompt_n, "bottom_k": plan.bottom_k}
        found = compare(*runs, replicates=1000, seed=seed, **slices)
        for name, delta in found.deltas.items():
            known = delta.low is not None and delta.high is not None
            excludes[name] = not (delta.low <= 0 <= delta.high) if known else None  # type: ignore[operator]
        try:
            passes[plan.name] = judge(plan, found).outcome == "pass"
        except EvidenceError:
            passes[plan.name] = False
    return excludes, passes


def main() -> None:
    """Swap, judge, print the two tables and write them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs=2)
    parser.add_argument("--plan", type=Path, action="append", required=True)
    parser.add_argument("--swaps", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    plans = [load_plan(path) for path in asked.plan]
    reference, candidate = map(read_run, asked.runs)
    [one], [other] = aligned_arms(reference.predictions, candidate.predictions)
    with ProcessPoolExecutor(asked.workers) as pool:
        work = partial(judged, (one, other), plans)
        found = list(pool.map(work, range(asked.swaps), chunksize=5))
    figures = {}
    print(f"{'figure':<20} {'excludes 0':>10} {'n':>5}")
    for name in DELTAS:
        # Without second ratings there is no PRMSE.
        known = [row[name] for row, _ in found if row.get(name) is not None]
        if known:
            figures[name] = rate_of(sum(map(bool, known)), len(known)).model_dump()
            print(f"{name:<20} {figures[name]['rate']:>10.3f} {len(known):>5}")
    gates = {}
    print(f"\n{'plan':<28} {'passes':>7} {'95% interval':>16} {'power says':>11}")
    for plan in plans:
        rate = rate_of(sum(passes[plan.name] for _, passes in found), len(found))
        power = known_power(plan, reference, asked.cache, Progress(), like=candidate)
        predicted = power.trials[0].candidates[0]
        gates[plan.name] = {"nulls": rate.model_dump(), "power": predicted.rate, "n": predicted.n}
        ends = f"{rate.low:.3f} to {rate.high:.3f}"
        print(f"{plan.name:<28} {rate.rate:>7.3f} {ends:>16} {predicted.rate:>11.3f}")
    if asked.out is not None:
        artifact = {
            "command": "python benchmarks/nulls.py",
            "runs": [run.folder.name for run in (reference, candidate)],
            "figures": figures,
            "gates": gates,
            "machine": machine().model_dump(mode="json"),
            "versions": package_versions(),
            "git": git_state().model_dump(mode="json"),
        }
        write_json(asked.out, artifact)


if __name__ == "__main__":
    main()
