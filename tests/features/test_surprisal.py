from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.progress import Progress
from essay_scoring.features.encoders import EncoderFolder
from essay_scoring.features.feature_settings import FeatureSettings, LanguageModelSettings
from essay_scoring.features.language_model import LanguageModel, TokenReading
from essay_scoring.features.store import FeatureStore
from essay_scoring.features.surprisal import SURPRISAL, SurprisalBlock, _measures
from essay_scoring.features.table import FeatureTable
from tests.features.tiny_encoders import (
    WORDS,
    encoder_settings,
    make_encoder,
    make_language_model,
    one_thread,
)

SENTENCE = "the school rule is bad for all students"


@pytest.fixture(scope="module", autouse=True)
def _single_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> EncoderFolder:
    return make_language_model(tmp_path_factory.mktemp("model"))


def settings_of(folder: EncoderFolder, **changes: Any) -> LanguageModelSettings:
    given: dict[str, Any] = {"max_length": 64, "overlap": 8, "precision": "fp32"}
    given |= {"name": str(folder.path), "sha256": folder.sha256}
    return LanguageModelSettings(**(given | changes))


def made_essays(*texts: str) -> Essays:
    return Essays(tuple(f"id{i}" for i in range(len(texts))), texts, ("p",) * len(texts))


def plainly(folder: Path, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Return surprisal and entropy of all tokens but the first, the plain way."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ids = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt").input_ids
    with torch.no_grad():
        odds = AutoModelForCausalLM.from_pretrained(folder)(ids).logits[0].double()
    probability = odds.softmax(dim=-1).numpy()
    came = probability[np.arange(ids.shape[1] - 1), ids[0, 1:].numpy()]
    entropy = -(probability * np.log(probability)).sum(axis=1)
    # The plain tokenizer adds an end of its own, which is no token of the text.
    return -np.log(came)[:-1], entropy[:-2]


def test_surprise_and_entropy_are_those_of_the_model(tiny: EncoderFolder) -> None:
    (reading,) = LanguageModel(settings_of(tiny), tiny.path).read([SENTENCE])
    surprisal, entropy = plainly(tiny.path, SENTENCE)
    # The first token has the start of the chunk before it here, and so has the plain way.
    np.testing.assert_allclose(reading.surprisal, surprisal, rtol=1e-4)
    np.testing.assert_allclose(reading.entropy, entropy, rtol=1e-4)
    assert [SENTENCE[at] for at in reading.at] == [word[-1] for word in SENTENCE.split()]


def test_every_token_of_a_long_text_is_read_once(tiny: EncoderFolder) -> None:
    text = " ".join(WORDS * 9)
    whole, cut = (
        LanguageModel(settings_of(tiny, max_length=length), tiny.path).read([text])[0]
        for length in (64, 24)
    )
    assert cut.at.tolist() == whole.at.tolist()
    assert len(cut.at) == len(text.split())
    np.testing.assert_allclose(cut.surprisal[:18], whole.surprisal[:18], rtol=1e-4)


def test_a_row_is_the_same_bytes_in_any_company(tiny: EncoderFolder) -> None:
    block = SurprisalBlock(settings_of(tiny, max_length=24), tiny.path)
    chance = Random("surprisal")
    texts = [" ".join(chance.choices(WORDS, k=n)) for n in (3, 40, 17, 60, 1, 17)]
    together = block.columns(made_essays(*texts)).values
    alone = [block.columns(made_essays(text)).values[0] for text in reversed(texts)]
    np.testing.assert_array_equal(together, alone[::-1])


def test_the_columns_by_hand() -> None:
    text = "One two. Three!\nFour"
    reading = TokenReading(
        surprisal=np.array([1.0, 9.0, 5.0, 3.0]),
        entropy=np.array([2.0, 2.0, 4.0, 4.0]),
        foreseen=np.array([True, False, False, False]),
        at=np.array([6, 7, 13, 19]),
    )
    told = dict(zip(SURPRISAL, _measures(text, reading), strict=True))
    assert told == pytest.approx(
        {
            "surprisal_mean": 4.5,
            "surprisal_deviation": np.sqrt(8.75),
            "surprisal_p10": 1.6,
            "surprisal_p25": 2.5,
            "surprisal_p50": 4.0,
            "surprisal_p75": 6.0,
            "surprisal_p90": 7.8,
            "surprisal_high_share": 0.5,
            "surprisal_very_high_share": 0.25,
            "surprisal_per_character": 18 / 20,
            "surprisal_trend": 4.0 - 5.0,
            "entropy_mean": 3.0,
            "entropy_deviation": 1.0,
            "surprise_beyond_entropy_mean": 1.5,
            "surprise_beyond_entropy_deviation": np.sqrt((2.5**2 + 5.5**2 + 0.5**2 + 2.5**2) / 4),
            "foreseen_share": 0.25,
            # "One two." has 5, "Three!" 5, "Four" 3; the first paragraph 5, the second 3.
            "sentence_surprisal_deviation": np.std([5, 5, 3]),
            "sentence_surprisal_max": 5.0,
            "paragraph_surprisal_deviation": 1.0,
        }
    )


def test_too_little_to_be_surprised_by_is_undefined(tiny: EncoderFolder) -> None:
    block = SurprisalBlock(settings_of(tiny), tiny.path)
    assert np.isnan(block.columns(made_essays("", " ", "\n")).values).all()
    assert block.columns(made_essays()).values.shape == (0, len(SURPRISAL))


def test_a_run_that_asks_for_the_set_sees_its_columns(tiny: EncoderFolder, tmp_path: Path) -> None:
    settings = FeatureSettings(sets=("surprisal",), language_model=settings_of(tiny))
    table = FeatureTable(settings, FeatureStore(tmp_path), tiny.path, Progress())
    columns = table(made_essays(SENTENCE, "bad work"))
    assert columns.names == SURPRISAL
    assert np.isfinite(columns.values).all()
    assert settings.precision == "fp32"
    (stored,) = table.identities().values()
    assert tiny.sha256 in str(stored)


def test_an_encoder_that_predicts_nothing_is_refused(tmp_path: Path) -> None:
    folder = make_encoder(tmp_path / "encoder")
    with pytest.raises(InputError, match="weights of the encoder, such as"):
        LanguageModel(settings_of(folder, max_length=32), tmp_path).read([SENTENCE])


def test_chunks_longer_than_its_positions_are_refused(tiny: EncoderFolder) -> None:
    with pytest.raises(InputError, match="64 positions") as caught:
        LanguageModel(settings_of(tiny, max_length=128), tiny.path).read([SENTENCE])
    assert "features.language_model.max_length" in str(caught.value)


def test_its_middle_layers_are_embeddings_too(tiny: EncoderFolder) -> None:
    from essay_scoring.features.frozen_encoder import FrozenEncoder

    chosen = encoder_settings(tiny, layers=(1,))
    means, counts = FrozenEncoder(chosen, tiny.path).means([SENTENCE, "bad"])
    assert counts.tolist() == [8, 1]
    assert np.isfinite(means).all()
    alone, _ = FrozenEncoder(chosen, tiny.path).means(["bad"])
    np.testing.assert_array_equal(alone[0], means[1])
