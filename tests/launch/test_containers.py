"""The images are not built here; what can be read off their files is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from essay_scoring.launch.profile import load_profile
from tests.conftest import ROOT

IMAGES = sorted((ROOT / "containers").glob("Dockerfile.*"))


def steps(path: Path) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile, their continued lines joined."""
    text = re.sub(r"^#.*\n", "", path.read_text("utf-8"), flags=re.MULTILINE)
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def test_both_kinds_of_gpu_have_an_image() -> None:
    assert [path.suffix for path in IMAGES] == [".cuda", ".rocm"]


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.suffix)
def test_an_image_is_pinned_installs_from_the_lock_and_says_what_it_is(path: Path) -> None:
    found = steps(path)
    assert found[0][0] == "ARG"
    base = found[0][1].removeprefix("BASE=")
    assert re.fullmatch(r"[a-z/]+:[a-z0-9_.-]+", base)
    assert not base.endswith("latest")
    assert ("FROM", "${BASE}") in found
    assert ("COPY", "requirements/lock.txt /tmp/lock.txt") in found
    scripts = " ".join(script for step, script in found if step == "RUN")
    assert "> /etc/essay-scoring-image" in scripts
    assert not {"ADD", "MAINTAINER"} & {step for step, _ in found}


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.suffix)
def test_what_an_image_runs_is_bash(path: Path) -> None:
    for step, script in steps(path):
        if step == "RUN":
            command = ["bash", "-n", "-c", script]
            assert subprocess.run(command, check=False).returncode == 0, script


def test_the_profile_of_the_original_host_asks_for_the_image_that_is_built() -> None:
    profile = load_profile(ROOT / "configs" / "profiles" / "rocm-hemma.toml")
    [base] = [text for step, text in steps(IMAGES[1]) if step == "ARG" and "=" in text]
    assert base == f"BASE={profile.machine.image_marker}"
    compose = (ROOT / "containers" / "compose.yaml").read_text("utf-8")
    assert profile.container is not None
    assert f"container_name: {profile.container.name}" in compose
    assert f"..:{profile.container.folder}" in compose
    assert f":{profile.data}:ro" in compose
