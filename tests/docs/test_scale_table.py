"""The table of how commands grow is the one that its artifact holds."""

from __future__ import annotations

import pytest
from benchmarks.scale import OUT, PAGE, page, table

from essay_scoring.core.files import read_json


def test_the_page_shows_its_artifact() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text, read_json(OUT)) == text, "run benchmarks/scale.py"


@pytest.mark.parametrize(("cell", "shown"), [(0, "| 150 |"), (50_000_000, "50 MB: refused")])
def test_a_measurement_is_a_line(cell: int, shown: str) -> None:
    row = {"command": "score", "rows": 2000, "prompts": 40, "cell": cell}
    line = table([row | {"cpu_seconds": 0.3, "seconds": 0.5, "peak_mib": 60}]).splitlines()[-1]
    assert shown in line
    assert "2,000 | 40 | 0.3 | 0.5 | 60" in line
