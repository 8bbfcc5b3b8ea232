"""The numbers of a page that are quoted from artifacts, and those that are left over."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from essay_scoring.core.number_text import with_interval


def numbers_left(text: str, pieces: Sequence[str], words: Collection[str]) -> list[str]:
    """Return the words with digits that stand in no piece and are not in `words`.

    `pieces` are what artifacts say, in the page's own words: clauses and whole tables, wherever
    lines break. Raises AssertionError naming a piece that the page does not hold.
    """
    whole = left = _flat(text)
    for piece in sorted(map(_flat, pieces), key=len, reverse=True):
        there = re.compile(rf"(?<![\d.+-]){re.escape(piece)}(?!\d)")
        assert there.search(whole), f"not on the page: {piece}"
        left = there.sub(" ", left)
    found = [word.strip("(),.:;*") for word in left.split() if re.search(r"\d", word)]
    return [word for word in found if word not in words]


def interval(figure: Mapping[str, Any], *, sign: bool = False) -> str:
    """Return a figure of an artifact with its interval."""
    return with_interval(figure["estimate"], figure["low"], figure["high"], sign=sign)


def is_quoted(text: str, pieces: Sequence[str], words: Collection[str]) -> bool:
    """Return whether a page holds every piece, and no number but theirs and those of `words`."""
    try:
        return not numbers_left(text, pieces, words)
    except AssertionError:
        return False


def changed_digits(text: str) -> list[str]:
    """Return the page once for each of its digits, with the next digit in its place."""
    places = [match.start() for match in re.finditer(r"\d", text)]
    return [f"{text[:at]}{(int(text[at]) + 1) % 10}{text[at + 1 :]}" for at in places]


def _flat(text: str) -> str:
    """Return text on one line."""
    return " ".join(text.split())
