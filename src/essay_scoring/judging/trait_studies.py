"""`study --trait`: one study for each trait of the same essays, and a table of all traits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from essay_scoring.core.errors import InputError
from essay_scoring.core.fingerprint import file_sha256, fingerprint
from essay_scoring.core.progress import Progress
from essay_scoring.core.record import write_record
from essay_scoring.data.data_settings import EllipseCorpus, TableCorpus
from essay_scoring.judging.study_plan import Study, load_study
from essay_scoring.records import provenance
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.records.judgements import Role
from essay_scoring.records.manifest import MANIFEST, require_intact
from essay_scoring.records.study_results import StudyRecord, read_study
from essay_scoring.records.trait_results import TRAITS, TraitRow, TraitsRecord, TraitStudy
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.session import finish
from essay_scoring.statistics.agreement import Estimate
from essay_scoring.statistics.comparison import Delta, compare, mean_delta
from essay_scoring.statistics.run_intervals import Jackknifed, jackknifed_figures, mean_over_runs

RunStudy = Callable[[Study], Path]
"""Runs a study and returns its folder."""

WriteTraits = Callable[[Path, TraitsRecord], object]

REFERENCE: Role = "reference"

SEED = 20_000
"""Of resamples: one for all traits, so that their prompts are swapped alike."""


@dataclass(frozen=True)
class TraitRunner:
    """Runs a study file once for each trait; `run` does one study, `report` writes the pages."""

    workspace: Workspace
    progress: Progress
    run: RunStudy
    report: WriteTraits
    resume: str

    def run_all(self, path: Path, traits: Sequence[str], overrides: Sequence[str] = ()) -> Path:
        """Return the folder of the traits' table, doing only what is not done yet.

        Raises InputError for a corpus without the trait before anything runs.
        """
        base = load_study(path, overrides)
        studies = studies_of(base, traits, overrides)  # All are read before one runs.
        folders = {trait: self.run(study) for trait, study in studies.items()}
        first, name = next(iter(studies.values())), base.settings.name
        hashes = {trait: file_sha256(folder / MANIFEST) for trait, folder in folders.items()}
        folder = self.workspace.runs / "traits" / f"{name}-{fingerprint(hashes)[:12]}"

        def work(_: object) -> Path:
            record = self._record(folder.name, name, first, folders)
            write_record(folder / TRAITS, record)
            self.report(folder, record)
            return folder

        return finish(folder, self.resume, self.progress, work, read=require_intact)

    def _record(
        self, folder: str, name: str, study: Study, folders: Mapping[str, Path]
    ) -> TraitsRecord:
        records = {trait: read_study(where) for trait, where in folders.items()}
        scheme = study.schemes[0]
        arms = _arms_in_all(records.values(), scheme)
        runs = {
            (trait, arm): [
                read_run(self.workspace.runs / run.run)
                for run in record.runs
                if run.arm == arm and run.scheme == scheme
            ]
            for trait, record in records.items()
            for arm in arms
        }
        [reference] = [arm for arm, role in arms.items() if role == REFERENCE]
        rows = list(_Table(study, records, arms, runs, reference).rows())
        any_run = next(iter(runs.values()))[0]
        return TraitsRecord(
            folder=folder,
            name=name,
            question=study.settings.question,
            scheme=scheme,
            n_prompts=len(set(any_run.predictions.prompts)),
            studies=tuple(
                TraitStudy(
                    trait=trait,
                    study=record.folder,
                    manifest_sha256=file_sha256(folders[trait] / MANIFEST),
                    outcome=record.outcome,
                    decided_arm=record.decided_arm,
                )
                for trait, record in records.items()
            ),
            rows=tuple(rows),
            judge_revision=provenance.judge_revision(),
            git=provenance.git_state(),
            machine=provenance.machine(),
        )


def studies_of(base: Study, traits: Sequence[str], overrides: Sequence[str]) -> dict[str, Study]:
    """Return the study of each trait: the file of `base` with that trait as its score.

    Raises InputError for a trait that is there twice or a corpus that has no traits.
    """
    if len(set(map(_slug, traits))) < len(traits):
        raise InputError("a trait is there twice", where="--trait", mend="name each once")
    corpus = base.config(base.settings.reference, base.schemes[0]).data.corpus
    if isinstance(corpus, TableCorpus):
        key = "data.corpus.columns.score"
    elif isinstance(corpus, EllipseCorpus):
        key = "data.corpus.score"
    else:
        raise InputError(
            f"a {corpus.kind} corpus has one score and no traits",
            where="--trait",
            mend="leave --trait out, or use a table with a column for each trait",
        )
    studies = {}
    for trait in traits:
        scored = f"{key}={json.dumps(trait, ensure_ascii=False)}"
        study = load_study(base.path, [*overrides, scored])
        name = f"{base.settings.name[:40]}-{_slug(trait)[:20]}"
        settings = study.settings.model_copy(update={"name": name})
        studies[trait] = replace(study, settings=settings)
    return studies


@dataclass(frozen=True)
class _Table:
    """The rows of a traits' table, from the runs of every trait and arm."""

    study: Study
    records: Mapping[str, StudyRecord]
    arms: Mapping[str, Role]
    runs: Mapping[tuple[str, str], Sequence[RunRecord]]
    reference: str

    def rows(self) -> Iterator[TraitRow]:
        """Yield the arms of each trait, then each arm's mean over traits."""
        figures = {key: [self._qwk(run) for run in runs] for key, runs in self.runs.items()}
        deltas = {key: self._delta(*key) for key in self.runs if key[1] != self.reference}
        for trait in self.records:
            for arm in self.arms:
                delta = deltas.get((trait, arm))
                qwk = mean_over_runs(figures[trait, arm])
                yield self._row(trait, arm, qwk, None if delta is None else _estimate(delta))
        for arm in self.arms:
            every = [figure for trait in self.records for figure in figures[trait, arm]]
            of_arm = [deltas[trait, arm] for trait in self.records if (trait, arm) in deltas]
            mean = mean_delta(of_arm) if of_arm else None
            yield self._row(None, arm, mean_over_runs(every), mean)

    def _row(self, trait: str | None, arm: str, qwk: Estimate, delta: Estimate | None) -> TraitRow:
        return TraitRow(trait=trait, arm=arm, role=self.arms[arm], qwk=qwk, delta=delta)

    def _qwk(self, run: RunRecord) -> Jackknifed:
        return jackknifed_figures(run.predictions, seed=SEED, **self._slices)["qwk"]

    def _delta(self, trait: str, arm: str) -> Delta:
        reference, candidate = (
            [run.predictions for run in self.runs[trait, name]] for name in (self.reference, arm)
        )
        return compare(reference, candidate, seed=SEED, **self._slices).deltas["pooled_qwk"]

    @property
    def _slices(self) -> dict[str, int]:
        """What is asked for beside pooled QWK, by the first plan."""
        plan = self.study.distinct_plans[0]
        return {"min_prompt_n": plan.min_prompt_n, "bottom_k": plan.bottom_k}


def _estimate(delta: Delta) -> Estimate:
    return Estimate(estimate=delta.estimate, low=delta.low, high=delta.high, n=delta.n)


def _arms_in_all(records: Iterable[StudyRecord], scheme: str) -> dict[str, Role]:
    """Return the arms that ran in every study, with their roles, the reference first."""
    by_study = [
        {run.arm: run.role for run in record.runs if run.scheme == scheme} for record in records
    ]
    return {arm: role for arm, role in by_study[0].items() if all(arm in arms for arms in by_study)}


def _slug(trait: str) -> str:
    """Return the part of a folder's name that stands for a trait."""
    slug = re.sub(r"[^a-z0-9]+", "-", trait.lower()).strip("-")
    return slug or fingerprint(trait)[:8]
