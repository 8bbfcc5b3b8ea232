"""A search: the records of what it tried, selected and is worth, and the folder they lie in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field

from essay_scoring.core.names import FolderName
from essay_scoring.core.record import Record, Scheme, Sha256, Share, read_record, write_record
from essay_scoring.records.config import RunConfig, load_run_config
from essay_scoring.records.manifest import require_intact
from essay_scoring.records.provenance import GitState, Machine
from essay_scoring.records.search_settings import Mode, Objective, SearchSettings
from essay_scoring.statistics.comparison import Comparison
from essay_scoring.statistics.summary import Summary

Figures = dict[str, float | None]
Key = tuple[float, ...]
"""The figures of a rule, most important first; compared as tuples are."""

RULES: dict[Objective, tuple[str, ...]] = {
    "worst_prompt_qwk_then_mean_qwk": ("worst_prompt_qwk", "mean_qwk"),
    "bottom_k_mean": ("bottom_k_mean",),
    "shrunken_worst": ("shrunken_worst_qwk",),
    "mean_qwk": ("mean_qwk",),
}
"""The figures that each objective compares, most important first."""

State = Literal["complete", "pruned", "failed"]
REFERENCE = -1
"""The slot of a reference, which is no trial."""


class TriedConfiguration(Record):
    """A configuration and the figures it came to."""

    slot: int = Field(default=REFERENCE, description="its number; -1 is the reference")
    params: dict[str, Any] = Field(default={}, description="what differs from the base config")
    figures: Figures = Field(description="out-of-fold figures of the folds done")
    key: Key | None = Field(description="what it was ranked by, most important first")
    seconds: float = Field(description="s, of its fits")


class Outcome(TriedConfiguration):
    """trials/PART/CONFIGURATION.json: how a configuration did on a part of the essays."""

    config: RunConfig = Field(description="the configuration, whole")
    state: State = Field(description="whether it ran to the end; pruned: given up between folds")
    steps: dict[int, Key] = Field(description="the rule's figures after each number of folds")
    raw: tuple[float, ...] = Field(
        description="out-of-fold predictions of a complete one before mapping, in corpus order"
    )
    rounds: tuple[int | None, ...] = Field(description="boosting rounds or epochs kept, by fold")
    reason: str | None = Field(default=None, description="why it failed")

    def short(self) -> TriedConfiguration:
        """Return what reports say of it."""
        names = TriedConfiguration.model_fields
        return TriedConfiguration(**{name: getattr(self, name) for name in names})


class TrialRow(Record):
    """A trial of artifacts/optuna_trials.json, in the order in which Optuna numbers them."""

    number: int = Field(description="Optuna's number")
    state: Literal[State, "running", "killed"] = Field(
        description="killed: cut short with its worker, and tried again under another number"
    )
    slot: int | None = Field(description="which configuration asked for; null for a repeat")
    repeats: int | None = Field(description="the trial that a repeat was answered from")
    params: dict[str, Any] = Field(description="what it varies")
    fingerprint: Sha256 | None = Field(description="one for all configs of the same predictions")
    key: Key | None = Field(default=None, description="what it was ranked by")
    excess: dict[str, float] = Field(
        default={}, description="by how much a tail breaks its guardrail"
    )
    seconds: float | None = Field(default=None, description="s, of its fits")
    reason: str | None = Field(default=None, description="why it failed or was refused")
    figures: Figures | None = Field(default=None, description="out-of-fold figures of its folds")
    feasible: bool | None = Field(
        default=None, description="whether a complete one keeps both tails"
    )


class TrialsRecord(Record):
    """artifacts/optuna_trials.json: every trial of every part."""

    schema_: Literal[1] = Field(default=1, alias="schema", description="version of this record")
    objective: Objective = Field(description="what was maximised")
    parts: dict[str, list[TrialRow]] = Field(description="`all`, or all but an outer fold")


class TrialCounts(Record):
    """How many trials a part had."""

    asked: int = Field(description="configurations asked for")
    tried: int = Field(description="configurations tried, each counted once")
    complete: int = Field(description="of these, run to the end")
    pruned: int = Field(description="given up between folds")
    failed: int = Field(description="without figures")
    repeats: int = Field(description="proposals answered from an earlier trial")
    exhausted: bool = Field(description="whether the space holds no other configuration")


class WinnersCurse(Record):
    """What the winner's figures are expected to lose on prompts that did not select it."""

    apparent: Figures = Field(description="on the folds that selected")
    drop: Figures = Field(description="expected loss")
    expected: Figures = Field(description="apparent less drop")
    reselected: Share = Field(description="share of resamples that select the same trial")
    selected: int = Field(description="how many different trials any resample selects")
    candidates: int = Field(description="how many trials there were to select from")
    replicates: int = Field(description="resamples")
    seed: int = Field(description="of the resamples")


