"""How often 95% intervals hold the truth, over corpora drawn anew: deltas of two runs, and one run.

    python benchmarks/coverage.py [--simulations 800] [--of-few 2400] [--out FILE.json]
    python benchmarks/coverage.py --before-mapping

Cells: 8, 17 and 32 prompts of unequal size in 5 folds of whole prompts; prompts that differ little,
somewhat and much in how well and how generously they are scored; scores rounded, or by cut-points
fitted on the other folds; and prompts with scales of their own. Both scorers are equal, so that the
true delta is 0; in further cells the candidate errs a tenth less. The truth of one run, and of that
candidate's delta, is the mean over all corpora. Resumable: a cell that stands in the file with as
many simulations is not simulated again; cells of 8 prompts, where intervals are widest, have more
of them (`--of-few`). Two hours of processor time. Writes docs/results/coverage.json.
`--before-mapping` asks of the deltas that no mapping touches, half of the essays rated twice, and
writes docs/results/coverage_before_mapping.json.
`benchmarks/statistics_page.py` writes the table into docs/statistics.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from essay_scoring.core.files import read_json, write_json
from essay_scoring.core.scale import FloatArray, ScoreScale, ScoreScales
from essay_scoring.models.mapping import map_out_of_fold
from essay_scoring.records.provenance import git_state, machine, package_versions
from essay_scoring.statistics.comparison import compare
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.run_intervals import run_figures

RESULTS = Path("docs/results")
HALVES = ScoreScales(shared=ScoreScale(low=1, high=5, step=0.5))
STEPS = (ScoreScale(low=0, high=3), ScoreScale(low=1, high=6), ScoreScale(low=2, high=12))
N_ESSAYS, N_FOLDS, BOTTOM_K, MIN_PROMPT_N = 1511, 5, 5, 30
SPREADS = {"little": 0.0, "somewhat": 0.35, "much": 0.7}
DELTAS = ("pooled_qwk", "mean_qwk", "bottom_k_mean", "worst_prompt_qwk", "mae")
BEFORE_MAPPING = ("continuous_qwk", "prmse")
SINGLE = ("qwk", "mean_qwk", "bottom_k_mean", "mae")
SWAPS = 500

FEW = 8
"""Prompts of the cells that are simulated more often."""

BETTER = 0.9
"""What the errors of the better candidate are worth."""

Cell = tuple[int, str, str, str]
"""Prompts, how far they differ, `rounded`, `cut-points` or `own scales`; `equal` or `better`."""


def cells() -> list[Cell]:
    """Return every cell of the table."""
    mapped = [(n, mapping) for mapping in ("rounded", "cut-points") for n in (8, 17, 32)]
    equal = [(n, spread, mapping, "equal") for n, mapping in mapped for spread in SPREADS]
    better = [(n, "somewhat", mapping, "better") for n, mapping in mapped]
    return [*equal, (8, "somewhat", "own scales", "equal"), *better]


def drawn_corpus(cell: Cell, seed: int) -> tuple[Predictions, Predictions]:
    """Return the predictions of two scorers on a corpus of the size of ELLIPSE."""
    n_prompts, spread_name, mapping, candidate = cell
    spread = SPREADS[spread_name]
    rng = np.random.default_rng([seed, n_prompts, round(100 * spread), len(mapping)])
    share = rng.gamma(1.2, 1, n_prompts) + 0.15
    sizes = rng.multinomial(N_ESSAYS - 5 * n_prompts, share / share.sum()) + 5
    fold = np.empty(n_prompts, dtype=np.int64)
    fold[np.argsort(-sizes)] = np.arange(n_prompts) % N_FOLDS
    prompt = np.repeat(np.arange(n_prompts), sizes)
    n = len(prompt)
    names = tuple(f"p{number:02d}" for number in prompt)
    ability = 0.9 * rng.normal(size=n) + (0.3 * rng.normal(size=n_prompts))[prompt]
    noise = 0.42 * np.exp(0.8 * spread * rng.normal(size=n_prompts))[prompt]
    errors, shifts = rng.normal(size=(3, n)), spread * rng.normal(size=(3, n_prompts))
    scales = HALVES
    if mapping == "own scales":
        scales = ScoreScales(
            by_prompt={f"p{at:02d}": STEPS[at % len(STEPS)] for at in range(n_prompts)}
        )
    true = 3 + 0.62 * ability
    runs = []
    for own in (1, 2):
        less = BETTER if own == 2 and candidate == "better" else 1.0
        error = less * noise * (np.sqrt(0.8) * errors[0] + np.sqrt(0.2) * errors[own])
        shift = 0.3 * (0.8 * shifts[0] + 0.6 * shifts[own])[prompt]
        runs.append(3 + 0.558 * ability + error + shift)
    again = np.random.default_rng([seed, n_prompts, 2])
    second = true + 0.3 * again.normal(size=n)
    second = scales.from_training(second - 1, names) if scales.shared is None else second
    second = np.where(again.random(n) < 0.5, scales.round(second, names), np.nan)
    one, other = (_scored(true, raw, names, fold[prompt], scales, mapping) for raw in runs)
    return replace(one, second=second), replace(other, second=second)


def _scored(
    latent: FloatArray,
    raw: FloatArray,
    names: tuple[str, ...],
    folds: Any,
    scales: ScoreScales,
    mapping: str,
) -> Predictions:
    """Return a scorer's predictions; latent scores from 1 to 5 lie on each prompt's own scale."""
    own = scales.shared is None
    true, raw = (scales.from_training(x - 1, names) if own else x for x in (latent, raw))
    true = scales.round(true, names)
    ids = tuple(map(str, range(len(names))))
    if mapping == "cut-points":
        final = map_out_of_fold(raw, true, folds, names, scales, "qwk_cutpoints_lfo").final
        return Predictions(ids, names, folds, true, raw, final, scales, refit="qwk_cutpoints_lfo")
    return Predictions(ids, names, folds, true, raw, scales.round(raw, names), scales)


def simulated(cell: Cell, seed: int) -> dict[str, list[float]]:
    """Return estimate and both ends of every figure on one corpus, NaN without an interval."""
    reference, candidate = drawn_corpus(cell, seed)
    slices = {"min_prompt_n": MIN_PROMPT_N, "bottom_k": BOTTOM_K}
    deltas = compare(reference, candidate, replicates=SWAPS, seed=seed, **slices).deltas
    single = run_figures(reference, seed=seed, **slices)
    rows = {f"delta {name}": deltas[name] for name in DELTAS}
    rows |= {f"run {name}": single[name] for name in SINGLE}  # type: ignore[misc]
    return _ends(rows)


def simulated_before_mapping(cell: Cell, seed: int) -> dict[str, list[float]]:
    """Return `simulated` of the deltas that no mapping touches."""
    deltas = compare(*drawn_corpus(cell, seed), replicates=SWAPS, seed=seed).deltas
    return _ends({f"delta {name}": deltas[name] for name in BEFORE_MAPPING})


def _ends(rows: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return estimate and both ends of each figure, NaN for what it lacks."""
    return {
        name: [np.nan if x is None else x for x in (row.estimate, row.low, row.high)]
        for name, row in rows.items()
    }


