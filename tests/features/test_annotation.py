from __future__ import annotations

import dataclasses

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.features import annotation
from essay_scoring.features.annotation import Annotation, _model, annotate, paragraph_spans


def paragraphs(text: str) -> list[str]:
    return [text[start:stop] for start, stop in paragraph_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One two.", ["One two."]),
        ("One.\n\nTwo.", ["One.", "Two."]),
        # A blank line may hold spaces; several are one break; an indent belongs to the break.
        ("One.\n \t\n\n\n   Two.", ["One.", "Two."]),
        # With blank lines about, a single line end only wraps.
        ("One\nmore.\n\nTwo.", ["One\nmore.", "Two."]),
        # Without any, each line is a paragraph.
        ("One.\nTwo.\n  Three.", ["One.", "Two.", "Three."]),
        # Blank lines around the text do not count as breaks within it.
        ("\n\nOne.\nTwo.\n\n", ["One.", "Two."]),
        # A paragraph without a word is none.
        ("One.\n\n***\n\nTwo.", ["One.", "Two."]),
        ("", []),
        (" \n\n ", []),
        ("...", []),
    ],
)
def test_paragraphs(text: str, expected: list[str]) -> None:
    assert [" ".join(p.split()) for p in paragraphs(text)] == [
        " ".join(p.split()) for p in expected
    ]


def spans_text(a: Annotation, spans: annotation.Spans) -> list[str]:
    return [" ".join(a.tokens[start:stop]) for start, stop in spans]


def test_annotation_of_a_real_text() -> None:
    (a,) = annotate(
        ["A short title\r\n\r\nI like dogs.  They don\u2019t bite!\r\n\r\n***\r\n\r\nYes."]
    )
    assert "\r" not in a.text
    assert a.tokens[:3] == ("A", "short", "title")
    assert not any(token.isspace() for token in a.tokens)
    # The title has no full stop; the paragraph's end ends its sentence all the same.
    sentences = ["A short title", "I like dogs .", "They do n\u2019t bite !", "Yes ."]
    assert spans_text(a, a.sentences) == sentences
    assert spans_text(a, a.paragraphs) == [sentences[0], " ".join(sentences[1:3]), "Yes ."]
    assert a.pos[3:7] == ("PRON", "VERB", "NOUN", "PUNCT")
    # I and dogs depend on like, and so does the full stop; like is its own head.
    assert a.head[3:7] == (4, 4, 4, 4)
    assert a.words == ("a", "short", "title", "i", "like", "dogs", "they", "don't", "bite", "yes")
    assert a.sentence_words[2] == ("they", "do", "n\u2019t", "bite")


@pytest.mark.parametrize("text", ["", "   \n\n ", "...", "\u200b"])
def test_texts_without_words(text: str) -> None:
    (a,) = annotate([text])
    assert (a.words, a.sentences, a.paragraphs) == ((), (), ())


def test_an_essay_has_the_same_annotation_in_any_company() -> None:
    texts = ["Dogs bark because they can.", "It rained.\n\nWe left early. " * 9, "", "Why not?"]
    alone = [annotate([text])[0] for text in texts]
    together = annotate(texts[::-1])[::-1]
    assert [dataclasses.astuple(a) for a in alone] == [dataclasses.astuple(a) for a in together]


@pytest.mark.parametrize("pipe", ["attribute_ruler", "tagger", "parser"])
def test_a_model_without_a_part_fails_loudly(pipe: str) -> None:
    # Without the attribute ruler spaCy gives empty parts of speech and says nothing.
    import spacy

    nlp = spacy.load(annotation.MODEL_PACKAGE, exclude=["ner", "lemmatizer", pipe])
    if pipe == "parser":
        nlp.add_pipe("sentencizer")
    secret = "Dogs bark."
    with pytest.raises(InputError, match="empty") as failure:
        annotation._annotation(nlp(secret), paragraph_spans(secret))
    assert "Dogs" not in str(failure.value)


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        Annotation("a", ("a",), ("X",), (), (0,), ((0, 1),), ((0, 1),))


def test_words_not_met_before_are_not_collected() -> None:
    annotate(["A first text."])
    strings = _model().vocab.strings
    before = len(strings)
    [annotation] = annotate(["Zyxqwv and brumfondle are no words. Zyxqwv again."])
    assert annotation.tokens[:3] == ("Zyxqwv", "and", "brumfondle")
    assert len(strings) == before
    assert "brumfondle" not in strings
