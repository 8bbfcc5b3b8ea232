"""What is settled between reading a corpus and drawing its folds, and what is said about it.

Prompts whose names may be one, texts that are there several times, and texts that the words and
the features of this project do not serve.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.text import UNSPACED, name_key, words
from essay_scoring.data.corpora import Loaded
from essay_scoring.data.data_settings import Preparation
from essay_scoring.data.duplicates import exact_groups
from essay_scoring.data.prompt_names import listed, merged, near_names, respelled
from essay_scoring.data.prompt_texts import PromptTexts
from essay_scoring.data.rows import shown

REPEATED = "repeated_text"
_LISTED = 5
_UNSPACED_LETTER = re.compile(f"[{UNSPACED}]")
_COMMON_WORDS = """
the of and to a in is it that for i you was on are with as be this have not they but or
"""
_ENGLISH = frozenset(_COMMON_WORDS.split())
_DECODED_TWICE = re.compile("[\u00c2\u00c3][\u0080-\u00bf]|\u00e2\u20ac")
_LEAST_ENGLISH, _FEWEST_WORDS = 0.08, 20


def settle_prompts(
    loaded: Loaded, kept: Sequence[int], preparation: Preparation, where: str
) -> Loaded:
    """Return the corpus with one name a prompt, as far as `preparation` says.

    Raises InputError naming the prompts of `kept` essays whose names a typing error may have made
    of one, unless they are merged or kept apart.
    """
    excluded = {name_key(name) for name in preparation.exclude_prompts}
    in_use = [loaded.train.prompts[row] for row in kept] + list(loaded.locked.prompts)
    in_use = [name for name in in_use if name_key(name) not in excluded]
    pairs = [] if preparation.similar_prompts == "keep" else near_names(in_use)
    if not pairs:
        return loaded
    if preparation.similar_prompts == "refuse":
        raise InputError(
            f"prompts are named nearly alike, and would be held out apart: {listed(pairs)}",
            where=where,
            mend="correct the names, or set data.preparation.similar_prompts to 'merge' (one "
            "prompt) or 'keep' (different prompts); of init it is --similar-prompts",
        )
    stands = merged(pairs, in_use)
    return replace(
        loaded,
        train=replace(loaded.train, essays=_renamed(loaded.train.essays, stands)),
        locked=_renamed(loaded.locked, stands),
        prompt_texts=_merged_texts(loaded.prompt_texts, stands, where),
        prompt_names={
            **{name: stands.get(other, other) for name, other in loaded.prompt_names.items()},
            **{name: other for name, other in stands.items() if name != other},
        },
    )


def _merged_texts(
    texts: Mapping[str, str], stands: Mapping[str, str], where: str
) -> dict[str, str]:
    """Return what prompts asked by their one name; InputError where one then asked two things."""
    one = PromptTexts()
    for number, (name, text) in enumerate(texts.items()):
        if one.fault(stands.get(name, name), text, number):
            raise InputError(
                f"the prompt {shown(name)} would be merged with {shown(stands.get(name, name))}, "
                "and asked something else",
                where=where,
                mend="set data.preparation.similar_prompts to 'keep', or correct the names",
            )
    return one.by_name


def _renamed(essays: Essays, stands: Mapping[str, str]) -> Essays:
    return replace(essays, prompts=tuple(stands.get(name, name) for name in essays.prompts))


def settle_repeats(
    train: ScoredEssays, rows: Sequence[int], preparation: Preparation
) -> tuple[ScoredEssays, set[int]]:
    """Return the essays, and which of `rows` are dropped since their text is there before.

    With `mean` the first of equal texts gets the mean score, of the common scale where prompts have
    scales of their own.
    """
    how, dropped = preparation.repeats, set[int]()
    groups = exact_groups([train.essays.texts[row] for row in rows])
    if how == "keep" or not groups:
        return train, dropped
    targets, scores = train.targets.copy(), train.scores.copy()
    for group in ([rows[at] for at in positions] for positions in groups):
        dropped.update(group if how == "drop" else group[1:])
        if how == "mean":
            first = group[0]
            targets[first] = targets[group].mean()
            prompt = train.prompts[first : first + 1]
            own = train.scales.from_training(targets[first : first + 1], prompt)
            scores[first] = train.scales.round(own, prompt)[0]
    if how != "mean":
        return train, dropped
    labels = train.scales.to_training(scores, train.prompts)
    softened = None if np.array_equal(labels, targets) else targets
    return replace(train, scores=scores, softened=softened), dropped


def notes_on(loaded: Loaded, train: ScoredEssays, preparation: Preparation) -> list[str]:
    """Return what a reader of the figures should know of the essays read, one line each."""
    told = [*_spellings(loaded), *_contradictions(loaded.train, preparation)]
    texts = loaded.train.essays.texts
    told += [*_scripts(texts), *_decoded_twice(texts), *_weights(train)]
    if train.softened is not None:
        learnt = train.scales.to_training(train.scores, train.prompts) != train.softened
        told.append(
            f"{int(learnt.sum())} of {len(train)} essays are learnt by a score between the labels "
            "of their scale (a mean of several); agreement is measured on the nearest label"
        )
    return told


def _decoded_twice(texts: Sequence[str]) -> list[str]:
    """Return how many texts hold what UTF-8 looks like that was read in another encoding."""
    spoilt = sum(_DECODED_TWICE.search(text) is not None for text in texts)
    if not spoilt or spoilt * 100 < len(texts):
        return []
    what = "hold signs of letters that were decoded wrongly before this file was written"
    mend = "('\u00c3\u00a9' for '\u00e9'): export them again from where they are right"
    return [f"{spoilt} of {len(texts)} essays {what} {mend}"]


def _weights(train: ScoredEssays) -> list[str]:
    """Return how unequal the essays' own weights are, by Kish's effective sample size (1965)."""
    own = train.weights
    if own is None:
        return []
    shares = own / own.max()
    equal = shares.sum() ** 2 / (shares**2).sum()
    span = f"{own.min():g} to {own.max():g}"
    worth = f"{len(own)} essays are worth {equal:.0f} of equal weight"
    return [
        f"training weighs essays by their own weights, {span}: {worth}; figures count all alike"
    ]


def _spellings(loaded: Loaded) -> list[str]:
    """Return which prompts go by several spellings."""
    found = respelled(loaded.prompt_names)
    if not found:
        return []
    said = [
        f"{name!r} (also {', '.join(map(repr, others[:_LISTED]))})"
        for name, others in list(found.items())[:_LISTED]
    ]
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    several = f"{len(found)} prompts are spelled in several ways and count as one"
    return [f"{several}: {'; '.join(said)}{more}"]


def _contradictions(train: ScoredEssays, preparation: Preparation) -> list[str]:
    """Return how many texts are there several times, and which of them with unlike scores."""
    groups = exact_groups(train.essays.texts)
    if not groups:
        return []
    unlike = [rows for rows in groups if len(set(train.targets[rows].tolist())) > 1]
    said = f"texts that are there more than once: {len(groups)}, with unlike scores: {len(unlike)}"
    for rows in unlike[:_LISTED]:
        pairs = (f"{shown(train.essays.ids[row])} {train.scores[row]:g}" for row in rows[:_LISTED])
        said += f"; {', '.join(pairs)}"
    return [
        f"{said} (data.preparation.repeats = '{preparation.repeats}'; or keep, first, mean, drop)"
    ]


def _scripts(texts: Sequence[str]) -> list[str]:
    """Return how words were counted without spaces, and that features do not serve a language."""
    told = []
    scripts = [_script_of(text) for text in texts]
    unspaced = sum(script == "unspaced" for script in scripts)
    if unspaced:
        told.append(
            f"{unspaced} of {len(texts)} essays are in a script without spaces between words: each "
            "of its letters counts as a word, for min_words and max_words too"
        )
    foreign = [
        script
        for script, text in zip(scripts, texts, strict=True)
        if script not in ("LATIN", "") or (script == "LATIN" and _is_foreign(text))
    ]
    if len(foreign) * 10 > len(texts):
        most, _ = Counter(foreign).most_common(1)[0]
        what = {
            "LATIN": "in another language than English",
            "unspaced": "in a script without spaces",
        }
        told.append(
            f"{len(foreign)} of {len(texts)} essays are {what.get(most, f'in {most.title()}')}: "
            "the handcrafted columns (grammar, syntax, readability) and the embedded encoder serve "
            "English alone; take an encoder of the essays' language, with features.sets = "
            '["embeddings"] or scorer.family = "transformer"'
        )
    return told


def _script_of(text: str) -> str:
    """Return the script of most letters: a name of Unicode, `unspaced`, or "" without letters."""
    sample = [mark for mark in text[:400] if mark.isalpha()]
    if not sample:
        return ""
    if sum(map(str.isascii, sample)) * 2 > len(sample):
        return "LATIN"
    if len(_UNSPACED_LETTER.findall("".join(sample))) * 2 > len(sample):
        return "unspaced"
    names = (unicodedata.name(mark, "OTHER").split()[0] for mark in sample)
    return Counter(names).most_common(1)[0][0]


def _is_foreign(text: str) -> bool:
    """Tell whether a text of some length has next to none of the commonest words of English."""
    found = [word.lower() for word in words(text)]
    share = sum(word in _ENGLISH for word in found) / max(1, len(found))
    return len(found) >= _FEWEST_WORDS and share < _LEAST_ENGLISH
