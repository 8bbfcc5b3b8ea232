"""Syllables of English words, counted by spelling."""

from __future__ import annotations

import functools
import re
import unicodedata

from essay_scoring.features.annotation import straight_quotes

_NUCLEUS = re.compile(r"[aeiouy]+")
_NOT_LETTERS = re.compile(r"[^a-z']")

# Neighbouring vowels that are two nuclei: one group to _NUCLEUS, one more to the ear.
_HIATUS = re.compile(
    r"(?<=[aeiou])ings?\b|(?<=[^aeiou]y)ings?\b"  # going, trying
    r"|[aeou]y(?=[aeiou])"  # player, royal, beyond
    r"|yone\b"  # anyone
    r"|(?<![ctsgh])ia(?!ge)|[cts]iat|giant"  # material, associate; not special, marriage
    r"|(?<![tscgxlnh])io(?!r)|rior|\blion"  # period, various; not nation, million
    r"|iu"  # medium
    r"|(?<![ct])(?<!fr)ien|(?<!con)scien|iet"  # audience, science, quiet; not patient, friend
    r"|(?<=[^aeiouy])ie(?:r|st)\b"  # happier
    r"|(?<![qg])ua"  # actual; not equal, language
    r"|eo(?!ple|us)(?<!geo)|\bgeo(?!rge)"  # video, geography; not people, surgeon
    r"|\bidea|\barea|creat(?!ur)|reali[tz]|react|theat|\bcooper|museum"
    r"|fluen|cruel|fuel|ruin|suici|genuin|\bpoe[mt]"
    r"|[iy]sm\b|asm\b|thm\b"  # tourism, rhythm
)
# An e that is written and not said.
_SILENT = re.compile(
    r"(?<=[^aeiouy])e\b(?<![^aeiouy]le)"  # make; not table
    r"|(?:(?<=[^aeiouytd])|(?<=[aeou]y))ed\b(?<![^aeiouyl]led)"  # walked, played; not settled
    r"|(?<=[^aeiouyscgxz])es\b(?<!shes)(?<!ches)(?<![^aeiouyl]les)"  # makes; not wishes, tables
    r"|(?<=[aeiouy][^aeiouy])e(?=(?:ly|ment|ful|less|ness|thing|times?|body|one|where)s?\b)"
    r"|(?<=[aeiouy][^aeiouy][^aeiouyl])e(?=(?:ly|ment|ful|less|ness)s?\b)"
    r"|(?<=[gq])ues?\b"  # league, unique
    r"|(?<=\bev)e(?=ry)|(?<=\bther)e(?=fore)"
)
_IRREGULAR = {
    "argue": 2, "argues": 2, "behavior": 3, "business": 2, "businesses": 3, "cafe": 2,
    "element": 3, "elements": 3, "evening": 2, "eye": 1, "eyes": 1, "haven't": 2, "hundred": 2,
    "maybe": 2, "naked": 2, "pier": 1, "priest": 1, "queue": 1, "ratio": 3, "recipe": 3,
    "sacred": 2, "soldier": 2, "soldiers": 2, "tier": 1, "wednesday": 2,
}  # fmt: skip


@functools.lru_cache(maxsize=1 << 16)
def count_syllables(word: str) -> int:
    """Return the syllables of a word, at least 1: vowel groups, less silent e, plus hiatus."""
    word = unicodedata.normalize("NFKD", straight_quotes(word).lower())
    word = _NOT_LETTERS.sub("", word)
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    stem, _, ending = word.partition("'")
    extra = 0
    if ending == "t" and stem.endswith("n"):
        # "didn't" has a syllable more than "did"; "don't" and "weren't" have none more.
        stem = stem[:-1]
        extra = int(stem[-1:] not in {*"aeiou", ""})
    nuclei = len(_NUCLEUS.findall(stem)) + len(_HIATUS.findall(stem))
    return max(1, nuclei - len(_SILENT.findall(stem))) + extra
