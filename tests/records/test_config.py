from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import write_json
from essay_scoring.models.scorer_settings import RidgeSettings, XGBoostSettings
from essay_scoring.records.config import (
    apply_overrides,
    config_values,
    lay_over,
    load_run_config,
    shown_config,
)

BASE = """
name = "base"
[data.corpus]
kind = "synthetic"
[scorer]
family = "xgboost"
max_depth = 5
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_saved_json_gives_the_same_config(tmp_path: Path) -> None:
    config = load_run_config(write(tmp_path / "a.toml", BASE), ["training.ensemble=3"])
    write_json(tmp_path / "config.json", config_values(config))
    assert load_run_config(tmp_path / "config.json") == config


def test_a_page_shows_what_prompts_asked_by_its_length(tmp_path: Path) -> None:
    path = write(tmp_path / "a.toml", BASE)
    config = config_values(load_run_config(path, ["features.prompt_texts={A = 'Why so?'}"]))
    assert shown_config(config)["features"] == {
        **config["features"],
        "prompt_texts": {"A": "(text of 7 characters)"},
    }
    assert config["features"]["prompt_texts"] == {"A": "Why so?"}
    assert shown_config({"name": "imported"}) == {"name": "imported"}


def test_extends_changes_only_what_is_named(tmp_path: Path) -> None:
    write(tmp_path / "base.toml", BASE)
    arm = write(tmp_path / "arm.toml", 'extends = "base.toml"\nname = "arm"\nseed = 1\n')
    config = load_run_config(arm)
    assert (config.name, config.seed) == ("arm", 1)
    assert isinstance(config.scorer, XGBoostSettings)
    assert config.scorer.max_depth == 5


def test_another_family_leaves_the_first_familys_keys_behind(tmp_path: Path) -> None:
    write(tmp_path / "base.toml", BASE)
    arm = write(tmp_path / "arm.toml", 'extends = "base.toml"\n[scorer]\nfamily = "ridge"\n')
    assert isinstance(load_run_config(arm).scorer, RidgeSettings)


def test_extends_in_a_circle_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.toml", 'extends = "b.toml"\n')
    write(tmp_path / "b.toml", 'extends = "a.toml"\n')
    with pytest.raises(InputError, match="extends itself"):
        load_run_config(tmp_path / "a.toml")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("scorer.max_dept=4", r"scorer\.xgboost\.max_dept: unknown key.*did you mean 'max_depth'"),
        (
            "training.layers=[1]",
            r"training\.layers: unknown key.*'layers' is a key of another table",
        ),
        ("scorer.max_depth=0", r"scorer\.xgboost\.max_depth: .*greater than or equal to 1"),
        ("scorer.learning_rate=nan", r"learning_rate: .*finite"),
        ("scorer.family=forest", r"scorer: .*'forest'"),
        ("scheme=random", "scheme: "),
        ("seed", "not of the form a.b=value"),
        (".=1", "not of the form a.b=value"),
        ("features.sets=[]", r"features\.sets"),
    ],
)
def test_bad_override_is_one_line_with_the_full_path(
    tmp_path: Path, override: str, message: str
) -> None:
    path = write(tmp_path / "a.toml", BASE)
    with pytest.raises(InputError, match=message) as caught:
        load_run_config(path, [override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "not valid TOML"),
        ('name = "x"', "data: missing key"),
        (BASE.replace('"base"', '"Not a slug"'), "name: "),
        ("\x00", "not valid TOML"),
    ],
)
def test_bad_file_names_itself(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "bad.toml", text)
    with pytest.raises(InputError, match=message) as caught:
        load_run_config(path)
    assert "bad.toml" in str(caught.value)


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_run_config(tmp_path / "absent.toml")


def test_plain_words_need_no_quotes() -> None:
    assert apply_overrides({}, ["a.b=word", "a.c=3", "a.d=[1, 2]", "a.e=true"]) == {
        "a": {"b": "word", "c": 3, "d": [1, 2], "e": True}
    }


def test_laying_over_leaves_both_sides_alone() -> None:
    base, top = {"a": {"x": 1}}, {"a": {"y": 2}}
    assert lay_over(base, top) == {"a": {"x": 1, "y": 2}}
    assert (base, top) == ({"a": {"x": 1}}, {"a": {"y": 2}})
