"""What a notebook shows of a result: a sentence and its tables, self-contained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from essay_scoring.reports.html import environment


@dataclass(frozen=True)
class NotebookTable:
    """A table as text: a caption, a header, and rows of as many cells."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def fragment(sentences: Sequence[str], tables: Sequence[NotebookTable]) -> str:
    """Return HTML to stand in a page of somebody else's; whatever it is given is escaped."""
    template = environment().get_template("notebook.html.jinja")
    return template.render(sentences=sentences, tables=[table for table in tables if table.rows])
