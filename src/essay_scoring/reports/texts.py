"""Several texts into one folder: how every report leaves its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from essay_scoring.core.files import write_text
from essay_scoring.core.text import harmless_markdown


def write_texts(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write each text under its name into a folder; return their paths, in order."""
    for name, text in texts.items():
        write_text(folder / name, harmless_markdown(text) if name.endswith(".md") else text)
    return [folder / name for name in texts]
