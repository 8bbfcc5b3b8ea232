from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import write_text
from essay_scoring.records.search_settings import CAP, load_search
from essay_scoring.search.space import space_of
from tests.conftest import ROOT
from tests.search.made import SEARCHES, SMOKE_SEARCH, small_search

HEAD = f'name = "x"\nconfig = "{ROOT}/configs/smoke/ridge.toml"\n'
SPACE = '[space."training.weight_cap"]\nkind = "float"\nlow = 1.0\nhigh = 4.0\n'


@pytest.mark.parametrize("path", sorted(SEARCHES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_committed_search_loads_and_its_space_is_sound(path: Path) -> None:
    search = load_search(path)
    space = space_of(search)
    assert set(space.distributions()) == set(search.settings.space)


def test_the_flat_search_is_the_nested_one_but_for_its_mode() -> None:
    nested, flat = (load_search(SEARCHES / f"xgb_ellipse{kind}.toml") for kind in ("", "_flat"))
    assert (nested.settings.mode, flat.settings.mode) == ("nested", "flat")
    same = {"mode": "nested", "name": "x"}
    assert flat.settings.model_copy(update=same) == nested.settings.model_copy(update=same)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('objective = "best"\n' + SPACE, "objective: Input should be"),
        (SPACE.replace("4.0", "0.5"), "high must be greater than low"),
        (SPACE.replace("1.0", "0.0") + "log = true\n", "log needs low > 0"),
        (SPACE + "step = 9.0\n", "step must lie within the range"),
        ('[space.x]\nkind = "choice"\nvalues = [1]\n', "at least 2"),
        ('[space.x]\nkind = "choice"\nvalues = [1, 1]\n', "the values must differ"),
        ("", "space: missing key"),
        ("trails = 3\n" + SPACE, "did you mean 'trials'?"),
        ('guardrails.reference = "absent.toml"\n' + SPACE, "absent.toml: no such file"),
    ],
)
def test_a_faulty_search_is_one_clear_error(lines: str, message: str, tmp_path: Path) -> None:
    write_text(tmp_path / "x.toml", HEAD + lines)
    with pytest.raises(InputError) as caught:
        load_search(tmp_path / "x.toml")
    assert message in caught.value.line()


def test_more_trials_than_the_cap_need_a_reason() -> None:
    with pytest.raises(InputError, match="--trials-beyond-cap"):
        small_search(f"trials={CAP + 1}")
    assert small_search(f"trials={CAP}").beyond_cap is None
    assert small_search(f"trials={CAP + 1}", beyond_cap="a wide space").beyond_cap == "a wide space"


def test_a_reference_on_other_folds_is_refused(tmp_path: Path) -> None:
    config = f'extends = "{ROOT}/configs/smoke/ridge.toml"\nscheme = "stratified_text"\n'
    write_text(tmp_path / "other.toml", config)
    write_text(tmp_path / "x.toml", HEAD + 'guardrails.reference = "other.toml"\n' + SPACE)
    with pytest.raises(InputError, match="differs from the search's own config in scheme"):
        load_search(tmp_path / "x.toml")


def test_overrides_reach_the_search() -> None:
    assert load_search(SMOKE_SEARCH, ["trials=9"]).settings.trials == 9
