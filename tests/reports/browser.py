"""A headless Chromium, and what a page does in it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

Look = Literal["light", "dark", "print"]

# A browser window cannot be as narrow as a telephone; a frame in it can.
FRAME = """<iframe data-inside="{inside}" srcdoc="{page}"
style="width:{width}px;height:900px;border:0;display:block"></iframe>"""
PROBE = """<!doctype html><meta charset="utf-8"><body style="margin:0">{frames}
<p id="found"></p><script>
const measured = frame => {{
  const page = frame.contentDocument, root = page.documentElement;
  const edge = root.clientWidth + 1, inside = frame.dataset.inside;
  const every = [...page.querySelectorAll("body *")].filter(
    one => !one.closest(inside) && one.checkVisibility({{contentVisibilityAuto: true}}));
  const out = every.filter(one => one.getBoundingClientRect().right > edge);
  const over = every.filter(one => {{
    const box = one.parentElement.getBoundingClientRect(), mine = one.getBoundingClientRect();
    return mine.width > 0 && !["absolute", "fixed"].includes(getComputedStyle(one).position)
      && !one.matches(".skip") && (mine.right > box.right + 1.5 || mine.left < box.left - 1.5);
  }});
  const split = [...page.querySelectorAll("thead th")].filter(one => {{
    const range = page.createRange(), node = document.createTreeWalker(one, NodeFilter.SHOW_TEXT);
    for (let text = node.nextNode(); text; text = node.nextNode())
      for (const word of text.data.matchAll(/[A-Za-z]+/g)) {{
        range.setStart(text, word.index); range.setEnd(text, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map(r => Math.round(r.top))).size > 1) return true;
      }}
    return false;
  }});
  const folded = [...page.querySelectorAll("details.prints > :not(summary)")].filter(
    element => !element.checkVisibility({{contentVisibilityAuto: true}}));
  const scrolls = [...page.querySelectorAll(".wide")].filter(
    one => one.scrollWidth > one.clientWidth + 1).length;
  const made = page.querySelectorAll("script, img, iframe, object").length;
  const name = one => one.tagName.toLowerCase() + (one.className ? "." + one.className : "");
  return {{scroll: root.scrollWidth, client: root.clientWidth,
    outside: out.length, over: over.slice(0, 5).map(name),
    split: split.map(one => one.textContent), made: made,
    ran: "ran" in window, scrolls: scrolls, folded: folded.length,
    sorts: page.querySelectorAll("thead button").length}};
}};
onload = () => {{
  found.textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(measured));
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


def themed(look: Look) -> str:
    """Return the option of a browser that shows a page in this theme."""
    return f"--blink-settings=preferredColorScheme={int(look != 'dark')}"


def probed(
    page: str, folder: Path, widths: Sequence[int], look: Look = "light"
) -> list[dict[str, Any]]:
    """Return what a page of HTML measures in a frame of each width, and whether anything in it ran.

    `print` lays it out by the rules for paper.
    """
    probe = folder / "probe.html"
    laid = page.replace("@media print", "@media all") if look == "print" else page
    # On paper nothing scrolls, so that what scrolls elsewhere has to fit as well.
    inside = "svg, .unseen" if look == "print" else "svg, .wide *, pre, .unseen"
    shown = html.escape(laid)
    frames = [FRAME.format(inside=inside, page=shown, width=width) for width in widths]
    probe.write_text(PROBE.format(frames="\n".join(frames)), encoding="utf-8")
    dom = chromium(folder, themed(look), "--dump-dom", probe.as_uri())
    found = re.search(r'<p id="found">(\[.*?\])</p>', dom)
    assert found is not None
    measured: list[dict[str, Any]] = json.loads(html.unescape(found[1]))
    assert len(measured) == len(widths)
    return measured
