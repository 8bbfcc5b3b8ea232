"""A study of a table corpus that decided for a candidate, whose locked test nobody opened yet."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from essay_scoring.data.data_settings import SyntheticCorpus
from essay_scoring.data.synthetic import generate
from tests.attacks.commands import run_command, words
from tests.conftest import ROOT
from tests.studies.made import arm, gates, study_file

LEDGER = "locked_test_ledger.jsonl"
CORPUS = """
[data.corpus]
kind = "table"
path = "train.csv"
locked = "locked.csv"
columns = {id = "id", text = "text", prompt = "prompt", score = "score"}
[data.corpus.scales.shared]
low = 1.0
high = 5.0
step = 0.5
[data.splits]
n_splits = 3
"""


@dataclass(frozen=True)
class Place:
    """A study of a table corpus that decided for a candidate, all below one folder."""

    home: Path

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def runs(self) -> Path:
        return self.home / "runs"

    @property
    def study(self) -> Path:
        [folder] = (self.runs / "studies").glob("small-*")
        return folder

    @property
    def decided(self) -> Path:
        record = json.loads((self.study / "study.json").read_text(encoding="utf-8"))
        return self.runs / str(record["decided_run"])

    @property
    def entries(self) -> list[dict[str, object]]:
        if not (self.data / LEDGER).exists():
            return []
        lines = (self.data / LEDGER).read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    @property
    def scored(self) -> list[Path]:
        """Every final test that was scored in the runs folder."""
        return sorted(self.runs.glob("*-final-*/artifacts/final_test.json"))

    def line(self, *more: str, data: Path | None = None) -> list[str]:
        """Return the command that opens the locked test."""
        options = ["--decision", str(self.study), "--data-dir", str(data or self.data), *more]
        return words("final-test", self.decided, self.home, self.home / "cache", options)

    def final(self, *more: str, data: Path | None = None) -> subprocess.CompletedProcess[str]:
        return run_command(self.line(*more, data=data))


def decided_place(home: Path) -> Place:
    """Return a study of made essays in an existing folder, which decided for its candidate."""
    place = Place(home)
    place.data.mkdir()
    corpus = SyntheticCorpus(n_essays=60, n_locked=12, n_prompts=6, seed=5)
    for part in ("train", "locked"):
        made = generate(corpus, part)
        essays = made.essays
        rows = zip(essays.ids, essays.texts, essays.prompts, made.scores.tolist(), strict=True)
        write_rows(place.data / f"{part}.csv", [("id", "text", "prompt", "score"), *rows])
    configs = {}
    for name, family in (("reference", "mean"), ("candidate", "length")):
        configs[name] = place.home / f"{name}.toml"
        configs[name].write_text(
            f'name = "{name}"\nbaselines = []\n[scorer]\nfamily = "{family}"\n'
            f"[evaluation]\nreplicates = 100\nmin_prompt_n = 5\n{CORPUS}"
        )
    file = study_file(place.home, arm("candidate", gates("easy")))
    text = file.read_text(encoding="utf-8").replace(', "data.corpus.n_prompts=8"', "")
    for name, family in (("reference", "length"), ("candidate", "mean")):
        text = text.replace(f"{ROOT}/configs/smoke/{family}.toml", str(configs[name]))
    file.write_text(text, encoding="utf-8")
    done = run_command(
        words("study", file, place.home, place.home / "cache", ["--data-dir", str(place.data)])
    )
    assert done.returncode == 0, done.stderr
    return place


def write_rows(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