def covered(rows: Sequence[Mapping[str, list[float]]], *, equal: bool) -> dict[str, Any]:
    """Return coverage, mean width and share refused of every figure."""
    out = {}
    for name in rows[0]:
        table = np.array([row[name] for row in rows])
        known = equal and name.startswith("delta")
        truth = 0.0 if known else float(np.nanmean(table[:, 0]))
        given = table[~np.isnan(table[:, 1])]
        refused = 1 - len(given) / len(table)
        held = (given[:, 1] <= truth) & (truth <= given[:, 2])
        out[name] = {
            "coverage": float(held.mean()) if refused < 0.5 else None,
            "width": float((given[:, 2] - given[:, 1]).mean()) if refused < 0.5 else None,
            "refused": refused,
        }
    return out


def main() -> None:
    """Simulate the cells that the file does not have, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--simulations", type=int, default=800)
    parser.add_argument("--of-few", type=int, default=2400, metavar="SIMULATIONS")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--before-mapping", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    out = asked.out or Path(RESULTS, f"coverage{'_before_mapping' * asked.before_mapping}.json")
    command = "python benchmarks/coverage.py" + " --before-mapping" * asked.before_mapping
    simulate = simulated_before_mapping if asked.before_mapping else simulated
    known: dict[str, Any] = read_json(out)["cells"] if out.is_file() else {}
    # Threads of linear algebra that wait for each other cost a busy machine most of its time.
    with threadpool_limits(1), ProcessPoolExecutor(asked.workers, initializer=one_thread) as pool:
        for cell in cells():
            if asked.before_mapping and cell[2] == "cut-points":
                continue
            name = f"{cell[0]} prompts, {cell[1]}, {cell[2]}"
            equal = cell[3] == "equal"
            name += "" if equal else ", candidate better"
            wanted = asked.of_few if cell[0] == FEW else asked.simulations
            if known.get(name, {}).get("simulations") != wanted:
                rows = list(pool.map(partial(simulate, cell), range(wanted), chunksize=10))
                known[name] = {"simulations": wanted, "figures": covered(rows, equal=equal)}
                write_json(out, _artifact(command, known))
            print_cell(name, known[name]["figures"])


def one_thread() -> None:
    """Keep the linear algebra of this process to one thread."""
    threadpool_limits(1)


def print_cell(name: str, figures: Mapping[str, Any]) -> None:
    """Print one cell: the coverage of each figure, `-` where the interval is refused."""
    told = (
        f"{figure} {'-' if row['coverage'] is None else format(row['coverage'], '.3f')}"
        for figure, row in figures.items()
    )
    print(f"{name}: {', '.join(told)}", flush=True)


def _artifact(command: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the file holds."""
    return {
        "command": command,
        "cells": dict(known),
        "machine": machine().model_dump(mode="json"),
        "versions": package_versions(),
        "git": git_state().model_dump(mode="json"),
    }


if __name__ == "__main__":
    main()