class NestedResult(Record):
    """Searching and selecting, judged on outer folds that took no part in it."""

    summary: Summary = Field(description="the figures over all outer folds")
    against_reference: Comparison = Field(description="deltas and tests")
    chosen: dict[str, TriedConfiguration] = Field(description="what each inner search selected")


class StabilityRow(Record):
    """A leading configuration under `stratified_text`: unseen essays of prompts that were seen."""

    role: str = Field(description="reference, winner or runner-up")
    run: FolderName = Field(description="its run folder")
    manifest_sha256: Sha256 = Field(description="of that folder's manifest")
    mean_qwk: float | None = Field(description="mean QWK over folds")
    delta: float | None = Field(description="minus the reference's")
    low: float | None = Field(description="lower end of the delta's 95% interval")
    high: float | None = Field(description="upper end")


class SearchRecord(Record):
    """artifacts/search.json: what a search selected, and what that is worth."""

    schema_: Literal[1] = Field(default=1, alias="schema", description="version of this record")
    name: str = Field(description="the search's name")
    mode: Mode = Field(description="whether outer folds report it")
    label: str = Field(description="the mode in words")
    objective: Objective = Field(description="what was maximised")
    settings: SearchSettings = Field(description="the search file")
    scheme: Scheme = Field(description="how essays were held out")
    counts: dict[str, TrialCounts] = Field(description="trials of each kind, by part")
    few: bool = Field(description="whether there were too few trials to mean much")
    cap: int = Field(description="trials beyond which a reason is asked")
    trials_beyond_cap: str | None = Field(description="that reason")
    allow_tail_regression: bool = Field(description="whether guardrails were lifted")
    reference: TriedConfiguration = Field(description="the configuration that guards the tails")
    selected: TriedConfiguration | None = Field(description="the best that kept the guardrails")
    runner_up: TriedConfiguration | None = Field(description="the second")
    against_reference: Comparison | None = Field(description="deltas and tests")
    winners_curse: WinnersCurse | None = Field(description="how far the winner should fall")
    nested: NestedResult | None = Field(description="figures of folds that selected nothing")
    importances: dict[str, float] = Field(description="of parameters, shares of 1; {} if unknown")
    storage: Literal["journal", "database"] = Field(description="where trials are kept")
    seconds: float = Field(description="s, of all trials")
    code_revision: Sha256 = Field(description="of the sources that can change a number")
    git: GitState = Field(description="the checkout")
    machine: Machine = Field(description="where it ended")
    versions: dict[str, str] = Field(description="versions of Python and of packages")
    stability: list[StabilityRow] = Field(description="the leading ones under the other scheme")


class GridCell(Record):
    """A cell of a grid, by rank."""

    rank: int = Field(ge=1, description="1 is the best")
    cell: int = Field(description="its place in the grid, the last axis varying fastest")
    params: dict[str, Any] = Field(description="its value on each axis")
    state: State = Field(description="whether it ran to the end")
    figures: Figures = Field(description="out-of-fold figures")
    seconds: float = Field(description="s, of its fits")
    reason: str | None = Field(description="why it failed")


