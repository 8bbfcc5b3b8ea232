"""The committed schemas are those of the records, and what runs write is what the records say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from essay_scoring.cli.main import run
from essay_scoring.cli.schema_list import SCHEMAS
from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.files import read_json
from essay_scoring.core.progress import Progress
from essay_scoring.judging.attempts import attempts_of, mark
from essay_scoring.judging.judgement import register_with_runs
from essay_scoring.records.run_records import CvMetrics
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.schemas import FIELDS, Schema, fields_text, schema_text
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.run import open_run
from tests.conftest import ROOT, smoke_config
from tests.judging.registered import plan_of

COMMITTED = ROOT / "docs" / "schemas"
AGAIN = "write them again with: essay-scoring export schemas -o docs/schemas"
BY_NAME = {schema.name: schema for schema in SCHEMAS}


def test_the_committed_schemas_are_those_of_the_records(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", "schemas", "-o", str(tmp_path)]) == 0
    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert len(made) == len(SCHEMAS) + 1 == len(capsys.readouterr().out.splitlines())
    committed = {path.name: path.read_text(encoding="utf-8") for path in COMMITTED.iterdir()}
    assert committed.keys() == made.keys(), AGAIN
    for name, text in made.items():
        assert committed[name] == text, f"{name}: {AGAIN}"


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A runs folder with a finished run, a registered plan and a run that is no evidence."""
    folder = tmp_path_factory.mktemp("records")
    space = Workspace(folder / "runs", folder / "cache", folder)
    config = smoke_config("length", 'baselines=["mean"]')
    made = run_cv(open_run(config, space, Progress()), report=lambda _: None, resume="again").folder
    register_with_runs(plan_of(), [made], space)
    error = mark(made, "made for a test", attempts_of(space), plan=None)
    assert isinstance(error, EvidenceError)
    return space


def schema_of(path: Path, space: Workspace) -> Schema:
    """Return the schema of a file in a runs folder."""
    if path.name == "manifest.json":  # A run has one, and so does every fit in it.
        return BY_NAME["manifest"]
    for schema in SCHEMAS:
        pattern = re.escape(schema.path.replace("RUN/", f"{space.runs}/RUN/"))
        pattern = pattern.replace("RUNS/", f"{re.escape(str(space.runs))}/").replace(
            "RUN/", "[^/]+/"
        )
        if re.fullmatch(pattern.replace("K", "[0-9]+"), str(path)):
            return schema
    raise AssertionError(f"no schema for {path}")


def records_in(path: Path) -> list[str]:
    """Return the JSON texts of a file: its lines, or all of it."""
    text = path.read_text(encoding="utf-8")
    return text.splitlines() if path.suffix == ".jsonl" else [text]


def test_every_json_file_of_a_run_has_a_schema_that_it_keeps(space: Workspace) -> None:
    paths = [path for path in space.runs.rglob("*.json*") if "baselines" not in path.parts]
    seen = set()
    for path in paths:
        schema = schema_of(path, space)
        seen.add(schema.name)
        for text in records_in(path):
            schema.record.model_validate_json(text)
    assert seen == {
        *("config", "provenance", "status", "progress", "cv_metrics", "residuals", "manifest"),
        *("job", "scorer", "plan_register", "attempts", "second_scores"),
    }


def test_prepared_splits_keep_theirs(space: Workspace) -> None:
    [path] = space.prepared.glob("*/splits.json")
    BY_NAME["splits"].record.model_validate_json(path.read_text(encoding="utf-8"))


def test_published_studies_keep_theirs() -> None:
    studies = sorted((ROOT / "docs" / "results").glob("*.study.json"))
    assert studies
    for path in studies:
        BY_NAME["study_record"].record.model_validate_json(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.update(more=1),
        lambda record: record.pop("summary"),
        lambda record: record.update(schema=1),
        lambda record: record["summary"]["folds"][0].update(exact=1.5),
        lambda record: record["data"].update(predictions_sha256="abc"),
    ],
)
def test_a_record_that_differs_is_found(change: Any, space: Workspace) -> None:
    [path] = space.runs.glob("*/artifacts/cv_metrics.json")
    record = read_json(path)
    CvMetrics.model_validate(record)
    change(record)
    with pytest.raises(ValidationError):
        CvMetrics.model_validate(record)


def test_every_field_of_a_record_says_what_it_means() -> None:
    """Settings say it in their docstrings; records of files say it field by field."""
    for schema in SCHEMAS:
        if not schema.record.__module__.startswith("essay_scoring.reports"):
            continue
        whole = json.loads(schema_text(schema))
        for record in (whole, *whole.get("$defs", {}).values()):
            if record.get("title") in ("ScoreScale", "ScoreScales"):
                continue
            for name, field in record["properties"].items():
                assert field.get("description"), f"{schema.name}: {name}"


def test_fields_are_tables_with_links_that_lead_somewhere() -> None:
    text = (COMMITTED / FIELDS).read_text(encoding="utf-8")
    headings = {line.lstrip("# ").lower() for line in text.splitlines() if line.startswith("#")}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings
    assert (
        "| `exact` | number or null | share of scores equal to the rater's; from 0 to 1 |" in text
    )
    assert "| `seed` | integer | from 0 below 2147483648; default `42` |" in text


def test_two_records_of_one_name_are_refused() -> None:
    def holder(kind: type) -> type[BaseModel]:
        inner = type("Inner", (BaseModel,), {"__annotations__": {"x": kind}})
        return type("Outer", (BaseModel,), {"__annotations__": {"inner": inner}})

    pair = [Schema("a", "a.json", holder(int)), Schema("b", "b.json", holder(str))]
    assert "### Inner" in fields_text(pair[:1])
    with pytest.raises(ValueError, match="two records are called Inner"):
        fields_text(pair)


def test_the_artifacts_page_links_to_every_schema_and_each_link_leads_somewhere() -> None:
    page = (ROOT / "docs" / "artifacts.md").read_text(encoding="utf-8")
    links = set(re.findall(r"\]\(schemas/fields\.md#([^)]+)\)", page))
    assert links == set(BY_NAME)


def test_the_exports_it_shows_are_commands(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "artifacts.md").read_text(encoding="utf-8")
    shown = re.findall(r"^essay-scoring export (\w+) (.*?)(?:  #.*)?$", page, re.MULTILINE)
    assert run(["export", "--help"]) == 0
    listed = capsys.readouterr().out
    for command, arguments in shown:
        assert f"  {command} " in listed
        assert run(["export", command, "--help"]) == 0
        said = capsys.readouterr().out
        for option in re.findall(r"(?<!\S)--?[a-z]+", arguments):
            assert option in said
