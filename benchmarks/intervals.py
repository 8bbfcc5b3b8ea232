"""What prediction intervals cover by band, and how wide they are, beside one limit for all essays.

    python benchmarks/intervals.py RUN [RUN ...] [--coverage 0.9] [--out FILE.json]

A RUN is a finished run under prompt holdout. Each prompt in turn is left out of what calibrates its
essays' intervals. `one limit` is the prediction plus or minus one half-width, prompts weighted
alike, clipped to the scale; `one limit, labels` the same from the lowest label inside to the
highest, which covers as often; `adaptive` is what `train` writes. Widths are shares of the scale,
`beside` those of `one limit`. Seconds a run; the same runs give the same figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from essay_scoring.core.files import write_json
from essay_scoring.core.scale import TRAINING_WIDTH, FloatArray
from essay_scoring.records.finished_run import read_run
from essay_scoring.scoring.conformal import held_out_intervals
from essay_scoring.statistics.counts import Mask
from essay_scoring.statistics.predictions import Predictions

Ends = tuple[FloatArray, FloatArray]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--coverage", type=float, default=0.9)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    found = {}
    for folder in args.runs:
        predictions = read_run(folder).predictions
        methods = intervals(predictions, args.coverage)
        found[folder.name] = table(predictions, methods)
        show(folder.name, found[folder.name])
    if args.out is not None:
        write_json(args.out, {"coverage": args.coverage, "runs": found})


def intervals(predictions: Predictions, coverage: float) -> dict[str, Ends]:
    """Return the ends (n,) of each method's held-out intervals, in training units."""
    scales, prompts = predictions.scales, predictions.prompts
    true, raw = (
        scales.to_training(scores, prompts) for scores in (predictions.true, predictions.raw)
    )
    names = np.asarray(prompts)
    reach = np.empty(len(names))
    for name in np.unique(names):
        mine = names == name
        reach[mine] = half_width(np.abs(true - raw)[~mine], names[~mine], coverage)
    ends = np.clip(raw - reach, 0, TRAINING_WIDTH), np.clip(raw + reach, 0, TRAINING_WIDTH)
    steps = np.array([TRAINING_WIDTH / (scales.of(prompt).n_labels - 1) for prompt in prompts])
    inner = np.ceil(ends[0] / steps - 1e-7) * steps, np.floor(ends[1] / steps + 1e-7) * steps
    return {
        "one limit": ends,
        "one limit, labels": inner,
        "adaptive": held_out_intervals(predictions, prompts, coverage),
    }


def half_width(errors: FloatArray, groups: np.ndarray, coverage: float) -> float:
    """Return the least q whose weight of errors <= q reaches `coverage`: Dunn et al. 2023."""
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(errors, kind="stable")
    reached = np.cumsum(1 / (sizes[group[order]] * (len(sizes) + 1))) >= coverage - 1e-9
    return float(errors[order[reached.argmax()]]) if reached.any() else np.inf


def table(predictions: Predictions, methods: dict[str, Ends]) -> dict[str, dict[str, float]]:
    """Return the coverage of each part of the essays, and the mean width, by method."""
    true = predictions.scales.to_training(predictions.true, predictions.prompts)
    rows: dict[str, dict[str, float]] = {}
    for name, (low, high) in methods.items():
        held = (low <= true + 1e-7) & (true <= high + 1e-7)
        width = float(np.mean(high - low) / TRAINING_WIDTH)
        first = rows["one limit"]["mean width"] if rows else width
        covered = {part: float(held[mask].mean()) for part, mask in parts(predictions)}
        rows[name] = {**covered, "mean width": width, "beside": width / first}
    return rows


def parts(predictions: Predictions) -> Iterator[tuple[str, Mask]]:
    """Yield the name, with n, and the essays (n,) of each part that has any."""
    scales, prompts = predictions.scales, predictions.prompts
    true, raw = (
        scales.to_training(scores, prompts) / TRAINING_WIDTH
        for scores in (predictions.true, predictions.raw)
    )
    cuts = np.quantile(raw, [1 / 3, 2 / 3])
    of_scale, of_essays = np.digitize(raw, [1 / 3, 2 / 3]), np.digitize(raw, cuts)
    masks = {"all": np.ones(len(raw), dtype=bool)}
    for at, name in enumerate(("lowest", "middle", "highest")):
        masks[f"predicted: {name} third of the scale"] = of_scale == at
        masks[f"predicted: {name} third of the essays"] = of_essays == at
    masks["raters: lowest eighth"] = true <= 1 / 8 + 1e-9
    masks["raters: low tail"] = true <= 1 / 4 + 1e-9
    masks["raters: middle"] = (true > 1 / 4 + 1e-9) & (true < 3 / 4 - 1e-9)
    masks["raters: high tail"] = true >= 3 / 4 - 1e-9
    masks["raters: highest eighth"] = true >= 7 / 8 - 1e-9
    for name, mask in masks.items():
        if mask.any():
            yield f"{name} (n = {mask.sum()})", mask


def show(run: str, rows: dict[str, dict[str, float]]) -> None:
    print(f"\n{run}\n{'':50}" + "".join(f"{name:>20}" for name in rows))
    for part in rows["adaptive"]:
        print(f"{part:50}" + "".join(f"{rows[name][part]:20.3f}" for name in rows), flush=True)


if __name__ == "__main__":
    main()
