"""What a mapping is worth: a config's run under each of them, side by side.

    python benchmarks/mappings.py [CONFIG] [--out docs/results/mappings.json]

Resumable, as runs are. The folders are those of ESSAY_SCORING_RUNS, _CACHE and _DATA.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from own_runs import finished

from essay_scoring.core.files import write_json

SETTINGS = (
    "training.mapping=round_half_band",
    "training.mapping=qwk_cutpoints_lfo",
    "training.mapping=qwk_cutpoints_inner",
    "features.standardise_by_prompt=true",
)


def row(config: Path, setting: str) -> dict[str, Any]:
    """Return what the config's run comes to under a setting."""
    name = f'name="mapping-{setting.partition("=")[2].replace("_", "-")}"'
    run = finished(config, [name, setting], "python benchmarks/mappings.py")
    summary = run.metrics.summary
    return {
        "setting": setting,
        "run": run.folder.name,
        "mean_qwk": summary.mean_over_folds["qwk"].model_dump(mode="json"),
        "pooled_qwk": summary.overall["qwk"].model_dump(mode="json"),
        "mae": summary.overall["mae"].model_dump(mode="json"),
    }


def main() -> None:
    """Run every setting and write their figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "config", nargs="?", type=Path, default=Path("configs/ellipse_reference.toml")
    )
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    rows = [row(asked.config, setting) for setting in SETTINGS]
    for found in rows:
        print(f"{found['setting']}: mean QWK {found['mean_qwk']['mean']:.3f}")
    if asked.out is not None:
        write_json(asked.out, {"schema": 1, "rows": rows})


if __name__ == "__main__":
    main()
