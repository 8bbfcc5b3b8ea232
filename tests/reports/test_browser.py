"""The page in a real browser: nothing sticks out at 400 and 1,400 pixels, in light and dark."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.reports.run_reports import write_run_reports
from tests.evaluation.made import MIXED, made_predictions
from tests.reports.made_run import hostile_run, write_made_run

pytestmark = pytest.mark.browser

# A browser window cannot be as narrow as a telephone; a frame in it can.
PROBE = """<!doctype html><meta charset="utf-8"><body style="margin:0"><iframe srcdoc="{page}"
style="width:{width}px;height:{height}px;border:0"></iframe><p id="found"></p><script>
onload = () => {{
  const page = document.querySelector("iframe").contentDocument, root = page.documentElement;
  const edge = root.clientWidth + 1, inside = "svg, .wide, pre";
  const out = [...page.querySelectorAll("body *")].filter(
    element => !element.closest(inside) && element.getBoundingClientRect().right > edge);
  found.textContent = JSON.stringify([root.scrollWidth, root.clientWidth, out.length]);
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


def made_page(folder: Path, kind: str) -> Path:
    if kind == "hostile":
        hostile_run(folder)
    elif kind == "mixed":
        write_made_run(folder, made_predictions(n_prompts=4, scales=MIXED))
    else:
        long = ScoreScales(shared=ScoreScale(low=0, high=60))
        write_made_run(folder, made_predictions(scales=long))
    return write_run_reports(folder)[2]


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("kind", ["hostile", "mixed", "long scale"])
def test_nothing_sticks_out(tmp_path: Path, kind: str, width: int) -> None:
    page = made_page(tmp_path, kind).read_text(encoding="utf-8")
    probe = tmp_path / "probe.html"
    shown: dict[str, Any] = {"page": html.escape(page), "width": width, "height": 900}
    probe.write_text(PROBE.format(**shown), encoding="utf-8")
    dom = chromium(tmp_path, "--dump-dom", probe.as_uri())
    found = re.search(r'<p id="found">\[(\d+),(\d+),(\d+)\]</p>', dom)
    assert found is not None
    scroll, client, outside = map(int, found.groups())
    assert client == pytest.approx(width, abs=20)
    assert scroll == client
    assert outside == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_are_different_pictures(tmp_path: Path, scheme: str) -> None:
    from matplotlib import image

    page, shot = made_page(tmp_path, "hostile"), tmp_path / "shot.png"
    chromium(
        tmp_path,
        f"--blink-settings=preferredColorScheme={['dark', 'light'].index(scheme)}",
        "--window-size=1400,1200",
        f"--screenshot={shot}",
        page.as_uri(),
    )
    picture = image.imread(str(shot))[..., :3]
    assert picture.shape[:2] == (1200, 1400)
    corner = float(picture[2, 2].mean())
    assert (corner > 0.9) if scheme == "light" else (corner < 0.2)
    assert picture.std() > 0.02
