"""A run whose figures were edited after it ended is evidence for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.edited import Shell, edit
from tests.studies.made import gate_file


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory, warm_cache: Path) -> Shell:
    return Shell(tmp_path_factory.mktemp("edited"), warm_cache)


@pytest.fixture(scope="module")
def plan(shell: Shell) -> Path:
    gate_file(shell.folder, "easy", -2.0)
    return shell.folder / "easy.toml"


@pytest.fixture(scope="module")
def reference(shell: Shell, plan: Path) -> Path:
    folder = shell.cv("reference")
    assert shell.judging("register", plan, "--reference", folder) == 0
    return folder


@pytest.fixture(scope="module")
def edited(shell: Shell, reference: Path) -> Path:
    """A candidate, run after the plan was registered, with another pooled QWK."""
    folder = shell.cv("candidate")
    metrics = folder / "artifacts" / "cv_metrics.json"
    edit(metrics, lambda found: found["summary"]["overall"]["qwk"].update(estimate=0.99))
    return folder


def test_it_is_not_compared(shell: Shell, plan: Path, reference: Path, edited: Path) -> None:
    for pair in ((reference, edited), (edited, reference)):
        assert shell.reading("compare-cv-runs", *pair, "--plan", plan) == 4


def test_it_is_not_judged(shell: Shell, plan: Path, reference: Path, edited: Path) -> None:
    assert shell.judging("judge", plan, "--reference", reference, "--candidate", edited) == 4


def test_it_is_no_reference_to_register(shell: Shell, plan: Path, edited: Path) -> None:
    assert shell.judging("register", plan, "--reference", edited) == 4


def test_no_power_is_simulated_of_it(shell: Shell, plan: Path, edited: Path) -> None:
    assert shell.power(plan, "--reference", edited) == 4
