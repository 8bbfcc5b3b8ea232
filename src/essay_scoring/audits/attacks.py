"""Essays spoilt on purpose, made anew from a corpus for each audit and never written down.

Each attack takes an essay's text and a random generator and returns another text. What an honest
reader would do is known of each: mark it down, not reward it, or not mind it at all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from essay_scoring.core.essays import Essays
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.scale import IntArray
from essay_scoring.core.text import words

Expectation = Literal["drop", "no rise", "no change"]

ERROR_SHARE = 0.15
"""The share of an essay's words that injected grammar errors touch."""

STUFFED_WORDS = 60
N_KEYWORDS = 12
_CHUNK_WORDS = 15
"""Words of a sentence where a writer sets no full stop."""

_SENTENCE = re.compile(r"\S.*?(?:[.!?]+(?=\s|$)|$)", re.DOTALL)
_DROPPED = frozenset({"a", "an", "the", "to", "of", "in", "on", "at", "is", "are", "was", "were"})
_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))


@dataclass(frozen=True)
class AttackContext:
    """What an attack may use besides the essay: its prompt, words that belong to it, the seed."""

    prompt: str
    keywords: Sequence[str]
    seed: int


Spoil = Callable[[str, AttackContext, np.random.Generator], str]


@dataclass(frozen=True)
class Attack:
    """A way to spoil an essay, and what a reader's score would do.

    `spoil` None leaves the text and hands it in for another prompt.
    """

    name: str
    expected: Expectation
    spoil: Spoil | None


def mixed_sentences(text: str, _setting: AttackContext, rng: np.random.Generator) -> str:
    """Return the sentences in another order, as many in each paragraph as there were."""
    lines = [sentences(line) for line in text.split("\n")]
    if sum(map(len, lines)) < 2:
        lines = [_chunks(text.split())]
    return _refilled(lines, rng)


def mixed_words(text: str, _setting: AttackContext, rng: np.random.Generator) -> str:
    """Return the words in another order, what clings to them included, paragraphs as long."""
    return _refilled([line.split() for line in text.split("\n")], rng)


def doubled_paragraphs(text: str, _setting: AttackContext, _rng: np.random.Generator) -> str:
    """Return every paragraph twice in a row."""
    paragraphs = [part.strip() for part in text.splitlines() if part.strip()]
    return "\n\n".join(part for part in paragraphs for _ in range(2))


def removed_half(text: str, _setting: AttackContext, _rng: np.random.Generator) -> str:
    """Return the first half of the words, less what follows the last whole sentence of them."""
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    if not ends:
        return text
    half = ends[max(0, round(len(ends) / 2) - 1)]
    whole = [match.end() for match in _SENTENCE.finditer(text) if match.end() <= half]
    return text[: whole[-1] if whole else half]


def stuffed_keywords(text: str, setting: AttackContext, rng: np.random.Generator) -> str:
    """Return the essay with a paragraph that lists words of its prompt over and over."""
    offered = list(setting.keywords) or words(setting.prompt) or ["essay"]
    drawn = rng.choice(np.array(offered, dtype=object), STUFFED_WORDS)
    return f"{text.rstrip()}\n\n{' '.join(drawn).capitalize()}."


def copied_prompt(text: str, setting: AttackContext, _rng: np.random.Generator) -> str:
    """Return the prompt's name, as a sentence, over and over, as long as the essay."""
    each = words(setting.prompt) or ["prompt"]
    times = max(1, round(len(text.split()) / len(each)))
    return " ".join([f"{setting.prompt.strip()}."] * times)


def gibberish(text: str, setting: AttackContext, _rng: np.random.Generator) -> str:
    """Return random letters in place of the essay's: words, marks and paragraphs stay as long.

    A word becomes the same letters wherever it stands, in every essay: words still come back as
    often as they did, and a spelling checker that guesses at each unknown one is done in time.
    """

    def another(match: re.Match[str]) -> str:
        word = match.group()
        rng = np.random.default_rng(derive_seed(setting.seed, "gibberish", word.lower()))
        made = "".join(rng.choice(_LETTERS, len(word)))
        return made.capitalize() if word[0].isupper() else made

    return re.sub(r"[^\W\d_]+", another, text)


def grammar_errors(text: str, _setting: AttackContext, rng: np.random.Generator) -> str:
    """Return the essay with errors in ERROR_SHARE of its words.

    Articles, prepositions and auxiliaries are left out, final s are dropped or added, and other
    words change places with the next one. Paragraphs stay.
    """
    return "\n".join(_with_errors(line, rng) for line in text.split("\n"))


def one_typo(text: str, _setting: AttackContext, rng: np.random.Generator) -> str:
    """Return the essay with two letters of one word exchanged."""
    long = [match for match in re.finditer(r"[A-Za-z]{4,}", text) if _swappable(match.group())]
    if not long:
        return text
    match = long[int(rng.integers(len(long)))]
    word = match.group()
    at = int(rng.choice(_swappable(word)))
    typo = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return text[: match.start()] + typo + text[match.end() :]


