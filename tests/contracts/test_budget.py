"""What keeps the code readable: sizes, one name for one thing, and types between modules."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "src" / "essay_scoring"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
MAX_MODULE_LINES = 500
MAX_FUNCTION_LINES = 60
MEDIAN_FUNCTION_LINES, P90_FUNCTION_LINES = 6, 18
UNTYPED = ("dict[str, Any]", "dict[str, object]", "Mapping[str, Any]", "Mapping[str, object]")
MAX_UNTYPED_SIGNATURES = 20
"""How many public functions take or return a dict of anything. It only falls."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def code_lines(function: Function) -> int:
    """Count the lines of a function's body, its docstring aside."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    body = function.body[1:] if documented else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def repeated(places: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: where for name, where in places.items() if len(where) > 1}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_modules_and_functions_stay_small(path: Path) -> None:
    assert path.read_text(encoding="utf-8").count("\n") <= MAX_MODULE_LINES
    for function in functions(TREES[path]):
        assert function.end_lineno is not None
        assert function.end_lineno - function.lineno <= MAX_FUNCTION_LINES, function.name


def test_most_functions_are_short() -> None:
    lengths = [code_lines(function) for tree in TREES.values() for function in functions(tree)]
    assert np.median(lengths) <= MEDIAN_FUNCTION_LINES
    assert np.quantile(lengths, 0.9) <= P90_FUNCTION_LINES


def test_the_length_of_a_function_is_that_of_its_code() -> None:
    source = 'def f():\n    """Say.\n\n    More.\n    """\n    a = 1\n    return a\n'
    [function] = functions(ast.parse(source))
    assert code_lines(function) == 2
    [empty] = functions(ast.parse('def f():\n    """Say."""\n'))
    assert code_lines(empty) == 0


def test_no_module_has_the_name_of_another() -> None:
    places = defaultdict(list)
    for path in SOURCES:
        if path.stem != "__init__":
            places[path.stem].append(name_of(path))
    assert repeated(places) == {}


def test_no_public_class_has_the_name_of_another() -> None:
    places = defaultdict(list)
    for path, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(name_of(path))
    assert repeated(places) == {}


def untyped(tree: ast.AST) -> list[str]:
    """Return the public functions whose arguments or result are a dict of anything."""
    return [
        function.name
        for function in functions(tree)
        if not function.name.startswith("_")
        and any(kind in signature(function) for kind in UNTYPED)
    ]


def signature(function: Function) -> str:
    result = ast.unparse(function.returns) if function.returns else ""
    return f"{ast.unparse(function.args)} -> {result}"


def test_dicts_of_anything_do_not_spread_between_modules() -> None:
    names = [f"{name_of(path)}: {name}" for path, tree in TREES.items() for name in untyped(tree)]
    assert len(names) <= MAX_UNTYPED_SIGNATURES, "\n".join(names)


def test_an_untyped_signature_is_recognised() -> None:
    source = (
        "def f(a: dict[str, Any]): ...\n"
        "def g() -> Mapping[str, object]: ...\n"
        "def _h(a: dict[str, Any]): ...\n"
        "def i(a: dict[str, int]): ...\n"
    )
    assert untyped(ast.parse(source)) == ["f", "g"]


def test_every_folder_is_a_floor_and_says_what_it_is_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    floors = sorted(name for layer in layers for name in re.split(r"[ |:]+", layer))
    folders = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))
    assert [folder.name for folder in folders] == floors
    assert all(ast.get_docstring(TREES[folder / "__init__.py"]) for folder in folders)
