"""Time and memory of commands on tables of growing length: they should grow as the rows do.

    python benchmarks/scale.py [--only import prompts compare prepare score cell] [--most ROWS]

Writes benchmarks/scale.json and the table in benchmarks/README.md; what is not run is kept. Every
command is a process of its own. Imported predictions are of 40 prompts, or of ten essays a prompt
(`prompts`); `compare` judges two imports by a plan; `prepare` and `score` take made essays of about
900 words, `score` with a model that counts words; `cell` has one cell of 50 MB, which each command
refuses. Seconds are those of processors, which a busy machine does not change, and of the clock;
memory is the most resident.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from essay_scoring.core.files import read_json, write_json, write_text
from essay_scoring.records.provenance import git_state, machine

ROOT = Path(__file__).parents[1]
OUT, PAGE = ROOT / "benchmarks" / "scale.json", ROOT / "benchmarks" / "README.md"
BEGIN = "<!-- scale: made by python benchmarks/scale.py -->"
END = "<!-- scale ends -->"
PROGRAM = [sys.executable, "-m", "essay_scoring.cli.main"]
CELL, WORDS = 50_000_000, 900
CORPUS = """
[data.corpus]
kind = "table"
path = "essays.csv"
columns = { id = "id", text = "text", prompt = "prompt", score = "score" }
scales = { shared = { low = 1, high = 5 } }
"""
PLAN = 'extends = "preset:gates/prompt_holdout_interval"\nmin_prompt_n = 10\n'


@dataclass(frozen=True)
class Case:
    """One command on one table: how many rows it has, and of how many prompts."""

    name: str
    command: str
    rows: int
    prompts: int = 40
    cell: int = 0


CASES = (
    *(Case("import", "import-predictions", rows) for rows in (10_000, 100_000, 1_000_000)),
    *(Case("prompts", "import-predictions", 10 * n, n) for n in (100, 1_000, 10_000)),
    *(Case("compare", "compare-cv-runs", rows) for rows in (17_307, 100_000)),
    *(Case("prompts", "compare-cv-runs", 10 * n, n) for n in (100, 1_000, 10_000)),
    *(Case("prepare", "prepare-dataset", rows) for rows in (2_000, 20_000)),
    *(Case("score", "score", rows) for rows in (2_000, 20_000)),
    *(
        Case("cell", command, 200, cell=CELL)
        for command in ("import-predictions", "prepare-dataset", "score")
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    names = list(dict.fromkeys(case.name for case in CASES))
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--most", type=int, default=1_000_000, help="leave out longer tables")
    args = parser.parse_args()
    for case in CASES:
        if case.name in args.only and case.rows <= args.most:
            with tempfile.TemporaryDirectory() as folder:
                print(case, flush=True)
                keep(case, measured(case, Path(folder)))


def measured(case: Case, place: Path) -> dict[str, Any]:
    """Run a command; return what it took, and the error where it refuses."""
    words = LINES[case.command](case, place)
    began = time.monotonic()
    with (place / "said").open("wb") as said:
        process = subprocess.Popen([*PROGRAM, *words], stdout=subprocess.DEVNULL, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    code = os.waitstatus_to_exitcode(status)
    told = (place / "said").read_text(encoding="utf-8").splitlines()
    errors = [line for line in told if line.startswith("error")]
    if code not in ((2,) if case.cell else (0, 3, 4)) or len(errors) != (code == 2):
        raise SystemExit(f"{case} ended with {code}: {told[-3:]}")
    return {
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "seconds": round(seconds, 1),
        "peak_mib": round(used.ru_maxrss / 1024),
        "exit": code,
        "machine": machine().model_dump(exclude={"host"}),
        "commit": git_state().commit,
    }


def keep(case: Case, found: Mapping[str, Any]) -> None:
    """Write a measurement down beside the others, and the table of them all."""
    rows = read_json(OUT)["rows"] if OUT.is_file() else []
    row = {"command": case.command, "rows": case.rows, "prompts": case.prompts}
    row |= {"cell": case.cell, **found}
    print(table([row]).splitlines()[-1], flush=True)
    known = {tuple(each[name] for name in _KEY): each for each in [*rows, row]}
    order = [(one.command, one.rows, one.prompts, one.cell) for one in CASES]
    write_json(OUT, {"schema": 1, "rows": [known[key] for key in order if key in known]})
    write_text(PAGE, page(PAGE.read_text(encoding="utf-8"), read_json(OUT)))


_KEY = ("command", "rows", "prompts", "cell")


def page(text: str, artifact: Mapping[str, Any]) -> str:
    """Return a page with the table of an artifact between its marks."""
    before, rest = text.split(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table(artifact['rows'])}\n\n{end}{after}"


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return measurements as a table."""
    lines = [
        "| command | rows | prompts | processor s | clock s | MiB | processor us a row |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        what = f"`{row['command']}`"
        each = f"{1e6 * row['cpu_seconds'] / row['rows']:,.0f}"
        if row["cell"]:
            what, each = f"{what}, one cell of {row['cell'] / 1e6:.0f} MB: refused", ""
        cells = f"{row['rows']:,} | {row['prompts']:,} | {row['cpu_seconds']:.1f}"
        lines.append(f"| {what} | {cells} | {row['seconds']:.1f} | {row['peak_mib']:,} | {each} |")
    return "\n".join(lines)


def written(path: Path, header: str, rows: Iterable[Sequence[object]]) -> Path:
    """Write a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header.split(), *rows])
    return path


def predictions(case: Case, path: Path, noise: float) -> Path:
    """Write made out-of-fold predictions, each prompt whole in one fold."""
    rng = np.random.default_rng(0)
    true = 1 + 0.5 * rng.integers(9, size=case.rows)
    raw = np.clip(true + rng.normal(0, noise, case.rows), 1, 5).round(4)
    pairs = enumerate(zip(true.tolist(), raw.tolist(), strict=True))
    rows = (
        [_padded(f"e{row}", row, case), f"prompt {at}", at % 5, *pair]
        for row, pair in pairs
        for at in [row % case.prompts]
    )
    return written(path, "record_id prompt fold y_true y_pred_raw", rows)


def _padded(text: str, row: int, case: Case) -> str:
    """Return a text, in the middle row of a table with a long cell longer by that."""
    return text + "x" * case.cell if row == case.rows // 2 else text


def essays(case: Case, path: Path) -> Path:
    """Write made essays of WORDS words, no two alike."""
    from essay_scoring.data.data_settings import SyntheticCorpus
    from essay_scoring.data.synthetic import generate

    sentences = [
        sentence
        for text in generate(SyntheticCorpus(n_essays=200), "train").essays.texts
        for sentence in text.replace("\n", " ").split(". ")
        if sentence
    ]
    each = WORDS // (sum(len(one.split()) for one in sentences) // len(sentences))
    rng = np.random.default_rng(0)
    rows = (
        [row, f"prompt {row % case.prompts}", _padded(text, row, case), 1 + row % 5]
        for row in range(case.rows)
        for text in [". ".join(sentences[at] for at in rng.integers(len(sentences), size=each))]
    )
    return written(path, "id prompt text score", rows)


def importing(case: Case, place: Path, name: str = "a", noise: float = 0.7) -> list[str]:
    file = str(predictions(case, place / f"{name}.csv", noise))
    return ["import-predictions", file, "--run-name", name, "--runs-dir", str(place)]


def comparing(case: Case, place: Path) -> list[str]:
    for name, noise in {"a": 0.7, "b": 0.5}.items():
        line = [*PROGRAM, *importing(case, place, name, noise)]
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    runs = [str(next(place.glob(f"{name}-*"))) for name in "ab"]
    plan = place / "plan.toml"
    plan.write_text(PLAN, encoding="utf-8")
    return ["compare-cv-runs", *runs, "--plan", str(plan)]


def preparing(case: Case, place: Path) -> list[str]:
    essays(case, place / "essays.csv")
    (place / "corpus.toml").write_text(CORPUS, encoding="utf-8")
    places = ["--data-dir", str(place), "--cache-dir", str(place / "cache")]
    return ["prepare-dataset", str(place / "corpus.toml"), *places]


def scoring(case: Case, place: Path) -> list[str]:
    config = str(ROOT / "configs" / "smoke" / "length.toml")
    sets = ["baselines=[]", "data.corpus.n_prompts=12", "data.corpus.n_essays=120"]
    places = {"runs": "runs", "cache": "cache", "models": "models", "data": "."}
    words = ["train", config, "--coverage", "0.8", *(f"--set={one}" for one in sets)]
    words += [f"--{name}-dir={place / folder}" for name, folder in places.items()]
    subprocess.run([*PROGRAM, *words], check=True, stdout=subprocess.DEVNULL)
    [model] = (place / "models").iterdir()
    file = str(essays(case, place / "essays.csv"))
    return ["score", str(model), file, "-o", str(place / "scored.csv")]


LINES = {
    "import-predictions": importing,
    "compare-cv-runs": comparing,
    "prepare-dataset": preparing,
    "score": scoring,
}

if __name__ == "__main__":
    main()
