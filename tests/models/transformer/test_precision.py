from __future__ import annotations

import pytest
import torch

from essay_scoring.core.errors import InputError
from essay_scoring.features import precision
from essay_scoring.features.precision import Arithmetic, Asked, resolve


@pytest.mark.parametrize("native", [False, True])
def test_auto_is_bf16_where_the_cpu_multiplies_it(
    native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: native)
    assert resolve("auto", "cpu") == ("bf16" if native else "fp32")


def test_auto_is_fp32_on_rocm_and_fp16_an_explicit_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "hip", "6.2")
    assert resolve("auto", "cuda") == "fp32"
    assert resolve("fp16", "cuda") == "fp16"


@pytest.mark.parametrize(("asked", "given"), [("none", "fp32"), ("bf16", "bf16")])
def test_what_is_asked_for_is_given(asked: Asked, given: str) -> None:
    assert resolve(asked, "cpu") == resolve(asked, "cuda") == given


def test_fp16_on_a_cpu_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match=r"scorer.mixed_precision: fp16 does not train on a CPU"):
        resolve("fp16", "cpu")


def test_products_are_bf16_and_weights_stay_fp32() -> None:
    layer = torch.nn.Linear(4, 4)
    for given, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        with Arithmetic("cpu", given).autocast():  # type: ignore[arg-type]
            assert layer(torch.ones(1, 4)).dtype == dtype
        assert layer.weight.dtype == torch.float32


@pytest.mark.parametrize("limit", ["AVX2", "avx512_core"])
def test_a_processor_kept_from_its_bf16_has_none(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert not precision.cpu_has_bf16.__wrapped__()
    assert precision.resolve("bf16", "cpu") == "bf16"
