"""Every command that the documents show exists, takes what it is given, and reads files there are.

The pages that lead from essays to scores are run as they stand.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer.main

from essay_scoring.cli.main import app, run
from essay_scoring.data.data_settings import SyntheticCorpus, TableCorpus
from essay_scoring.data.synthetic import generate
from essay_scoring.judging.plans import load_plan
from essay_scoring.judging.study_plan import load_study
from essay_scoring.launch.profile import load_profile
from essay_scoring.records.config import load_run_config
from essay_scoring.records.presets import PRESETS
from essay_scoring.records.search_settings import load_search
from tests.conftest import ROOT
from tests.docs.shown import Shown, blocks, commands_of, pages, to_run

COMMANDS = [command for page in pages() for command in commands_of(page)]
ASAP = PRESETS / "asap"
OWN_CORPUS, QUICKSTART = ROOT / "docs" / "own-corpus.md", ROOT / "docs" / "quickstart.md"
READERS: dict[str, Callable[[Path], object]] = {
    "studies": load_study,
    "gates": load_plan,
    "search": load_search,
    "profiles": load_profile,
}
"""What reads the files of a folder under configs/; all other files there are run configs."""


def parsed(shown: Shown) -> Any:
    """Return the context of a command, parsed as the program would, without running it."""
    context: Any = typer.main.get_command(app).make_context(
        "essay-scoring", list(shown.words), resilient_parsing=not shown.whole
    )
    while hasattr(context.command, "resolve_command"):
        words = [*context._protected_args, *context.args]
        if not words and not shown.whole:
            return context
        name, command, words = context.command.resolve_command(context, words)
        context = command.make_context(
            name, words, parent=context, resilient_parsing=not shown.whole
        )
    return context


@pytest.mark.parametrize("shown", COMMANDS, ids=str)
def test_it_parses(shown: Shown) -> None:
    parsed(shown)


@pytest.mark.parametrize(
    "words", ["studdy x.toml", "cv x.toml --sett a.b=1", "score model", "remote stat x"]
)
def test_what_is_no_command_is_found(words: str) -> None:
    with pytest.raises(Exception, match=r"(?i)no such|missing"):
        parsed(Shown("page", tuple(words.split()), whole=True))


def names_of_configs(shown: Shown) -> list[Path]:
    """Return the files under configs/ that a command names."""
    return [Path(word) for word in shown.words if word.startswith("configs/")]


CONFIGS = sorted({path for shown in COMMANDS for path in names_of_configs(shown)})


@pytest.mark.parametrize("path", CONFIGS, ids=str)
def test_a_config_that_is_named_can_be_read(path: Path) -> None:
    """By the folder it lies in."""
    if path.parent.name == "data":
        assert (ROOT / path).is_file()
    else:
        READERS.get(path.parent.name, load_run_config)(ROOT / path)


def test_overrides_that_are_shown_fit_their_configs() -> None:
    seen = 0
    for shown in COMMANDS:
        context = parsed(shown) if shown.whole else None
        given = {} if context is None else context.params
        if given.get("overrides") and str(given.get("config", "")).startswith("configs/"):
            load_run_config(ROOT / given["config"], given["overrides"])
            seen += 1
    assert seen


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in index, page.name


def test_pages_show_what_init_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_asap(tmp_path / "corpus")
    assert run(["init", "corpus/essays.csv", "--out", "asap", "--yes"]) == 0
    shown = blocks(OWN_CORPUS.read_text(encoding="utf-8"), "toml")
    for name in ("data.toml", "gate.toml"):
        assert (tmp_path / "asap" / name).read_text(encoding="utf-8") in shown


def test_every_preset_of_the_example_has_one_corpus() -> None:
    """raters.toml alone takes other columns: those of the two raters, with their scales."""
    configs = {name: load_run_config(ASAP / f"{name}.toml") for name in ("reference", "catboost")}
    assert configs["reference"].data == configs["catboost"].data
    corpus = load_run_config(ASAP / "raters.toml").data.corpus
    assert isinstance(corpus, TableCorpus)
    assert corpus.columns.second_score == "rater2_domain1"
    assert (corpus.scales.of("1").high, corpus.scales.of("2").high) == (6, 6)


RATED = {"1": (1, 6), "2": (1, 6), "3": (0, 3), "4": (0, 3), "5": (0, 4), "6": (0, 4)} | {
    "7": (0, 15),
    "8": (0, 30),
}
"""The scale on which a rater of each ASAP prompt gives scores."""

SUMMED = ("1", "7", "8")
"""The prompts whose resolved score is the sum of the two raters'."""

