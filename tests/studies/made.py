"""Studies of cheap arms on the smoke corpus."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from essay_scoring.core.files import read_json, write_text
from essay_scoring.core.progress import Progress
from essay_scoring.judging.study import Outside, StudyRunner
from essay_scoring.judging.study_plan import load_study
from essay_scoring.records.search_settings import Search
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.run_reports import write_run_reports
from essay_scoring.reports.study_reports import write_study_reports
from essay_scoring.runs.cv import WriteReports
from tests.conftest import SMOKE

GATE = """
name = "{name}"
question = "Is it better?"
scheme = "prompt_holdout"
rule = "{rule}"
min_prompt_n = 5
bottom_k = 2
allow_dirty = true
[[checks]]
metric = "mean_qwk"
kind = "{kind}"
delta_at_least = {margin}
{rules}
"""
SMALL = ("baselines=[]", "evaluation.replicates=100", "data.corpus.n_prompts=8")
EASY, HARD = -2.0, 2.0
"""Margins that every run reaches, and none: a delta of QWK lies between them."""


def gate_file(
    folder: Path, name: str, margin: float, *, rule: str = "point", rules: str = ""
) -> None:
    """Write a gate plan of one check."""
    kind = "superiority" if margin >= 0 else "guardrail"
    text = GATE.format(name=name, kind=kind, margin=margin, rule=rule, rules=rules)
    write_text(folder / f"{name}.toml", text)


def arm(
    name: str,
    *lines: str,
    family: str = "mean",
    kind: str = "candidates",
    changed: Sequence[str] = (),
) -> str:
    """Return the table of an arm; each arm's runs are its own, for the config has its name."""
    head = [f"[[{kind}]]", f'name = "{name}"', f'config = "{SMOKE}/{family}.toml"']
    return "\n".join([*head, f"set = {json.dumps([*SMALL, *changed])}", *lines, ""])


def study_file(
    folder: Path, *arms: str, top: Sequence[str] = (), changed: Sequence[str] = SMALL
) -> Path:
    """Write a study of arms against the length of an essay, with the gates `easy` and `hard`."""
    gate_file(folder, "easy", EASY)
    gate_file(folder, "hard", HARD)
    head = [
        'name = "small"',
        'question = "Is anything better than the length of an essay?"',
        "power_simulations = 0",
        *top,
        "[reference]",
        'name = "reference"',
        f'config = "{SMOKE}/length.toml"',
        f"set = {json.dumps(list(changed))}",
    ]
    write_text(folder / "study.toml", "\n".join([*head, *arms]))
    return folder / "study.toml"


def no_search(search: Search) -> Path:
    raise AssertionError(f"{search.settings.name} was not to be run")


def silent(_: object) -> None:
    """Say and write nothing."""


def run_study(
    path: Path,
    space: Workspace,
    *,
    say: Callable[[str], None] = silent,
    tune: Callable[[Search], Path] = no_search,
    report: WriteReports = write_run_reports,
) -> Path:
    """Run a study and return its folder."""
    outside = Outside(report, write_study_reports, say, tune)
    runner = StudyRunner(load_study(path), space, Progress(), outside=outside, resume="again")
    return runner.run()


def outcome_of(path: Path, space: Workspace, **given: Any) -> dict[str, Any]:
    """Run a study, with the pages of no run, and return its study.json."""
    record: dict[str, Any] = read_json(
        run_study(path, space, report=silent, **given) / "study.json"
    )
    return record


def endings(study: dict[str, Any]) -> dict[str, str]:
    """Return how each arm ended."""
    return {one["arm"]: one["ending"] for one in study["arms"]}


def gates(*names: str) -> str:
    """Return the key of an arm's gates."""
    return f"gates = {json.dumps([f'{name}.toml' for name in names])}"
