from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.features.language_errors import (
    COLUMNS,
    KIND_OF_CATEGORY,
    KINDS,
    LanguageErrorsBlock,
    error_rates,
    kind_of,
)

# 5, 5 and 7 words; one grammar error, two misspellings, one misplaced comma.
GRAMMAR = "He go to school daily."
SPELLING = "I beleive that frendship matters."
PUNCTUATION = "We stayed at home ,because it rained."
CLEAN = "The cat sat on the mat."
# 10 words; have after She, beleive, the space before the comma.
MIXED = "She have a dog and he beleive in ghosts , too."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GRAMMAR, [100 / 5, 0, 0]),
        (SPELLING, [0, 200 / 5, 0]),
        (PUNCTUATION, [0, 0, 100 / 7]),
        (MIXED, [100 / 10, 100 / 10, 100 / 10]),
        (CLEAN, [0, 0, 0]),
        # a/an and a doubled word are grammar; a sentence's small first letter is spelling.
        ("This is an book.", [100 / 4, 0, 0]),
        ("We saw the the park.", [100 / 5, 0, 0]),
        ("they went home.", [0, 100 / 3, 0]),
        # Matters of typesetting count for nothing.
        ("Wait... It is very  nice here.", [0, 0, 0]),
        # So do matters of taste.
        ("We are gonna win.", [0, 0, 0]),
    ],
)
def test_each_error_lands_in_its_own_column(text: str, expected: list[float]) -> None:
    assert error_rates([text])[0] == pytest.approx(expected)


def test_texts_without_words_have_no_rates() -> None:
    assert np.isnan(error_rates(["", " ... ", "\n\n"])).all()
    assert error_rates([]).shape == (0, len(COLUMNS))


def test_line_ends_and_broken_characters_do_no_harm() -> None:
    one = error_rates([f"{CLEAN}\n\n{GRAMMAR} \U0001f44d"])
    assert error_rates([f"{CLEAN}\r\n\r\n{GRAMMAR} \U0001f44d"]).tobytes() == one.tobytes()
    assert np.isfinite(error_rates([f"{CLEAN} \ud83d \x00 \u202e"])).all()


def test_a_row_depends_on_its_own_text_alone() -> None:
    texts = [GRAMMAR, SPELLING, PUNCTUATION, MIXED, CLEAN] * 3
    together = error_rates(texts)
    alone = np.concatenate([error_rates([text]) for text in texts])
    assert together.tobytes() == alone.tobytes()
    assert error_rates(texts[::-1])[::-1].tobytes() == alone.tobytes()


def match(**changes: Any) -> dict[str, Any]:
    return {"rule_id": "R", "category_id": "TYPOS", "issue_type": "misspelling", **changes}


def test_a_renamed_or_unknown_category_is_an_error_and_never_grammar() -> None:
    assert kind_of(match()) == "spelling"
    renamed = match()
    renamed["categoryId"] = renamed.pop("category_id")
    broken_matches = [renamed, match(category_id=None), match(category_id="NEW"), {}]
    for broken in [*broken_matches, match(rule_id=None)]:
        with pytest.raises(InputError, match="unknown category"):
            kind_of(broken)


def test_ignored_rules_count_for_nothing() -> None:
    assert kind_of(match(rule_id="EN_ELLIPSIS", category_id="TYPOGRAPHY")) is None
    assert kind_of(match(rule_id="SENTENCE_WHITESPACE", category_id="TYPOGRAPHY")) == "punctuation"


def test_every_category_of_the_installed_rules_has_a_kind() -> None:
    data = pytest.importorskip("lingotweaker_data_en").data_dir()
    rules = [*Path(data, "en/rules").glob("*.xml"), *Path(data, "en/rules/en-US").glob("*.xml")]
    text = "".join(path.read_text(encoding="utf-8") for path in rules)
    categories = set(re.findall(r'<category id="(\w+)"', text))
    assert {"GRAMMAR", "TYPOS", "PUNCTUATION", "STYLE"} <= categories
    assert categories <= set(KIND_OF_CATEGORY)
    assert set(KIND_OF_CATEGORY.values()) == {*KINDS, "style"}


def test_the_block_names_what_changes_its_values() -> None:
    block = LanguageErrorsBlock()
    essays = Essays(("a", "b"), (GRAMMAR, CLEAN), ("p", "p"))
    columns = block.columns(essays)
    assert columns.names == block.column_names == COLUMNS
    assert columns.values.dtype == np.float32
    assert columns.values.tobytes() == error_rates([GRAMMAR, CLEAN]).tobytes()
    packages = block.identity["packages"]
    assert isinstance(packages, dict)
    assert set(packages) == {"lingotweaker", "lingotweaker-data-en"}


def test_a_folder_called_data_where_it_is_started_is_not_taken_for_its_rules(
    tmp_path: Path,
) -> None:
    (tmp_path / "data").mkdir()
    program = (
        "from essay_scoring.features.language_errors import error_rates; "
        f"print(error_rates([{GRAMMAR!r}])[0].tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [20.0, 0.0, 0.0]
