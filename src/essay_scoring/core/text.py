"""What counts as a word, and when two texts are the same text."""

from __future__ import annotations

import hashlib
import itertools
import re
import unicodedata

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_TAG = re.compile("<(?=[A-Za-z/!?])")
_ZERO_WIDTH = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))


def normalise_text(text: str) -> str:
    """Return NFKC text without zero-width characters, line ends unified, white space collapsed."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n").translate(_ZERO_WIDTH)
    return " ".join(unicodedata.normalize("NFKC", unified).translate(_ZERO_WIDTH).split())


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


def words(text: str) -> list[str]:
    """Return the runs of characters for which `str.isalnum()` holds, in order."""
    runs = itertools.groupby(text, key=str.isalnum)
    return ["".join(run) for is_word, run in runs if is_word]


def word_count(text: str) -> int:
    """Return the number of words, as `words` defines them."""
    return sum(is_word for is_word, _ in itertools.groupby(text, key=str.isalnum))
