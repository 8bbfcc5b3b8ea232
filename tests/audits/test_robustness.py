from __future__ import annotations

import numpy as np
import pytest

from essay_scoring.audits.robustness import (
    CHANGE,
    SENSITIVE,
    STABLE,
    Sample,
    adversarial,
    draw_sample,
    spoilt_essays,
)
from essay_scoring.core.essays import Essays
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.core.text import words
from essay_scoring.records.audit_record import AuditSection
from essay_scoring.statistics.predictions import Predictions
from tests.audits.made_evidence import evidence_of, figure

N = 120


def essays_of(n: int = N) -> Essays:
    rng = np.random.default_rng(0)
    vocabulary = np.array([f"word{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"])
    prompts = tuple(f"prompt {number}" for number in rng.integers(0, 6, n))
    texts = tuple(
        "\n\n".join(f"{' '.join(rng.choice(vocabulary, 12)).capitalize()}." for _ in range(4))
        for _ in range(n)
    )
    return Essays(tuple(f"e{row:05d}" for row in range(n)), texts, prompts)


def by_length(essays: Essays, _: IntArray) -> FloatArray:
    """A scorer of length: 48 words are worth 3 points, every 16 more another one."""
    return np.array([3 + (len(words(text)) - 48) / 16 for text in essays.texts])


def unmoved(essays: Essays, _: IntArray) -> FloatArray:
    """A scorer that gives 3 points whatever it reads."""
    return np.full(len(essays), 3.0)


def sampled(score: FloatArray) -> Sample:
    essays = essays_of()
    p = evidence_of(np.full(N, 3.0), score, prompts=essays.prompts).predictions
    return draw_sample(p, essays, 60, 5)


def audited(score: object) -> AuditSection:
    sample = sampled(by_length(essays_of(), np.zeros(N, dtype=np.int64)))
    return adversarial(sample, spoilt_essays(sample, 5), score, 5)  # type: ignore[arg-type]


def test_a_scorer_of_length_falls_for_what_keeps_or_adds_words() -> None:
    section = audited(by_length)
    assert section.verdict == "fail"
    assert figure(section, STABLE, "shuffled words").estimate == 1.0
    assert figure(section, STABLE, "removed half").estimate == 0.0
    # Twice 48 words: 3 points more, and every essay rises by half a step or more.
    assert figure(section, CHANGE, "repeated paragraphs").estimate == pytest.approx(3.0)
    assert figure(section, SENSITIVE, "repeated paragraphs").estimate == 1.0
    assert figure(section, CHANGE, "stuffed keywords").estimate == pytest.approx(60 / 16)
    assert figure(section, SENSITIVE, "one typing error").estimate == 0.0
    assert figure(section, SENSITIVE, "one typing error").passes is True
    shuffled = figure(section, STABLE, "shuffled words")
    assert shuffled.n == 60
    # Wilson's bound of 60 in 60: 60 / (60 + 1.96^2).
    assert shuffled.low == pytest.approx(60 / 63.8415, abs=1e-4)
    assert shuffled.high == 1.0
    half = figure(section, CHANGE, "removed half")
    assert half.estimate is not None
    assert half.estimate <= -1.4
    assert half.low is not None


def test_a_scorer_that_never_moves_is_over_stable_and_not_over_sensitive() -> None:
    section = audited(unmoved)
    stable = [one for one in section.figures if one.name == STABLE]
    sensitive = [one for one in section.figures if one.name == SENSITIVE]
    assert [one.estimate for one in stable] == [1.0] * 7
    assert [one.estimate for one in sensitive] == [0.0] * 4
    assert section.finding.startswith("7 of 11 attacks on 60 essays get past")


def test_a_wary_scorer_passes() -> None:
    written = essays_of()
    own = dict(zip(written.ids, zip(written.texts, written.prompts, strict=True), strict=True))

    def wary(essays: Essays, _: IntArray) -> FloatArray:
        """Three points for an essay as it was written, but for two letters or wider spaces."""
        return np.array(
            [
                3.0
                if prompt == own[essay.split()[0]][1] and alike(text, own[essay.split()[0]][0])
                else 2.0
                for essay, text, prompt in zip(
                    essays.ids, essays.texts, essays.prompts, strict=True
                )
            ]
        )

    section = audited(wary)
    assert section.verdict == "pass", section.finding


def alike(text: str, written: str) -> bool:
    """Tell whether a text differs from what was written in two letters at most, spaces aside."""
    one, other = text.split(), written.split()
    return len(one) == len(other) and sum(map(str.__ne__, one, other)) <= 1


def test_essays_that_score_otherwise_today_are_told() -> None:
    section = audited(lambda essays, folds: by_length(essays, folds) + 0.25)
    off = figure(section, "largest difference of rescored essays", "none")
    assert off.estimate == pytest.approx(0.25)
    assert "up to 0.250 otherwise today" in section.finding


def test_each_essay_is_scored_by_the_model_of_its_fold_and_all_at_once() -> None:
    sample, asked = sampled(np.full(N, 3.0)), []

    def remember(essays: Essays, folds: IntArray) -> FloatArray:
        asked.append((essays.texts, folds.tolist()))
        return np.full(len(essays), 3.0)

    adversarial(sample, spoilt_essays(sample, 5), remember, 5)
    [(texts, folds)] = asked
    assert texts[:60] == sample.essays.texts
    assert folds == sample.predictions.folds.tolist() * 12


def test_the_sample_is_seeded_and_holds_no_essay_twice() -> None:
    essays = essays_of()
    p: Predictions = evidence_of(
        np.full(N, 3.0), np.full(N, 3.0), prompts=essays.prompts
    ).predictions
    one, other, third = (draw_sample(p, essays, 30, seed) for seed in (1, 1, 2))
    assert one.essays.ids == other.essays.ids != third.essays.ids
    assert len(set(one.essays.ids)) == 30
    assert one.predictions.ids == one.essays.ids
    assert len(draw_sample(p, essays, 500, 1).essays) == N


def test_no_text_is_in_the_section() -> None:
    said = str(vars(audited(by_length)))
    assert not any(text in said for text in essays_of().texts)
    assert "worda" not in said
