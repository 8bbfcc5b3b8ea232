from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essay_scoring.audits.constructs import EMBEDDINGS, construct_of
from essay_scoring.core.errors import InputError, NotFiniteError
from essay_scoring.core.essays import Essays
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.progress import Progress
from essay_scoring.features import frozen_encoder
from essay_scoring.features.embeddings import EmbeddingBlock
from essay_scoring.features.encoders import EMBEDDED, REGISTRY, EncoderFolder, resolve_encoder
from essay_scoring.features.feature_settings import EncoderSettings, FeatureSettings
from essay_scoring.features.frozen_encoder import FrozenEncoder
from essay_scoring.features.precision import device_in_use, resolve
from essay_scoring.features.store import FeatureStore
from essay_scoring.features.table import FeatureTable
from tests.features.tiny_encoders import (
    LAYERS,
    WIDTH,
    WORDS,
    encoder_settings,
    make_encoder,
    one_thread,
)

LONG = " ".join(WORDS * 4)


def made_essays(*texts: str) -> Essays:
    return Essays(tuple(f"id{i}" for i in range(len(texts))), texts, ("p",) * len(texts))


@pytest.fixture(scope="module", autouse=True)
def _single_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module", params=["bert", "mpnet"])
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> EncoderFolder:
    return make_encoder(tmp_path_factory.mktemp("encoder"), request.param)


def block_of(folder: EncoderFolder, **changes: Any) -> EmbeddingBlock:
    return EmbeddingBlock(encoder_settings(folder, **changes), folder.path)


