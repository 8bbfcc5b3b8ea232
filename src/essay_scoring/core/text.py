"""What counts as a word, in which one form a text is read, and when two texts are the same text."""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
import unicodedata

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_TAG = re.compile("<(?=[A-Za-z/!?])")

# Unicode's default ignorable characters, and controls that no one sees; CR of CR LF goes too.
_INVISIBLE = (
    "\x00-\x08\x0e-\x1f\x7f\u00ad\u034f\u061c\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_SPACES = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_LINE_ENDS = "\r\x0b\x0c\x85\u2028\u2029"
_ODD = re.compile(f"[{_INVISIBLE}{_SPACES}{_LINE_ENDS}]")
_DROPPED = re.compile(f"[{_INVISIBLE}]|\r(?=\n)")
_SPACE, _LINE_END = re.compile(f"[{_SPACES}]"), re.compile(f"[{_LINE_ENDS}]")

_WHOLE_FLOAT = re.compile(r"\d+\.0+")
_SIMPLE_WORD = re.compile(r"[^\W_]+")
_BEYOND_LATIN = re.compile("[\u0300-\u1dff\u20d0-\u20ff\u2c00-\U0010ffff]")

UNSPACED = (
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6\u1000-\u102a\u1780-\u17b3"
    "\u3005-\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U000323af"
)
"""Letters of scripts without spaces between words, as a class of a regular expression: Han, kana,
Thai, Lao, Burmese and Khmer. Each counts as a word, as in UAX 29 where there is no dictionary."""


def plain_text(text: str) -> str:
    """Return a text in the one form that is counted and scored, its look unchanged.

    Composed letters (NFC), no invisible characters, every space a blank, every line end a line
    feed. A text of ASCII without controls comes back as it is.
    """
    if _ODD.search(text):
        text = _LINE_END.sub("\n", _SPACE.sub(" ", _DROPPED.sub("", text)))
    if text.isascii():
        return text
    # A letter that was composed beside an invisible mark is composed now.
    return unicodedata.normalize("NFC", text)


def plain_name(text: str) -> str:
    """Return a name (of a prompt, of an essay) in one form, white space collapsed."""
    return " ".join(plain_text(text).split())


def name_key(name: str) -> str:
    """Return what names that differ by case, white space or Unicode form have in common.

    A whole number with a fraction of nothing, as a data frame writes it, is that number.
    """
    key = normalise_text(unicodedata.normalize("NFKC", normalise_text(name)).casefold())
    return key.partition(".")[0] if _WHOLE_FLOAT.fullmatch(key) else key


def normalise_text(text: str) -> str:
    """Return the plain text in NFKC, white space collapsed."""
    compatible = unicodedata.normalize("NFKC", plain_text(text))
    return " ".join(unicodedata.normalize("NFKC", plain_text(compatible)).split())


def text_hash(text: str) -> str:
    """Return the sha256 (hex) of the normalised text: equal hashes are the same essay."""
    return hashlib.sha256(normalise_text(text).encode("utf-8")).hexdigest()


def text_sha256(text: str) -> str:
    """Return the sha256 (hex) of a text exactly as it is, unlike `text_hash`."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def without_controls(text: str) -> str:
    """Return text with its control characters, but for tabs and line ends, as escapes."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def has_controls(text: str) -> bool:
    """Tell whether text holds a control character other than tabs and line ends."""
    return _CONTROL.search(text) is not None


def harmless_markdown(text: str) -> str:
    """Return Markdown in which nothing is a tag of HTML or steers a terminal."""
    return _TAG.sub("&lt;", without_controls(text))


@functools.cache
def word_pattern(joiner: str = "") -> re.Pattern[str]:
    """Return what finds words; `joiner` is a character that joins two to one, as in "don't".

    A word is a run of letters and digits (`str.isalnum`) with the combining marks on them, or one
    letter of a script without spaces between words (UNSPACED).
    """
    marks = f"[{_marks()}]*"
    run = f"(?:[^\\W_{UNSPACED}]+{marks})+"
    joined = f"{run}(?:{joiner}{run})*" if joiner else run
    return re.compile(f"{joined}|[{UNSPACED}]{marks}")


def _marks() -> str:
    """Return all combining marks as ranges of a class of a regular expression."""
    codes = (*range(0x300, 0x1F000), *range(0xE0100, 0xE01F0))
    marks = [code for code in codes if unicodedata.category(chr(code)).startswith("M")]
    runs = itertools.groupby(enumerate(marks), key=lambda pair: pair[1] - pair[0])
    edges = ([code for _, code in run] for _, run in runs)
    return "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in edges)


def words(text: str) -> list[str]:
    """Return the words of a text, as `word_pattern` defines them, in order."""
    simple = text.isascii() or not _BEYOND_LATIN.search(text)
    return (_SIMPLE_WORD if simple else word_pattern()).findall(text)


def word_count(text: str) -> int:
    """Return the number of words, as `words` defines them."""
    return len(words(text))
