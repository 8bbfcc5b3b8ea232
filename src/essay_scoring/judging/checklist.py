"""The review checklist of a study: boxes ticked by what lies in run folders, never by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import TypeAdapter

from essay_scoring.core.errors import EvidenceError
from essay_scoring.models.invariance.invariance_settings import InvarianceSettings
from essay_scoring.models.invariance.method import InvarianceMethod
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.judgements import ArmComparison
from essay_scoring.records.manifest import require_intact
from essay_scoring.records.residuals import STEM
from essay_scoring.records.study_results import ChecklistItem

DIAGNOSTICS = "reports/residual_diagnostics.md"
ARTIFACTS = (
    "artifacts/cv_metrics.json",
    f"artifacts/{STEM}.csv",
    f"artifacts/{STEM}.jsonl",
    DIAGNOSTICS,
)
_SAME = ("data_sha256", "splits_sha256", "predictions_sha256")
_REVIEWED = ("worst_prompt_qwk", "bottom_k_mean", "mean_qwk")


def checklist(
    reference: Sequence[RunRecord],
    others: Mapping[str, Sequence[RunRecord]],
    compared: Sequence[ArmComparison],
    recommendation: str | None,
) -> list[ChecklistItem]:
    """Return the boxes of a study.

    `others` are the runs of all other arms by name; `compared` the judged arms; `recommendation`
    what was decided, None while nothing is.
    """
    return [
        _baseline(reference),
        _invariance(reference, others),
        _reviewed(compared),
        _box(
            "recommendation recorded",
            bool(recommendation),
            recommendation or "nothing was decided",
        ),
    ]


def _baseline(reference: Sequence[RunRecord]) -> ChecklistItem:
    item = "baseline run with residual diagnostics"
    if absent := [run.folder.name for run in reference if _lacks(run, (DIAGNOSTICS,))]:
        return _box(item, False, f"no {DIAGNOSTICS} in {', '.join(absent)}")
    return _box(item, True, ", ".join(f"{run.folder.name}/{DIAGNOSTICS}" for run in reference))


def _invariance(
    reference: Sequence[RunRecord], others: Mapping[str, Sequence[RunRecord]]
) -> ChecklistItem:
    item = "invariance run on the same splits with comparable artifacts"
    invariant = {
        name: runs for name, runs in others.items() if runs and all(map(_is_invariant, runs))
    }
    if not invariant:
        return _box(item, False, "no arm with an invariance method has a run")
    faults = []
    for name, runs in invariant.items():
        fault = next(filter(None, (_incomparable(run, reference) for run in runs)), None)
        if fault is None:
            folders = ", ".join(run.folder.name for run in runs)
            return _box(item, True, f"'{name}': {folders}")
        faults.append(f"'{name}': {fault}")
    return _box(item, False, "; ".join(faults))


def _reviewed(compared: Sequence[ArmComparison]) -> ChecklistItem:
    item = "worst-prompt slices and mean reviewed"
    if not compared:
        return _box(item, False, "no candidate was judged")
    for arm in compared:
        for name in _REVIEWED:
            if arm.deltas[name].estimate is None or arm.deltas[name].low is None:
                return _box(item, False, f"'{arm.arm}' has no {name} with an interval")
    names = ", ".join(f"'{arm.arm}'" for arm in compared)
    return _box(item, True, f"{', '.join(_REVIEWED)} of {names}, each with its interval")


def _box(item: str, met: bool, evidence: str) -> ChecklistItem:
    return ChecklistItem(item=item, met=met, evidence=evidence)


def _is_invariant(run: RunRecord) -> bool:
    """Tell whether a run was trained by a method that makes it depend less on the prompt."""
    scorer = run.metrics.config["scorer"]
    values = scorer.get("invariance") if isinstance(scorer, dict) else None
    settings = TypeAdapter[InvarianceMethod](InvarianceSettings).validate_python(
        values or {"method": "none"}
    )
    return settings.reduces_prompt_dependence


def _incomparable(run: RunRecord, reference: Sequence[RunRecord]) -> str | None:
    """Return what keeps a run from being compared with the reference, None where nothing does."""
    first = reference[0]
    for key in _SAME:
        if getattr(run.metrics.data, key) != getattr(first.metrics.data, key):
            return f"{key} differs from the reference's"
    if run.mapping != first.mapping:
        return f"its mapping is {run.mapping}, not {first.mapping}"
    if absent := _lacks(run, ARTIFACTS):
        return f"no {', '.join(absent)} in {run.folder.name}"
    return None


def _lacks(run: RunRecord, names: Sequence[str]) -> list[str]:
    """Return which files an untouched run folder lacks; all of them where it was changed."""
    try:
        require_intact(run.folder)
    except EvidenceError:
        return list(names)
    return [name for name in names if not (run.folder / name).is_file()]