HEADER = ("essay_id", "essay_set", "essay", "rater1_domain1", "rater2_domain1", "domain1_score")


def write_asap(folder: Path) -> None:
    """Write made essays in the columns of ASAP: essays.csv, scored, and new.csv, without scores."""
    folder.mkdir()
    corpus = SyntheticCorpus(n_essays=264, n_locked=16, n_prompts=8, seed=11)
    train, new = generate(corpus, "train"), generate(corpus, "locked").essays
    assert train.second_scores is not None
    named = {prompt: str(i) for i, prompt in enumerate(sorted(set(train.prompts)), start=1)}
    rows: list[tuple[object, ...]] = []
    for i, text in enumerate(train.essays.texts):
        prompt = named[train.prompts[i]]
        low, high = RATED[prompt]
        both = (train.scores[i], train.second_scores[i])
        one, two = (round(low + (score - 1) / 4 * (high - low)) for score in both)
        resolved = one + two if prompt in SUMMED else max(one, two)
        rows.append((i + 1, prompt, text, one, two, resolved))
    write_table(folder / "essays.csv", HEADER, rows)
    unscored = [
        (9001 + i, named[prompt], text)
        for i, (prompt, text) in enumerate(zip(new.prompts, new.texts, strict=True))
    ]
    write_table(folder / "new.csv", HEADER[:3], unscored)


def write_table(path: Path, header: tuple[str, ...], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def run_page(page: Path, folder: Path, codes: dict[str, set[int]]) -> list[str]:
    """Run a page's marked commands in a folder; `codes` are those of a command that may not be 0.

    Return what each printed.
    """
    shutil.copytree(ROOT / "configs", folder / "configs")
    own = {k: v for k, v in os.environ.items() if not k.startswith("ESSAY_SCORING_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}"
    said = []
    for line in to_run(page):
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=folder,
            env={**own, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        [allowed] = [codes[name] for name in codes if f"essay-scoring {name}" in line] or [{0}]
        assert done.returncode in allowed, f"{line}\n{done.stderr[-2000:]}"
        said.append(done.stdout)
    return said


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_own_corpus_comes_to_a_study_an_audit_a_model_and_scores(tmp_path: Path) -> None:
    """In the five commands of the page, on a table of eight prompts with scales of their own."""
    assert len(to_run(OWN_CORPUS)) == 5
    write_asap(tmp_path / "corpus")
    said = run_page(OWN_CORPUS, tmp_path, {"study": {0, 3, 4}})
    assert "decision: " in said[1]
    assert list(tmp_path.glob("runs/studies/asap-*/decision.md"))
    assert list(tmp_path.glob("runs/audits/asap-reference-*/audit.json"))
    assert list(tmp_path.glob("models/asap-reference-*/manifest.json"))
    with (tmp_path / "scores.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16
    scale = {prompt: (low, high) for prompt, (low, high) in RATED.items()}
    for row in rows:
        times = 2 if row["essay_set"] in SUMMED else 1
        low, high = (times * bound for bound in scale[row["essay_set"]])
        assert low <= float(row["predicted_band"]) <= high
        assert "essay" not in row
        assert row["prompt_seen"] == "yes"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_small_tour_of_the_quickstart_runs(tmp_path: Path) -> None:
    assert to_run(QUICKSTART)
    run_page(QUICKSTART, tmp_path, {})
    assert (tmp_path / "scores.csv").is_file()
