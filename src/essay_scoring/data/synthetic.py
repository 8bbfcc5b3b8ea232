"""A made corpus: seeded, and a positive control for prompt invariance.

Each writer has an ability, each prompt a difficulty; ability less difficulty drives, each with some
noise of its own, error rates, vocabulary, sentences, cohesion and length (`synthetic_prose`). Two
raters give the same underlying score with independent errors: their quadratic weighted kappa is
about 0.76. First-language labels have no bearing on anything, the grade has a little on ability.

The planted shortcut. Every prompt pairs two themes; half the nouns of an essay come from them, but
for some that stray to the themes of other prompts. Which of the two themes an essay dwells on is
drawn by itself at dial 0 and follows the *first rater's score* at dial 1; who dwells on the first
theme of the own prompt strays to the second themes of the others. Texts are otherwise the same,
word for word, and so are the scores.

Within the prompts it was trained on, the cue is a better predictor than any honest column, since it
follows even the rater's error, so a scorer that sees words leans on it. A prompt that it has not
seen has themes whose roles it cannot know (no two of the first twelve prompts share a theme; later
ones reuse themes in roles drawn anew), while the words that stray there from the training prompts
carry the cue with the opposite sign: the scorer is not merely helpless but misled. The share of
topic words as a whole, which does carry over between prompts, says nothing at any setting.

Use the control with at most twelve prompts. With more, a theme means one thing in one prompt and
the opposite in another, so that a linear scorer learns less of the cue and is misled less.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.scale import FloatArray, IntArray, ScoreScales
from essay_scoring.data.data_settings import SyntheticCorpus
from essay_scoring.data.synthetic_prose import Topic, WriterProfile, write_essay
from essay_scoring.data.synthetic_words import THEMES

GENERATOR_VERSION = 1
"""Raised whenever the same settings give other bytes."""

Part = Literal["train", "locked"]

_CENTRE, _SPREAD = 0.52, 0.165
"""Mean and standard deviation of the underlying scores, as shares of the scale's width."""

_RATER_ERROR = 0.52
"""Standard deviation of a rater's error, in standard deviations of the underlying scores."""

_FORM_LOADING, _SIDE_LOADING = 0.8, 0.75
"""How far the form of an essay follows its performance, and one side of the form the whole form.

The rest of each is noise of its own: raters also reward what no count of words and errors sees, so
that honest columns together reach a correlation of about 0.7 with the scores.
"""

_LANGUAGES = ("Spanish", "Mandarin", "Arabic", "Portuguese")
_SIDES = ("spelling", "grammar", "punctuation", "vocabulary", "syntax", "cohesion", "length")
_TRAITS: Mapping[str, tuple[str, ...]] = {
    "Cohesion": ("cohesion",),
    "Syntax": ("syntax",),
    "Vocabulary": ("vocabulary",),
    "Grammar": ("grammar",),
    "Conventions": ("spelling", "punctuation"),
}


class _Prompt(NamedTuple):
    name: str
    themes: tuple[str, str]
    difficulty: float


class _Writers(NamedTuple):
    """What was drawn of each writer, all of shape (n,) but `sides`, which has a row for each."""

    prompts: IntArray
    performance: FloatArray
    sides: FloatArray
    scores: FloatArray
    second_scores: FloatArray
    dwelling: FloatArray
    languages: tuple[str, ...]
    grades: tuple[str, ...]


def generate(settings: SyntheticCorpus, part: Part) -> ScoredEssays:
    """Return the scored essays of a part; the same settings give the same bytes.

    Raises InputError when there are more prompts than essays.
    """
    if settings.n_prompts > settings.n_essays:
        raise InputError(
            f"{settings.n_essays} synthetic essays cannot answer {settings.n_prompts} prompts",
            where="data.corpus",
            mend="raise n_essays or lower n_prompts",
        )
    prompts = _prompts(settings)
    writers = _draw_writers(settings, part, prompts)
    topics = [_topic(prompts, number) for number in range(len(prompts))]
    texts = tuple(
        write_essay(
            _profile(writers.sides[:, row], float(writers.dwelling[row])),
            topics[prompt],
            _rng(settings, part, "essay", row),
        )
        for row, prompt in enumerate(writers.prompts)
    )
    ids = tuple(f"{part}-{row + 1:06d}" for row in range(len(texts)))
    return ScoredEssays(
        Essays(ids, texts, tuple(prompts[prompt].name for prompt in writers.prompts)),
        writers.scores,
        ScoreScales(shared=settings.scale),
        writers.second_scores,
        _traits(settings, part, writers),
        {"first_language": writers.languages, "grade": writers.grades},
    )


def _rng(settings: SyntheticCorpus, *names: str | int) -> np.random.Generator:
    return np.random.default_rng(derive_seed(settings.seed, "synthetic", *names))


