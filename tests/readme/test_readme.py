"""The README and the documents say what is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from benchmarks.readme import BLOCKS, mark, wrapped

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = ROOT / "docs" / "results"
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def page(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_its_two_commands_are_targets() -> None:
    for command in ("make quickstart", "make test"):
        assert command in README
        assert re.search(rf"^{command.removeprefix('make ')}:", MAKEFILE, re.MULTILINE)


def test_every_folder_it_names_exists() -> None:
    tree = CONTRIBUTING.split("## The tree")[1].split("```")[1]
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
    table = page("docs/commands.md").split("| command | what it leaves |")[1].split("\n\n")[0]
    for command in COMMANDS:
        assert f"`{command}" in table, command


@pytest.mark.parametrize("name", BLOCKS)
def test_the_numbers_it_quotes_are_made_from_their_artifacts(name: str) -> None:
    begin, end = mark(name)
    assert README.count(begin) == README.count(end) == 1
    shown = README.split(begin)[1].split(end)[0]
    assert shown == wrapped(BLOCKS[name]())
    assert re.search(r"\d\.\d{3} \(95%: ", shown)


def test_a_reader_finds_what_for_whom_and_what_to_type_at_once() -> None:
    assert len(README.splitlines()) <= 130
    first = README.split("## What it found")[0]
    assert len(first.splitlines()) <= 50
    assert "For researchers" in first
    assert "## Your own essays" in first
    assert len(re.findall(r"^\|---", README, re.MULTILINE)) == 1


def test_its_picture_is_a_modest_png_of_the_report() -> None:
    data = (ROOT / "docs" / "quickstart" / "report.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20], "big") == 1100
    assert len(data) < 200_000


def test_the_power_that_judging_quotes_is_the_artifacts() -> None:
    record = json.loads((RESULTS / "power_g3_local.json").read_text(encoding="utf-8"))
    judging = page("docs/judging.md")
    assert f"> {record['conclusion']}\n" in judging
    g1 = json.loads((RESULTS / "g1_ellipse.study.json").read_text(encoding="utf-8"))
    [said] = [plan["power"] for plan in g1["plans"] if plan["name"] == "g1"]
    told = r"two equal scorers ([\d.]+)% of the time \(n = (\d+), 95% interval (\S+)% to (\S+)%\)"
    found = re.search(told, said)
    assert found is not None
    passes, n, low, high = map(float, found.groups())
    interval = f"95% interval {low:.0f} to {high:.0f}"
    assert f"{passes:.0f}% of the time (`g1.toml`, {n:,.0f} pairs, {interval})" in judging


def test_no_essay_text_lies_under_docs() -> None:
    for path in RESULTS.glob("*.json"):
        longest = max(map(len, re.findall(r'"((?:[^"\\]|\\.)*)"', path.read_text("utf-8"))))
        assert longest < 400, path


def test_the_example_of_an_own_corpus_is_a_valid_config(tmp_path: Path) -> None:
    from essay_scoring.data.data_settings import TableCorpus
    from essay_scoring.records.config import load_run_config

    example = page("docs/own-corpus.md").split("```toml")[1].split("```")[0]
    (tmp_path / "data.toml").write_text(example, encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text('extends = ["data.toml", "preset:length"]\nname = "mine"\n', encoding="utf-8")
    config = load_run_config(path)
    assert isinstance(config.data.corpus, TableCorpus)
    assert config.data.preparation.min_words == 20


def test_the_speeds_quoted_are_those_of_the_last_run() -> None:
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))
    table = page("benchmarks/README.md").split("## The last run")[1]
    for claim in results["claims"]:
        assert f"| {claim['claim']} | {claim['figure']} | `{claim['command']}` |" in table
