"""A folder with one real file of every kind that the program reads."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from essay_scoring.cli.main import run
from essay_scoring.models.registry import build_scorer
from essay_scoring.models.scorer_settings import (
    CatBoostSettings,
    RidgeSettings,
    ScorerSettings,
    SVRSettings,
    TrainingSettings,
    XGBoostSettings,
)
from tests.conftest import ROOT, SMOKE
from tests.features.tiny_encoders import make_encoder
from tests.models.made import context, made_essays
from tests.scoring.made import new_essays, write_essays

SCORERS: dict[str, ScorerSettings] = {
    "xgboost": XGBoostSettings(rounds=5),
    "catboost": CatBoostSettings(rounds=5),
    "svr": SVRSettings(),
    "ridge": RidgeSettings(),
}
CONFIG = """
extends = "base.toml"
name = "{family}"
baselines = []
[data.corpus]
n_prompts = 12
n_essays = 120
[scorer]
family = "{family}"
[evaluation]
replicates = 100
"""
STUDY = """
name = "small"
question = "Does counting words beat the mean?"
power_simulations = 0
[reference]
name = "mean"
config = "mean.toml"
[[candidates]]
name = "length"
config = "length.toml"
gates = ["plan.toml"]
"""
SEARCH = """
name = "tiny"
config = "length.toml"
mode = "flat"
objective = "mean_qwk"
trials = 2
startup_trials = 2
[guardrails]
low_tail_adjacent = 0.9
high_tail_adjacent = 0.9
[space."training.weight_cap"]
kind = "float"
low = 1.0
high = 4.0
"""
CORPUS = """
[data.corpus]
kind = "table"
path = "corpus.{suffix}"
[data.corpus.columns]
id = "id"
text = "text"
prompt = "prompt"
score = "score"
[data.corpus.scales.by_prompt]
{scales}
[data.preparation]
min_words = 0
"""
PLAN = """
name = "small"
question = "Is it better on prompts that training never saw?"
scheme = "prompt_holdout"
rule = "point"
min_prompt_n = 5
allow_dirty = true
[[checks]]
metric = "pooled_qwk"
kind = "superiority"
delta_at_least = 0.0
"""


def done(*words: str) -> None:
    """Run a command that ends with a verdict, or well."""
    assert run(list(words)) in (0, 3, 4), words


RUN = f"length-{'[0-9a-f]' * 12}"


def make_home(home: Path) -> None:
    """Fill a folder, by the program itself where it writes such files."""
    home.mkdir()
    shutil.copy(SMOKE / "mean.toml", home / "base.toml")
    for family in ("mean", "length"):
        (home / f"{family}.toml").write_text(CONFIG.format(family=family))
    for name, text in {"study": STUDY, "search": SEARCH, "plan": PLAN}.items():
        (home / f"{name}.toml").write_text(text)
    _write_tables(home)
    shutil.copy(ROOT / "configs" / "profiles" / "local.toml", home / "profile.toml")
    places = ["--runs-dir", str(home / "runs"), "--cache-dir", str(home / "cache")]
    data = ["--data-dir", str(home / "data")]
    done("study", str(home / "study.toml"), *places, *data)
    done("optuna-sweep", str(home / "search.toml"), *places, *data)
    models = ["--models-dir", str(home / "models")]
    done("train", str(home / "length.toml"), "--coverage", "0.8", *models, *places, *data)
    [decided] = (home / "runs").glob(RUN)
    done("audit", str(decided), "--attack-essays", "2", *places, *data)
    for family, settings in SCORERS.items():
        scorer = build_scorer(settings, TrainingSettings(), context())
        scorer.fit(made_essays(60), made_essays(30, seed=1))
        scorer.save(home / "scorers" / family)
    make_encoder(home / "encoder")
    for link, pattern in {
        "run": f"runs/{RUN}",
        "other": "runs/mean-*",
        "decision": "runs/studies/small-*",
        "found": "runs/searches/tiny-*",
        "model": "models/length-*",
        "audits": "runs/audits/length-*",
        "prepared": "cache/prepared/synthetic-*",
    }.items():
        [place] = home.glob(pattern)
        (home / link).symlink_to(place.relative_to(home))


def _write_tables(home: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    essays = new_essays(24)
    write_essays(home / "essays.csv", essays.take(range(4)))
    rows: dict[str, list[object]] = {
        "id": list(essays.ids),
        "text": list(essays.texts),
        "prompt": [f"p{at % 4}" for at in range(24)],
        "score": [1 + at % 5 for at in range(24)],
    }
    _write_rows(home / "corpus.csv", rows, ",")
    parquet.write_table(pyarrow.table(rows), home / "corpus.parquet")
    scales = "\n".join(f'"p{at}" = {{ low = 1, high = 5 }}' for at in range(4))
    for suffix in ("csv", "parquet"):
        text = CORPUS.format(suffix=suffix, scales=scales)
        (home / f"corpus_{suffix}.toml").write_text(text)
    predictions: dict[str, list[object]] = {
        "record_id": rows["id"],
        "prompt": rows["prompt"],
        "fold": [at % 4 for at in range(24)],
        "y_true": rows["score"],
        "y_pred_raw": [1 + (at * 3) % 5 for at in range(24)],
    }
    parquet.write_table(pyarrow.table(predictions), home / "predictions.parquet")
    _write_rows(home / "predictions.tsv", predictions, "\t")
    (home / "scale.toml").write_text("[shared]\nlow = 1\nhigh = 5\nstep = 1\n")


def _write_rows(path: Path, columns: Mapping[str, Sequence[object]], delimiter: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
        writer.writerows([list(columns), *zip(*columns.values(), strict=True)])
