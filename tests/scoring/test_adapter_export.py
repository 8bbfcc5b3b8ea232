"""Exported adapters give what the scorer gives, by nothing but peft and the files of the export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.scale import FloatArray
from essay_scoring.features.encoders import EncoderFolder
from essay_scoring.models.context import Job
from essay_scoring.models.registry import build_scorer
from essay_scoring.models.scorer_settings import (
    RidgeSettings,
    TrainingSettings,
    TransformerSettings,
)
from essay_scoring.models.transformer.scorer import TransformerScorer
from essay_scoring.records.manifest import require_intact, write_manifest
from essay_scoring.scoring.adapter_export import CONFIG, HEAD, WEIGHTS, export_adapter
from tests.features.tiny_encoders import make_encoder
from tests.models.made import context, files_of, made_essays

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")

TRAIN, DEV, HELD_OUT = made_essays(24), made_essays(10, seed=1), made_essays(6, seed=2)
FILES = [CONFIG, WEIGHTS, HEAD, "README.md"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> EncoderFolder:
    return make_encoder(tmp_path_factory.mktemp("encoder"))


def finished(
    run: Path, encoder: EncoderFolder, ensemble: int = 1, **changes: Any
) -> tuple[Path, Any]:
    """Write a finished run with one fitted fold, and return it with its scorer."""
    given: dict[str, Any] = {
        "model_name": str(encoder.path),
        "sha256": encoder.sha256,
        "max_length": 32,
        "chunk_overlap_tokens": 4,
        "lora": {"rank": 2, "alpha": 4.0},
        "epochs": 1,
        "learning_rate": 0.05,
        "head_learning_rate": 0.05,
        "mixed_precision": "none",
    }
    settings = TransformerSettings(**(given | changes))
    at = replace(context(), cache=run.parent / "cache", job=Job("fold-3", None))
    scorer = build_scorer(settings, TrainingSettings(ensemble=ensemble), at)
    scorer.fit(TRAIN, DEV)
    scorer.save(run / "models" / "fold-3" / "model")
    write_manifest(run)
    return run, scorer


def by_the_readme(exported: Path, encoder: EncoderFolder, layer: int | None) -> FloatArray:
    """Score the held-out essays from the exported files, as their README says."""
    import peft
    import torch
    from safetensors import safe_open
    from transformers import AutoModel

    from essay_scoring.features.chunking import chunk_texts, load_tokenizer

    base: Any = AutoModel.from_pretrained(encoder.path, dtype=torch.float32)
    if layer is not None:
        base.encoder.layer = base.encoder.layer[:layer]
    model = peft.PeftModel.from_pretrained(base, exported).eval()
    with safe_open(exported / HEAD, framework="pt") as opened:
        head: Any = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    essays = HELD_OUT.essays
    sums, counts = np.zeros((len(essays), 16)), np.zeros(len(essays))
    tokenizer = load_tokenizer(encoder.path)
    for row, essay in enumerate(chunk_texts(tokenizer, essays.texts, max_length=32, overlap=4)):
        for ids, counted in zip(essay.ids, essay.counted, strict=True):
            with torch.no_grad():
                states = model(input_ids=torch.tensor(ids)[None]).last_hidden_state[0].numpy()
            sums[row] += counted @ states
            counts[row] += counted.sum()
    pooled = torch.tensor(sums / counts[:, None], dtype=torch.float32)
    centred = (pooled - head["centring.mean"]) / head["centring.deviation"]
    inner = torch.tanh(centred @ head["pooler.0.weight"].T + head["pooler.0.bias"])
    values = (inner @ head["head.weight"].T + head["head.bias"])[:, 0].double().numpy()
    targets = values * head["score.deviation"].numpy() + head["score.mean"].numpy()
    return HELD_OUT.scales.from_training(targets, essays.prompts)


@pytest.mark.parametrize("layer", [None, 2])
def test_peft_and_the_readme_give_the_scorer_s_predictions(
    layer: int | None, encoder: EncoderFolder, tmp_path: Path
) -> None:
    run, scorer = finished(tmp_path / "run", encoder, layer=layer)
    out = tmp_path / "out"
    assert export_adapter(run, 3, out) == [out / name for name in FILES]
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    expected = scorer.predict(HELD_OUT.essays)
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(by_the_readme(out, encoder, layer), expected, atol=1e-4)
    readme = (out / "README.md").read_text(encoding="utf-8")
    cut = "base.encoder.layer = base.encoder.layer[:2]"
    assert (cut in readme) == (layer == 2)
    assert encoder.sha256 in readme
    assert "| `head.weight` | [1, 16] |" in readme


def test_peft_gives_the_same_last_hidden_states(encoder: EncoderFolder, tmp_path: Path) -> None:
    import peft
    import torch
    from transformers import AutoModel

    run, scorer = finished(tmp_path / "run", encoder)
    export_adapter(run, 3, tmp_path / "out")
    base = AutoModel.from_pretrained(encoder.path, dtype=torch.float32)
    loaded = peft.PeftModel.from_pretrained(base, tmp_path / "out").eval()
    ids = np.array([2, 5, 6, 7, 3], dtype=np.int32)
    assert isinstance(scorer, TransformerScorer)
    assert scorer.network is not None
    with torch.no_grad():
        ours = scorer.network.eval().backbone([ids])[-1]
        theirs = loaded(input_ids=torch.tensor(ids).long()[None]).last_hidden_state[0]
        before = AutoModel.from_pretrained(encoder.path)(
            input_ids=torch.tensor(ids).long()[None]
        ).last_hidden_state[0]
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    assert float((before - theirs).abs().max()) > 1e-3


def test_the_same_run_gives_the_same_bytes_and_stays_intact(
    encoder: EncoderFolder, tmp_path: Path
) -> None:
    run, _ = finished(tmp_path / "run", encoder, ensemble=2, reading="mix", pooling="attention")
    for name in "ab":
        paths = export_adapter(run, 3, tmp_path / name)
        assert len(paths) == 2 * len(FILES)
    first = files_of(tmp_path / "a")
    assert first == files_of(tmp_path / "b")
    assert {name.split("/")[0] for name in first} == {"member-0", "member-1"}
    assert b"pooling.score.weight" in first[f"member-0/{HEAD}"]
    assert first[f"member-0/{WEIGHTS}"] != first[f"member-1/{WEIGHTS}"]
    require_intact(run)


def test_what_has_no_adapters_is_refused(encoder: EncoderFolder, tmp_path: Path) -> None:
    run, _ = finished(tmp_path / "full", encoder, use_lora=False)
    with pytest.raises(InputError, match="no adapters: transformer, fine-tuned in full"):
        export_adapter(run, 3, tmp_path / "out")
    with pytest.raises(InputError, match=r"no model of fold 9\. To mend: choose from fold-3"):
        export_adapter(run, 9, tmp_path / "out")
    ridge = build_scorer(RidgeSettings(), TrainingSettings(), context())
    ridge.fit(TRAIN, DEV)
    ridge.save(tmp_path / "ridge" / "models" / "fold-0" / "model")
    write_manifest(tmp_path / "ridge")
    with pytest.raises(InputError, match="no adapters: ridge"):
        export_adapter(tmp_path / "ridge", 0, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_that_was_changed_or_would_be_is_refused(
    encoder: EncoderFolder, tmp_path: Path
) -> None:
    run, _ = finished(tmp_path / "run", encoder)
    with pytest.raises(InputError, match="inside the finished run"):
        export_adapter(run, 3, run / "adapter")
    weights = run / "models" / "fold-3" / "model" / "adapter" / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(EvidenceError, match="changed since the run ended"):
        export_adapter(run, 3, tmp_path / "out")
    write_manifest(run)
    with pytest.raises(InputError, match="sha256"):
        export_adapter(run, 3, tmp_path / "out")
    assert not (tmp_path / "out").exists()
