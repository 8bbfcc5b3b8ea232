"""Presets: found anywhere by name, and whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import write_text
from essay_scoring.data.data_settings import DataSettings
from essay_scoring.judging.plans import load_plan
from essay_scoring.judging.study_plan import load_study
from essay_scoring.records.config import load_run_config, read_extended_toml
from essay_scoring.records.kinds import require_kind
from essay_scoring.records.presets import preset_names, settings_file, shown_name

SYNTHETIC = '[data.corpus]\nkind = "synthetic"\n'


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_can_be_read(name: str, tmp_path: Path) -> None:
    path, kind = Path(f"preset:{name}"), Path(name).name
    assert shown_name(settings_file(path)) == str(path)
    if kind == "gate" or name.startswith("gates/"):
        load_plan(path)
    elif kind == "study":
        load_study(path)
    elif kind == "data":
        DataSettings.model_validate(read_extended_toml(path)["data"])
    elif "/" in name:
        load_run_config(path)
    else:
        write_text(tmp_path / "mine.toml", f'extends = "{path}"\n{SYNTHETIC}')
        load_run_config(tmp_path / "mine.toml")


def test_of_several_the_later_is_laid_over_the_earlier(tmp_path: Path) -> None:
    write_text(tmp_path / "data.toml", f'name = "data"\n{SYNTHETIC}')
    write_text(tmp_path / "mine.toml", 'extends = ["data.toml", "preset:ridge"]\n')
    config = load_run_config(tmp_path / "mine.toml")
    assert (config.name, config.scorer.family) == ("ridge", "ridge")
    assert config.features.encoder.layers == (3,)


def test_a_preset_that_there_is_not_is_said_with_the_nearest() -> None:
    with pytest.raises(InputError, match="preset:reference"):
        load_run_config(Path("preset:referense"))


def test_a_study_a_plan_and_a_search_are_no_config_of_a_run() -> None:
    with pytest.raises(InputError, match=r"essay-scoring study preset:asap/study"):
        require_kind(Path("preset:asap/study"), "config")
    with pytest.raises(InputError, match=r"essay-scoring power preset:gates/own"):
        require_kind(Path("preset:gates/own"), "config")
