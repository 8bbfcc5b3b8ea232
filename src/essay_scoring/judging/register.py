"""The register of gate plans: what was asked of candidates, and when, before any of them ran."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from essay_scoring.core.errors import EvidenceError
from essay_scoring.judging.compare_runs import require_reference, require_scheme
from essay_scoring.judging.plans import GatePlan
from essay_scoring.records import provenance
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.judgements import Registration
from essay_scoring.records.ledger import Ledger
from essay_scoring.records.more_records import RegisteredPlan, RegisterEntry
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.session import first_start

_DATA = {"data_sha256": "the prepared data", "splits_sha256": "the splits"}


def register_of(workspace: Workspace) -> Ledger[RegisterEntry]:
    """Return the ledger of plans that were registered before their candidates ran."""
    return Ledger(workspace.register, RegisterEntry)


def register_plan(
    plan: GatePlan,
    reference: Sequence[RunRecord],
    register: Ledger[RegisterEntry],
    *,
    results_seen: bool | None = None,
) -> Registration:
    """Return a plan's registration on its reference's data and splits, written unless it stands.

    A plan that is registered already, for the code as it is, keeps its first date. One of a name
    that another plan was last registered by amends that one; the entry says so, and whether results
    had been seen (None: not said). Raises EvidenceError for a reference that the plan is not about
    or could not be judged against.
    """
    for run in reference:
        require_scheme(run, plan)
        require_reference(run, plan)
        _require_clean(run, plan)
    key = _key(plan, reference)
    with register.held() as entries:
        if (standing := _standing(key, entries)) is not None:
            return _registration(standing)
        amends = _amended(plan, entries)
        return _registration(
            register.append(
                RegisteredPlan(
                    **key,
                    amends=amends,
                    results_seen=None if amends is None else results_seen,
                    plan=plan.name,
                    frozen_plan=plan.frozen(),
                    reference={run.folder.name: run.manifest_sha256 for run in reference},
                    git=provenance.git_state(),
                )
            )
        )


def is_registered(
    plan: GatePlan, reference: Sequence[RunRecord], register: Ledger[RegisterEntry]
) -> bool:
    """Tell whether a plan is registered on its reference's data and splits, for this code."""
    return _standing(_key(plan, reference), register.entries()) is not None


def _key(plan: GatePlan, reference: Sequence[RunRecord]) -> dict[str, str]:
    """Return what one registration differs from another in."""
    return {
        "plan_sha256": plan.sha256,
        **_data_of(reference),
        "code_revision": provenance.code_revision(),
    }


def _standing(key: Mapping[str, str], entries: Sequence[RegisterEntry]) -> RegisterEntry | None:
    """Return the first entry of the register with this key, None where there is none."""
    alike = (e for e in entries if all(getattr(e, name) == value for name, value in key.items()))
    return next(alike, None)


def require_said(
    plan: GatePlan, register: Ledger[RegisterEntry], results_seen: bool | None
) -> None:
    """Raise EvidenceError for an amendment of which is not said whether results had been seen."""
    entries = register.entries()
    known = any(entry.plan_sha256 == plan.sha256 for entry in entries)
    if results_seen is None and not known and (before := _amended(plan, entries)):
        raise EvidenceError(
            f"amends the plan {before[:12]} that is registered by this name",
            where=f"gate {plan.name}",
            mend="say whether results had been seen: --results-seen or --no-results-seen",
        )


def registrations(plan: GatePlan, register: Ledger[RegisterEntry]) -> list[Registration]:
    """Return every registration of a plan as it stands, oldest first.

    Raises EvidenceError if there is none, telling a plan that was edited since from an unknown one.
    """
    entries = register.entries()
    if found := [e for e in entries if e.plan_sha256 == plan.sha256]:
        return [_registration(entry) for entry in found]
    if others := [entry for entry in entries if entry.plan == plan.name]:
        last = others[-1]
        raise EvidenceError(
            f"edited since it was registered: {last.plan_sha256[:12]} was registered on "
            f"{last.time}, the plan is now {plan.sha256[:12]}",
            where=f"gate {plan.name}",
            mend="judge by the plan that was registered",
        )
    raise EvidenceError(
        "not registered",
        where=f"gate {plan.name}",
        mend="register it before its candidates run, with: essay-scoring register",
    )


def registration_for(
    run: RunRecord, plan: GatePlan, registered: Sequence[Registration]
) -> Registration:
    """Return the first registration of a plan that holds for a run.

    Raises EvidenceError for a run on other data or splits, of a tree with changes (unless the plan
    admits it), or made outside git by other code than was registered.
    """
    left = list(registered)
    for key, what in _DATA.items():
        left = [one for one in left if getattr(one, key) == getattr(run.metrics.data, key)]
        if not left:
            raise _refused(run, plan, f"{what} are not those it was registered for ({key})")
    _require_clean(run, plan)
    if None in _dirt(run):
        left = [one for one in left if one.code_revision == run.metrics.code_revision]
        if not left:
            raise _refused(run, plan, "made outside git, by other code than was registered")
    return left[0]


def require_started_after(run: RunRecord, plan: GatePlan, registration: Registration) -> None:
    """Raise EvidenceError for a run whose first process started before the plan was registered."""
    started = first_start(run.folder)
    if started is None:
        raise _refused(run, plan, "the run does not record when it started")
    if datetime.datetime.fromisoformat(started) < datetime.datetime.fromisoformat(
        registration.time
    ):
        raise _refused(
            run, plan, f"the run started {started}, before registration on {registration.time}"
        )


def _amended(plan: GatePlan, entries: Sequence[RegisterEntry]) -> str | None:
    """Return the hash of the plan that was last registered by this plan's name, if another was."""
    last = [entry.plan_sha256 for entry in entries if entry.plan == plan.name][-1:]
    return last[0] if last and last != [plan.sha256] else None


def _registration(entry: RegisterEntry) -> Registration:
    """Return the registration that an entry of the register holds."""
    return Registration(**{name: getattr(entry, name) for name in Registration.model_fields})


def _data_of(reference: Sequence[RunRecord]) -> dict[str, str]:
    """Return the hashes of the data and splits that all runs of a reference share."""
    first = reference[0].metrics.data
    for run in reference[1:]:
        for key, what in _DATA.items():
            if getattr(run.metrics.data, key) != getattr(first, key):
                raise EvidenceError(
                    f"{what} differ between runs of the reference ({key})", where=str(run.folder)
                )
    return {key: getattr(first, key) for key in _DATA}


def _require_clean(run: RunRecord, plan: GatePlan) -> None:
    """Raise EvidenceError for a run of a tree with uncommitted changes, unless the plan may."""
    if True in _dirt(run) and not plan.allow_dirty:
        raise _refused(
            run, plan, "made by a tree with uncommitted changes, which the plan does not allow"
        )


def _dirt(run: RunRecord) -> set[bool | None]:
    """Return whether the trees that made the run's fits had changes; None: git knows nothing."""
    return {one.git.dirty for fit in run.metrics.fits for one in fit.environments}


def _refused(run: RunRecord, plan: GatePlan, why: str) -> EvidenceError:
    return EvidenceError(f"no evidence under the plan '{plan.name}': {why}", where=str(run.folder))
