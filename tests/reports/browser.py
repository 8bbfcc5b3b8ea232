"""A headless Chromium, and what a page does in it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

# A browser window cannot be as narrow as a telephone; a frame in it can.
PROBE = """<!doctype html><meta charset="utf-8"><body style="margin:0"><iframe srcdoc="{page}"
style="width:{width}px;height:{height}px;border:0"></iframe><p id="found"></p><script>
onload = () => {{
  const page = document.querySelector("iframe").contentDocument, root = page.documentElement;
  const edge = root.clientWidth + 1, inside = "svg, .wide, pre";
  const out = [...page.querySelectorAll("body *")].filter(
    element => !element.closest(inside) && element.getBoundingClientRect().right > edge);
  const folded = [...page.querySelectorAll("details.prints > :not(summary)")].filter(
    element => !element.checkVisibility({{contentVisibilityAuto: true}}));
  const made = page.querySelectorAll("script, img, iframe, object").length;
  found.textContent = JSON.stringify({{scroll: root.scrollWidth, client: root.clientWidth,
    outside: out.length, made: made, ran: "ran" in window, folded: folded.length}});
}};
</script>"""


def chromium(folder: Path, *arguments: str) -> str:
    """Run a headless Chromium with a profile of its own and return what it printed."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if program is None:
        pytest.skip("no chromium on PATH")
    flags = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}",
    )
    done = subprocess.run(
        [program, *flags, *arguments], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout


def probed(page: str, folder: Path, width: int) -> dict[str, Any]:
    """Return what a page of HTML measures in a frame, and whether anything in it ran."""
    probe = folder / "probe.html"
    shown: dict[str, Any] = {"page": html.escape(page), "width": width, "height": 900}
    probe.write_text(PROBE.format(**shown), encoding="utf-8")
    dom = chromium(folder, "--dump-dom", probe.as_uri())
    found = re.search(r'<p id="found">(\{.*?\})</p>', dom)
    assert found is not None
    measured: dict[str, Any] = json.loads(html.unescape(found[1]))
    return measured
