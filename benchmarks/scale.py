"""Time and memory of commands on tables of growing length: they should grow as the rows do.

    python benchmarks/scale.py [--rows 10000 100000 1000000] [--only import compare score]

Every command is a process of its own. Imported predictions are of 40 prompts; `compare` judges two
imports by a plan; `score` scores made essays with a model that counts words. Seconds are those of
processors, which a busy machine does not change, and of the clock; memory is the most resident.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from record import record

ROOT = Path(__file__).parents[1]
PROGRAM = [sys.executable, "-m", "essay_scoring.cli.main"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=[*COMMANDS])
    args = parser.parse_args()
    print(f"{'command':<10}{'rows':>10}{'cpu s':>9}{'clock s':>9}{'MiB':>8}{'us a row':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for name in args.only:
            for rows in args.rows:
                place = Path(folder) / f"{name}-{rows}"
                place.mkdir()
                COMMANDS[name](name, rows, place)


def measured(name: str, rows: int, words: Sequence[str]) -> None:
    """Run a command, print and record what it took."""
    began = time.monotonic()
    process = subprocess.Popen([*PROGRAM, *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    clock, cpu = time.monotonic() - began, used.ru_utime + used.ru_stime
    if os.waitstatus_to_exitcode(status) not in (0, 3, 4):
        raise SystemExit(f"{name} of {rows} rows failed")
    peak = used.ru_maxrss / 1024
    print(f"{name:<10}{rows:>10}{cpu:>9.1f}{clock:>9.1f}{peak:>8.0f}{1e6 * cpu / rows:>10.0f}")
    record(f"{name} of {rows} rows", cpu_seconds=cpu, seconds=clock, peak_mib=peak, rows=rows)


def predictions(path: Path, rows: int, noise: float) -> Path:
    """Write made out-of-fold predictions of 40 prompts."""
    rng = np.random.default_rng(0)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["record_id", "prompt", "fold", "y_true", "y_pred_raw"])
        for row in range(rows):
            true = 1 + 0.5 * float(rng.integers(9))
            raw = min(5.0, max(1.0, true + float(rng.normal(0, noise))))
            writer.writerow([f"e{row}", f"prompt {row % 40}", row % 40 % 5, true, round(raw, 4)])
    return path


def importing(table: Path, name: str, runs: Path) -> list[str]:
    return ["import-predictions", str(table), "--run-name", name, "--runs-dir", str(runs)]


def import_rows(name: str, rows: int, place: Path) -> None:
    measured(name, rows, importing(predictions(place / "a.csv", rows, 0.6), "a", place))


def compare_rows(name: str, rows: int, place: Path) -> None:
    for arm, noise in {"a": 0.7, "b": 0.5}.items():
        words = importing(predictions(place / f"{arm}.csv", rows, noise), arm, place)
        subprocess.run([*PROGRAM, *words], check=True, stdout=subprocess.DEVNULL)
    runs = [str(next(place.glob(f"{arm}-*"))) for arm in "ab"]
    plan = str(ROOT / "configs" / "gates" / "prompt_holdout_interval.toml")
    measured(name, rows, ["compare-cv-runs", *runs, "--plan", plan])


def score_rows(name: str, rows: int, place: Path) -> None:
    from essay_scoring.data.data_settings import SyntheticCorpus
    from essay_scoring.data.synthetic import generate

    config = str(ROOT / "configs" / "smoke" / "length.toml")
    places = ["--runs-dir", f"{place}/runs", "--cache-dir", f"{place}/cache", "--data-dir"]
    sets = ["--set", "baselines=[]", "--set", "data.corpus.n_prompts=12", "--coverage", "0.8"]
    sets += ["--set", "data.corpus.n_essays=120"]
    words = ["train", config, "--models-dir", f"{place}/models", *places, str(place), *sets]
    subprocess.run([*PROGRAM, *words], check=True, stdout=subprocess.DEVNULL)
    [model] = (place / "models").iterdir()
    essays = generate(SyntheticCorpus(n_essays=500), "train").essays
    with (place / "essays.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "prompt", "text"])
        for row in range(rows):
            at = row % len(essays)
            writer.writerow([row, essays.prompts[at], essays.texts[at]])
    table = str(place / "essays.csv")
    measured(name, rows, ["score", str(model), table, "-o", f"{place}/scored.csv"])


COMMANDS: dict[str, Callable[[str, int, Path], None]] = {
    "import": import_rows,
    "compare": compare_rows,
    "score": score_rows,
}

if __name__ == "__main__":
    main()
