from __future__ import annotations

import re

import numpy as np
import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import ScoredEssays
from essay_scoring.core.fingerprint import rows_sha256
from essay_scoring.core.scale import FloatArray, ScoreScale
from essay_scoring.core.text import word_count, words
from essay_scoring.data import synthetic_words as lexicon
from essay_scoring.data.data_settings import SyntheticCorpus
from essay_scoring.data.duplicates import exact_groups, near_pairs
from essay_scoring.data.synthetic import generate
from essay_scoring.statistics.metrics import pearson, qwk


def _sha256(train: ScoredEssays) -> str:
    essays, scores = train.essays, map(repr, train.scores.tolist())
    return rows_sha256(zip(essays.ids, essays.texts, essays.prompts, scores, strict=True))


def test_the_same_settings_give_the_same_bytes() -> None:
    settings = SyntheticCorpus(n_essays=40, n_locked=10, n_prompts=4, shortcut=0.5)
    # Golden: a change here changes every result on the corpus, so raise GENERATOR_VERSION with it.
    assert _sha256(generate(settings, "train"))[:16] == "c1fe22b86ccdea97"
    assert _sha256(generate(settings, "locked"))[:16] == "d207af09319ce5f4"


def test_seeds_and_parts_differ() -> None:
    settings = SyntheticCorpus(n_essays=20, n_locked=20, n_prompts=4)
    made = [
        generate(settings, "train"),
        generate(settings, "locked"),
        generate(settings.model_copy(update={"seed": 8}), "train"),
    ]
    assert len({text for part in made for text in part.essays.texts}) == 60


@pytest.fixture(scope="module")
def plain() -> ScoredEssays:
    return generate(SyntheticCorpus(n_essays=800, n_prompts=8), "train")


@pytest.fixture(scope="module")
def planted() -> ScoredEssays:
    return generate(SyntheticCorpus(n_essays=800, n_prompts=8, shortcut=1.0), "train")


def test_lengths_stay_in_the_window_and_prompts_all_have_essays(plain: ScoredEssays) -> None:
    counts = [word_count(text) for text in plain.essays.texts]
    assert min(counts) >= 200
    assert max(counts) <= 700
    _, sizes = np.unique(np.asarray(plain.prompts), return_counts=True)
    # 100 a prompt on average, from 0.7 to 1.3 times that.
    assert len(sizes) == 8
    assert 70 <= sizes.min() < sizes.max() <= 130


def test_no_two_essays_are_alike(plain: ScoredEssays) -> None:
    assert exact_groups(plain.essays.texts) == []
    assert near_pairs(plain.essays.texts) == []


def test_two_raters_agree_as_people_do(plain: ScoredEssays) -> None:
    scale = plain.scales.of(plain.prompts[0])
    assert plain.second_scores is not None
    first, second = scale.index(plain.scores), scale.index(plain.second_scores)
    agreement = qwk(first, second, scale.n_labels)
    assert agreement is not None
    assert 0.70 < agreement < 0.82
    assert scale.holds(plain.scores).all()
    assert scale.holds(plain.second_scores).all()


def test_ability_shows_in_errors_words_and_length(plain: ScoredEssays) -> None:
    columns = _honest_columns(plain)
    by_name = {name: pearson(plain.scores, values) for name, values in columns.items()}
    assert all(value is not None and value > 0.3 for value in by_name.values()), by_name
    together = np.sum([_standard(values) for values in columns.values()], axis=0)
    assert 0.60 < (pearson(plain.scores, together) or 0) < 0.80


def _honest_columns(train: ScoredEssays) -> dict[str, FloatArray]:
    """Return five columns that grow with ability and see no topic word."""
    known = _known_words()
    rare = {word for tiers in _TIERS for word in tiers[2]}
    rows = []
    for text in train.essays.texts:
        found = [word.lower() for word in words(text)]
        n = len(found)
        rows.append(
            [
                -sum(word not in known for word in found) / n,
                -len(re.findall(r"[.] [a-z]", text)) / n,
                sum(word in rare for word in found) / n,
                text.count(",") / n,
                n,
            ]
        )
    names = ("spelling", "capitals", "rare words", "commas", "length")
    return dict(zip(names, np.array(rows, dtype=np.float64).T, strict=True))


_TIERS = (lexicon.NOUNS, lexicon.VERBS, lexicon.ADJECTIVES, lexicon.ADVERBS)


def _known_words() -> set[str]:
    general = [
        word
        for tiers in (*_TIERS, lexicon.SUBORDINATORS, lexicon.CONNECTIVES)
        for tier in tiers
        for word in tier
    ]
    phrases = [
        *lexicon.OPINIONS,
        *lexicon.SINGULAR_SUBJECTS,
        *lexicon.PLURAL_SUBJECTS,
        *lexicon.MODALS,
        *lexicon.COORDINATORS,
        *general,
        "in this essay I will explain why conclusion is are am for a an the",
    ]
    plain = {word.lower() for phrase in phrases for word in phrase.split()}
    plain |= {noun for nouns in lexicon.THEMES.values() for noun in nouns}
    return plain | {lexicon.plural(word) for word in plain}


def _standard(values: FloatArray) -> FloatArray:
    standard: FloatArray = (values - values.mean()) / values.std()
    return standard


