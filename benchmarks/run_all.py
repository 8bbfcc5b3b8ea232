"""Run every claim of speed again, one after the other, and write them down with the machine.

    python benchmarks/run_all.py [--out benchmarks/results.json] [--only NAME ...]

About 25 minutes on two idle cores, most of it the plain loops that the project is measured beside.
Those on real essays need the folder that ESSAY_SCORING_DATA names. What stands in the file and is
not run again is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from record import VARIABLE

from essay_scoring.core.files import read_json, write_json
from essay_scoring.records.provenance import git_state, machine, package_versions

HERE = Path(__file__).parent
COMMANDS = {
    "features": "python benchmarks/features.py --corpus ellipse --essays 600",
    "boosted": "python benchmarks/boosted.py",
    "cutpoints": "python benchmarks/cutpoints.py",
    "compare": "python benchmarks/compare.py",
    "scoring": "python benchmarks/scoring.py --corpus ellipse --essays 200",
    "finetune": "python benchmarks/finetune.py --corpus ellipse --essays 800",
    "search": "python benchmarks/search.py configs/search/xgb_ellipse.toml runs cache",
}

Figures = Mapping[str, Mapping[str, Any]]
Claim = tuple[str, str, Callable[[Figures], str]]
"""The benchmark it rests on, what it says, and its figure."""


def handcrafted(found: Figures) -> str:
    """Return the rate of the three handcrafted blocks together."""
    all_of_them = found["handcrafted with all checkers, cold"]
    return f"{all_of_them['essays'] / all_of_them['seconds']:.1f} essays/s"


def beside(ours: str, theirs: str, what: str, unit: str) -> Callable[[Figures], str]:
    """Return how two rates, `what` a second, are told side by side."""

    def told(found: Figures) -> str:
        first, second = (found[name][what] / found[name]["seconds"] for name in (ours, theirs))
        return f"{first:.1f} against {second:.1f} {unit}, {first / second:.1f} times"

    return told


def compared(found: Figures) -> str:
    """Return the paired bootstrap beside a plain loop at the larger size."""
    here, loop = (found[f"{way}, 17307 essays"]["seconds"] for way in ("here", "loop"))
    return f"{here:.1f} against {loop:.1f} s, {loop / here:.0f} times"


def fitted_cuts(found: Figures) -> str:
    """Return the exact cut-points beside a simplex search: seconds and QWK reached."""
    one, other = found["exact, 1511"], found["nelder_mead, 1511"]
    return (
        f"{one['seconds']:.4f} against {other['seconds']:.4f} s, "
        f"QWK {one['qwk']:.3f} against {other['qwk']:.3f}"
    )


CLAIMS: tuple[Claim, ...] = (
    ("features", "handcrafted columns with all checkers", handcrafted),
    (
        "features",
        "frozen embeddings, beside a plain encoder loop",
        beside("embeddings, cold", "plain loop", "essays", "essays/s"),
    ),
    (
        "features",
        "a second run reads 600 essays' columns",
        lambda found: f"{found['all blocks, warm']['seconds']:.2f} s",
    ),
    (
        "boosted",
        "five fits of the reference, 1,511 x 410 made columns",
        lambda found: f"{found['xgboost']['seconds']:.1f} s",
    ),
    ("cutpoints", "exact cut-points for 1,511 essays, beside Nelder-Mead", fitted_cuts),
    (
        "compare",
        "10,000 paired resamples of ten figures, 17,307 essays, beside a plain loop",
        compared,
    ),
    (
        "scoring",
        "new essays scored with all checkers and the embedded encoder",
        lambda found: f"{found['columns']['rate']:.1f} essays/s",
    ),
    (
        "scoring",
        "new essays scored with a fine-tuned encoder",
        lambda found: f"{found['transformer']['rate']:.1f} essays/s",
    ),
    (
        "finetune",
        "an epoch of LoRA, all layers, beside Trainer and peft",
        beside("whole", "plain", "essays", "essays/s"),
    ),
    (
        "finetune",
        "the same with its frozen layers cached and two layers learning",
        beside("cached", "plain", "essays", "essays/s"),
    ),
    (
        "search",
        "trials of a search on two cores, beside a loop that prepares each trial",
        beside("search, 2 worker(s)", "plain loop", "minutes", "trials/min"),
    ),
)


def main() -> None:
    args = arguments()
    kept = read_json(args.out)["benchmarks"] if args.out.is_file() else {}
    for name in args.only or COMMANDS:
        print(f"== {name}: {COMMANDS[name]}", flush=True)
        kept[name] = measured(COMMANDS[name])
        record_of = {"schema": 1, "claims": claims(kept), "benchmarks": kept}
        write_json(args.out, record_of)
    for claim in claims(kept):
        print(f"| {claim['claim']} | {claim['figure']} | `{claim['command']}` |")


def measured(command: str) -> dict[str, Any]:
    """Run a benchmark; return its figures, how long it took, and on what."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.jsonl"
        file.touch()
        began = time.perf_counter()
        arguments = [sys.executable, *command.split()[1:]]
        subprocess.run(
            arguments, env={**os.environ, VARIABLE: str(file)}, check=True, cwd=HERE.parent
        )
        lines = file.read_text(encoding="utf-8").splitlines()
    return {
        "command": command,
        "seconds": round(time.perf_counter() - began, 1),
        "figures": [json.loads(line) for line in lines],
        "machine": machine().model_dump(exclude={"host"}),
        "versions": package_versions(),
        "commit": git_state().commit,
    }


def claims(benchmarks: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return every claim whose benchmark has been run, with its figure."""
    told = []
    for name, claim, figure in CLAIMS:
        if name in benchmarks:
            found = {one["what"]: one for one in benchmarks[name]["figures"]}
            told.append({"claim": claim, "figure": figure(found), "command": COMMANDS[name]})
    return told


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=HERE / "results.json")
    parser.add_argument("--only", nargs="+", choices=list(COMMANDS))
    return parser.parse_args()


if __name__ == "__main__":
    main()
