"""What each length-robust companion adds to the 25 handcrafted columns on unseen prompts.

    python benchmarks/companions.py [CONFIG] [--out FILE.json]

Trains the config's scorer on the handcrafted columns, then on them and one companion at a time,
then on them and all companions; prints the paired difference in mean QWK with its 95% interval.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from own_runs import finished

from essay_scoring.core.files import write_json
from essay_scoring.features.linguistic import COMPANIONS
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.statistics.comparison import compare


def run(config: Path, name: str, kept: tuple[str, ...]) -> RunRecord:
    """Return the run on the handcrafted columns and the companions in `kept`."""
    sets = ["handcrafted", *(["companions"] if kept else [])]
    drop = [column for column in COMPANIONS if column not in kept] if kept else []
    overrides = [f'name="{name}"', f"features.sets={sets}", f"features.drop={drop}"]
    return finished(config, overrides, "python benchmarks/companions.py")


def row(name: str, base: RunRecord, other: RunRecord) -> dict[str, Any]:
    """Return the figures of one addition."""
    delta = compare(base.predictions, other.predictions).deltas["mean_qwk"]
    return {"companion": name, **delta.model_dump(mode="json")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "config", nargs="?", type=Path, default=Path("configs/ellipse_reference.toml")
    )
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    base = run(arguments.config, "companions-none", ())
    rows = []
    for name in COMPANIONS:
        slug = f"companions-{name.replace('_', '-')}"
        rows.append(row(name, base, run(arguments.config, slug, (name,))))
    rows.append(row("all of them", base, run(arguments.config, "companions-all", COMPANIONS)))
    print(f"| companion | mean QWK with it | difference [95%] | n |\n{'| --- ' * 4}|")
    for r in rows:
        interval = f"{r['estimate']:+.3f} [{r['low']:+.3f}, {r['high']:+.3f}]"
        print(f"| {r['companion']} | {r['candidate']:.3f} | {interval} | {r['n']} |")
    print(f"\nhandcrafted alone: {rows[0]['reference']:.3f}")
    if arguments.out:
        write_json(arguments.out, {"schema": 1, "config": str(arguments.config), "rows": rows})


if __name__ == "__main__":
    main()
