"""The README and the documents say what is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

from essay_scoring.records.study_results import StudyRecord
from essay_scoring.reports.study_table import HEADER, sections
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = ROOT / "docs" / "results"
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_its_two_commands_are_targets() -> None:
    for command in ("make quickstart", "make test"):
        assert command in README
        assert re.search(rf"^{command.removeprefix('make ')}:", MAKEFILE, re.MULTILINE)


def test_every_folder_it_names_exists() -> None:
    tree = README.split("## The tree")[1].split("```")[1]
    for line in tree.splitlines():
        name = line.strip().split(" ")[0]
        if name.endswith("/") and name != "src/essay_scoring/":
            assert (ROOT / name).is_dir() or (ROOT / "src" / "essay_scoring" / name).is_dir(), name


def test_every_file_that_documents_link_to_exists() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_command_it_names_exists() -> None:
    from tests.cli.test_cli import COMMANDS

    named = set(re.findall(r"essay-scoring ([a-z][a-z-]+)", README))
    assert named <= set(COMMANDS)
    table = README.split("| command | what it leaves |")[1].split("\n\n")[0]
    for command in COMMANDS:
        assert f"`{command}" in table, command


def test_the_results_the_readme_quotes_are_in_the_artifact() -> None:
    study = json.loads((RESULTS / "ellipse.study.json").read_text(encoding="utf-8"))
    [main] = [
        section
        for section in sections(StudyRecord.model_validate(study))
        if section.scheme == "prompt_holdout"
    ]
    shown = README.split("## Results so far")[1].split("\n\n")[2].splitlines()
    assert shown[0] == f"| {' | '.join(HEADER)} |"
    made = {f"| {' | '.join(row)} |" for row in main.rows}
    assert len(shown) > 10
    assert set(shown[2:]) <= made
    [decided] = [row for row, mark in zip(main.rows, main.marks, strict=True) if mark == "own"]
    assert f"| {' | '.join(decided)} |" in shown


def test_the_power_the_readme_quotes_is_the_artifacts() -> None:
    record = json.loads((RESULTS / "power_g3_local.json").read_text(encoding="utf-8"))
    assert f"> {record['conclusion']}\n" in README
    g1 = json.loads((RESULTS / "g1_ellipse.study.json").read_text(encoding="utf-8"))
    [said] = [plan["power"] for plan in g1["plans"] if plan["name"] == "g1"]
    assert "18.0% of the time (n = 800, 95% interval 15.4% to 20.8%)" in str(said)


def test_no_essay_text_lies_under_docs() -> None:
    for path in RESULTS.glob("*.json"):
        longest = max(map(len, re.findall(r'"((?:[^"\\]|\\.)*)"', path.read_text("utf-8"))))
        assert longest < 400, path


def test_its_example_of_an_own_corpus_is_a_valid_config(tmp_path: Path) -> None:
    from essay_scoring.data.data_settings import TableCorpus
    from essay_scoring.records.config import load_run_config

    example = README.split("```toml")[1].split("```")[0]
    path = tmp_path / "mine.toml"
    path.write_text(example.replace('"configs/', f'"{ROOT}/configs/'), encoding="utf-8")
    config = load_run_config(path)
    assert isinstance(config.data.corpus, TableCorpus)
    assert config.data.preparation.min_words == 50


def test_the_speeds_the_readme_quotes_are_those_of_the_last_run() -> None:
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))
    table = README.split("## Speed")[1].split("\n## ")[0]
    for claim in results["claims"]:
        assert f"| {claim['claim']} | {claim['figure']} | `{claim['command']}` |" in table
