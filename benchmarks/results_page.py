"""Write docs/results.md: the words of results_template.md, the numbers of docs/results.

    python -m benchmarks.results_page

No number is typed: `{name}` in the template is a figure of an artifact, in `figures`, and
`{table_name}` a table, in `tables`. `make evidence` makes the artifacts.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.results_figures import figures
from benchmarks.results_tables import tables

from essay_scoring.core.files import write_text

HERE = Path(__file__).resolve().parent
TEMPLATE, PAGE = HERE / "results_template.md", HERE.parent / "docs" / "results.md"


def written() -> str:
    """Return the page as its artifacts have it; KeyError for a name that nothing makes."""
    return TEMPLATE.read_text(encoding="utf-8").format_map(figures() | tables())


if __name__ == "__main__":
    write_text(PAGE, written())
