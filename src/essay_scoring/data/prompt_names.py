"""Which names mean one prompt: a prompt in two spellings would be on both sides of a fold."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from essay_scoring.core.text import name_key, plain_name

_SHORTEST, _LONG, _LONGER = 5, 12, 60
_MOST_EDITS, _MOST_NAMES = 3, 5000
_LISTED = 5


def one_spelling(prompts: Sequence[str], known: Iterable[str] = ()) -> dict[str, str]:
    """Return for every name of `prompts` and `known` the one that stands for it.

    Names that differ by case, white space or Unicode form are one prompt. Its name is the one in
    `known` (the names of scales, or of training), else the spelling of most essays.
    """
    counts, chosen = Counter(prompts), dict[str, str]()
    for name in (*known, *sorted(counts, key=lambda name: -counts[name])):
        chosen.setdefault(name_key(name), plain_name(name))
    return {name: chosen[name_key(name)] for name in (*counts, *known)}


def respelled(names: Mapping[str, str]) -> dict[str, list[str]]:
    """Return each prompt that goes by other spellings too, with those."""
    out: dict[str, list[str]] = {}
    for name, stands in names.items():
        if name != stands:
            out.setdefault(stands, []).append(name)
    return out


def near_names(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs of names that a typing error may have made of one, each in order.

    They differ in one letter or two (three in a long name), or in marks alone. Names that differ in
    a number or in a word of up to three letters ("Prompt 1", "Task B", "Part II") are no such pair.
    """
    alike: dict[tuple[str, ...], list[str]] = {}
    for name in dict.fromkeys(names):
        alike.setdefault(tuple(re.findall(r"\d+", name_key(name))), []).append(name)
    return [pair for group in alike.values() for pair in _near_in(group)]


def _near_in(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the near pairs of names with the same numbers in them."""
    plain = [re.sub(r"[\W_]+", "", name_key(name)) for name in names]
    for at, other in _of_like_letters(plain):
        pair = names[at], names[other]
        if not _counted(*pair) and _near(plain[at], plain[other]):
            yield pair


def _of_like_letters(names: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of names that differ in few enough letters, wherever those stand.

    That rules out nearly all pairs at once: comparing each two of a thousand long names letter by
    letter would take minutes.
    """
    if len(names) > _MOST_NAMES:
        return
    letters = {letter: at for at, letter in enumerate(sorted(set("".join(names))))}
    counts = np.zeros((len(names), len(letters) + 1), dtype=np.int32)
    for row, name in enumerate(names):
        for letter, n in Counter(name).items():
            counts[row, letters[letter]] = n
    for at in range(len(names) - 1):
        apart = np.abs(counts[at + 1 :] - counts[at]).sum(axis=1)
        for other in np.flatnonzero(apart <= 2 * _MOST_EDITS).tolist():
            yield at, at + 1 + other


def _near(first: str, other: str) -> bool:
    if first == other:
        return bool(first)
    length = min(len(first), len(other))
    if length < _SHORTEST:
        return False
    most = 1 if length < _LONG else 2 if length < _LONGER else _MOST_EDITS
    return abs(len(first) - len(other)) <= most and _distance(first, other) <= most


def _counted(first: str, other: str) -> bool:
    """Tell whether names differ in short words alone, as in a letter or a numeral."""
    words, others = (re.findall(r"[^\W_]+", name_key(name)) for name in (first, other))
    if len(words) != len(others):
        return False
    unlike = [pair for pair in zip(words, others, strict=True) if pair[0] != pair[1]]
    return bool(unlike) and all(max(map(len, pair)) <= 3 for pair in unlike)


def _distance(first: str, other: str) -> int:
    """Return how many letters are added, left out, changed, or swapped with the next.

    Only up to `_MOST_EDITS`: places further apart than that are left out, which keeps long names
    cheap.
    """
    far = _MOST_EDITS + 1
    before: dict[int, int] = {}
    row = {j: j for j in range(far)}
    for i, mark in enumerate(first, start=1):
        earlier, before, row = before, row, {}
        for j in range(max(0, i - _MOST_EDITS), min(len(other), i + _MOST_EDITS) + 1):
            its = other[j - 1] if j else ""
            cost = min(before.get(j, far) + 1, row.get(j - 1, far) + 1)
            cost = min(cost, before.get(j - 1, far) + (mark != its))
            if i > 1 and j > 1 and mark == other[j - 2] and first[i - 2] == its:
                cost = min(cost, earlier.get(j - 2, far) + 1)
            row[j] = cost
    return row.get(len(other), far)


def merged(pairs: Iterable[tuple[str, str]], prompts: Sequence[str]) -> dict[str, str]:
    """Return for each name of near pairs the one of its group that most essays have."""
    counts, stands = Counter(prompts), dict[str, str]()

    def lead(name: str) -> str:
        while stands.setdefault(name, name) != name:
            name = stands[name]
        return name

    for first, other in pairs:
        one, two = sorted((lead(first), lead(other)), key=lambda name: (-counts[name], name))
        stands[two] = one
    return {name: lead(name) for name in stands}


def listed(pairs: Sequence[tuple[str, str]]) -> str:
    """Return pairs of names for a message, the first few."""
    said = ", ".join(f"{_short(first)} and {_short(other)}" for first, other in pairs[:_LISTED])
    return said + (f" and {len(pairs) - _LISTED} more pairs" if len(pairs) > _LISTED else "")


def _short(name: str) -> str:
    return repr(name if len(name) <= 40 else f"{name[:37]}...")
