from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from essay_scoring.core.errors import BusyError, InputError
from essay_scoring.launch import launching, scripts
from essay_scoring.launch.checks import CHECKS, asked_of
from essay_scoring.launch.invocation import entry
from essay_scoring.launch.launching import dry_run
from essay_scoring.launch.preflight import RunFacts, read_markers, require_all
from essay_scoring.launch.profile import Profile, load_profile
from essay_scoring.launch.scripts import Order
from essay_scoring.launch.transport import Done, LocalTransport, exec_script
from tests.conftest import ROOT, SMOKE, smoke_config
from tests.launch.hostile import ECHO, HOSTILE, arguments, echoed
from tests.launch.hosts import STUBS

PROFILES = {
    path.stem: load_profile(path) for path in sorted((ROOT / "configs" / "profiles").glob("*.toml"))
}
SOURCES = sorted((ROOT / "src" / "essay_scoring" / "launch").glob("*.sh"))


def order(name: str) -> Order:
    return Order(PROFILES[name], smoke_config("transformer"), array=name == "slurm")


def holds(profile: Profile) -> str:
    """Return what a host says on which everything holds."""
    names = [check.name for check in asked_of(profile)]
    if profile.backend == "slurm":
        names = [check.name for check in asked_of(profile) if check.place != "compute"]
    facts = RunFacts(
        run="r-1",
        commit="c",
        data_sha256="a" * 64,
        splits_sha256="b" * 64,
        complete=False,
        earlier={"r-1": None},
        parts=["a"],
        missing=[0],
    )
    told = (f"FACT {name} {json.dumps(value)}\n" for name, value in facts.model_dump().items())
    return "".join([*(f"CHECK {name} ok\n" for name in names), *told])


def shellcheck(*arguments: str | Path) -> None:
    """Fail with what shellcheck has to say, if anything."""
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    command = ["shellcheck", "--shell=bash", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(arguments(), max_size=8))
@example(HOSTILE)
def test_arguments_reach_a_command_byte_for_byte(tmp_path: Path, argv: list[str]) -> None:
    script = exec_script(str(tmp_path), [sys.executable, "-c", ECHO, *argv], {"A": "$(id) 'x'"})
    done = LocalTransport().script(script)
    assert echoed(done.out) == argv


@pytest.mark.parametrize("name", PROFILES)
def test_markers_that_are_all_there_are_enough(name: str) -> None:
    profile = PROFILES[name]
    text = f"Welcome!\n{holds(profile)}CHECKS done ok\n"
    require_all(read_markers(text), asked_of(profile), Done(0, text, "", "key"), profile)


@pytest.mark.parametrize("name", PROFILES)
def test_every_marker_and_every_fact_is_required(name: str) -> None:
    profile = PROFILES[name]
    lines = holds(profile).splitlines()
    assert len(lines) > len(RunFacts.model_fields) + 5
    for missing in lines:
        text = "\n".join(line for line in lines if line != missing)
        with pytest.raises(InputError, match=f"{missing.split()[1]}: the check did not run"):
            require_all(read_markers(text), asked_of(profile), Done(0, text, "", "key"), profile)


def test_a_failed_check_is_named_whatever_else_is_said() -> None:
    profile = PROFILES["local"]
    for name, kind in (("code", InputError), ("live", BusyError)):
        text = f"{holds(profile)}CHECK {name} failed: it is so\n"
        with pytest.raises(kind, match=f"this machine: {name}: it is so"):
            require_all(read_markers(text), asked_of(profile), Done(0, text, ""), profile)


def test_an_ssh_host_whose_key_was_not_seen_is_refused() -> None:
    profile = PROFILES["rocm-hemma"]
    with pytest.raises(InputError, match="host_key: the check did not run"):
        require_all(read_markers(holds(profile)), asked_of(profile), Done(0, "", "", None), profile)


def test_a_marker_inside_another_line_is_none() -> None:
    found = read_markers('echo CHECK code ok\n  CHECK code ok\nCHECK code okay\nFACT run {"x\n')
    assert (found.held, found.failed, found.facts) == ({}, {}, {})