def _prompts(settings: SyntheticCorpus) -> list[_Prompt]:
    """Return the prompts: pairs of themes, no pair twice, and difficulties with mean zero."""
    rng = _rng(settings, "prompts")
    names = list(THEMES)
    order = [names[i] for i in rng.permutation(len(names))]
    difficulties = rng.normal(size=settings.n_prompts)
    difficulties = 0.3 * (difficulties - difficulties.mean())
    prompts = []
    for number, difficulty in enumerate(difficulties):
        pair = _pair(order, number)
        first, second = pair if rng.random() < 0.5 else pair[::-1]
        name = f"The {first} and the {second}"
        prompts.append(_Prompt(name, (first, second), float(difficulty)))
    return prompts


def _topic(prompts: list[_Prompt], number: int) -> Topic:
    elsewhere = tuple(other.themes for at, other in enumerate(prompts) if at != number)
    return Topic(prompts[number].themes, elsewhere)


def _pair(themes: list[str], number: int) -> tuple[str, str]:
    """Return the pair of a prompt: rounds of a tournament in which every theme meets every other.

    A round of the circle method uses each theme once, so the first twelve prompts share none.
    """
    round_number, table = divmod(number, len(themes) // 2)
    fixed, *moving = themes
    turned = [fixed, *moving[round_number:], *moving[:round_number]]
    return turned[table], turned[-1 - table]


def _draw_writers(settings: SyntheticCorpus, part: Part, prompts: list[_Prompt]) -> _Writers:
    n = settings.n_essays if part == "train" else settings.n_locked
    rng = _rng(settings, part, "writers")
    of_prompt = _prompt_numbers(n, settings.n_prompts, rng)
    grade = rng.integers(8, 13, size=n)
    languages = tuple(_LANGUAGES[i] for i in rng.integers(len(_LANGUAGES), size=n))
    difficulty = np.array([prompt.difficulty for prompt in prompts])[of_prompt]
    performance = rng.normal(size=n) + 0.15 * (grade - 10) - difficulty
    form = _mix(performance, rng.normal(size=n), _FORM_LOADING)
    sides = _mix(form, rng.normal(size=(len(_SIDES), n)), _SIDE_LOADING)
    errors = _RATER_ERROR * rng.normal(size=(2, n))
    rated = performance + errors[0]
    lean = _mix(rated, rng.normal(size=n), settings.shortcut)
    return _Writers(
        of_prompt,
        performance,
        sides,
        _on_scale(settings, rated),
        _on_scale(settings, performance + errors[1]),
        1 / (1 + np.exp(-1.6 * lean)),
        languages,
        tuple(str(value) for value in grade),
    )


def _mix(signal: FloatArray, noise: FloatArray, share: float) -> FloatArray:
    """Return a standard score that correlates with `signal` by `share`; noise fills the rest."""
    return share * signal + math.sqrt(1 - share**2) * noise


def _prompt_numbers(n: int, n_prompts: int, rng: np.random.Generator) -> IntArray:
    """Return the prompt of each essay, shape (n,): prompts differ in size by up to a factor two.

    Each has an essay at least, where there are as many essays as prompts.
    """
    least = 1 if n >= n_prompts else 0
    weights = np.linspace(1.3, 0.7, n_prompts)
    shares = np.floor(weights.cumsum() / weights.sum() * (n - least * n_prompts) + 1e-9)
    counts = least + np.diff(shares.astype(np.int64), prepend=0)
    return rng.permutation(np.repeat(np.arange(n_prompts), counts))


def _profile(sides: FloatArray, dwelling: float) -> WriterProfile:
    """Return what shows of a writer's seven sides (standard scores, better is higher)."""
    level = dict(zip(_SIDES, sides.tolist(), strict=True))
    rare = 0.5 * _logistic(1.1 * level["vocabulary"] - 1.0)
    return WriterProfile(
        spelling=min(0.3, 0.03 * math.exp(-0.9 * level["spelling"])),
        grammar=min(0.6, 0.13 * math.exp(-0.8 * level["grammar"])),
        punctuation=min(0.6, 0.12 * math.exp(-0.8 * level["punctuation"])),
        middle=0.3,
        rare=rare,
        complexity=_logistic(0.9 * level["syntax"] - 0.2),
        cohesion=_logistic(0.9 * level["cohesion"] - 0.5),
        n_words=int(np.clip(320 + 70 * level["length"], 215, 600)),
        n_paragraphs=int(np.clip(np.floor(3.3 + 0.9 * level["cohesion"]), 1, 6)),
        dwelling=dwelling,
    )


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def _traits(settings: SyntheticCorpus, part: Part, writers: _Writers) -> dict[str, FloatArray]:
    """Return analytic scores by name: half the performance, half the sides that the name covers."""
    rng = _rng(settings, part, "traits")
    out = {}
    for name, parts in _TRAITS.items():
        covered = writers.sides[[_SIDES.index(side) for side in parts]].mean(axis=0)
        error = _RATER_ERROR * rng.normal(size=len(covered))
        out[name] = _on_scale(settings, (writers.performance + covered) / 2 + error)
    return out


def _on_scale(settings: SyntheticCorpus, standard: FloatArray) -> FloatArray:
    """Return standard scores as the nearest scores of the scale, shape (n,)."""
    scale = settings.scale
    width = scale.high - scale.low
    return scale.round(scale.low + width * (_CENTRE + _SPREAD * standard))
