"""Annotations written by hand, so that a feature's arithmetic needs no parser."""

from __future__ import annotations

from essay_scoring.features.annotation import Annotation


def plain(*paragraphs: str) -> Annotation:
    """Sentences end at " | "; tokens are separated by spaces, and none depends on another."""
    rows = [[s.split() for s in p.split(" | ") if s.split()] for p in paragraphs]
    flat = [sentence for paragraph in rows for sentence in paragraph]
    tokens = [token for sentence in flat for token in sentence]
    return Annotation(
        text="\n\n".join(" ".join(" ".join(s) for s in p) for p in rows),
        tokens=tuple(tokens),
        pos=("X",) * len(tokens),
        dep=("dep",) * len(tokens),
        head=tuple(range(len(tokens))),
        sentences=_spans([len(sentence) for sentence in flat]),
        paragraphs=_spans([sum(map(len, paragraph)) for paragraph in rows]),
    )


def parsed(*sentences: str) -> Annotation:
    """One paragraph; a sentence's tokens are "word POS dependency head", ended by " / ".

    Heads count from 1 within the sentence, 0 being the root.
    """
    tokens: list[str] = []
    pos: list[str] = []
    dep: list[str] = []
    head: list[int] = []
    sizes: list[int] = []
    for sentence in sentences:
        rows = [row.split() for row in sentence.split(" / ")]
        first = len(tokens)
        for place, (word, tag, label, above) in enumerate(rows):
            tokens.append(word)
            pos.append(tag)
            dep.append(label)
            head.append(first + (int(above) - 1 if above != "0" else place))
        sizes.append(len(rows))
    return Annotation(
        text=" ".join(tokens),
        tokens=tuple(tokens),
        pos=tuple(pos),
        dep=tuple(dep),
        head=tuple(head),
        sentences=_spans(sizes),
        paragraphs=((0, len(tokens)),),
    )


def _spans(sizes: list[int]) -> tuple[tuple[int, int], ...]:
    stops = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return tuple((stop - size, stop) for stop, size in zip(stops, sizes, strict=True) if size)


EMPTY = plain("")
