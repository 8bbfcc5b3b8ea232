"""Make every published artifact again, one step after the other, and publish them: `make evidence`.

    python -m benchmarks.evidence [--only STEP ...] [--list]

The ELLIPSE files lie in the folder that ESSAY_SCORING_DATA names; runs and cache where
ESSAY_SCORING_RUNS and ESSAY_SCORING_CACHE say. Artifacts gather in RUNS/evidence, outside the
checkout, since a run of a changed checkout is no evidence; the last step copies them to docs and
writes docs/results.md, docs/statistics.md and the README's numbers. Stopped and started again it
goes on: a step is left out where its artifacts are those it left and the code is the code it ran.
Hours on two cores; the page says how many seconds each step took, and on what machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from essay_scoring.core.files import read_json, write_json
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.records.provenance import code_revision, machine

ROOT = Path(__file__).resolve().parent.parent
RESULTS, DECISIONS = ROOT / "docs" / "results", ROOT / "docs" / "decisions"
LEDGER = "evidence.json"
RUNS = Path(os.environ.get("ESSAY_SCORING_RUNS", "runs"))
OUT = RUNS.absolute() / "evidence"
SCHEMES = ("prompt_holdout", "stratified_text")
PARTITIONS = (1, 2, 3)
CONFIRMED = (5, 6, 7)
"""Partitions on which nothing was looked at before the best arm was fixed."""
CURVES = ("ridge", "blend_surprisal")
MAPPED = (0, 4)
"""The usual partition of the prompts, and one on which nothing was looked at."""
TRAITS = ("Cohesion", "Syntax", "Vocabulary", "Phraseology", "Grammar", "Conventions")


@dataclass(frozen=True)
class Step:
    """Commands, the artifacts they are to leave in `{out}`, and those found among the runs.

    In a command `{reference}` and `{catboost}` are run folders of the study `ellipse`, one for each
    scheme where `{both}` is asked for. `copied` gives artifacts their file, the newest that fits.
    """

    name: str
    commands: tuple[str, ...]
    artifacts: tuple[str, ...] = ()
    copied: Mapping[str, str] = field(default_factory=dict)


def study(name: str, record: str) -> Step:
    """Return the step of a study with its decision record."""
    told = f"--exit-zero --record {{out}}/{record}.md --results {{out}}/{name}.study.json"
    return Step(
        name,
        (f"essay-scoring study configs/studies/{name}.toml {told}",),
        (f"{name}.study.json", f"{name}.study.svg", f"{record}.md"),
    )


def dealt(study: str, numbers: Sequence[int], name: str) -> tuple[Step, ...]:
    """Return the steps of a study on further partitions of the prompts, and of their means."""
    steps = []
    for number in numbers:
        file = f"ellipse_{name}_{number}.study"
        told = f"--set data.splits.partition={number} --exit-zero --results {{out}}/{file}.json"
        line = f"essay-scoring study configs/studies/{study}.toml {told}"
        steps.append(Step(f"{name}_{number}", (line,), (f"{file}.json", f"{file}.svg")))
    studies = " ".join(f"{{out}}/ellipse_{name}_{number}.study.json" for number in numbers)
    return *steps, bench("partitions", studies, f"ellipse_{name}s.json")


def bench(name: str, more: str = "", artifact: str = "") -> Step:
    """Return the step of a benchmark that writes its own artifact."""
    out = artifact or f"{name}.json"
    return Step(
        out.removesuffix(".json"),
        (f"python benchmarks/{name}.py {more} --out {{out}}/{out}".replace("  ", " "),),
        (out,),
    )


STEPS = (
    Step(
        "encoders",
        (
            "essay-scoring encoder fetch all-mpnet-base-v2",
            "essay-scoring encoder fetch SmolLM2-135M-Instruct",
        ),
    ),
    study("ellipse", "0005-ellipse"),
    study("g1_ellipse", "0002-g1-ellipse"),
    study("surprisal_ridge", "0007-surprisal-ridge"),
    study("surprisal_ellipse", "0008-surprisal-ellipse"),
    *dealt("partitions_ellipse", PARTITIONS, "partition"),
    *dealt("confirm_ellipse", CONFIRMED, "confirmation"),
    study("g3_ellipse_mpnet", "0004-g3-ellipse-mpnet"),
    bench("hybrids", "{out}/g3_ellipse_mpnet.study.json {out}/ellipse.study.json"),
    Step(
        "traits",
        (
            "essay-scoring study configs/studies/traits_ellipse.toml --exit-zero "
            + " ".join(f"--trait {trait}" for trait in TRAITS),
        ),
        ("ellipse.traits.json",),
        {"ellipse.traits.json": "{runs}/traits/traits-ellipse-*/traits.json"},
    ),
    Step(
        "audit",
        ("essay-scoring audit {reference}", "essay-scoring explain {reference}"),
        ("reference.audit.json", "reference.explain.json"),
        {
            "reference.audit.json": "{runs}/audits/{reference_name}/audit.json",
            "reference.explain.json": "{runs}/audits/{reference_name}/explain.json",
        },
    ),
    Step(
        "prepared",
        ("essay-scoring prepare-dataset configs/ellipse_reference.toml --cache-dir {out}/cache",),
        ("ellipse.prepared.json",),
        {"ellipse.prepared.json": "{out}/cache/prepared/ellipse-*/prepared.json"},
    ),
    bench("mappings", f"--partition {' '.join(map(str, MAPPED))}"),
    bench("learning_curve", " ".join(f"configs/ellipse_{name}.toml" for name in CURVES)),
    bench("companions"),
    Step(
        "searches",
        (
            "essay-scoring xgb-sweep configs/ellipse_reference.toml",
            "essay-scoring optuna-sweep configs/search/xgb_ellipse_flat.toml --workers 2",
            "essay-scoring optuna-sweep configs/search/xgb_ellipse.toml --workers 2",
            "python benchmarks/search_results.py {searches} --out {out}/searches.json",
        ),
        ("searches.json",),
    ),
    bench("invariance"),
    bench("thresholds", "{both}"),
    bench(
        "nulls",
        "{reference} {catboost} --plan configs/gates/lift.toml --plan configs/gates/g3_local.toml "
        "--plan configs/gates/prompt_holdout_interval.toml --swaps 400",
    ),
    bench("coverage"),
    bench("coverage", "--before-mapping", "coverage_before_mapping.json"),
)

PAGES = (
    "python -m benchmarks.results_page",
    "python benchmarks/statistics_page.py",
    "python benchmarks/readme.py --numbers-only",
)


def main() -> None:
    """Make what is not there, or not of this code; then publish what there is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=[step.name for step in STEPS])
    parser.add_argument("--list", action="store_true", help="say what would be done")
    asked = parser.parse_args()
    for step in STEPS:
        if asked.only and step.name not in asked.only:
            continue
        known = is_made(step)
        print(f"{step.name}: {'there, of this code' if known else 'to be made'}", flush=True)
        if not known and not asked.list:
            make(step)
    if not asked.list:
        publish()


