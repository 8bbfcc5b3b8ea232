"""Which encoding a text file is in: as its mark says, by what it would say, or refused."""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from essay_scoring.core.errors import InputError
from essay_scoring.data.data_settings import Encoding

ENCODINGS: tuple[str, ...] = get_args(Encoding)[1:]
_UTF8_MARK, _UTF16_MARKS = codecs.BOM_UTF8, (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_HIGH = re.compile(rb"[\x80-\xff]")
_GUESSES = ("cp1252", "mac-roman")
_ENOUGH = 20_000
_AROUND = 3
_LEAST_FIT, _LEAST_LEAD = 0.35, 0.1
_CONTRACTION = re.compile(r"(s|t|d|m|re|ve|ll)(\W|$)", re.IGNORECASE)
_ELISION = re.compile(r"(^|\W)([cdjlmnst]|qu)$", re.IGNORECASE)
_OPENS, _CLOSES = "\u201c\u2018\u00ab\u00bf\u00a1\u201e\u201a", "\u201d\u00bb"
_BETWEEN = "\u2013\u2014\u2026\u00a0"
_SIGNS = "\u2022\u00b7\u20ac\u00a3\u00a5\u00b0\u00a9\u00ae\u2122\u00a7\u00bd\u00bc"
_COMMON = frozenset("éèàçüöäñáíóúêôîâßåøæœëïùûãõ")


def find_encoding(path: Path, lines: Iterable[bytes], encoding: Encoding) -> str:
    """Return the encoding of a text file's lines; InputError where it cannot be told.

    `auto` takes a byte order mark's word, then UTF-8 and UTF-16. What is neither is cp1252 or
    MacRoman, if the letters and marks of one of them stand where such letters and marks stand, and
    those of the other do not. A given encoding is strict.
    """
    stream = iter(lines)
    first = next(stream, b"")
    used: str = _marked(path, first, encoding)
    if used.startswith("utf-16"):
        return used
    bytes_seen = _Bytes(path, used, guesses=encoding == "auto")
    for number, line in enumerate(itertools.chain([first], stream), start=1):
        bytes_seen.add(number, line)
    return bytes_seen.encoding()


def _marked(path: Path, line: bytes, encoding: Encoding) -> str:
    """Return the encoding that the first line's mark, or its NUL bytes, tell of."""
    if line.startswith(_UTF8_MARK):
        if encoding not in ("auto", "utf-8"):
            raise InputError(
                f"the file starts with a UTF-8 byte order mark but encoding is '{encoding}'",
                where=f"{path}, line 1",
                mend="set encoding = 'utf-8'",
            )
        return "utf-8"
    if encoding != "auto":
        return encoding
    if line.startswith(_UTF16_MARKS):
        return "utf-16"
    even, odd = line[::2].count(0), line[1::2].count(0)
    if max(even, odd) > len(line) // 4 and min(even, odd) == 0:
        return "utf-16-le" if odd else "utf-16-be"
    return "utf-8"


def _refuse_nul(line: bytes, offset: int, where: str) -> None:
    if b"\0" in line:
        raise InputError(
            f"there is a NUL byte at offset {offset + line.index(0)}",
            where=where,
            mend="save the file as UTF-8 (UTF-16 looks like this), or remove the byte",
        )


def _wrong_byte(byte: int, offset: int, where: str, codec: str) -> InputError:
    name = "UTF-8" if codec == "utf-8" else codec
    others = "', '".join(other for other in ("utf-8", "cp1252", "mac-roman", "latin-1"))
    return InputError(
        f"byte 0x{byte:02x} at offset {offset} is not {name}",
        where=where,
        mend=f"set encoding = '{others}' or another that the file is in (cp1250, cp1251, "
        "gb18030, shift-jis, ...; on a command line, --encoding), or save the file as UTF-8",
    )


class _Bytes:
    """What the bytes of a text tell of its encoding, line by line."""

    def __init__(self, path: Path, codec: str, *, guesses: bool) -> None:
        self._path, self._codec, self._guesses = path, codec, guesses
        self._offset = self._valid = self._broken = 0
        self._marked = False
        self._wrong: InputError | None = None
        self._contexts: list[bytes] = []

    def add(self, number: int, line: bytes) -> None:
        """Take in a line; InputError for a NUL byte, or one that a given encoding does not have."""
        where = f"{self._path}, line {number}"
        _refuse_nul(line, self._offset, where)
        try:
            line.decode(self._codec)
        except UnicodeDecodeError as error:
            offset = self._offset + error.start
            wrong = _wrong_byte(line[error.start], offset, where, self._codec)
            if not self._guesses:
                raise wrong from None
            self._wrong = self._wrong or wrong
        if self._guesses and not line.isascii() and len(self._contexts) < _ENOUGH:
            self._look_beyond_ascii(line)
        self._offset += len(line)

    def _look_beyond_ascii(self, line: bytes) -> None:
        beyond = [mark for mark in line.decode("utf-8", "replace") if mark > "\x7f"]
        broken = beyond.count("\ufffd")
        self._marked = self._marked or line.startswith(_UTF8_MARK)
        self._broken += broken
        self._valid += len(beyond) - broken
        self._contexts.extend(_contexts(line))

    def encoding(self) -> str:
        """Return the encoding; InputError where it cannot be told.

        UTF-8 with a few damaged bytes still has mostly valid sequences: read in another encoding,
        every accented letter of it would be spoilt without a word.
        """
        if self._wrong is None:
            return self._codec
        damaged = self._marked or self._broken <= self._valid
        guess = None if damaged else _best_guess(self._contexts)
        if guess is None:
            raise self._wrong
        return guess


def _contexts(line: bytes) -> Iterable[bytes]:
    """Yield every byte beyond ASCII in the middle of its neighbours."""
    padded = b" " * _AROUND + line.strip(b"\r\n") + b" " * _AROUND
    for found in _HIGH.finditer(padded):
        yield padded[found.start() - _AROUND : found.start() + _AROUND + 1]


def _best_guess(contexts: list[bytes]) -> str | None:
    """Return the encoding whose characters fit where they stand; None where none or both do."""
    fits: dict[str, float] = {}
    for codec in _GUESSES:
        try:
            read = [context.decode(codec) for context in contexts]
        except UnicodeDecodeError:
            # A byte that the encoding does not have.
            continue
        fits[codec] = sum(map(_fit, read)) / len(read)
    ranked = sorted(fits, key=lambda codec: -fits[codec])
    lead = fits[ranked[0]] - (fits[ranked[1]] if len(ranked) > 1 else 0.0) if ranked else 0.0
    return ranked[0] if lead >= _LEAST_LEAD and fits[ranked[0]] >= _LEAST_FIT else None


def _fit(context: str) -> float:
    """Return how well the character in the middle fits its neighbours, 0 to 1."""
    before, mark, after = context[:_AROUND], context[_AROUND], context[_AROUND + 1 :]
    left, right = before[-1], after[0]
    if mark.isalpha():
        return _fit_of_letter(mark, left, right)
    if mark == "\u2019":
        if left.isalpha() and right.isalpha():
            return 1.0 if _CONTRACTION.match(after) or _ELISION.search(before) else 0.3
        return 0.5 if not left.isspace() or right.isalnum() else 0.1
    if mark in _OPENS:
        return 1.0 if not left.isalnum() and not right.isspace() else 0.1
    if mark in _CLOSES:
        return 1.0 if not left.isspace() and not right.isalnum() else 0.1
    inside = left.isalpha() or right.isalpha()
    if mark in _BETWEEN:
        return 0.3 if left.isalpha() and right.isalpha() else 0.6
    return 0.6 if mark in _SIGNS and not inside else 0.05


def _fit_of_letter(mark: str, left: str, right: str) -> float:
    """Return how well a letter beyond ASCII fits between its neighbours, 0 to 1."""
    if any(other.isalpha() and not other.isascii() for other in (left, right)):
        # Several in a row: an alphabet of its own, in an encoding that is neither.
        return 0.05
    if mark.isupper():
        starts = not left.isalpha() and right.islower()
        return 0.5 if starts else 0.4 if left.isupper() or right.isupper() else 0.0
    inside = left.isalpha() or right.isalpha()
    return (0.6 if mark in _COMMON else 0.3) if inside else 0.2
