"""Make what the README shows: a study, its report as a picture, and the numbers quoted.

`make readme` runs it. The study is the README's own: every number between the marks comes from its
record, docs/quickstart/study.json, or from the published one of ELLIPSE under docs/results/.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from essay_scoring.core.files import read_json, write_text
from essay_scoring.core.number_text import number, with_interval
from essay_scoring.records.study_results import StudyRecord, StudyRun, read_study
from essay_scoring.reports.comparison_tables import DELTA_NAMES
from essay_scoring.statistics.agreement import Estimate

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
STUDY = ROOT / "docs" / "quickstart" / "study.json"
PICTURE = ROOT / "docs" / "quickstart" / "report.png"
PUBLISHED = ROOT / "docs" / "results" / "ellipse.study.json"
CONFIRMED = ROOT / "docs" / "results" / "ellipse_confirmations.json"
TUNED = ROOT / "docs" / "results" / "g3_ellipse_mpnet.study.json"
LOCKED = ROOT / "docs" / "results" / "locked.json"

BEST = "blend-surprisal"

WIDTH, HEIGHT, COLOURS = 1100, 960, 48


def quickstart_told() -> str:
    """Return what the quickstart's study came to."""
    study = read_study(STUDY)
    reference = _run(study, study.runs[0].arm)
    length = reference.baselines["length"].overall["qwk"].estimate
    lead = (
        f"On {study.data.n} synthetic essays the reference agrees with the raters at a QWK of "
        f"{_span(reference.summary.overall['qwk'])} on prompts it never saw; counting words alone "
        f"reaches {number(length)}."
    )
    gates = []
    for gate in study.gates:
        check = gate.checks[0]
        told = with_interval(check.delta, check.low, check.high, check.threshold, sign=True)
        gates.append(f"{gate.arm} {told}")
    metric = DELTA_NAMES[study.gates[0].checks[0].metric]
    threshold = number(study.gates[0].checks[0].threshold, sign=True)
    return (
        f"{lead} Neither candidate gains the {threshold} in {metric} that was asked for beforehand "
        f"({', '.join(gates)}), so the study says **{study.outcome}**: keep the reference."
        if study.outcome == "defer"
        else f"{lead} In {metric}, asked to gain {threshold}: {', '.join(gates)}. The study says "
        f"**{study.outcome}**: {study.decided_arm}."
    )


def published_told() -> str:
    """Return what was found on real essays."""
    study, locked = read_study(PUBLISHED), read_json(LOCKED)
    confirmed = read_json(CONFIRMED)
    best = next(
        row for row in confirmed["rows"] if (row["arm"], row["base"]) == (BEST, "reference")
    )
    delta = Estimate.model_validate(best["deltas"]["pooled_qwk"])
    tuned = max(
        run.summary.overall["qwk"].estimate or 0.0
        for run in read_study(TUNED).runs
        if run.family == "transformer"
    )
    gain = with_interval(delta.estimate, delta.low, delta.high, sign=True)
    seen = Estimate.model_validate(locked["summary"]["overall"]["qwk"])
    return (
        f"On {study.data.n:,} real essays (ELLIPSE, {study.data.n_prompts} prompts) a blend of "
        f"support vectors, ridge and trees on a larger frozen encoder, named columns and a small "
        f"language model's surprisal reaches {number(best['candidate']['pooled_qwk'])} on unseen "
        f"prompts, the mean over {confirmed['partitions']} partitions of them drawn after it was "
        f"fixed, the reference {number(best['reference']['pooled_qwk'])} ({gain}); without the "
        f"surprisal, on the locked test, opened once, whose prompts were trained on, "
        f"{_span(seen)}. "
        "A layer of that encoder fine-tuned on these essays, text alone, with prompt "
        f"invariance or without, reaches {number(tuned)} at most."
    )


BLOCKS: dict[str, Callable[[], str]] = {
    "quickstart": quickstart_told,
    "published": published_told,
}
"""What stands between the marks of the README, by the name in them."""


def wrapped(text: str) -> str:
    """Return a paragraph in lines of the README's length."""
    return textwrap.fill(text, 118, break_long_words=False, break_on_hyphens=False)


def mark(name: str) -> tuple[str, str]:
    """Return what stands before and after a block that is made."""
    return f"<!-- {name}: made by make readme -->\n", f"\n<!-- {name} ends -->"


def main() -> None:
    """Run the study anew, unless told not to, and write picture and numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"))
    parser.add_argument("--cache-dir", type=Path, default=Path("cache"))
    parser.add_argument("--numbers-only", action="store_true", help="keep record and picture")
    asked = parser.parse_args()
    if not asked.numbers_only:
        _study(asked.runs_dir, asked.cache_dir)
    text = README.read_text(encoding="utf-8")
    for name, told in BLOCKS.items():
        begin, end = mark(name)
        before, rest = text.split(begin)
        text = f"{before}{begin}{wrapped(told())}{end}{rest.split(end)[1]}"
    write_text(README, text)


def _study(runs: Path, cache: Path) -> None:
    """Run the quickstart and the audit of its reference, keep its record, draw its page."""
    folders = ["--runs-dir", str(runs), "--cache-dir", str(cache)]
    _say("study", "configs/studies/quickstart.toml", "--exit-zero", *folders)
    folder = max((runs / "studies").glob("quickstart-*"), key=lambda one: one.stat().st_mtime)
    study = read_study(folder)
    _say("audit", str(runs / study.decided_run), "--attack-essays", "20", *folders)
    _say("report", str(folder))
    STUDY.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / "study.json", STUDY)
    _draw(folder / "views" / "report.html")


def _say(*words: str) -> None:
    """Run a command of the program."""
    program = Path(sys.executable).with_name("essay-scoring")
    subprocess.run([str(program), *words], check=True, cwd=ROOT)


def _draw(page: Path) -> None:
    """Draw the top of a page into the picture, in few colours."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if program is None:
        raise SystemExit("no chromium on PATH: the picture stays as it was")
    with tempfile.TemporaryDirectory() as profile:
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        flags += [f"--user-data-dir={profile}", f"--window-size={WIDTH},{HEIGHT}"]
        flags += ["--blink-settings=preferredColorScheme=1", f"--screenshot={PICTURE}"]
        address = page.resolve().as_uri()
        subprocess.run([program, *flags, address], check=True, capture_output=True)
    Image.open(PICTURE).convert("RGB").quantize(COLOURS).save(PICTURE, optimize=True)


def _run(study: StudyRecord, arm: str) -> StudyRun:
    return next(run for run in study.runs if run.arm == arm)


def _span(figure: Estimate) -> str:
    return f"{number(figure.estimate)} (95%: {number(figure.low)} to {number(figure.high)})"


if __name__ == "__main__":
    main()