def test_the_dial_changes_topic_words_alone(plain: ScoredEssays, planted: ScoredEssays) -> None:
    assert plain.scores.tolist() == planted.scores.tolist()
    changed = 0
    for before, after in zip(plain.essays.texts, planted.essays.texts, strict=True):
        pairs = list(zip(before.split(" "), after.split(" "), strict=True))
        changed += sum(one != other for one, other in pairs)
        # The article may follow its noun, and a short noun cannot be misspelt; no other word moves.
        assert all(one == other for one, other in pairs if one.strip(".,") in _PLAIN_WORDS)
    assert changed > 10 * len(plain)


_PLAIN_WORDS = {
    "the",
    "is",
    "are",
    "can",
    "should",
    "because",
    "always",
    "people",
    "students",
    "and",
}


def test_the_share_of_topic_words_says_nothing(planted: ScoredEssays) -> None:
    topic = {noun for nouns in lexicon.THEMES.values() for noun in nouns}
    topic |= {lexicon.plural(noun) for noun in topic}
    shares = np.array(
        [np.mean([word.lower() in topic for word in words(text)]) for text in planted.essays.texts]
    )
    # Correctly spelt topic words are a little more frequent in better essays: that is honest.
    assert abs(pearson(planted.scores, shares) or 0) < 0.3


def _ridge_correlations(train: ScoredEssays) -> tuple[float, float]:
    """Return the correlation of a bag-of-words ridge on mixed folds and on unseen prompts."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GroupKFold, KFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(TfidfVectorizer(sublinear_tf=True, min_df=3), Ridge(1.0))
    texts, groups = list(train.essays.texts), np.asarray(train.prompts)
    mixed = cross_val_predict(model, texts, train.scores, cv=KFold(5, shuffle=True, random_state=0))
    unseen = cross_val_predict(model, texts, train.scores, cv=GroupKFold(4), groups=groups)
    return pearson(train.scores, mixed) or 0.0, pearson(train.scores, unseen) or 0.0


def test_without_the_shortcut_unseen_prompts_are_no_harder(plain: ScoredEssays) -> None:
    mixed, unseen = _ridge_correlations(plain)
    assert mixed > 0.5
    assert abs(mixed - unseen) < 0.08


def test_the_shortcut_works_in_its_prompts_and_misleads_on_others(
    plain: ScoredEssays, planted: ScoredEssays
) -> None:
    mixed, unseen = _ridge_correlations(planted)
    assert mixed > 0.80
    assert unseen < 0.35
    # What does not see topic words is not touched by the dial.
    honest = [
        pearson(part.scores, np.sum([_standard(v) for v in _honest_columns(part).values()], axis=0))
        for part in (plain, planted)
    ]
    assert honest[0] == pytest.approx(honest[1], abs=0.03)


def test_traits_follow_the_score_and_their_own_side(plain: ScoredEssays) -> None:
    assert set(plain.traits) == {"Cohesion", "Syntax", "Vocabulary", "Grammar", "Conventions"}
    spelling = _honest_columns(plain)["spelling"]
    follow = {name: pearson(values, plain.scores) or 0 for name, values in plain.traits.items()}
    assert all(0.5 < value < 0.9 for value in follow.values())
    conventions = pearson(plain.traits["Conventions"], spelling) or 0
    assert conventions > (pearson(plain.traits["Syntax"], spelling) or 0) + 0.05


def test_a_writer_group_without_bearing_and_one_with_a_little(plain: ScoredEssays) -> None:
    assert set(plain.writers) == {"first_language", "grade"}
    languages = np.asarray(plain.writers["first_language"])
    means = [plain.scores[languages == name].mean() for name in np.unique(languages)]
    assert np.ptp(means) < 0.3
    grades = np.array([float(grade) for grade in plain.writers["grade"]])
    assert 0.05 < (pearson(plain.scores, grades) or 0) < 0.4


def test_other_scales_and_many_prompts() -> None:
    settings = SyntheticCorpus(n_essays=200, n_prompts=200, scale=ScoreScale(low=0, high=60))
    train = generate(settings, "train")
    assert len(set(train.prompts)) == 200
    assert train.scales.of("any").holds(train.scores).all()


def test_no_locked_essays_when_none_are_asked_for() -> None:
    assert len(generate(SyntheticCorpus(n_essays=20, n_locked=0, n_prompts=2), "locked")) == 0


def test_more_prompts_than_essays_are_refused() -> None:
    with pytest.raises(InputError, match="20 synthetic essays cannot answer 30 prompts"):
        generate(SyntheticCorpus(n_essays=20, n_prompts=30), "train")


def test_the_first_twelve_prompts_share_no_theme_and_no_noun_has_two() -> None:
    train = generate(SyntheticCorpus(n_essays=200, n_prompts=12), "train")
    themes = [
        name for prompt in set(train.prompts) for name in re.findall(r"the (\w+)", prompt.lower())
    ]
    assert len(themes) == len(set(themes)) == 24
    nouns = [noun for theme in lexicon.THEMES.values() for noun in theme]
    assert len(nouns) == len(set(nouns)) == 24 * 12


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("box", "boxes"),
        ("ferry", "ferries"),
        ("way", "ways"),
        ("bench", "benches"),
        ("sea", "seas"),
    ],
)
def test_plurals(word: str, expected: str) -> None:
    assert lexicon.plural(word) == expected
