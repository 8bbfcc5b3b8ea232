"""What docs/results.md reads: studies, their runs and differences, and other artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from essay_scoring.core.files import read_json
from essay_scoring.core.number_text import number, with_interval
from essay_scoring.core.record import Scheme
from essay_scoring.records.study_results import StudyRecord, StudyRun
from essay_scoring.records.trait_results import TraitsRecord
from essay_scoring.statistics.comparison import Delta

DOCS = Path(__file__).resolve().parent.parent / "docs"
RESULTS, DECISIONS = DOCS / "results", DOCS / "decisions"
HELD_OUT: Scheme = "prompt_holdout"
KNOWN: Scheme = "stratified_text"


@cache
def artifact(name: str) -> Any:
    """Return an artifact under docs/results."""
    return read_json(RESULTS / f"{name}.json")


@cache
def study_of(name: str) -> StudyRecord:
    """Return a published study."""
    return StudyRecord.model_validate(artifact(f"{name}.study"))


@cache
def traits_record() -> TraitsRecord:
    """Return the published table of traits."""
    return TraitsRecord.model_validate(artifact("ellipse.traits"))


def run_of(study: StudyRecord, arm: str, scheme: Scheme = HELD_OUT) -> StudyRun:
    """Return the first run of an arm under a scheme."""
    return next(run for run in study.runs if (run.arm, run.scheme) == (arm, scheme))


def delta_of(
    study: StudyRecord, arm: str, metric: str = "pooled_qwk", scheme: Scheme = HELD_OUT
) -> Delta:
    """Return by how much a figure of an arm exceeds the reference's."""
    [compared] = [part for part in study.comparisons if part.scheme == scheme]
    return next(one for one in compared.arms if one.arm == arm).deltas[metric]


def mean_of(study: StudyRecord, arm: str, metric: str) -> float | None:
    """Return a figure of an arm, the mean over its seeds."""
    if arm != study.runs[0].arm:
        return delta_of(study, arm, metric).candidate
    other = next(run.arm for run in study.runs if run.role == "candidate")
    return delta_of(study, other, metric).reference


def reached(study: StudyRecord, arm: str) -> str:
    """Return an arm's pooled QWK and its interval, each the mean over the arm's seeds."""
    runs = [run for run in study.runs if (run.arm, run.scheme) == (arm, HELD_OUT)]
    held = [run.summary.overall["qwk"] for run in runs]
    ends = [
        fmean(end for one in held for end in [getattr(one, name)] if end is not None)
        for name in ("estimate", "low", "high")
    ]
    return with_interval(*ends)


def gain(study: StudyRecord, arm: str, metric: str = "pooled_qwk") -> str:
    """Return by how much an arm exceeds the reference, with its interval."""
    return span(delta_of(study, arm, metric), sign=True)


def dealt(name: str, arm: str, base: str = "blend-svr") -> Mapping[str, Any]:
    """Return what an arm and another come to and differ by, the means over partitions."""
    rows = artifact(f"ellipse_{name}s")["rows"]
    found: Mapping[str, Any] = next(row for row in rows if (row["base"], row["arm"]) == (base, arm))
    return found


def dealt_gain(name: str, arm: str, base: str = "blend-svr", metric: str = "pooled_qwk") -> str:
    """Return by how much an arm exceeds another over partitions, with its interval."""
    return span(dealt(name, arm, base)["deltas"][metric], sign=True)


def span(row: Any, *, sign: bool = False) -> str:
    """Return a figure of a record or of an artifact with its interval."""
    at = row if isinstance(row, Mapping) else row.model_dump()
    told: str = with_interval(at["estimate"], at["low"], at["high"], sign=sign)
    return told


def figure(study: StudyRecord, arm: str, metric: str) -> str:
    """Return a figure of an arm in digits, the mean over its seeds."""
    return number(mean_of(study, arm, metric))


def verdict(delta: Delta) -> str:
    """Return what an interval says of a difference, in words."""
    if delta.low is None or delta.high is None:
        return "without an interval"
    if delta.low > 0:
        return "better by more than chance"
    return "worse by more than chance" if delta.high < 0 else "not told apart"


def record_of(study: StudyRecord) -> str:
    """Return a link to a study's decision record."""
    for path in sorted(DECISIONS.glob("*.md")):
        if f"\nid: {study.folder}\n" in path.read_text(encoding="utf-8"):
            return f"[{path.stem}](decisions/{path.name})"
    raise SystemExit(f"no decision record of {study.folder}: run its study with --record")


def fine_tuned(study: StudyRecord) -> list[str]:
    """Return the arms of a study that were fine-tuned."""
    return list(dict.fromkeys(run.arm for run in study.runs if run.family == "transformer"))