class GridRecord(Record):
    """artifacts/sweep.json: every cell of a grid, ranked."""

    schema_: Literal[1] = Field(default=1, alias="schema", description="version of this record")
    name: str = Field(description="its folder")
    label: str = Field(description="which folds the figures are of")
    objective: Objective = Field(description="what cells are ranked by")
    scheme: Scheme = Field(description="how essays were held out")
    axes: dict[str, list[Any]] = Field(description="values of each path of the run config")
    cells: list[GridCell] = Field(description="best first")
    winners_curse: WinnersCurse | None = Field(description="how far the best should fall")
    code_revision: Sha256 = Field(description="of the sources that can change a number")
    git: GitState = Field(description="the checkout")
    machine: Machine = Field(description="where it ended")


class TuningRecord(Record):
    """The search that followed a candidate's pass, as study.json tells of it."""

    arm: str = Field(description="the candidate")
    search: str = Field(description="the search's folder")
    mode: Mode = Field(description="whether outer folds report it")
    objective: Objective = Field(description="what was maximised")
    trials: int = Field(description="configurations allowed")
    tried: int = Field(description="configurations tried")
    space: list[str] = Field(description="what was varied")
    params: dict[str, Any] | None = Field(description="what was selected; null: nothing kept")
    figure: str = Field(description="the first figure of the objective")
    expected_drop: float | None = Field(
        description="what it should lose on prompts that did not select; null if unknown"
    )


class SearchFolder:
    """Where the files of a search or a grid lie."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config, self.provenance = path / "config.json", path / "provenance.json"
        self.journal = path / "journal.log"
        self.trials, self.outer = path / "trials", path / "outer"
        artifacts = path / "artifacts"
        self.search, self.sweep = artifacts / "search.json", artifacts / "sweep.json"
        self.trial_list = artifacts / "optuna_trials.json"
        self.selected, self.nested = artifacts / "selected_params.json", artifacts / "nested"
        self.locks = path.parent / ".locks" / path.name
        """Beside the folder, whose files are counted."""
        self._outcomes: dict[Path, Outcome] = {}

    @classmethod
    def verified(cls, path: Path) -> Self:
        """Return a finished folder; raise EvidenceError unless it is complete and untouched."""
        require_intact(path)
        return cls(path)

    def outcome(self, part: str, name: str) -> Path:
        """Return the file of a configuration's outcome on a part, by a name of its own."""
        return self.trials / part / f"{name}.json"

    def reference(self, part: str) -> Path:
        """Return the file of the reference's outcome on a part."""
        return self.outcome(part, "reference")

    def finished(self, part: str = "*") -> list[Path]:
        """Return the files of finished configurations, by whichever worker."""
        paths = self.trials.glob(f"{part}/[!.]*.json")
        return [path for path in paths if path != self.reference(path.parent.name)]

    def outcomes(self, part: str) -> list[Outcome]:
        """Return the finished configurations of a part, by slot; a file is read once."""
        paths = self.finished(part)
        for path in paths:
            if path not in self._outcomes:
                self._outcomes[path] = read_record(Outcome, path)
        return sorted((self._outcomes[path] for path in paths), key=lambda one: one.slot)

    def read_search(self) -> SearchRecord:
        """Return what the search selected."""
        return read_record(SearchRecord, self.search)

    def read_trials(self) -> TrialsRecord:
        """Return every trial of the search."""
        return read_record(TrialsRecord, self.trial_list)

    def read_sweep(self) -> GridRecord:
        """Return the ranking of a grid."""
        return read_record(GridRecord, self.sweep)

    def read_selected(self) -> RunConfig | None:
        """Return the selected config, None where no configuration kept the guardrails."""
        return load_run_config(self.selected) if self.selected.is_file() else None

    def write_selected(self, config: RunConfig, name: str) -> None:
        """Write the selected config under a name of its own."""
        write_record(self.selected, config.model_copy(update={"name": name}))
