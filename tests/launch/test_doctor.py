"""What `doctor` says of this machine, of a broken one, and that it changes nothing."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

from essay_scoring.cli.doctor_commands import doctor_lines
from essay_scoring.cli.main import run
from essay_scoring.core.files import write_text
from essay_scoring.data.data_settings import EllipseCorpus
from essay_scoring.features.encoders import EMBEDDED, REGISTRY
from essay_scoring.launch import doctor, extras, surveying
from essay_scoring.records.examination import Examination, HubEncoder, SurveyedGpu
from tests.conftest import ROOT
from tests.launch.hosts import STUBS


def examined(folder: Path) -> Examination:
    """Return what doctor finds in an empty workplace."""
    return doctor.examine(folder / "runs", folder / "cache", folder / "data")


def test_the_extras_are_those_of_the_project() -> None:
    """A package or an extra added in one place alone would not be looked for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def names(requirements: list[str]) -> tuple[str, ...]:
        return tuple(re.split(r"[<>=~!]", text)[0] for text in requirements)

    declared = {name: names(needed) for name, needed in project["optional-dependencies"].items()}
    assert {extra.name: extra.packages for extra in extras.EXTRAS} == declared
    assert names(project["dependencies"]) == extras.BASE
    assert project["requires-python"] == ">=3.11" == f">={'.'.join(map(str, doctor.OLDEST_PYTHON))}"


def test_it_writes_nothing_and_exits_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = ["--runs-dir", str(tmp_path / "runs"), "--cache-dir", str(tmp_path / "cache")]
    assert run(["doctor", *folders, "--data-dir", str(tmp_path / "data")]) == 0
    said = capsys.readouterr().out
    assert said.endswith("nothing that is required is broken\n")
    for extra in extras.EXTRAS:
        assert f"] {extra.name}: {extra.enables}" in said
    assert list(tmp_path.iterdir()) == []


def test_json_is_one_object_with_the_versions_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--runs-dir", str(tmp_path / "runs"), "--cache-dir", str(tmp_path / "cache")]
    assert run(["doctor", "--json", *folders]) == 0
    text = capsys.readouterr().out
    found = Examination.model_validate_json(text)
    assert list(json.loads(text)) == [
        *("schema", "machine", "python", "packages", "extras", "devices", "encoders"),
        *("hub_encoders", "data", "code", "folders", "problems"),
    ]
    assert found.packages["numpy"] == importlib.metadata.version("numpy")
    assert found.problems == []
    assert found.folders[0].path == str(tmp_path / "runs")


def test_a_folder_that_cannot_be_written_is_a_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_text(tmp_path / "file", "not a folder")
    folders = ["--runs-dir", str(tmp_path / "file" / "runs"), "--cache-dir", str(tmp_path)]
    assert run(["doctor", *folders]) == 2
    said = capsys.readouterr().out
    assert "[ ] runs:" in said
    assert "problems\n  the folder for runs cannot be written" in said
    assert "--runs-dir" in said


def test_a_missing_extra_says_what_it_would_enable_and_how_to_get_it() -> None:
    extra = extras.Extra("search", ("no-such-package", "numpy"), "flying")
    record = extras.extra_record(extra)
    assert record.installed is False
    assert record.packages == {
        "no-such-package": None,
        "numpy": importlib.metadata.version("numpy"),
    }
    assert record.enables == "flying"
    assert record.install.endswith("pip install 'essay-scoring[search]'")


