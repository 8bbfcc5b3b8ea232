from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.essays import Essays
from essay_scoring.core.progress import Progress
from essay_scoring.features.encoders import EMBEDDED, REGISTRY
from essay_scoring.features.feature_settings import FeatureSettings
from essay_scoring.features.similarity import (
    SIMILARITY,
    SimilarityBlock,
    _measures,
    _Sentences,
)
from essay_scoring.features.store import FeatureStore

PROMPT = "Should schools start later?"


@pytest.fixture(scope="module")
def block(tmp_path_factory: pytest.TempPathFactory) -> SimilarityBlock:
    return SimilarityBlock(tmp_path_factory.mktemp("cache"))


def row(block: SimilarityBlock, text: str, prompt: str = PROMPT) -> dict[str, float]:
    values = block.columns(Essays(("id",), (text,), (prompt,))).values[0]
    return dict(zip(SIMILARITY, values.tolist(), strict=True))


def test_measures_worked_out_by_hand() -> None:
    # Unit vectors in the plane. The sentences' cosines with the prompt (1, 0): a 1, b 0, c 0.6.
    sentences = _Sentences(
        rows={"a": 0, "b": 1, "c": 2, "the prompt": 3},
        units=np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [1.0, 0.0]]),
        tokens=np.array([3.0, 4.0, 5.0, 2.0]),
    )
    variance, whole, intro, least = _measures([["a", "b"], ["c"]], ["the prompt"], sentences)
    # Adjacent pairs: a.b = 0, b.c = 0.8; mean 0.4, variance 0.16.
    assert variance == pytest.approx(0.16)
    # Whole essay: 3a + 4b + 5c = (3 + 0 + 3, 0 + 4 + 4) = (6, 8), of length 10: cosine 0.6.
    assert whole == pytest.approx(0.6)
    # First paragraph: 3a + 4b = (3, 4), of length 5: cosine 0.6. Second: c, 0.6. The least is 0.6.
    assert intro == pytest.approx(0.6)
    assert least == pytest.approx(0.6)
    # With b alone in the second paragraph its cosine, 0, is the least.
    assert _measures([["a"], ["b"]], ["the prompt"], sentences)[3] == pytest.approx(0.0)
    assert _measures([["a"], ["b"]], ["the prompt"], sentences)[2] == pytest.approx(1.0)


def test_an_essay_that_is_its_prompt_is_as_similar_as_can_be(block: SimilarityBlock) -> None:
    same = row(block, PROMPT)
    assert same["sent_similarity_variance"] == 0.0
    for name in ("prompt_similarity", "intro_prompt_sim", "min_para_relevance"):
        assert same[name] == pytest.approx(1.0, abs=1e-6)


def test_a_paragraph_off_the_topic_is_found(block: SimilarityBlock) -> None:
    on_topic = "School should start later in the morning.\nLater classes help students sleep."
    off_topic = on_topic + "\nMy uncle paints wooden boats in the harbour."
    one, other = row(block, on_topic), row(block, off_topic)
    assert other["min_para_relevance"] < 0.3 < one["min_para_relevance"]
    assert other["intro_prompt_sim"] == pytest.approx(one["intro_prompt_sim"], abs=0.02)
    assert other["sent_similarity_variance"] > one["sent_similarity_variance"] == 0.0


def test_the_plain_way_gives_the_same(block: SimilarityBlock) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = block._encoder._folder.path
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()

    def unit(sentence: str) -> np.ndarray:
        with torch.no_grad():
            state = model(**tokenizer(sentence, return_tensors="pt")).last_hidden_state[0]
        mean = state.mean(dim=0).numpy()
        return np.asarray(mean / np.linalg.norm(mean))

    first, second = "Pupils are tired at eight.", "They would rather sleep for one more hour."
    third = "Buses are a problem, though."
    units = [unit(sentence) for sentence in (first, second, third)]
    cosines = [units[0] @ units[1], units[1] @ units[2]]
    measured = row(block, f"{first} {second}\n{third}")
    assert measured["sent_similarity_variance"] == pytest.approx(np.var(cosines), abs=0.003)
    assert measured["min_para_relevance"] == pytest.approx(units[2] @ unit(PROMPT), abs=0.02)