def token_vectors(folder: Path, text: str, *, ends: bool = False) -> list[np.ndarray]:
    """Return the plain way's token vectors of a short text, layer by layer, ends left out."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    encoded = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    encoded.pop("token_type_ids", None)
    with torch.no_grad():
        states = model(**encoded, output_hidden_states=True).hidden_states
    return [(state[0] if ends else state[0, 1:-1]).numpy() for state in states]


@pytest.mark.parametrize("layers", [(0,), (2,), (LAYERS,), (1, 3)])
def test_a_cut_encoder_reads_the_same_layers_as_the_whole_one(
    tiny: EncoderFolder, layers: tuple[int, ...]
) -> None:
    states = token_vectors(tiny.path, "the school rule is bad")
    chosen = encoder_settings(tiny, layers=layers, max_length=16, overlap=4)
    encoder = FrozenEncoder(chosen, tiny.path)
    assert len(encoder._backbone.layers) == max(1, *layers)
    means, counts = encoder.means(["the school rule is bad"])
    assert counts.tolist() == [5]
    expected = np.stack([states[layer].mean(axis=0) for layer in layers])
    np.testing.assert_allclose(means[0], expected, atol=1e-5)


def test_layers_are_averaged_or_put_side_by_side(tiny: EncoderFolder) -> None:
    essays = made_essays("good work", LONG)
    first = block_of(tiny, layers=(1,)).columns(essays).values
    third = block_of(tiny, layers=(3,)).columns(essays).values
    averaged = block_of(tiny, layers=(1, 3)).columns(essays)
    beside = block_of(tiny, layers=(3, 1), mix="concat").columns(essays)
    np.testing.assert_allclose(averaged.values, (first + third) / 2, atol=1e-5)
    np.testing.assert_allclose(beside.values, np.hstack([third, first]), atol=1e-5)
    assert averaged.names == tuple(f"emb_{i:03d}" for i in range(WIDTH))
    assert beside.names[-1] == f"emb_{2 * WIDTH - 1:03d}"
    assert averaged.values.dtype == np.float32


def test_the_end_of_a_long_essay_is_read(tiny: EncoderFolder) -> None:
    changed = LONG.removesuffix("work") + "bad"
    one, other = block_of(tiny).columns(made_essays(LONG, changed)).values
    assert np.abs(one - other).max() > 1e-4


@settings(max_examples=15, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 60), min_size=1, max_size=6),
    random=st.randoms(use_true_random=False),
    sentences=st.booleans(),
    precision=st.sampled_from(["fp32", "bf16"]),
)
def test_a_row_is_the_same_bytes_in_any_company_order_and_number_of_threads(
    tiny: EncoderFolder,
    lengths: list[int],
    random: Random,
    sentences: bool,
    precision: str,
) -> None:
    import torch

    chosen = encoder_settings(tiny, precision=precision)
    # Only encoders that let attention be replaced read sentences end to end: BERT does.
    end_to_end = sentences and "bert" in (tiny.path / "config.json").read_text()
    encoder = FrozenEncoder(chosen, tiny.path, sentences=end_to_end)
    texts = [" ".join((WORDS * 7)[at : at + length]) for at, length in enumerate(lengths)]
    together, counts = encoder.means(texts)
    order = random.sample(range(len(texts)), len(texts))
    torch.set_num_threads(3)
    shuffled, _ = encoder.means([texts[at] for at in order])
    torch.set_num_threads(1)
    assert together[order].tobytes() == shuffled.tobytes()
    for row, text in enumerate(texts):
        alone, count = encoder.means([text])
        assert (alone.tobytes(), count[0]) == (together[row].tobytes(), counts[row])


def test_a_gpu_s_batches_are_full_and_of_one_shape_for_a_length(
    tiny: EncoderFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen_encoder, "TOKENS_ON_GPU", 48)
    monkeypatch.setattr(frozen_encoder, "_GPU_STEP", 8)
    encoder, shapes = FrozenEncoder(encoder_settings(tiny), tiny.path), set[tuple[int, int]]()
    texts = [" ".join(WORDS[: n % 11 + 1]) for n in range(25)]
    expected, _ = encoder.means(texts)

    def note(_network: Any, _inputs: Any, given: dict[str, Any]) -> None:
        assert "attention_mask" in given
        shapes.add(tuple(given["input_ids"].shape))

    encoder._backbone.model.register_forward_pre_hook(note, with_kwargs=True)
    monkeypatch.setattr(frozen_encoder, "device_in_use", lambda: "cuda")
    padded, _ = encoder.means(texts)
    assert shapes == {(6, 8), (3, 16)}
    np.testing.assert_allclose(padded, expected, atol=1e-5)
    assert encoder.means(texts[::-1])[0].tobytes() == padded[::-1].tobytes()
    assert encoder.means(texts[3:4])[0].tobytes() == padded[3:4].tobytes()


def test_sentences_read_end_to_end_are_what_transformers_makes_of_them(tmp_path: Path) -> None:
    folder = make_encoder(tmp_path)
    texts = [" ".join(WORDS[at : at + 5]) for at in range(6)]
    chosen = encoder_settings(folder, layers=(LAYERS,))
    means, _ = FrozenEncoder(chosen, folder.path, sentences=True).means(texts)
    for text, (mean,) in zip(texts, means, strict=True):
        expected = token_vectors(folder.path, text, ends=True)[LAYERS]
        np.testing.assert_allclose(mean, expected.mean(axis=0), atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_same_essays_give_the_same_bytes(tiny: EncoderFolder, precision: str) -> None:
    essays = made_essays(*(" ".join(WORDS[i % 5 : i % 11 + 1]) for i in range(40)), LONG, "")
    runs = [block_of(tiny, precision=precision).columns(essays).values for _ in range(2)]
    assert runs[0].tobytes() == runs[1].tobytes()


def test_a_text_without_tokens_has_zeros(tiny: EncoderFolder) -> None:
    assert not block_of(tiny).columns(made_essays("", " \n ")).values.any()
    assert block_of(tiny).columns(made_essays()).values.shape == (0, WIDTH)


def test_a_value_that_is_not_finite_names_the_essay(tmp_path: Path) -> None:
    folder = make_encoder(tmp_path)
    spoil(folder.path, WORDS.index("bad") + 5)
    with pytest.raises(NotFiniteError, match="'id1'"):
        block_of(folder).columns(made_essays("good", "bad", "good"))


def spoil(folder: Path, token: int) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][token] = np.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def test_missing_weights_are_refused_not_drawn_at_random(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = make_encoder(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"encoder\.layer\.1\.output\.dense\.weight"):
        block_of(folder).columns(made_essays("good"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"layers": (5,)}, "layers 0 to 4, not 5"), ({"max_length": 40}, "exceeds the encoder's 32")],
)
def test_what_the_encoder_does_not_have_is_an_input_error(
    tiny: EncoderFolder, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        block_of(tiny, **changes).columns(made_essays("good"))


def test_identity_names_all_that_changes_a_value(tiny: EncoderFolder, tmp_path: Path) -> None:
    base = block_of(tiny).identity
    assert base["encoder_sha256"] == tiny.sha256
    assert base["precision"] == "fp32"
    assert {"torch", "transformers", "device", "definition_sha256"} <= base.keys()
    other = make_encoder(tmp_path, seed=1)
    variants = [
        block_of(other),
        block_of(tiny, layers=(1,)),
        block_of(tiny, mix="concat"),
        block_of(tiny, overlap=4),
        block_of(tiny, max_length=20),
        block_of(tiny, precision="bf16"),
    ]
    assert len({fingerprint(block.identity) for block in variants} | {fingerprint(base)}) == 7


def test_auto_precision_is_recorded_as_what_it_became() -> None:
    became = resolve("auto", device_in_use())
    assert became in {"fp32", "bf16"}
    assert EmbeddingBlock(EncoderSettings(), Path("cache")).identity["precision"] == became


@pytest.mark.skipif(device_in_use() == "cuda", reason="a GPU is asked through torch")
def test_a_warm_read_needs_no_torch() -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from essay_scoring.features.embeddings import EmbeddingBlock as B\n"
        "from essay_scoring.features.feature_settings import EncoderSettings as S\n"
        "b = B(S(), Path('cache')); b.identity; print(len(b.column_names))\n"
        "assert not {'torch', 'transformers', 'spacy'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "384"), done.stderr


def test_the_embedded_encoder_reads_as_transformers_does() -> None:
    encoder = resolve_encoder(EncoderSettings(), Path("cache"))
    assert encoder.sha256 == REGISTRY[EMBEDDED].sha256
    text = "Schools should start later, because students need more sleep than they get."
    expected = token_vectors(encoder.path, text)[3].mean(axis=0)
    exact = EmbeddingBlock(EncoderSettings(precision="fp32"), Path("cache"))
    np.testing.assert_allclose(exact.columns(made_essays(text)).values[0], expected, atol=1e-4)
    fast = EmbeddingBlock(EncoderSettings(precision="bf16"), Path("cache"))
    read = fast.columns(made_essays(text)).values[0]
    cosine = read @ expected / np.linalg.norm(read) / np.linalg.norm(expected)
    assert cosine > 0.999


def test_a_second_encoder_reads_beside_the_first(tmp_path: Path) -> None:
    one, two = (make_encoder(tmp_path / f"encoder{seed}", seed=seed) for seed in (1, 2))
    settings = FeatureSettings(
        sets=("embeddings",),
        encoder=encoder_settings(one),
        encoders=(encoder_settings(two, layers=(1, 3), mix="concat"),),
    )
    table = FeatureTable(settings, FeatureStore(tmp_path / "store"), tmp_path, Progress())
    essays = made_essays(LONG, "the school")
    together = table(essays)
    assert together.names[:WIDTH] == tuple(f"emb_{i:03d}" for i in range(WIDTH))
    assert together.names[WIDTH:] == tuple(f"emb2_{i:03d}" for i in range(2 * WIDTH))
    assert [*table.identities()] == ["embeddings", "embeddings2"]
    assert {construct_of(name) for name in together.names} == {EMBEDDINGS}
    # Columns of the second are stored under its own identity: another encoder beside it, the same.
    alone = block_of(two, layers=(1, 3), mix="concat").columns(essays)
    np.testing.assert_array_equal(together.values[:, WIDTH:], alone.values)
