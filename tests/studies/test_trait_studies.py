"""`study --trait`: one study a trait, and a table of all with its means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from essay_scoring.cli.main import run as command
from essay_scoring.core.files import read_json
from essay_scoring.core.record import read_record
from essay_scoring.records.finished_run import read_run
from essay_scoring.records.trait_results import TRAITS, TraitsRecord
from essay_scoring.records.workspace import Workspace
from essay_scoring.statistics.metrics import qwk
from tests.data.corpus_files import write_csv
from tests.studies.made import arm, gates, study_file

N_PROMPTS, N_EACH = 8, 6
TRAIT_NAMES = ("Ideas & Form", "Grammar")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of made essays whose lengths tell of the first trait, with eight prompts."""
    rng = np.random.default_rng(5)
    rows = []
    for number in range(N_PROMPTS * N_EACH):
        words = int(rng.integers(20, 60))
        ideas = int(np.clip(round(words / 15 + rng.normal(0, 0.4)), 1, 4))
        text = " ".join(f"word{number} stands" for _ in range(words // 2)) + "."
        prompt = f"{'abcdefgh'[number % N_PROMPTS] * 6}"
        rows.append([f"e{number}", text, prompt, str(ideas), str(int(rng.integers(1, 5)))])
    write_csv(tmp_path / "essays.csv", rows, ["id", "text", "prompt", *TRAIT_NAMES])
    table = (
        'kind = "table"\npath = "essays.csv"\n'
        f"columns = {{ id = 'id', text = 'text', prompt = 'prompt', score = '{TRAIT_NAMES[0]}' }}\n"
        "scales = { shared = { low = 1, high = 4 } }\n"
    )
    for family in ("length", "mean"):
        (tmp_path / f"{family}.toml").write_text(
            f'name = "{family}"\nbaselines = []\n[data.corpus]\n{table}'
            "[data.preparation]\nmin_words = 5\n"
            f'[features]\nsets = ["handcrafted"]\n[scorer]\nfamily = "{family}"\n'
            '[training]\nmapping = "round_half_band"\n[evaluation]\nmin_prompt_n = 5\n',
            encoding="utf-8",
        )
    path = study_file(tmp_path, arm("mean", gates("hard")), changed=())
    text = path.read_text(encoding="utf-8")
    smoke = text.split('config = "')[1].rsplit("/", 1)[0]
    text = text.replace(f"{smoke}/", f"{tmp_path}/").replace("set = [", "# set = [")
    path.write_text(text, encoding="utf-8")
    return path


def run_traits(study: Path, space: Workspace, *words: str) -> int:
    places = ["--runs-dir", str(space.runs), "--cache-dir", str(space.cache)]
    named = [word for trait in TRAIT_NAMES for word in ("--trait", trait)]
    return command(["study", str(study), *named, *places, "--data-dir", str(study.parent), *words])


def test_every_trait_has_its_study_and_all_share_a_table(
    study: Path, space: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_traits(study, space) == 3
    assert run_traits(study, space, "--exit-zero") == 0
    printed = capsys.readouterr().out
    [folder] = (space.runs / "traits").iterdir()
    record = read_record(TraitsRecord, folder / TRAITS)
    assert [one.trait for one in record.studies] == list(TRAIT_NAMES)
    assert len({one.study for one in record.studies}) == len(TRAIT_NAMES)
    rows = {(row.trait, row.arm): row for row in record.rows}
    assert set(rows) == {
        (trait, name) for trait in (*TRAIT_NAMES, None) for name in ("reference", "mean")
    }
    for one in record.studies:
        runs = read_json(space.runs / "studies" / one.study / "study.json")["runs"]
        for run in runs:
            predictions = read_run(space.runs / run["run"]).predictions
            scale = predictions.scales.shared
            assert scale is not None
            row = rows[one.trait, run["arm"]]
            assert row.qwk.estimate == pytest.approx(
                qwk(scale.index(predictions.true), scale.index(predictions.final), scale.n_labels)
            )
    means = [rows[trait, "reference"].qwk.estimate or 0.0 for trait in TRAIT_NAMES]
    mean = rows[None, "reference"].qwk
    assert mean.estimate == pytest.approx(np.mean(means))
    assert mean.low is not None
    assert mean.high is not None
    assert mean.low < np.mean(means) < mean.high
    apart = [(rows[trait, "mean"].qwk.estimate or 0.0) for trait in TRAIT_NAMES]
    delta = rows[None, "mean"].delta
    assert delta is not None
    assert delta.estimate == pytest.approx(np.mean(apart) - np.mean(means))
    assert delta.low is not None
    assert "mean over traits" in printed
    assert "mean over traits" in (folder / "views" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("traits", "message"),
    [(["Grammar", "grammar"], "twice"), (["Spelling"], "no column 'Spelling'")],
)
def test_traits_that_are_none_are_refused_before_anything_runs(
    study: Path,
    space: Workspace,
    capsys: pytest.CaptureFixture[str],
    traits: list[str],
    message: str,
) -> None:
    named = [word for trait in traits for word in ("--trait", trait)]
    places = ["--runs-dir", str(space.runs), "--cache-dir", str(space.cache)]
    words = ["study", str(study), *named, *places, "--data-dir", str(study.parent)]
    assert command(words) == 2
    assert message in capsys.readouterr().err
    assert not (space.runs / "studies").exists()


def test_a_corpus_of_one_score_has_no_traits(
    tmp_path: Path, space: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    path = study_file(tmp_path, arm("a", gates("hard")))
    places = ["--runs-dir", str(space.runs), "--cache-dir", str(space.cache)]
    assert command(["study", str(path), "--trait", "Grammar", *places]) == 2
    assert "one score and no traits" in capsys.readouterr().err
