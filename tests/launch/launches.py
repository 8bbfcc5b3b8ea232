"""Launches that tests make: configs that run in seconds, runs that wait, and what must come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from essay_scoring.core.files import read_json, write_text
from essay_scoring.core.progress import Progress
from essay_scoring.judging.study_plan import load_study
from essay_scoring.launch.launching import (
    Launched,
    launch,
    order_of,
    search_order_of,
    study_order_of,
)
from essay_scoring.launch.profile import Profile
from essay_scoring.launch.remote import Remote
from essay_scoring.records.config import RunConfig
from essay_scoring.records.manifest import require_intact
from essay_scoring.records.more_records import Receipt
from essay_scoring.records.search_settings import load_search
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.run_reports import write_run_reports
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.run import open_run
from tests.conftest import PATIENCE, await_that, smoke_config
from tests.launch.hosts import Checkout, processes_in
from tests.studies import quick_block

RESIDUALS = "artifacts/residuals_cv_val_oof.csv"
_WAITING = """
import pathlib, time
from essay_scoring.models.baselines import LengthScorer

learn = LengthScorer.learn

def wait_and_learn(self, train, dev):
    while pathlib.Path({gate!r}).exists() and self.context.job.name != "canary":
        time.sleep(0.05)
    return learn(self, train, dev)

LengthScorer.learn = wait_and_learn
"""


def quick_config(*overrides: str) -> RunConfig:
    """Return a run of a second or two."""
    return smoke_config("length", "baselines=[]", *overrides)


@dataclass
class Site:
    """A host with a checkout, on which a run waits as long as the file `gate` is there."""

    checkout: Checkout
    gate: Path
    changes: dict[str, object] = field(default_factory=dict)

    @classmethod
    def make(cls, checkout: Checkout, folder: Path, **changes: object) -> Site:
        """Put what makes runs wait on the path of the host's interpreter."""
        gate = folder / "gate"
        write_text(folder / "site" / "sitecustomize.py", _WAITING.format(gate=str(gate)))
        environment = checkout.environment(folder / "site")
        return cls(checkout, gate, {"environment": environment, **changes})

    def read_quick_columns(self, log: Path) -> None:
        """Have the host compute cheap columns, and note each essay in a file."""
        site = self.gate.parent / "site" / "sitecustomize.py"
        quick = Path(quick_block.__file__).read_text("utf-8")
        write_text(site, quick + _WAITING.format(gate=str(self.gate)))
        environment = self.profile().environment | {quick_block.LOG: str(log)}
        self.changes["environment"] = environment

    def profile(self, **changes: object) -> Profile:
        """Return the profile of the host."""
        return self.checkout.profile(**{**self.changes, **changes})

    @property
    def runs(self) -> Path:
        """The host's runs."""
        return self.checkout.folder / "runs"

    def launch(self, config: RunConfig | None = None, *, array: bool = False) -> Launched:
        """Launch a run on the host."""
        order = order_of(config or quick_config(), self.profile(), array=array)
        return launch(order, {"some_plan": "1" * 64})

    def launch_study(self, path: Path) -> Launched:
        """Launch a study on the host."""
        study = load_study(path)
        plans = {plan.name: plan.sha256 for plan in study.distinct_plans}
        return launch(study_order_of(study, (), self.profile()), plans)

    def launch_search(self, path: Path, overrides: Sequence[str], workers: int) -> Launched:
        """Launch a search on the host."""
        search = load_search(path, overrides)
        return launch(search_order_of(search, overrides, self.profile(), workers), {})

    def remote(self, launched: Launched) -> Remote:
        """Return a launched run."""
        return Remote(self.profile(), launched.run)

    def is_idle(self) -> bool:
        """Tell whether nothing of a launch is running."""
        return not processes_in(self.checkout.folder)


def finish(remote: Remote) -> str:
    """Follow a run to its end and return its log; it must have completed."""
    log: list[bytes] = []
    state = remote.follow(log.append, poll=0.5, patience=PATIENCE)
    text = b"".join(log).decode("utf-8")
    assert state.line() == "complete", f"{state.line()}\n{text}"
    return text


def await_state(remote: Remote, word: str) -> None:
    """Wait until a run is in a state."""
    await_that(lambda: remote.state().word == word)


def run_here(config: RunConfig, folder: Path) -> Path:
    """Return the folder of the same run, done by this process."""
    space = Workspace(folder / "runs", folder / "cache", folder)
    return run_cv(
        open_run(config, space, Progress()), report=write_run_reports, resume="again"
    ).folder


def require_same_run(fetched: Path, here: Path) -> None:
    """A fetched run must be whole, hold its receipt, and predict what a run here predicts."""
    require_intact(fetched)
    receipt = read_json(fetched / "receipt.json")
    Receipt.model_validate(receipt)
    assert receipt["run"] == fetched.name == here.name
    assert receipt["plans"] == {"some_plan": "1" * 64}
    assert "receipt.json" in read_json(fetched / "manifest.json")["files"]
    assert (here / RESIDUALS).read_bytes() == (fetched / RESIDUALS).read_bytes()


def transformer_config() -> RunConfig:
    """Return a small fine-tuning run."""
    return smoke_config("transformer", "baselines=[]")
