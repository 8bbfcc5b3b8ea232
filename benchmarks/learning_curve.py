"""How agreement on unseen prompts grows with training essays, and with training prompts.

    python benchmarks/learning_curve.py CONFIG [CONFIG ...] [--out FILE.json]

Each config's scorer learns from a share of the essays that a fold trains on, drawn at random, or
from all essays of a share of its prompts; dev and the essays judged stay as they are. Cut-points
are fitted on the other folds. Prints pooled QWK, the mean over draws, and what is lost against all
essays, paired. Resumable: fits lie below RUNS/learning-curve. The folders are those of
ESSAY_SCORING_RUNS, _CACHE and _DATA.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from own_runs import opened

from essay_scoring.core.files import write_json
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.scale import IntArray
from essay_scoring.runs.cross_validation import Design
from essay_scoring.runs.mapped_predictions import map_run
from essay_scoring.runs.run import Run
from essay_scoring.statistics.comparison import compare
from essay_scoring.statistics.predictions import Predictions

Kind = Literal["essays", "prompts"]
SHARES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, eq=False)
class FewerRows(Design):
    """A design whose folds are fitted on a share of their essays, or of their prompts."""

    kind: Kind = "essays"
    share: float = 1.0
    draw: int = 0

    def training_rows(self, folds: Any) -> tuple[IntArray, IntArray]:
        """Return as many of the rows to fit on as the share says, and all rows of dev."""
        fit, dev = super().training_rows(folds)
        name = (self.kind, f"{self.share:g}", self.draw, *folds)
        seed = derive_seed(self.seed, "learning curve", *name)
        rng = np.random.default_rng(seed)
        if self.kind == "essays":
            kept = rng.permutation(len(fit))[: round(self.share * len(fit))]
            return fit[np.sort(kept)], dev
        prompts = np.array([self.train.prompts[row] for row in fit], dtype=object)
        names = rng.permutation(np.unique(prompts))
        return fit[np.isin(prompts, names[: max(2, round(self.share * len(names)))])], dev


def fewer(run: Run, kind: Kind, share: float, draw: int) -> FewerRows:
    """Return a run's design with a share of its training essays or prompts."""
    of = run.design
    same = (of.train, of.scheme, of.fold_of, of.groups, of.dev_share, of.seed)
    return FewerRows(*same, kind, share, draw)


def predicted(run: Run, design: FewerRows, folder: Path) -> tuple[Predictions, float, float]:
    """Return out-of-fold predictions, and how many essays and prompts a fold was fitted on."""
    if run.needs_columns:
        run.columns.warm(run.prepared.train.essays)
    fitter = run.fitter(run.config.scorer, design)
    raw = np.empty(len(design.train))
    essays, prompts = [], []
    for fold in design.folds:
        rows = design.held_out_rows([fold])
        raw[rows] = fitter.fit(folder / f"fold-{fold}", [fold], keep_model=False).raw
        fit, _ = design.training_rows([fold])
        essays.append(len(fit))
        prompts.append(len({design.train.prompts[row] for row in fit}))
    mapped = map_run(run.config.training.mapping, design, raw, [])
    return mapped.predictions, float(np.mean(essays)), float(np.mean(prompts))


def curve(config: Path, draws: int) -> list[dict[str, Any]]:
    """Return a row for each share of essays and of prompts."""
    run = opened(config)
    folder = run.workspace.runs / "learning-curve" / f"{run.config.name}-{run.identity[:12]}"
    points: list[tuple[Kind, float]] = [("essays", 1.0)]
    points += [(kind, share) for kind in ("essays", "prompts") for share in SHARES]
    rows, whole = [], None
    for kind, share in points:
        done = [
            predicted(run, fewer(run, kind, share, draw), folder / f"{kind}-{share:g}-{draw}")
            for draw in range(1 if share == 1 else draws)
        ]
        found = [one for one, _, _ in done]
        whole = whole or found[0]
        essays, prompts = (float(np.mean([one[at] for one in done])) for at in (1, 2))
        lost = compare(whole, found, min_prompt_n=30, bottom_k=5).deltas["pooled_qwk"]
        rows.append(
            {
                "config": str(config),
                "share_of": kind,
                "share": share,
                "draws": len(found),
                "essays": essays,
                "prompts": prompts,
                "pooled_qwk": lost.candidate,
                "delta": lost.model_dump(mode="json"),
            }
        )
        print(
            f"{run.config.name}: {share:.0%} of {kind}, {essays:.0f} essays of {prompts:.0f} "
            f"prompts: {lost.candidate:.3f}, {lost.estimate:+.3f} against all",
            flush=True,
        )
    return rows


def main() -> None:
    """Print every config's curve."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("configs", nargs="+", type=Path)
    parser.add_argument("--draws", type=int, default=3, help="of each share; their mean is told")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    rows = [row for config in asked.configs for row in curve(config, asked.draws)]
    if asked.out is not None:
        write_json(asked.out, {"schema": 1, "rows": rows})


if __name__ == "__main__":
    main()
