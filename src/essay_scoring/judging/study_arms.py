"""The arms of a study as runs: those that are missing are run, seed by seed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from essay_scoring.core.errors import EssayScoringError, EvidenceError, NotFiniteError
from essay_scoring.data.splits import Scheme
from essay_scoring.judging.attempts import attempts_of, require_unmarked
from essay_scoring.judging.evidence import admit, require_admissible
from essay_scoring.judging.plans import GatePlan
from essay_scoring.judging.study_plan import Arm, Study, tuned_name
from essay_scoring.records import provenance
from essay_scoring.records.config import RunConfig
from essay_scoring.records.finished_run import RunRecord, read_metrics
from essay_scoring.records.judgements import Role
from essay_scoring.records.manifest import is_complete
from essay_scoring.records.study_results import BriefSummary, StudyRun
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.cv import WriteReports, run_cv
from essay_scoring.runs.run import Run
from essay_scoring.runs.session import read_status


@dataclass(frozen=True)
class Planned:
    """An arm to run: what it is called, its seeds, and its config under a scheme and a seed.

    `command` returns what does that run by itself, None where no command does.
    """

    name: str
    role: Role
    seeds: tuple[int | None, ...]
    config: Callable[[Scheme, int | None], RunConfig]
    command: Callable[[Scheme, int | None], str | None] = lambda *_: None

    @classmethod
    def of(cls, study: Study, arm: Arm, role: Role) -> Planned:
        """Return an arm of a study file."""
        return cls(
            arm.name,
            role,
            arm.each_seed,
            lambda *key: study.config(arm, *key),
            lambda *key: study.command(arm, *key),
        )

    @classmethod
    def tuned(cls, arm: Arm, selected: RunConfig) -> Planned:
        """Return an arm with the configuration that its tuning selected."""

        def config(scheme: Scheme, seed: int | None) -> RunConfig:
            kept = selected.seed if seed is None else seed
            changed = {"name": tuned_name(arm), "scheme": scheme, "seed": kept}
            return selected.model_copy(update=changed)

        return cls(tuned_name(arm), "tuned", arm.each_seed, config)


@dataclass(frozen=True)
class ArmRunner:
    """Runs arms and keeps their records in `runs`, and in `rows` what study.json says of them.

    `base` is a run of the reference: the arms' runs share its data, which is loaded once.
    """

    base: Run
    report: WriteReports
    resume: str
    runs: dict[tuple[str, Scheme], tuple[RunRecord, ...]] = field(default_factory=dict)
    rows: list[StudyRun] = field(default_factory=list)

    @property
    def workspace(self) -> Workspace:
        """Where the study's runs and ledgers lie."""
        return self.base.workspace

    def run(
        self, arm: Planned, scheme: Scheme, plan: GatePlan | None = None
    ) -> tuple[RunRecord, ...]:
        """Return an arm's finished runs under a scheme, one for each seed, running what is missing.

        A run to be judged, by `plan`, is not taken up again where its folder is an attempt that
        came to nothing (EvidenceError). One that fails becomes such an attempt, unless what it was
        given explains the failure.
        """
        key = (arm.name, scheme)
        if key not in self.runs:
            done = [self._finished(arm.config(scheme, seed), plan) for seed in arm.seeds]
            if plan is not None:
                for run in done:
                    require_admissible(run, plan, attempts_of(self.workspace))
            self.runs[key] = tuple(done)
            self.rows.extend(
                _row(arm, run, arm.command(scheme, seed))
                for run, seed in zip(done, arm.seeds, strict=True)
            )
        return self.runs[key]

    def folders(self, arm: Planned, scheme: Scheme) -> list[Path]:
        """Return the run folders of an arm, whether they are there yet or not."""
        runs = (self.base.on_same_data(arm.config(scheme, seed)) for seed in arm.seeds)
        return [self.workspace.runs / run.folder_name for run in runs]

    def require_startable(self, arm: Planned, plan: GatePlan) -> None:
        """Raise EvidenceError before a run starts in a tree that a plan will not allow."""
        if plan.allow_dirty or all(map(is_complete, self.folders(arm, plan.scheme))):
            return
        if provenance.git_state().dirty:
            raise EvidenceError(
                f"the tree has uncommitted changes, which the plan '{plan.name}' does not allow",
                where=f"arm {arm.name}",
                mend="commit them, or judge by a plan with allow_dirty = true",
            )

    def _finished(self, config: RunConfig, plan: GatePlan | None) -> RunRecord:
        run = self.base.on_same_data(config)
        folder = self.workspace.runs / run.folder_name
        if plan is not None and folder.is_dir():
            require_unmarked(folder, attempts_of(self.workspace))
        try:
            return run_cv(run, report=self.report, resume=self.resume)
        except Exception as error:
            if isinstance(error, NotFiniteError) or not isinstance(error, EssayScoringError):
                self._mark(folder, plan)
            raise

    def _mark(self, folder: Path, plan: GatePlan | None) -> None:
        """Write a failed run to the ledger of attempts."""
        if plan is not None and (folder / "status.json").is_file():
            with contextlib.suppress(EvidenceError):
                admit(folder, plan, attempts_of(self.workspace))


def not_finite(folder: Path, run: RunRecord | None) -> bool:
    """Tell whether a run failed, or ended, with numbers that were not finite.

    `run` is what was read of the folder, None where it is not evidence or did not end.
    """
    if not (folder / "status.json").is_file():
        return False
    if run is not None or is_complete(folder):
        try:
            metrics = read_metrics(folder) if run is None else run.metrics
        except EvidenceError:  # What was changed since says nothing.
            return False
        return not all(fit.finite for fit in metrics.fits)
    failure = read_status(folder).failure
    return failure is not None and failure.type == NotFiniteError.__name__


def _row(arm: Planned, run: RunRecord, command: str | None) -> StudyRun:
    """Return what study.json says of a run."""
    metrics = run.metrics
    peaks = [fit.peak_mib for fit in metrics.fits if fit.peak_mib is not None]
    baselines = metrics.baselines if arm.role == "reference" else {}
    return StudyRun(
        arm=arm.name,
        role=arm.role,
        scheme=run.scheme,
        seed=int(str(metrics.config["seed"])),
        run=run.folder.name,
        manifest_sha256=run.manifest_sha256,
        family=metrics.family,
        seconds=sum(fit.seconds for fit in metrics.fits),
        peak_mib=max(peaks, default=None),
        command=command,
        summary=BriefSummary.of(metrics.summary),
        baselines={name: BriefSummary.of(summary) for name, summary in baselines.items()},
    )
