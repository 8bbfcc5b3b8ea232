"""A page read back: its tags, its text and its attributes."""

from __future__ import annotations

from html.parser import HTMLParser

from essay_scoring.reports.html import environment

VOID = {"meta", "br", "link", "img", "input", "hr"}
MAY_STAND_OPEN = {"p", "li"}


def without_script(text: str) -> str:
    """Return a page without the project's own script, which must be there once."""
    own = f"<script>{environment().globals['script']}</script>"
    assert text.count(own) == 1
    return text.replace(own, "")


class Page(HTMLParser):
    """Collects tags, elements, attributes and text; `faults` names tags that do not pair up.

    The project's own script is left out; any other would be among the tags.
    """

    def __init__(self, text: str) -> None:
        text = without_script(text)
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.faults: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes another tag")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def _note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    @property
    def text(self) -> str:
        """All text of the page."""
        return " ".join(self.texts)

    def values(self, name: str) -> list[str]:
        """Return every value of an attribute."""
        return [value for _, attribute, value in self.attributes if attribute == name]
