"""Tiny random encoders, saved as a real one would be: weights, configuration, fast tokenizer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.features.encoders import EncoderFolder, verify_encoder
from essay_scoring.features.feature_settings import EncoderSettings

WORDS = ("the", "school", "rule", "is", "good", "bad", "for", "all", "students", "because", "work")
# MPNet takes padding to be token 1, whatever its configuration says.
SPECIAL = ("[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]")
LAYERS, WIDTH, POSITIONS = 4, 16, 32


def make_encoder(folder: Path, kind: str = "bert", seed: int = 0) -> EncoderFolder:
    """Save a random BERT or MPNet encoder of 4 layers, 16 wide, 32 positions, and verify it."""
    import torch
    from transformers import BertConfig, BertModel, MPNetConfig, MPNetModel

    torch.manual_seed(seed)
    sizes: dict[str, Any] = {
        "vocab_size": len(SPECIAL) + len(WORDS) + 26,
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        # Wide weights, so that layers differ enough for a wrong one to be seen.
        "initializer_range": 0.5,
        "pad_token_id": 1,
    }
    if kind == "bert":
        model: Any = BertModel(BertConfig(max_position_embeddings=POSITIONS, **sizes))
    else:
        # MPNet numbers positions from padding + 1, so 34 entries are 32 positions.
        model = MPNetModel(MPNetConfig(max_position_embeddings=POSITIONS + 2, **sizes))
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    return verify_encoder(str(folder), folder)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread for a while: tiny matrices only lose by more."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def encoder_settings(folder: EncoderFolder, **changes: Any) -> EncoderSettings:
    """Return settings that name the folder and pin its hash, read in chunks of 16 tokens."""
    given: dict[str, Any] = {
        "name": str(folder.path),
        "sha256": file_sha256(folder.path / "model.safetensors"),
        "layers": (2,),
        "max_length": 16,
        "overlap": 5,
        "precision": "fp32",
    }
    return EncoderSettings(**(given | changes))


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    vocabulary = {token: at for at, token in enumerate([*SPECIAL, *WORDS, *letters])}
    tokenizer: Any = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"])]
    tokenizer.post_processor = processors.BertProcessing(*ends)
    fast: Any = PreTrainedTokenizerFast
    return fast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=POSITIONS,
    )
