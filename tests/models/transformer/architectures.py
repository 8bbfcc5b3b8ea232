"""Tiny random encoders of every architecture, with tokenizers trained on the made corpus."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from essay_scoring.core.essays import Essays
from essay_scoring.core.files import read_json, write_json
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.data.data_settings import SyntheticCorpus
from essay_scoring.data.synthetic import generate
from essay_scoring.features.chunking import (
    TokenisedEssay,
    chunk_lengths,
    chunk_texts,
    load_tokenizer,
)
from essay_scoring.features.encoder_loading import quiet_transformers
from essay_scoring.features.encoders import EncoderFolder, verify_encoder
from essay_scoring.models.scorer_settings import TransformerSettings
from essay_scoring.models.transformer.frozen_layers import FrozenLayerCache
from essay_scoring.models.transformer.network import EssayNetwork, build_network

ARCHITECTURES = ("bert", "roberta", "mpnet", "deberta-v2", "deberta-v3", "modernbert")
LAYERS, WIDTH, POSITIONS = 4, 16, 64

_VOCABULARY = 300
_NAMES = {
    "bert": ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    "roberta": ("<s>", "<pad>", "</s>", "<unk>", "<mask>"),
    "mpnet": ("<s>", "<pad>", "</s>", "[UNK]", "<mask>"),
    "deberta-v2": ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"),
    "deberta-v3": ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"),
    "modernbert": ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"),
}
_CLASSES = {
    "bert": "BertTokenizer",
    "roberta": "RobertaTokenizer",
    "mpnet": "MPNetTokenizer",
    "deberta-v2": "DebertaV2Tokenizer",
    "deberta-v3": "DebertaV2Tokenizer",
    "modernbert": "PreTrainedTokenizerFast",
}


def shared_encoder(kind: str, factory: pytest.TempPathFactory) -> EncoderFolder:
    """Return the tiny encoder of an architecture, made once for all tests."""
    folder = factory.getbasetemp() / "encoders" / kind
    return (
        verify_encoder(str(folder), folder) if folder.exists() else make_architecture(folder, kind)
    )


def some_essays(n: int = 4) -> Essays:
    """Return n made essays: different lengths, all of them several chunks of 24 tokens."""
    texts = [" ".join(text.split()[: 30 + 17 * i]) for i, text in enumerate(_corpus().texts[:n])]
    return Essays(tuple(f"e{i}" for i in range(n)), tuple(texts), ("p",) * n)


def tokenised(
    encoder: EncoderFolder, settings: TransformerSettings, texts: Sequence[str] = ()
) -> list[TokenisedEssay]:
    """Return made essays, or these texts, in chunks as the settings say."""
    chosen = texts or some_essays().texts
    return chunk_texts(load_tokenizer(encoder.path), chosen, **chunk_lengths(settings.encoder))


def stir(network: EssayNetwork, seed: int = 0) -> EssayNetwork:
    """Move all that learns away from where it starts: adapters start at no effect."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for named in network.parameter_groups().values():
            for _, parameter in named:
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return network


def made_network(
    encoder: EncoderFolder,
    heads: int = 2,
    frozen_layers: FrozenLayerCache | None = None,
    **changes: Any,
) -> EssayNetwork:
    """Return a stirred network in evaluation mode, its dropout being 0."""
    settings = transformer_settings(encoder, **changes)
    return stir(build_network(settings, encoder, heads, 0, frozen_layers=frozen_layers)).eval()


def make_architecture(folder: Path, kind: str, seed: int = 0) -> EncoderFolder:
    """Save a random encoder of 4 layers, 16 wide, as its real ones are saved, and verify it."""
    import transformers

    tokenizer = _trained_tokenizer(kind)
    sizes = {
        "vocab_size": len(tokenizer),
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        # Wide weights, so that layers differ enough for a wrong one to be seen.
        "initializer_range": 0.3,
        "pad_token_id": tokenizer.pad_token_id,
    }
    name, own = _configuration(kind)
    config = getattr(transformers, f"{name}Config")(**(sizes | own))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = getattr(transformers, f"{name}Model")(config)
    folder.mkdir(parents=True, exist_ok=True)
    with quiet_transformers():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    told = folder / "tokenizer_config.json"
    write_json(told, read_json(told) | {"tokenizer_class": _CLASSES[kind]})
    return verify_encoder(str(folder), folder)