def test_undefined_is_missing_not_zero(block: SimilarityBlock) -> None:
    assert np.isnan(list(row(block, " \n...").values())).all()
    no_prompt = row(block, "One sentence here. Another one there.", prompt=" ")
    assert no_prompt["sent_similarity_variance"] == 0.0
    assert np.isnan([no_prompt[name] for name in SIMILARITY[1:]]).all()
    assert block.columns(Essays((), (), ())).values.shape == (0, 4)


def test_a_sentence_longer_than_the_encoder_is_read_to_its_end(block: SimilarityBlock) -> None:
    long = "students need sleep and " * 140
    assert row(block, long + "sleep") != row(block, long + "boats " * 20)


def test_a_row_is_the_same_bytes_in_any_company_and_order(block: SimilarityBlock) -> None:
    texts = [f"Schools open {'very ' * n}early. We are tired.\nIt is fine." for n in range(60)]
    prompts = [PROMPT, "Dogs or cats"] * 30
    essays = Essays(tuple(map(str, range(60))), tuple(texts), tuple(prompts))
    together = block.columns(essays).values
    backwards = block.columns(essays.take(range(59, -1, -1))).values[::-1]
    assert together.tobytes() == backwards.tobytes()
    for row in (0, 17, 59):
        assert block.columns(essays.take([row])).values.tobytes() == together[row].tobytes()


def test_identity_names_the_one_encoder_that_measures_similarity(block: SimilarityBlock) -> None:
    assert block.identity["encoder_sha256"] == REGISTRY[EMBEDDED].sha256
    assert block.identity["layers"] == [6]
    assert Path(block._encoder._folder.path).name == "model"


ASKED = "Some schools begin at seven. Should they start later? Give two reasons."


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> SimilarityBlock:
    return SimilarityBlock(tmp_path_factory.mktemp("asked"), {"Task  one": ASKED, "blank": " ! "})


def test_an_essay_is_compared_with_what_was_asked_and_not_with_a_title(
    block: SimilarityBlock, asked: SimilarityBlock
) -> None:
    for name in ("Task one", "TASK ONE", "Task\u00a0one"):
        assert row(asked, ASKED, name)["prompt_similarity"] == pytest.approx(1.0)
    assert row(block, ASKED, "Task one")["prompt_similarity"] < 0.5
    assert row(asked, ASKED, "Task one")["sent_similarity_variance"] == pytest.approx(
        row(block, ASKED, "Task one")["sent_similarity_variance"]
    )


def test_a_prompt_without_a_text_is_its_name(
    block: SimilarityBlock, asked: SimilarityBlock
) -> None:
    for name in (PROMPT, "blank"):
        assert row(asked, ASKED, name) == row(block, ASKED, name)


def test_texts_are_part_of_what_decides_the_columns(
    block: SimilarityBlock, asked: SimilarityBlock, tmp_path: Path
) -> None:
    none = SimilarityBlock.of(FeatureSettings(prompt_texts={"x": "?"}), tmp_path)
    other = SimilarityBlock.of(FeatureSettings(prompt_texts={"Task one": "Tell me."}), tmp_path)
    assert none.asked("x") == block.asked("Task one") == asked.asked("blank") == ""
    assert len({one.asked("TASK one") for one in (block, asked, other)}) == 3
    assert asked.identity == block.identity


def test_columns_are_kept_by_what_was_asked(
    block: SimilarityBlock, asked: SimilarityBlock, tmp_path: Path
) -> None:
    store, essays = FeatureStore(tmp_path), Essays(("id",), (ASKED,), ("Task one",))
    plain, compared = (store.columns(one, essays, Progress()).values for one in (block, asked))
    assert not np.array_equal(plain, compared)
    late = SimilarityBlock(tmp_path / "cache")
    assert store.lacking(late, essays) == [False]
    np.testing.assert_array_equal(store.columns(late, essays, Progress()).values, plain)
    late.ask({"TASK one": ASKED})
    np.testing.assert_array_equal(store.columns(late, essays, Progress()).values, compared)
