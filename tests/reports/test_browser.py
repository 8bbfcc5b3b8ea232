"""Pages in a real browser: nothing sticks out at 400 and 1,400 pixels, nothing runs, all prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reports.browser import chromium, probed
from tests.reports.made_pages import PAGES

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", params=list(PAGES))
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return PAGES[request.param](tmp_path_factory.mktemp("page"))


@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_sticks_out_and_nothing_runs(page: str, tmp_path: Path, width: int) -> None:
    found = probed(page, tmp_path, width)
    assert found["client"] == pytest.approx(width, abs=20)
    assert (found["scroll"], found["outside"]) == (found["client"], 0)
    assert (found["made"], found["ran"]) == (0, False)


def test_the_probe_sees_a_script_an_image_and_an_overflow(tmp_path: Path) -> None:
    bad = "<script>top.ran=1</script><img src=x><div style='width:900px'>wide</div>"
    found = probed(bad, tmp_path, 400)
    assert found["ran"]
    assert found["made"] == 2
    assert found["outside"] == 1


def test_what_matters_is_unfolded_on_paper(page: str, tmp_path: Path) -> None:
    on_paper = page.replace("@media print", "@media all")
    assert probed(on_paper, tmp_path, 900)["folded"] == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_are_different_pictures(tmp_path: Path, scheme: str) -> None:
    from matplotlib import image

    made, shot = tmp_path / "page.html", tmp_path / "shot.png"
    made.write_text(PAGES["run"](tmp_path / "run"), encoding="utf-8")
    chromium(
        tmp_path,
        f"--blink-settings=preferredColorScheme={['dark', 'light'].index(scheme)}",
        "--window-size=1400,1200",
        f"--screenshot={shot}",
        made.as_uri(),
    )
    picture = image.imread(str(shot))[..., :3]
    assert picture.shape[:2] == (1200, 1400)
    corner = float(picture[2, 2].mean())
    assert (corner > 0.9) if scheme == "light" else (corner < 0.2)
    assert picture.std() > 0.02
