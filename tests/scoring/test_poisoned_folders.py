"""A model folder that is not as it was written is refused in one line, before any of it is used."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import read_json, write_json
from essay_scoring.records.manifest import write_manifest
from essay_scoring.scoring.model import TrainedModel
from essay_scoring.scoring.verified_folder import require_safe


class Bomb:
    """Leaves a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def folder(length_model: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "model"
    shutil.copytree(length_model, copy)
    return copy


def flip(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def edit_weights(folder: Path) -> None:
    flip(folder / "scorer" / "model" / "model.safetensors")


def edit_interval(folder: Path) -> None:
    path = folder / "interval.json"
    write_json(path, read_json(path) | {"limits": [[0.01] * 3] * 3})


def add_file(folder: Path) -> None:
    (folder / "scorer" / "notes.json").write_text("{}")


def remove_file(folder: Path) -> None:
    (folder / "flags.json").unlink()


def climb(folder: Path) -> None:
    (folder.parent / "outside.json").write_text("{}")
    path = folder / "manifest.json"
    manifest = read_json(path)
    manifest["files"]["../outside.json"] = "0" * 64
    write_json(path, manifest)


def link_file(folder: Path) -> None:
    path = folder / "flags.json"
    path.rename(folder.parent / "flags.json")
    path.symlink_to(folder.parent / "flags.json")


def link_folder(folder: Path) -> None:
    path = folder / "scorer"
    path.rename(folder.parent / "scorer")
    path.symlink_to(folder.parent / "scorer")


def add_pickle(folder: Path) -> None:
    bomb = folder.parent / "went-off"
    (folder / "scorer" / "model" / "model.pkl").write_bytes(pickle.dumps(Bomb(bomb)))
    write_manifest(folder)


def pickle_for_weights(folder: Path) -> None:
    bomb = folder.parent / "went-off"
    path = folder / "scorer" / "model" / "model.safetensors"
    path.write_bytes(pickle.dumps(Bomb(bomb)))
    card = folder / "scorer" / "model" / "scorer.json"
    from essay_scoring.core.fingerprint import file_sha256

    value = read_json(card)
    value["files"]["model.safetensors"] = file_sha256(path)
    write_json(card, value)
    write_manifest(folder)


def no_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def broken_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"files": [1, 2]}')


def add_fifo(folder: Path) -> None:
    os.mkfifo(folder / "pipe.json")


def bad_cutpoints(folder: Path) -> None:
    path = folder / "model.json"
    write_json(path, read_json(path) | {"cutpoints": [3.0, 2.0]})
    write_manifest(folder)


def bad_number(folder: Path) -> None:
    path = folder / "interval.json"
    write_json(path, read_json(path) | {"limits": "wide"})
    write_manifest(folder)


POISONS: dict[Callable[[Path], None], str] = {
    edit_weights: "changed since training ended",
    edit_interval: "changed since training ended",
    add_file: "added or removed since training ended, first scorer/notes.json",
    remove_file: "added or removed since training ended, first flags.json",
    climb: "added or removed since training ended, first ../outside.json",
    link_file: "a symbolic link",
    link_folder: "a symbolic link",
    add_pickle: "files of the type '.pkl'",
    pickle_for_weights: "not a linear model",
    no_manifest: "no manifest.json",
    broken_manifest: "manifest.json is not as it was written",
    add_fifo: "not a plain file",
    bad_cutpoints: "the cut-points do not fit",
    bad_number: "limits",
}


@pytest.mark.parametrize("poison", POISONS, ids=lambda poison: poison.__name__)
def test_a_poisoned_folder_is_refused_in_one_line(
    poison: Callable[[Path], None], folder: Path
) -> None:
    TrainedModel(folder)
    poison(folder)
    with pytest.raises(InputError) as refused:
        TrainedModel(folder)
    assert POISONS[poison] in refused.value.line()
    assert "To mend: " in refused.value.line()
    assert not (folder.parent / "went-off").exists()


def test_a_folder_that_was_moved_is_still_whole(folder: Path, tmp_path: Path) -> None:
    moved = folder.rename(tmp_path / "elsewhere")
    (moved / ".lock").unlink()
    require_safe(moved)
    link = tmp_path / "link"
    link.symlink_to(moved)
    require_safe(link)
    with pytest.raises(InputError, match="no such model folder"):
        require_safe(tmp_path / "absent")