def test_another_version_than_the_pinned_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pins = ["numpy>=2", 'optuna==1.2.3; extra == "search"', 'Scipy_X==1; extra == "x"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: pins)
    [search] = [extra for extra in extras.EXTRAS if extra.name == "search"]
    assert extras.extra_record(search).differs == {"optuna": "1.2.3"}
    pins[1] = f"optuna=={importlib.metadata.version('optuna')}"
    assert extras.extra_record(search).differs == {}


def test_encoders_are_present_intact_or_to_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {one.name: one for one in doctor.encoder_records(tmp_path)}
    assert found.keys() == REGISTRY.keys() == doctor._ENABLES.keys()
    assert found[EMBEDDED].intact
    absent = found["all-mpnet-base-v2"]
    assert (absent.present, absent.intact, absent.fault) == (False, False, None)
    assert absent.get == "essay-scoring encoder fetch all-mpnet-base-v2"
    write_text(tmp_path / "all-mpnet-base-v2" / "model.safetensors", "other weights")
    tampered = {one.name: one for one in doctor.encoder_records(tmp_path)}["all-mpnet-base-v2"]
    assert (tampered.present, tampered.intact) == (True, False)
    assert "not the pinned" in str(tampered.fault)


def test_encoders_of_the_hub_are_shown_with_the_hash_that_pins_them(tmp_path: Path) -> None:
    snapshot = tmp_path / "cache" / "encoders" / "hub" / "models--some--encoder" / "snapshots" / "a"
    write_text(snapshot / "model.safetensors", "weights")
    found = examined(tmp_path)
    sha256 = hashlib.sha256(b"weights").hexdigest()
    assert found.hub_encoders == [HubEncoder(name="some/encoder", sha256=sha256)]
    assert f'some/encoder, from the model hub\n      sha256 = "{sha256}"' in "\n".join(
        doctor_lines(found)
    )


def test_corpora_are_found_by_name(tmp_path: Path) -> None:
    data, ellipse = tmp_path / "data", EllipseCorpus()
    empty = doctor.data_record(tmp_path / "cache", data)
    assert (empty.exists, empty.ellipse, empty.tables) == (False, False, [])
    for name in (ellipse.train, ellipse.locked, "asap/train.tsv", "mine.parquet", "notes.txt"):
        write_text(data / name, "")
    write_text(tmp_path / "cache" / "prepared" / "synthetic-1" / "prepared.json", "{}")
    found = doctor.data_record(tmp_path / "cache", data)
    assert found.ellipse
    assert found.tables == ["asap/train.tsv", "mine.parquet"]
    assert found.prepared == ["synthetic-1"]


@pytest.mark.parametrize("system", [None, "broken"])
def test_a_gpu_is_described_and_a_broken_torch_is_named(
    system: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("torch", STUBS / "torch" / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    stub = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stub)
    stub.cuda.get_device_name = lambda _: "a GPU"

    def device() -> str:
        if system == "broken":
            raise ImportError("libcudart")
        return "cuda"

    monkeypatch.setitem(sys.modules, "torch", stub)
    monkeypatch.setattr("essay_scoring.features.precision.device_in_use", device)
    found = surveying.device_record()
    if system == "broken":
        assert (found.gpu, found.no_gpu) == (None, "torch fails with ImportError")
        return
    assert found.gpu == SurveyedGpu(
        name="a GPU", runtime="HIP 7.2.26015-fc0010cf6a", memory_gib=24.0, memory_free_gib=20.0
    )


@pytest.mark.parametrize("driver", [True, False])
def test_a_driver_whose_gpu_torch_does_not_see_is_named(
    driver: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "nvidiactl"
    if driver:
        write_text(file, "")
    monkeypatch.setattr("essay_scoring.features.precision.GPU_FILES", (str(file),))
    monkeypatch.setattr("essay_scoring.features.precision.device_in_use", lambda: "cpu")
    said = f"torch sees none, though {file} is there" if driver else "no driver"
    assert surveying.device_record().no_gpu == said


def test_memory_is_that_of_the_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    write_text(limit, f"{3 * 2**29}\n")
    monkeypatch.setattr(surveying, "_MEMORY_LIMIT", limit)
    assert surveying.machine_record().memory_gib == 1.5
    write_text(limit, "max\n")
    whole = surveying.machine_record().memory_gib
    assert whole is not None
    assert whole > 1.5


def test_every_encoder_and_gap_is_printed(tmp_path: Path) -> None:
    whole = examined(tmp_path).model_dump(mode="json")
    whole["machine"] |= {"memory_gib": None, "allocator": "tcmalloc"}
    whole["code"] |= {"commit": None, "dirty": None}
    whole["extras"][0] |= {"installed": False, "differs": {"catboost": "1.2.10"}}
    whole["encoders"][0] |= {"intact": False, "fault": "the weights differ"}
    said = "\n".join(doctor_lines(Examination.model_validate(whole)))
    assert "memory unknown" in said
    assert "allocator: tcmalloc\n" in said
    assert "commit unknown\n" in said
    assert "catboost 1.2.10 is the version that is tested" in said
    assert "pip install 'essay-scoring[boosted]'" in said
    assert "broken: the weights differ" in said
    assert all(name in said for name in REGISTRY)
