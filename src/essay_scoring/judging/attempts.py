"""Attempts that came to nothing: runs that failed or are no valid evidence, listed for ever.

What marks a run is its own: it failed (also by a number that is not finite), was changed after it
ended, or missed an evidence rule of a registered plan. From then on it is evidence for no plan.
What a caller got wrong marks nothing: runs that do not compare, a plan that is not registered or
was registered too late, a tree with changes, a folder that is not finished.

An attempt is one folder since its first start, so a marked run that is deleted and run again is a
new attempt, while one that is resumed, renamed or copied stays the old one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.judging.plans import GatePlan
from essay_scoring.records.ledger import Ledger
from essay_scoring.records.manifest import MANIFEST, is_complete
from essay_scoring.records.more_records import AttemptEntry, RefusedRun
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.session import first_start


def attempts_of(workspace: Workspace) -> Ledger[AttemptEntry]:
    """Return the ledger of runs that were refused as evidence."""
    return Ledger(workspace.attempts, AttemptEntry)


@dataclass(frozen=True)
class Attempt:
    """A run folder's name, first start, and the hash of its manifest, None where it has none."""

    run: str
    started: str | None
    manifest_sha256: str | None

    def is_in(self, entry: AttemptEntry) -> bool:
        """Tell whether a ledger's entry is about this attempt, or about one it is a copy of."""
        if self.manifest_sha256 is not None and entry.manifest_sha256 == self.manifest_sha256:
            return True
        starts = {entry.started, self.started} - {None}
        return entry.run == self.run and len(starts) <= 1


def attempt_of(folder: Path) -> Attempt:
    """Return which attempt a run folder is; whatever was done to the folder, this does not fail."""
    try:
        started = first_start(folder)
    except InputError:
        started = None
    manifest = file_sha256(folder / MANIFEST) if is_complete(folder) else None
    return Attempt(folder.name, started, manifest)


def require_unmarked(folder: Path, attempts: Ledger[AttemptEntry]) -> None:
    """Raise EvidenceError, with the reason and the date, for a run that was once marked."""
    attempt = attempt_of(folder)
    for entry in attempts.entries():
        if attempt.is_in(entry):
            raise EvidenceError(
                f"refused since {entry.time}: {entry.reason}",
                where=str(folder),
                mend="delete the folder and run it again, as a new attempt",
            )


def mark(
    folder: Path,
    reason: str,
    attempts: Ledger[AttemptEntry],
    *,
    plan: GatePlan | None,
    changed: bool = False,
) -> EvidenceError:
    """Write a run to the ledger as no evidence, and return the error that says so.

    A folder that was `changed` after it ended is marked without its manifest, which is no longer
    its own: the run it may have been copied from stays what it is.
    """
    attempt = attempt_of(folder)
    refused = RefusedRun(
        run=attempt.run,
        started=attempt.started,
        manifest_sha256=None if changed else attempt.manifest_sha256,
        plan=None if plan is None else plan.name,
        plan_sha256=None if plan is None else plan.sha256,
        reason=reason,
    )
    with attempts.held():
        attempts.append(refused)
    return EvidenceError(
        f"invalid evidence: {reason}",
        where=str(folder),
        mend=f"run it again, as a new attempt; {attempts.path.name} keeps this one",
    )


def attempts_under(plan: GatePlan, attempts: Ledger[AttemptEntry]) -> list[AttemptEntry]:
    """Return the entries of runs that were marked under a plan, oldest first."""
    return [entry for entry in attempts.entries() if entry.plan_sha256 == plan.sha256]