def is_made(step: Step) -> bool:
    """Tell whether a step's artifacts are those that this code made."""
    made = ledger(OUT)
    return bool(step.artifacts) and all(
        name in made
        and made[name]["code_revision"] == code_revision()
        and (OUT / name).is_file()
        and made[name]["sha256"] == file_sha256(OUT / name)
        for name in step.artifacts
    )


def ledger(folder: Path = RESULTS) -> dict[str, Any]:
    """Return what is known of each artifact: its step, code, machine, day and cost."""
    path = folder / LEDGER
    found: dict[str, Any] = read_json(path)["artifacts"] if path.is_file() else {}
    return found


def make(step: Step) -> None:
    """Run a step's commands, and note what they left."""
    OUT.mkdir(parents=True, exist_ok=True)
    started, before = time.time(), _processor_seconds()
    for command in step.commands:
        run(_filled(command))
    for name, pattern in step.copied.items():
        shutil.copyfile(_newest(_filled(pattern)), OUT / name)
    at = machine()
    noted = {
        name: {
            "step": step.name,
            "sha256": file_sha256(OUT / name),
            "code_revision": code_revision(),
            "date": datetime.now(UTC).date().isoformat(),
            "machine": f"{at.threads} cores of an {at.processor} ({at.instruction_set})",
            "seconds": round(time.time() - started),
            "processor_seconds": round(_processor_seconds() - before),
        }
        for name in step.artifacts
    }
    _note(OUT, noted)


def publish() -> None:
    """Copy what was made to the docs, and write the pages made of it."""
    made = ledger(OUT)
    for name in made:
        folder = DECISIONS if name.endswith(".md") else RESULTS
        shutil.copyfile(OUT / name, folder / name)
    _note(RESULTS, made)
    for page in PAGES:
        run(page)


def _note(folder: Path, more: Mapping[str, Any]) -> None:
    known = dict(sorted((ledger(folder) | dict(more)).items()))
    write_json(folder / LEDGER, {"schema": 1, "artifacts": known})


def _processor_seconds() -> float:
    """Return what the commands so far took of the processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(command: str) -> None:
    """Run a command of the program or of a benchmark; SystemExit where it fails."""
    print(f"$ {command}", flush=True)
    program, *words = command.split()
    beside = Path(sys.executable).with_name("essay-scoring")
    paths = {"python": sys.executable, "essay-scoring": str(beside)}
    ended = subprocess.run([paths[program], *words], cwd=ROOT, check=False)
    if ended.returncode:
        raise SystemExit(f"stopped at: {command}; the same command goes on from here")


def _filled(text: str) -> str:
    """Return a command or a pattern with folders in their places."""
    names = {"runs": str(RUNS), "out": str(OUT)}
    if any(f"{{{word}" in text for word in ("reference", "catboost", "both")):
        runs = read_json(OUT / "ellipse.study.json")["runs"]
        done = {(row["arm"], row["scheme"]): row["run"] for row in reversed(runs)}
        reference = [done["reference", scheme] for scheme in SCHEMES]
        names |= {
            "reference": str(RUNS / reference[0]),
            "reference_name": reference[0],
            "catboost": str(RUNS / done["catboost", SCHEMES[0]]),
            "both": " ".join(str(RUNS / name) for name in reference),
        }
    if "{searches}" in text:
        patterns = ("*-grid-*", "xgb-ellipse-flat-*", "xgb-ellipse-[0-9a-f]*")
        found = [_newest(f"{RUNS}/searches/{pattern}") for pattern in patterns]
        names["searches"] = " ".join(map(str, found))
    return text.format(**names)


def _newest(pattern: str) -> Path:
    """Return the file or folder written last of those that fit a pattern."""
    path = Path(pattern).absolute()
    found = list(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    if not found:
        raise SystemExit(f"nothing fits {pattern}: its step did not run to its end")
    return max(found, key=lambda one: one.stat().st_mtime)


if __name__ == "__main__":
    main()
