"""The README and the documents say what is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from essay_scoring.features.linguistic import COMPANIONS
from essay_scoring.reports.cells import markdown_table, number, with_interval
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


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.study.json")), ids=lambda path: path.stem)
def test_every_table_of_the_results_is_its_artifacts(path: Path) -> None:
    study = json.loads(path.read_text(encoding="utf-8"))
    document = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    for section in sections(study):
        assert markdown_table(HEADER, section.rows) in document


def test_the_results_the_readme_quotes_are_in_the_artifact() -> None:
    study = json.loads((RESULTS / "lift_ellipse.study.json").read_text(encoding="utf-8"))
    [main] = [section for section in sections(study) if section.scheme == "prompt_holdout"]
    assert markdown_table(HEADER, main.rows) in README


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
    from essay_scoring.data.settings import TableCorpus
    from essay_scoring.experiments.config import load_run_config

    example = README.split("```toml")[1].split("```")[0]
    path = tmp_path / "mine.toml"
    path.write_text(example.replace('"configs/', f'"{ROOT}/configs/'), encoding="utf-8")
    config = load_run_config(path)
    assert isinstance(config.data.corpus, TableCorpus)
    assert config.data.preparation.min_words == 50


def test_the_mappings_table_is_its_artifact() -> None:
    document = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    rows = json.loads((RESULTS / "mappings.json").read_text(encoding="utf-8"))["rows"]
    assert len(rows) == 4
    for row in rows:
        mean, mae = row["mean_qwk"], row["mae"]
        cells = (
            f"{mean['mean']:.3f} ± {mean['std']:.3f}",
            with_interval(row["pooled_qwk"]),
            number(mae["estimate"]),
        )
        [line] = [x for x in document.splitlines() if x.startswith(f"| `{row['setting']}`")]
        assert line.endswith(f"| {' | '.join(cells)} |")


def test_the_companions_table_is_its_artifact() -> None:
    document = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    rows = json.loads((RESULTS / "companions.json").read_text(encoding="utf-8"))["rows"]
    assert {row["companion"] for row in rows} == {*COMPANIONS, "all of them"}
    for row in rows:
        delta = with_interval(row, sign=True)
        assert f"| {row['companion']} | {row['candidate']:.3f} | {delta} | {row['n']} |" in document


def test_the_table_of_searches_is_its_artifact() -> None:
    document = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    rows = json.loads((RESULTS / "searches.json").read_text(encoding="utf-8"))["rows"]
    assert {"best, as it looks", "best, less its luck", "nested"} <= {row["what"] for row in rows}
    names = ["worst_prompt_qwk", "mean_qwk", "bottom_k_mean", "pooled_qwk"]
    names += ["low_tail_adjacent", "high_tail_adjacent", "mae"]
    table = document.split("## What a search is worth")[1].split("\n## ")[0]
    for row in rows:
        figures = " | ".join(number(row[name]) for name in names)
        assert f"| {row['what']} | {figures} |" in table


@pytest.mark.parametrize("name", ["reference.audit.json", "reference.explain.json"])
def test_the_findings_of_audits_are_their_artifacts(name: str) -> None:
    document = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    for section in json.loads((RESULTS / name).read_text(encoding="utf-8"))["sections"]:
        line = f"| {section['title']} | {section['verdict']} | {section['finding']} |"
        assert line in document, section["name"]


def test_the_speeds_the_readme_quotes_are_those_of_the_last_run() -> None:
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))
    table = README.split("## Speed")[1].split("\n## ")[0]
    for claim in results["claims"]:
        assert f"| {claim['claim']} | {claim['figure']} | `{claim['command']}` |" in table


def test_the_differences_of_the_lift_are_the_gates() -> None:
    document = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    study = json.loads((RESULTS / "lift_ellipse.study.json").read_text(encoding="utf-8"))
    rows = [
        (gate["arm"], check, gate["verdict"])
        for gate in study["gates"]
        for check in gate["checks"]
        if check["metric"] == "pooled_qwk"
    ]
    assert len(rows) == 9
    for arm, check, verdict in rows:
        delta = f"{check['delta']:+.3f} [{check['low']:+.3f}, {check['high']:+.3f}]"
        assert re.search(
            rf"^\| {arm} \| .* \| {re.escape(delta)} \| {verdict} \|$", document, re.MULTILINE
        )


def test_the_table_of_fine_tuned_arms_is_its_artifact() -> None:
    document = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    rows = json.loads((RESULTS / "g3_local.json").read_text(encoding="utf-8"))["rows"]
    for row in rows:
        figures = [row["worst_prompt"], row["bottom_k_mean"], row["mae"]]
        mean = f"{number(row['mean_qwk'])} ± {number(row['mean_qwk_std'])}"
        cells = [row["arm"], mean, with_interval(row["pooled_qwk"]), *map(number, figures)]
        probe = row["probe"]
        told = f"{number(probe['learnt'])} ({number(probe['frozen'])})" if probe else ""
        assert f"| {' | '.join(cells)} | {told} | {row['fit_minutes']:.1f} |" in document
