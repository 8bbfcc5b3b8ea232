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


def make_language_model(folder: Path, seed: int = 0) -> EncoderFolder:
    """Save a random causal language model of 2 layers, 16 wide, 64 positions, and verify it."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(SPECIAL) + len(WORDS) + 26,
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=32,
        initializer_range=0.5,
        max_position_embeddings=64,
        tie_word_embeddings=True,
    )
    folder.mkdir(parents=True, exist_ok=True)
    LlamaForCausalLM(config).save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    return verify_encoder(str(folder), folder)


def write_gguf(path: Path, seed: int = 0) -> None:
    """Write a random causal language model of 1 layer, 32 wide, over bytes, its weights packed."""
    import gguf
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    writer: Any = gguf.GGUFWriter(str(path), "llama")
    letters = [chr(code) for code in range(33, 127)]
    tokens = ["<|end|>", *letters, "\u0120", "th"]
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(32)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3, *[1] * (len(tokens) - 1)])
    writer.add_token_merges(["t h"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    norms = ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm")
    for name in norms:
        writer.add_tensor(f"{name}.weight", np.ones(32, dtype=np.float32))
    shapes = {"token_embd": (len(tokens), 32), "blk.0.attn_k": (16, 32), "blk.0.attn_v": (16, 32)}
    square = ("attn_q", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    shapes |= {f"blk.0.{name}": (32, 32) for name in square}
    packed = gguf.GGMLQuantizationType.Q4_1
    for name, shape in shapes.items():
        values = gguf.quants.quantize(rng.normal(size=shape).astype(np.float32), packed)
        writer.add_tensor(f"{name}.weight", values, raw_dtype=packed)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
