"""The page of the Python API and its notebook: their code runs, and the list is the API.

No Jupyter is among the project's packages. A small runner executes the notebook's code cells in
order, in one namespace of a process of its own, and shows each last expression as Jupyter would.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import essay_scoring
from tests.conftest import PATIENCE, ROOT
from tests.docs.shown import blocks

PAGE, NOTEBOOK = ROOT / "docs" / "python.md", ROOT / "docs" / "python.ipynb"
RUNNER = """
import ast, json, pathlib, sys
cells = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))["cells"]
names = {"__name__": "__main__"}
shown = []
for cell in cells:
    if cell["cell_type"] != "code":
        continue
    tree = ast.parse("".join(cell["source"]))
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        shown.append(value._repr_html_() if hasattr(value, "_repr_html_") else repr(value))
print(json.dumps(shown))
"""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def test_the_four_lines_run_as_a_plain_script_in_a_bare_folder(tmp_path: Path) -> None:
    script = blocks(PAGE.read_text(encoding="utf-8"), "python")[0]
    assert len([line for line in script.splitlines() if line]) == 4
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    done = run(tmp_path, "-W", "error", "script.py")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\[\d\.\d?\]\n", done.stdout)
    assert done.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["script.py"]


def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    done = run(tmp_path, "-W", "error", "-c", RUNNER, str(NOTEBOOK))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    shown = json.loads(done.stdout)
    assert len(shown) == 6
    assert ast.literal_eval(shown[3])[0] in {"pass", "fail", "inconclusive"}
    assert sum("<table>" in text for text in shown) == 2
    assert [*tmp_path.iterdir()] == []


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    kept = [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]
    assert kept == []
    assert any(cell["cell_type"] == "code" for cell in cells)


def test_the_page_lists_the_api_and_nothing_else() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(essay_scoring.__all__)


def test_every_other_block_names_what_there_is() -> None:
    for block in blocks(PAGE.read_text(encoding="utf-8"), "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module == "essay_scoring":
                assert {alias.name for alias in node.names} <= set(essay_scoring.__all__)