@pytest.mark.parametrize("name", PROFILES)
def test_bash_pieces_pass_shellcheck(name: str, tmp_path: Path) -> None:
    checks = asked_of(PROFILES[name])
    whole = {
        "preflight": scripts.preflight_script(order(name), checks),
        "submit": scripts.submit_script(order(name), checks),
        "node": scripts.node_script(order(name), checks),
        "observe": scripts.host_script(PROFILES[name], "observe.sh"),
        "cancel": scripts.host_script(PROFILES[name], "cancel.sh"),
    }
    paths = []
    for piece, text in whole.items():
        paths.append(tmp_path / f"{piece}.sh")
        paths[-1].write_text(text, encoding="utf-8")
    # A whole script holds what it shares with others, which it need not use.
    shellcheck("--exclude=SC2034,SC2317", *paths)


def test_bash_sources_pass_shellcheck() -> None:
    shellcheck(*SOURCES, STUBS / "docker")


@pytest.mark.parametrize("name", PROFILES)
def test_a_dry_run_holds_every_check_and_what_would_be_sent(name: str) -> None:
    profile, said = PROFILES[name], dry_run(order(name))
    checks = asked_of(profile)
    assert scripts.preflight_script(order(name), checks) in said
    assert scripts.submit_script(order(name), checks) in said
    for check in checks:
        assert check.name in said
    if profile.ssh:
        assert said.count("-o BatchMode=yes -o StrictHostKeyChecking=yes") == 2


def test_what_a_dry_run_prints_is_what_a_launch_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    class Recorder(LocalTransport):
        def script(self, script: str, *arguments: str, seconds: float = 120) -> Done:
            sent.append(script)
            return Done(0, holds(PROFILES["local"]) + "LAUNCHED session r-1\n", "")

    assert launching.launch(order("local"), {}, Recorder()).jobs == "session r-1"
    printed = dry_run(order("local"))
    assert len(sent) == 2
    for script in sent:
        assert script in printed


def test_a_fact_that_is_not_what_it_should_be_starts_nothing() -> None:
    class Confused(LocalTransport):
        def script(self, script: str, *arguments: str, seconds: float = 120) -> Done:
            assert not arguments, "something was submitted"
            return Done(0, holds(PROFILES["local"]) + 'FACT missing "all"\n', "")

    with pytest.raises(InputError, match="preflight on this machine: missing: Input should be a"):
        launching.launch(order("local"), {}, Confused())


def test_a_script_is_read_whole_before_it_runs(tmp_path: Path) -> None:
    # Cut anywhere before its last line, as by a lost connection, a script does nothing at all.
    profile = PROFILES["local"].model_copy(update={"folder": str(tmp_path)})
    script = scripts.submit_script(Order(profile, smoke_config("length")), [])
    lines = script.splitlines(keepends=True)
    for keep in range(0, len(lines) - 2, 25):
        text = "".join(lines[:keep]).encode()
        subprocess.run(["bash", "-s"], input=text, capture_output=True, check=False)
    assert list(tmp_path.iterdir()) == []


def test_a_laptop_without_torch_launches() -> None:
    absent = ["torch", "transformers", "xgboost", "catboost", "spacy", "lt_py", "pandas", "optuna"]
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent})); "
        "from essay_scoring.cli.main import program; program()"
    )
    profile = str(ROOT / "configs" / "profiles" / "rocm-hemma.toml")
    given = [str(SMOKE / "transformer.toml"), "--profile", profile, "--dry-run"]
    command = [sys.executable, "-c", code, "launch", *given]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for check in asked_of(PROFILES["rocm-hemma"]):
        assert check.name in done.stdout


def test_docker_and_podman_are_given_standard_input() -> None:
    profile = PROFILES["rocm-hemma"]
    assert entry(profile)[:3] == ["docker", "exec", "--interactive"]


def test_flags_take_no_words_after_them() -> None:
    # `true true` after boolean flags is how the original launcher broke its command line.
    for name in PROFILES:
        words = [word for line in dry_run(order(name)).splitlines() for word in line.split()]
        for flag in ("--require-gpu", "--canary"):
            after = [words[at + 1] for at, word in enumerate(words[:-1]) if word == flag]
            assert not {"true", "false"} & set(after)


def test_every_flag_that_is_given_is_asked_for() -> None:
    profile = PROFILES["rocm-hemma"]
    flags = Order(profile, smoke_config("transformer")).flags()
    assert set(flags) == {"transformer-finetune"}
    assert {"--require-gpu", "--canary", "--runs-dir", "--cache-dir"} <= set(
        flags["transformer-finetune"]
    )
    assert "--part" in order("slurm").flags()["cv"]


def test_the_checks_have_names_of_their_own() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
