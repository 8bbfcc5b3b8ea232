from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import write_text
from essay_scoring.launch.launching import order_of
from essay_scoring.launch.profile import Profile, load_profile
from tests.conftest import ROOT, smoke_config

PROFILES = sorted((ROOT / "configs" / "profiles").glob("*.toml"))


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_the_examples_are_valid(path: Path) -> None:
    assert load_profile(path).folder.startswith("/")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("backend='local'", "folder: missing key"),
        ("backend='local'\nfolder='.'\nfoldr='x'", "did you mean 'folder'?"),
        ("backend='ssh-screen'\nfolder='/x'", "needs [ssh]"),
        ("backend='local'\nfolder='/x'\n[ssh]\nhost='h'", "takes no [ssh]"),
        ("backend='slurm'\nfolder='/x'", "[slurm] goes with"),
        ("backend='local'\nfolder='/x'\n[slurm]", "[slurm] goes with"),
        ("backend='ssh-screen'\nfolder='x'\n[ssh]\nhost='h'", "absolute path"),
        ("backend='ssh-screen'\nfolder='/x'\n[ssh]\nhost='-oProxyCommand=x'", "ssh.host"),
        ("backend='local'\nfolder='/x'\n[machine]\nruntime='7'", "need gpu"),
        ("backend='local'\nfolder='/x'\n[machine]\nimage_marker='i'", "needs [container]"),
        ("backend='local'\nfolder='/x'\n[environment]\n'A B'='x'", "name of a variable"),
        ("backend='local'\nfolder='/x'\n[[requires]]\npath='p'\nsha256='abc'", "requires.0.sha256"),
        ("backend='local'\nfolder='/x'\n[container]\nengine='docker'\nname='-it'", "name"),
        ("backend='teleport'\nfolder='/x'", "backend"),
    ],
)
def test_a_wrong_profile_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    write_text(tmp_path / "p.toml", text)
    with pytest.raises(InputError) as caught:
        load_profile(tmp_path / "p.toml")
    assert message in caught.value.line()
    assert "p.toml" in caught.value.line()


def test_paths_on_this_side_become_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_text(tmp_path / "local.toml", "backend='local'\nfolder='here'")
    assert load_profile(Path("local.toml")).folder == str(tmp_path / "here")
    text = "backend='ssh-screen'\nfolder='/there'\n[ssh]\nhost='h'\nconfig='own_config'"
    write_text(tmp_path / "sub" / "remote.toml", text)
    remote = load_profile(Path("sub/remote.toml"))
    assert remote.ssh is not None
    assert remote.ssh.config == str(tmp_path / "sub" / "own_config")


def test_the_original_host_asks_for_every_line_of_its_contract() -> None:
    profile = load_profile(ROOT / "configs" / "profiles" / "rocm-hemma.toml")
    machine = profile.machine
    assert profile.backend == "ssh-screen"
    assert profile.ssh is not None
    assert profile.ssh.host == "hemma"
    assert profile.container is not None
    assert machine.image_marker == ("rocm/pytorch:rocm7.2_ubuntu24.04_py3.12_pytorch_release_2.9.1")
    assert (machine.gpu, machine.runtime, machine.torch, machine.python) == (
        "hip",
        "7.2",
        "2.9",
        "3.12",
    )
    assert profile.precision == "none"
    assert "peft" in machine.modules


def of(**values: Any) -> Profile:
    return Profile.model_validate({"backend": "local", "folder": "/x", **values})


def test_a_run_of_another_precision_is_refused_before_anything_is_sent() -> None:
    config = smoke_config("transformer", "scorer.mixed_precision=bf16")
    with pytest.raises(InputError, match=r"trains in precision 'bf16'.*asks for 'none'"):
        order_of(config, of(precision="none"), array=False)
    order = order_of(config, of(precision="bf16"), array=False)
    assert order.command[0] == "transformer-finetune"
    assert order_of(smoke_config("length"), of(precision="none"), array=False).command == ["cv"]


def test_only_slurm_has_arrays() -> None:
    with pytest.raises(InputError, match="has no arrays"):
        order_of(smoke_config("length"), of(), array=True)