def _configuration(kind: str) -> tuple[str, dict[str, Any]]:
    """Return the name of the architecture's classes, and what its configuration has of its own."""
    deberta = {
        "relative_attention": True,
        "position_buckets": 8,
        "max_relative_positions": -1,
        "pos_att_type": ["p2c", "c2p"],
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "position_biased_input": False,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 0,
    }
    match kind:
        case "bert":
            return "Bert", {"max_position_embeddings": POSITIONS}
        case "roberta":
            return "Roberta", {"max_position_embeddings": POSITIONS + 2}
        case "mpnet":
            return "MPNet", {"max_position_embeddings": POSITIONS + 2}
        case "deberta-v2":
            # What version 2 had before: a convolution after the first layer, keys of their own.
            old = {"conv_kernel_size": 3, "share_att_key": False, "position_biased_input": True}
            return "DebertaV2", deberta | old
        case "deberta-v3":
            return "DebertaV2", deberta
        case _:
            return "ModernBert", {
                "max_position_embeddings": 4 * POSITIONS,
                # Every other layer attends to its neighbours alone: less than a chunk.
                "local_attention": 8,
                "global_attn_every_n_layers": 2,
                "bos_token_id": 1,
                "eos_token_id": 2,
                "cls_token_id": 1,
                "sep_token_id": 2,
            }


@cache
def _corpus() -> Essays:
    corpus = SyntheticCorpus(n_essays=24, n_locked=0, n_prompts=4)
    return generate(corpus, "train").essays


@cache
def _trained_tokenizer(kind: str) -> Any:
    """Return a fast tokenizer of the architecture's kind, trained on made essays."""
    import transformers
    from tokenizers import (
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )

    special = _NAMES[kind]
    named = {name.strip("<>[]").lower(): name for name in special}
    start, end = named.get("cls", "<s>"), named.get("sep", "</s>")
    how: Any
    if kind in ("bert", "mpnet"):
        how = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        how.normalizer = normalizers.BertNormalizer()
        how.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer: Any = trainers.WordPieceTrainer(vocab_size=_VOCABULARY, special_tokens=[*special])
    elif kind in ("roberta", "modernbert"):
        how = Tokenizer(models.BPE())
        how.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        how.decoder = decoders.ByteLevel()
        letters = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=2 * _VOCABULARY, special_tokens=[*special], initial_alphabet=letters
        )
    else:
        how = Tokenizer(models.Unigram())
        how.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=_VOCABULARY, special_tokens=[*special], unk_token="[UNK]"
        )
    trainer.show_progress = False
    how.train_from_iterator(_corpus().texts, trainer)
    ends = [(end, how.token_to_id(end)), (start, how.token_to_id(start))]
    how.post_processor = processors.BertProcessing(*ends)
    fast: Any = transformers.PreTrainedTokenizerFast
    return fast(
        tokenizer_object=how,
        pad_token=named["pad"],
        unk_token=named["unk"],
        cls_token=start,
        sep_token=end,
        mask_token=named["mask"],
    )


def transformer_settings(folder: EncoderFolder, **changes: Any) -> TransformerSettings:
    """Return settings that name the folder and pin its hash, in fp32, chunks of 24 tokens."""
    given: dict[str, Any] = {
        "model_name": str(folder.path),
        "sha256": file_sha256(folder.path / "model.safetensors"),
        "max_length": 24,
        "chunk_overlap_tokens": 7,
        "mixed_precision": "none",
        "lora": {"rank": 4, "alpha": 8.0},
    }
    return TransformerSettings(**(given | changes))
