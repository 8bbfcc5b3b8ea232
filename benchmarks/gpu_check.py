"""What this machine's GPU does with the project, in one command: `make gpu-check`.

    python benchmarks/gpu_check.py [--out gpu_check.json]

Takes the canary in every precision; trains a random encoder of DeBERTa-base's size for some steps,
in tokens a second and as a share of the rate that matrix products reach here; and fine-tunes one
prompt-holdout arm on made essays. Writes a small JSON with machine and versions. Without a GPU it
says so and ends well; `--device cpu` takes the same way with tiny sizes, to try it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from essay_scoring.core.files import read_json, write_json
from essay_scoring.records.provenance import machine, package_versions

ROOT = Path(__file__).parents[1]
PROGRAM = [sys.executable, "-m", "essay_scoring.cli.main", "transformer-finetune"]
SMOKE = ROOT / "configs" / "smoke" / "transformer.toml"
ARMS = {"cuda": ROOT / "configs" / "synthetic_transformer.toml", "cpu": SMOKE}
PRECISIONS = {"cuda": ("none", "bf16", "fp16"), "cpu": ("none", "bf16")}
"""fp16 does not train on a CPU."""
SIZES = {
    "cuda": {"layers": 12, "width": 768, "heads": 12, "batch": 32, "length": 512, "steps": 20},
    "cpu": {"layers": 2, "width": 64, "heads": 2, "batch": 2, "length": 32, "steps": 2},
}
"""DeBERTa-base is 12 layers, 768 wide; a step is `batch` chunks of `length` tokens."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("gpu_check.json"))
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    args = parser.parse_args()
    if reason := why_not(args.device):
        print(f"skipped: {reason}")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "device": device_name(args.device),
            "canaries": {
                name: canary(name, args.device, Path(folder)) for name in PRECISIONS[args.device]
            },
            "matrix_tflops": matrix_tflops(args.device),
            "training": training(args.device),
            "arm": arm(args.device, Path(folder)),
            "machine": machine().model_dump(mode="json"),
            "versions": package_versions(),
        }
    rate, flops = found["matrix_tflops"], found["training"]["tflops"]
    found["training"]["model_flop_utilisation"] = significant(flops / rate)
    write_json(args.out, found)
    print(json.dumps({key: found[key] for key in ("device", "canaries", "training", "arm")}))
    return 0 if all(one["held"] for one in found["canaries"].values()) else 1


def why_not(device: str) -> str | None:
    """Return why nothing can be measured, None if something can."""
    try:
        import torch
        import transformers  # noqa: F401
    except ModuleNotFoundError as error:
        return f"{error.name} is not installed"
    return None if device == "cpu" or torch.cuda.is_available() else "torch sees no GPU here"


def device_name(device: str) -> str:
    import torch

    return torch.cuda.get_device_name() if device == "cuda" else "cpu"


def canary(precision: str, device: str, folder: Path) -> dict[str, Any]:
    """Return whether one step in a precision is finite here, and what was said of it."""
    words = [str(SMOKE), "--canary", "--mixed-precision", precision]
    began = time.monotonic()
    done = run(words, device, folder)
    said = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    seconds = round(time.monotonic() - began, 1)
    return {"held": done.returncode == 0, "said": said[-1] if said else "", "seconds": seconds}


def run(words: list[str], device: str, folder: Path) -> subprocess.CompletedProcess[str]:
    places = ["--runs-dir", f"{folder}/runs", "--cache-dir", f"{folder}/cache"]
    gpu = ["--require-gpu"] if device == "cuda" else []
    places += ["--data-dir", str(folder), *gpu]
    return subprocess.run([*PROGRAM, *words, *places], capture_output=True, text=True, check=False)


def matrix_tflops(device: str, seconds: float = 2.0) -> float:
    """Return the rate of large bf16 matrix products, in 10^12 operations a second."""
    import torch

    size = 8192 if device == "cuda" else 128
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    torch.matmul(a, b)
    wait(device)
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        for _ in range(10):
            torch.matmul(a, b)
        wait(device)
        count += 10
    return significant(2 * size**3 * count / (time.perf_counter() - began) / 1e12)


def training(device: str) -> dict[str, Any]:
    """Return what steps of full fine-tuning in bf16 take: tokens, operations and memory.

    Operations are 6 per weight and token, and 12 x width x length per layer and token of attention.
    """
    import torch
    from transformers import DebertaV2Config, DebertaV2Model

    size = SIZES[device]
    shape = {
        "hidden_size": size["width"],
        "num_hidden_layers": size["layers"],
        "num_attention_heads": size["heads"],
        "intermediate_size": 4 * size["width"],
    }
    torch.manual_seed(0)
    model = DebertaV2Model(DebertaV2Config(vocab_size=1000, **shape)).to(device)
    weights = sum(p.numel() for p in model.encoder.parameters())
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-5)
    ids = torch.randint(0, 1000, (size["batch"], size["length"]), device=device)
    began = 0.0
    for step in range(size["steps"] + 2):
        if step == 2:  # the first two are for compilers and allocators
            wait(device)
            began = time.perf_counter()
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = model(input_ids=ids).last_hidden_state.float().square().mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    wait(device)
    seconds = time.perf_counter() - began
    tokens = ids.numel() * size["steps"]
    each = 6 * weights + 12 * size["layers"] * size["width"] * size["length"]
    peak = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else None
    return {
        "model": f"DeBERTa, {size['layers']} layers, {size['width']} wide, random weights",
        "precision": "bf16",
        "tokens_per_second": round(tokens / seconds),
        "tflops": significant(each * tokens / seconds / 1e12),
        "peak_mib": peak,
    }


def significant(value: float) -> float:
    """Return a number to three places that count."""
    return float(f"{value:.3g}")


def wait(device: str) -> None:
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def arm(device: str, folder: Path) -> dict[str, Any]:
    """Return how one arm on unseen prompts went: agreement, seconds and what it ran with."""
    began = time.monotonic()
    done = run([str(ARMS[device]), "--scheme", "prompt_holdout"], device, folder)
    if done.returncode:
        raise SystemExit(f"the arm failed: {done.stderr.strip().splitlines()[-1]}")
    [path] = (folder / "runs").glob("*/artifacts/cv_metrics.json")
    metrics = read_json(path)
    return {
        "config": ARMS[device].name,
        "essays": metrics["data"]["n"],
        "pooled_qwk": metrics["summary"]["overall"]["qwk"]["estimate"],
        "fit_seconds": round(sum(fit["seconds"] for fit in metrics["fits"]), 1),
        "seconds": round(time.monotonic() - began, 1),
    }


if __name__ == "__main__":
    raise SystemExit(main())
