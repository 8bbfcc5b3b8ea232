"""Finished runs and studies, read from their folders, as tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow

from essay_scoring.api.arrow_tables import arrow_table
from essay_scoring.api.notebook import NotebookTable, fragment
from essay_scoring.core.number_text import with_interval
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.records.judgements import Decision
from essay_scoring.records.kinds import require_kind
from essay_scoring.records.study_results import StudyRecord, read_study
from essay_scoring.reports.comparison_tables import DELTA_NAMES
from essay_scoring.reports.study_table import CHECK_HEADER, check_row
from essay_scoring.reports.words import FIGURE_NAMES, headline


@dataclass(frozen=True, eq=False)
class LoadedRun:
    """A finished run: `record` is all that its folder says, the rest are tables of it."""

    record: RunRecord

    @property
    def folder(self) -> Path:
        """Return where it lies."""
        return self.record.folder

    @property
    def predictions(self) -> pyarrow.Table:
        """Return one row an essay, predicted while its fold was held out; no text.

        `score` is `raw` mapped to the scale; covariates follow, NaN where unknown.
        """
        rows = self.record.predictions
        columns = {"id": list(rows.ids), "prompt": list(rows.prompts), "fold": rows.folds}
        columns |= {"true": rows.true, "raw": rows.raw, "score": rows.final}
        return pyarrow.table(columns | self.record.covariates)

    @property
    def figures(self) -> pyarrow.Table:
        """Return each figure over all essays or prompts, with its 95% interval and its n."""
        summary = self.record.metrics.summary
        every = {**summary.overall, **summary.slices}
        return arrow_table({"figure": name, **each.model_dump()} for name, each in every.items())

    @property
    def folds(self) -> pyarrow.Table:
        """Return the figures of each fold."""
        return arrow_table(row.model_dump() for row in self.record.metrics.summary.folds)

    @property
    def prompts(self) -> pyarrow.Table:
        """Return the agreement on each prompt; of small ones their n alone."""
        summary = self.record.metrics.summary
        return arrow_table(row.model_dump() for row in (*summary.prompts, *summary.small_prompts))

    def _repr_html_(self) -> str:
        metrics = self.record.metrics
        rows = [
            [FIGURE_NAMES[name], with_interval(each.estimate, each.low, each.high), str(each.n)]
            for name, each in metrics.summary.overall.items()
        ]
        table = NotebookTable(metrics.run.folder, ("figure", "estimate [95%]", "n"), rows)
        return fragment([headline(metrics)], [table])


@dataclass(frozen=True, eq=False)
class LoadedStudy:
    """A study and its decision: `record` is all that study.json says, the rest are tables of it."""

    record: StudyRecord
    folder: Path

    @property
    def decision(self) -> Decision:
        """Return proceed, defer or inconclusive."""
        return self.record.outcome

    @property
    def reason(self) -> str:
        """Return why, in a sentence."""
        return self.record.reason

    @property
    def arms(self) -> pyarrow.Table:
        """Return how each arm ended, and why."""
        return arrow_table(arm.model_dump() for arm in self.record.arms)

    @property
    def runs(self) -> pyarrow.Table:
        """Return each run: its arm, scheme, seed, folder, cost, and its pooled QWK."""
        left_out = {"summary", "baselines", "manifest_sha256"}
        return arrow_table(
            run.model_dump(exclude=left_out) | {"qwk": run.summary.overall["qwk"].estimate}
            for run in self.record.runs
        )

    @property
    def checks(self) -> pyarrow.Table:
        """Return every check of every gate, with the gate's arm, plan and verdict."""
        return arrow_table(
            {"arm": gate.arm, "plan": gate.plan, "verdict": gate.verdict} | check.model_dump()
            for gate in self.record.gates
            for check in gate.checks
        )

    @property
    def comparison(self) -> pyarrow.Table:
        """Return every figure of every arm minus the reference's, with its 95% interval."""
        return arrow_table(
            {"arm": arm.arm, "scheme": under.scheme} | row.model_dump(exclude={"seeds"})
            for under in self.record.comparisons
            for arm in under.arms
            for row in arm.rows
        )

    def _repr_html_(self) -> str:
        checks = [
            [gate.arm, gate.plan, gate.verdict, *check_row(check)]
            for gate in self.record.gates
            for check in gate.checks
        ]
        deltas = [
            [
                *(str(row[key]) for key in ("arm", "scheme")),
                DELTA_NAMES[row["metric"]],
                with_interval(row["estimate"], row["low"], row["high"], sign=True),
            ]
            for row in self.comparison.to_pylist()
        ]
        tables = [
            NotebookTable("Checks", ("arm", "plan", "verdict", *CHECK_HEADER), checks),
            NotebookTable("Against the reference", ("arm", "scheme", "figure", "delta"), deltas),
        ]
        told = f"{self.decision}, for {self.record.decided_arm}: {self.reason}"
        return fragment([self.record.question, told], tables)


def load_run(folder: str | Path) -> LoadedRun:
    """Return a finished run; raise EvidenceError unless it is complete and untouched."""
    require_kind(Path(folder), "run")
    return LoadedRun(read_run(Path(folder)))


def load_study(folder: str | Path) -> LoadedStudy:
    """Return the study of a folder, or of a study.json; EvidenceError where it was changed."""
    require_kind(Path(folder), "study-folder", "record")
    return LoadedStudy(read_study(Path(folder)), Path(folder))
