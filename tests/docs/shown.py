"""Commands that pages show: in fenced blocks, in running text, and in blocks that tests run."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

RUN_ME = "<!-- tests run this -->"
"""What a page says above a fenced block that is run, line by line, in a folder of its own."""

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<kind>\w*)\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_INLINE = re.compile(r"`(essay-scoring(?: [^`]*)?)`")
_PROGRAM = "essay-scoring"


@dataclass(frozen=True)
class Shown:
    """A command as a page shows it: its words after the program's name, and whether it is whole.

    A command named in running text without arguments stands for itself, not for a call.
    """

    page: str
    words: tuple[str, ...]
    whole: bool

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def pages() -> list[Path]:
    """Return the pages whose commands are checked."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(text: str, kind: str | None = None) -> list[str]:
    """Return the bodies of a page's fenced blocks, those of one kind if one is given."""
    found = [match for match in _FENCE.finditer(text) if kind in (None, match["kind"])]
    return [match["body"] for match in found]


def commands_of(page: Path) -> list[Shown]:
    """Return every `essay-scoring ...` that a page shows."""
    text, name = page.read_text(encoding="utf-8"), page.name
    lines = [line for block in blocks(text) for line in _joined(block)]
    calls = [line for line in lines if line.startswith(_PROGRAM)]
    shown = [Shown(name, _words(line), whole=True) for line in calls]
    for inline in _INLINE.findall(_FENCE.sub("", text)):
        words = _words(" ".join(inline.split()))
        shown.append(Shown(name, words, whole=len(words) > 2))
    return list(dict.fromkeys(shown))


def to_run(page: Path) -> list[str]:
    """Return, in order, the shell commands of a page's blocks that are marked to be run."""
    text = page.read_text(encoding="utf-8")
    parts = text.split(f"{RUN_ME}\n")[1:]
    return [line for part in parts for line in _joined(blocks(part)[0])]


def _joined(block: str) -> list[str]:
    """Return a block's lines, each with those that a backslash joins to it."""
    return [line.strip() for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def _words(line: str) -> tuple[str, ...]:
    return tuple(shlex.split(line, comments=True)[1:])