def wide_spaces(text: str, _setting: AttackContext, _rng: np.random.Generator) -> str:
    """Return the essay with two spaces after every full stop."""
    return re.sub(r"([.!?]) +(?=\S)", r"\1  ", text)


ATTACKS = (
    Attack("shuffled sentences", "drop", mixed_sentences),
    Attack("shuffled words", "drop", mixed_words),
    Attack("removed half", "drop", removed_half),
    Attack("injected grammar errors", "drop", grammar_errors),
    Attack("essay of another prompt", "drop", None),
    Attack("copied prompt", "drop", copied_prompt),
    Attack("gibberish", "drop", gibberish),
    Attack("repeated paragraphs", "no rise", doubled_paragraphs),
    Attack("stuffed keywords", "no rise", stuffed_keywords),
    Attack("one typing error", "no change", one_typo),
    Attack("two spaces after a full stop", "no change", wide_spaces),
)


def attacked(
    essays: Essays,
    attack: Attack,
    other_prompts: Sequence[str],
    keywords: Mapping[str, Sequence[str]],
    seed: int,
) -> Essays:
    """Return the essays spoilt by an attack, ids and order kept.

    `other_prompts` names, for each essay, the prompt it is handed in for where its own is swapped;
    `keywords` holds the words of each prompt. What happens to an essay depends on the seed, the
    attack and the essay's id, not on the others.
    """
    if attack.spoil is None:
        return Essays(essays.ids, essays.texts, tuple(other_prompts))
    texts = []
    for essay, text, prompt in zip(essays.ids, essays.texts, essays.prompts, strict=True):
        rng = np.random.default_rng(derive_seed(seed, "attack", attack.name, essay))
        setting = AttackContext(prompt, keywords.get(prompt, ()), seed)
        texts.append(attack.spoil(text, setting, rng))
    return Essays(essays.ids, tuple(texts), essays.prompts)


def keywords_of(essays: Essays) -> dict[str, tuple[str, ...]]:
    """Return N_KEYWORDS words of each prompt, those that lead most in its essays over others'."""
    held = [set(map(str.casefold, words(text))) for text in essays.texts]
    sizes, everywhere = Counter(essays.prompts), Counter(word for found in held for word in found)
    inside: dict[str, Counter[str]] = {prompt: Counter() for prompt in sizes}
    for prompt, found in zip(essays.prompts, held, strict=True):
        inside[prompt].update(found)
    out = {}
    for prompt, counts in inside.items():
        rest = max(1, len(essays) - sizes[prompt])
        lead = {
            word: count / sizes[prompt] - (everywhere[word] - count) / rest
            for word, count in counts.items()
            if len(word) > 3
        }
        out[prompt] = tuple(sorted(lead, key=lambda word: (-lead[word], word))[:N_KEYWORDS])
    return out


def swapped_prompts(essays: Essays, folds: IntArray, rows: IntArray, seed: int) -> list[str]:
    """Return, for the essays at `rows`, another prompt: of their own fold where it has one.

    Under `prompt_holdout` the model that scores an essay has then seen neither. The own one where
    there is no other at all.
    """
    prompts = np.asarray(essays.prompts, dtype=object)
    out = []
    for row in rows:
        own = prompts[row]
        near = sorted(set(prompts[folds == folds[row]]) - {own})
        choices = near or sorted(set(prompts) - {own}) or [own]
        rng = np.random.default_rng(derive_seed(seed, "other prompt", essays.ids[row]))
        out.append(str(choices[int(rng.integers(len(choices)))]))
    return out


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, white space around them left out."""
    return [match.group().strip() for match in _SENTENCE.finditer(text)]


def _chunks(tokens: Sequence[str]) -> list[str]:
    """Return tokens as lines of _CHUNK_WORDS: sentences of a writer who sets no full stop."""
    starts = range(0, len(tokens), _CHUNK_WORDS)
    return [" ".join(tokens[start : start + _CHUNK_WORDS]) for start in starts]


def _refilled(lines: Sequence[Sequence[str]], rng: np.random.Generator) -> str:
    """Return the parts of all lines in another order, if there is one, lines as long as before."""
    parts = [part for line in lines for part in line]
    order = rng.permutation(len(parts))
    if (order == np.arange(len(parts))).all():
        order = np.roll(order, 1)
    left = iter(order)
    return "\n".join(" ".join(parts[next(left)] for _ in line) for line in lines)


def _with_errors(line: str, rng: np.random.Generator) -> str:
    """Return a line with errors in about ERROR_SHARE of its words."""
    tokens = line.split(" ")
    for at in np.flatnonzero(rng.random(len(tokens)) < ERROR_SHARE):
        word = tokens[at]
        if word.casefold() in _DROPPED:
            tokens[at] = ""
        elif word.isalpha() and len(word) > 3:
            tokens[at] = word[:-1] if word.endswith("s") else f"{word}s"
        elif at + 1 < len(tokens):
            tokens[at], tokens[at + 1] = tokens[at + 1], tokens[at]
    return " ".join(token for token in tokens if token) if line.strip() else line


def _swappable(word: str) -> list[int]:
    """Return where a letter inside a word differs from the next one."""
    return [at for at in range(1, len(word) - 1) if word[at] != word[at + 1]]
