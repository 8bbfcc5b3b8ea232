"""A fold's adapters as peft reads them, with what stands on top of the encoder beside them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import read_json, write_bytes, write_text
from essay_scoring.models.card import Card, read_card, saved_fact, saved_file
from essay_scoring.models.ensemble import member_folder
from essay_scoring.models.scorer_settings import TransformerSettings
from essay_scoring.records.manifest import require_intact, require_outside

CONFIG, WEIGHTS, HEAD = "adapter_config.json", "adapter_model.safetensors", "head.safetensors"
_TRAINED, _ADAPTER = "trained.safetensors", "adapter"

Tensors = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class _Saved:
    """One saved network of a run: its folder, its card and its settings."""

    folder: Path
    card: Card
    settings: TransformerSettings


def export_adapter(run: Path, fold: int, folder: Path) -> list[Path]:
    """Write the adapters of the scorer that never saw a fold, ready for peft; return the files.

    They are adapter_config.json and adapter_model.safetensors (what `PeftModel.from_pretrained`
    reads), head.safetensors (centring, pooling, pooler and head) and README.md, for an ensemble in
    one subfolder a member. Raises InputError for a run or a fold that has no adapters, and
    EvidenceError for a run that is not as it was written.
    """
    from safetensors.numpy import save

    require_outside(run, folder)
    require_intact(run)
    paths = []
    for name, saved in _members(run, fold).items():
        place, source = folder / name, _source_of(run, fold)
        files = _adapter_files(saved)
        head = _head(saved)
        files[HEAD] = save({tensor: head[tensor] for tensor in sorted(head)})
        for file, data in files.items():
            write_bytes(place / file, data)
        write_text(place / "README.md", _readme(saved, source, head))
        paths += [place / file for file in (*files, "README.md")]
    return paths


def _members(run: Path, fold: int) -> dict[str, _Saved]:
    """Return each saved network of a fold by the subfolder it is written to."""
    model = run / "models" / f"fold-{fold}" / "model"
    if not model.is_dir():
        folds = sorted(path.name for path in (run / "models").glob("fold-*") if path.is_dir())
        raise InputError(
            f"the run has no model of fold {fold}",
            where=str(run),
            mend=f"choose from {', '.join(folds)}" if folds else "name a run that kept its models",
        )
    card = read_card(model)
    if card.members == 1:
        return {"": _saved(model, card)}
    folders = [member_folder(model, number) for number in range(card.members)]
    return {path.name: _saved(path, read_card(path)) for path in folders}


def _saved(folder: Path, card: Card) -> _Saved:
    settings = card.settings
    if not isinstance(settings, TransformerSettings) or not settings.use_lora:
        what = "fine-tuned in full" if isinstance(settings, TransformerSettings) else "no network"
        raise InputError(
            f"the scorer has no adapters: {settings.family}, {what}",
            where=str(folder),
            mend="name a run of a transformer with scorer.use_lora = true",
        )
    return _Saved(folder, card, settings)


def _adapter_files(saved: _Saved) -> dict[str, bytes]:
    """Return the bytes of the adapter's two files, checked against the card."""
    return {
        name: saved_file(saved.folder, saved.card, f"{_ADAPTER}/{name}").read_bytes()
        for name in (CONFIG, WEIGHTS)
    }


def _head(saved: _Saved) -> Tensors:
    """Return all that was learnt or measured above the encoder, by name."""
    from safetensors.numpy import load

    trained = load(saved_file(saved.folder, saved.card, _TRAINED).read_bytes())
    head = {name: value for name, value in trained.items() if not name.startswith("backbone.")}
    for name in ("mean", "deviation"):
        fact = saved_fact(saved.folder, saved.card, name)
        head[f"score.{name}"] = np.array([fact], dtype=np.float64)
    return head


def _source_of(run: Path, fold: int) -> str:
    return f"fold {fold} of the run {run.resolve().name}"


def _readme(saved: _Saved, source: str, head: Tensors) -> str:
    """Return how the files are loaded, and how a score comes of them."""
    settings = saved.settings
    pinned = settings.sha256 or "the one that `essay-scoring encoder list` shows"
    rows = "\n".join(f"| `{name}` | {list(head[name].shape)} |" for name in sorted(head))
    return f"""# Adapters of {source}

Low-rank adapters (rank {settings.lora.rank}) on the encoder `{settings.model_name}`, whose
`model.safetensors` has the sha256
{pinned}.
On other weights they mean nothing.

```python
from peft import PeftModel
from transformers import AutoModel

base = AutoModel.from_pretrained("{settings.model_name}")
{_cut(saved)}encoder = PeftModel.from_pretrained(base, "this/folder").eval()
```

## From states to a score

1. Cut an essay into chunks of {settings.max_length} tokens, special tokens included, that share
   {settings.chunk_overlap_tokens} tokens.
2. Read each chunk; {_reading(settings)}.
3. Pool the states of all tokens of the essay, each counted once and special tokens not at all:
   {_pooling(settings)}.
4. Subtract `centring.mean` and divide by `centring.deviation`; then `pooler.0` and tanh; then
   `head`. Its first output is the score; others, if any, are traits.
5. Times `score.deviation` plus `score.mean` gives the training scale: 0 is the lowest score of a
   scale, 4 the highest.

The run's `artifacts/cv_metrics.json` holds the cut-points that make bands of it.

| `{HEAD}` | shape |
| --- | --- |
{rows}
"""


def _cut(saved: _Saved) -> str:
    """Return the line that cuts the encoder where the scorer did, "" for a whole one."""
    depth = saved.settings.layer
    if depth is None:
        return ""
    maps = read_json(saved.folder / _ADAPTER / CONFIG)["target_modules"]
    stacks = (re.match(r"(.+?)\.\d+\.", name) for name in maps)
    stack = next((found[1] for found in stacks if found), "encoder.layer")
    return f"base.{stack} = base.{stack}[:{depth}]  # the scorer reads it here\n"


def _reading(settings: TransformerSettings) -> str:
    if settings.reading == "mix":
        return (
            "normalise the states after each layer from the one below the first that learns "
            "(no weights), take their mean by softmax of `mix.weights`, times `mix.scale`"
        )
    return "take the last hidden state"


def _pooling(settings: TransformerSettings) -> str:
    if settings.pooling == "attention":
        return "a mean weighted by softmax of `pooling.score` over the essay"
    return "their mean"
