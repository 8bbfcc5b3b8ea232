"""What a mapping is worth: the raw predictions of runs under each of them, side by side.

    python benchmarks/mappings.py [CONFIG ...] [--partition N ...] [--out FILE.json]

Every config runs once on each partition of the prompts, under cut-points of the other folds; its
predictions are then mapped in the other ways, each compared with the cut-points. The first config
is also run with cut-points fitted inside the training folds, and on columns standardised by prompt.
Where mappings differ, prompts are swapped with the scores they have.
Resumable, as runs are. The folders are those of ESSAY_SCORING_RUNS, _CACHE and _DATA.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from own_runs import finished

from essay_scoring.core.files import write_json
from essay_scoring.core.number_text import with_interval
from essay_scoring.models.mapping import mapped_by
from essay_scoring.models.scorer_settings import MappingName
from essay_scoring.statistics.comparison import compare
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.summary import summarise

CONFIGS = (Path("configs/ellipse_reference.toml"), Path("configs/ellipse_blend_surprisal.toml"))
FITTED: MappingName = "qwk_cutpoints_lfo"
OTHERS: tuple[MappingName, ...] = ("round_half_band", "qwk_cutpoints_shrunk")
OWN_RUNS = ("training.mapping=qwk_cutpoints_inner", "features.standardise_by_prompt=true")
METRICS = ("pooled_qwk", "mae", "low_tail_adjacent", "high_tail_adjacent")
COMMAND = "python benchmarks/mappings.py"


def ran(config: Path, partition: int, *settings: str) -> Predictions:
    """Return the predictions of a config's run with settings laid over it."""
    name = "-".join(("mapping", config.stem, *(one.rpartition("=")[2] for one in settings)))
    over = [f"name={name.replace('_', '-')}", f"data.splits.partition={partition}", *settings]
    return finished(config, over, COMMAND).predictions


def row(run: Predictions, against: Predictions | None, **what: object) -> dict[str, Any]:
    """Return the figures of one run, and by how much they differ from those of another."""
    summary = summarise(run)
    deltas = {} if against is None else compare(against, run, seed=0).deltas
    return {
        **what,
        "mean_qwk": summary.mean_over_folds["qwk"].model_dump(mode="json"),
        "pooled_qwk": summary.overall["qwk"].model_dump(mode="json"),
        "mae": summary.overall["mae"].model_dump(mode="json"),
        "over_cutpoints": {
            name: deltas[name].model_dump(mode="json") for name in METRICS if name in deltas
        },
    }


def rows_of(config: Path, partition: int, *, first: bool) -> list[dict[str, Any]]:
    """Return a config's rows on one partition of the prompts."""
    what = {"config": str(config), "partition": partition}
    plain = ran(config, partition)
    rows = [row(plain, None, **what, setting=f"training.mapping={FITTED}")]
    for mapping in OTHERS:
        other = mapped_by(plain, mapping)
        rows.append(row(other, plain, **what, setting=f"training.mapping={mapping}"))
    own = OWN_RUNS if first else ()
    more = [row(ran(config, partition, one), plain, **what, setting=one) for one in own]
    return rows + more


def main() -> None:
    """Run every config and write the figures of all mappings."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("configs", nargs="*", type=Path, default=CONFIGS)
    parser.add_argument("--partition", nargs="+", type=int, default=[0])
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    rows = []
    for config in asked.configs:
        for partition in asked.partition:
            first = config == asked.configs[0] and partition == asked.partition[0]
            rows += rows_of(config, partition, first=first)
    for found in rows:
        of, told = found["mae"], found["pooled_qwk"]
        qwk = with_interval(told["estimate"], told["low"], told["high"])
        named = f"{found['config']}, partition {found['partition']}, {found['setting']}"
        print(f"{named}: pooled QWK {qwk}, MAE {of['estimate']:.3f}")
    if asked.out is not None:
        write_json(asked.out, {"schema": 2, "rows": rows})


if __name__ == "__main__":
    main()
