"""Help: every command in a group, values named by words, and the version."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import typer.main
from typer.core import TyperCommand, TyperGroup
from typer.testing import CliRunner

from essay_scoring import __version__
from essay_scoring.cli.help_pages import Panel
from essay_scoring.cli.main import app

ROOT_COMMAND = typer.main.get_command(app)


def commands(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            yield from commands(below, (*path, name))


PATHS = list(commands(ROOT_COMMAND))


def helped(*path: str) -> str:
    done = CliRunner().invoke(app, [*path, "--help"])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_no_help_names_a_type_of_python(path: tuple[str, ...]) -> None:
    text = helped(*path)
    names = re.compile(
        r"<(?:list|dict|tuple|str|int|float|bool|path|text)\b|\bPath\b|Optional|None\b"
    )
    assert not names.search(text), names.findall(text)
    assert "{" not in text.splitlines()[0]


def test_every_command_stands_in_a_group_with_its_whole_first_sentence() -> None:
    assert isinstance(ROOT_COMMAND, TyperGroup)
    text = helped()
    assert [line[:-1] for line in text.splitlines() if line.removesuffix(":") in [*Panel]] == [
        *Panel
    ]
    assert "..." not in text.split("Data:")[1]
    for command in ROOT_COMMAND.commands.values():
        assert isinstance(command, TyperCommand | TyperGroup)
        assert command.rich_help_panel in [*Panel], command.name


def test_usage_names_arguments_as_they_are_given() -> None:
    assert "[OPTIONS] REFERENCE CANDIDATES..." in helped("compare-cv-runs")
    assert "--scheme prompt_holdout|stratified_text" in helped("cv")
    assert "--part N" in helped("cv")


def test_the_version_is_said() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.output) == (0, f"essay-scoring {__version__}\n")
