"""Markdown as the reports write it, as a page: headings, paragraphs, lists, tables, bold and code.

A name of a corpus was escaped when the Markdown was written; here it is taken out of that escaping
and escaped again for HTML, so that it stays text.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from essay_scoring.reports.html import FROM_RUN, rendered

_INLINE = re.compile(r"\\(?P<mark>.)|`(?P<code>[^`]*)`|\*\*(?P<bold>.+?)\*\*", re.DOTALL)
_CELLS = re.compile(r"(?<!\\)\|")


@dataclass
class PageSection:
    """A heading of the second level with what stands under it, each block as HTML."""

    title: Markup
    blocks: list[Markup] = field(default_factory=list)


def markdown_page(text: str) -> str:
    """Return a Markdown text as a self-contained page, its first part open to the eye."""
    title, *blocks = text.strip().split("\n\n")
    before: list[Markup] = []
    parts: list[PageSection] = []
    for block in blocks:
        if block.startswith("## "):
            parts.append(PageSection(inline(block[3:])))
        else:
            (parts[-1].blocks if parts else before).append(_block(block))
    heading = inline(title.removeprefix("# "))
    return rendered("card.html.jinja", home=FROM_RUN, title=heading, before=before, parts=parts)


def inline(text: str) -> Markup:
    """Return a line of Markdown as HTML."""
    out, at = Markup(), 0
    for found in _INLINE.finditer(text):
        out += escape(html.unescape(text[at : found.start()]))
        at = found.end()
        if found["mark"] is not None:
            out += escape(found["mark"])
        elif found["code"] is not None:
            out += Markup("<code>{}</code>").format(found["code"])
        else:
            out += Markup("<strong>{}</strong>").format(inline(found["bold"]))
    return out + escape(html.unescape(text[at:]))


def _block(block: str) -> Markup:
    """Return a heading of the third level, a list, a table or a paragraph."""
    lines = block.split("\n")
    if block.startswith("### "):
        return Markup("<h3>{}</h3>").format(inline(block[4:]))
    if all(line.startswith("- ") for line in lines):
        items = (Markup("<li>{}</li>").format(inline(line[2:])) for line in lines)
        return Markup("<ul>{}</ul>").format(Markup("").join(items))
    if all(line.startswith("|") for line in lines):
        return _table(lines)
    return Markup("<p>{}</p>").format(inline(" ".join(lines)))


def _table(lines: list[str]) -> Markup:
    """Return a table; its first column names the rows."""
    head, _, *rows = ([inline(cell.strip()) for cell in _CELLS.split(x)[1:-1]] for x in lines)
    heads = (Markup('<th scope="col">{}</th>').format(cell) for cell in head)
    body = Markup("").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            row[0], Markup("").join(Markup('<td class="words">{}</td>').format(x) for x in row[1:])
        )
        for row in rows
    )
    label = escape(", ".join(re.sub("<[^>]*>", "", cell) for cell in head if cell) or "table")
    return Markup(
        '<div class="wide" role="region" aria-label="{}" tabindex="0"><table>'
        '<caption class="unseen">{}</caption><thead><tr>{}</tr></thead><tbody>{}</tbody></table>'
        "</div>"
    ).format(label, label, Markup("").join(heads), body)
