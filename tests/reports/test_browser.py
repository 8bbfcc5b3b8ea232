"""Pages in a real browser: nothing is wider than its container, nothing runs, all prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.reports.html import environment
from tests.reports.browser import Look, chromium, probed, themed
from tests.reports.made_pages import PAGES

pytestmark = pytest.mark.browser

WIDTHS = (400, 1000, 1400)


@pytest.fixture(scope="module", params=list(PAGES))
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return PAGES[request.param](tmp_path_factory.mktemp("page"))


@pytest.mark.parametrize("look", ["light", "dark"])
def test_nothing_is_wider_than_what_holds_it(page: str, tmp_path: Path, look: Look) -> None:
    for width, found in zip(WIDTHS, probed(page, tmp_path, WIDTHS, look), strict=True):
        assert found["client"] == pytest.approx(width, abs=20)
        assert (found["scroll"], found["outside"]) == (found["client"], 0), width
        assert (found["over"], found["split"]) == ([], []), width
        # The one script is the project's own, and no name of a corpus ran another.
        assert (found["made"], found["ran"]) == (1, False)


@pytest.mark.parametrize("name", ["power"])
def test_on_a_wide_screen_the_tables_of_the_first_sight_do_not_scroll(
    tmp_path: Path, name: str
) -> None:
    tmp_path.joinpath("made").mkdir()
    page = PAGES[name](tmp_path / "made")
    [found] = probed(page, tmp_path, [1400])
    assert found["scrolls"] == 0


def test_paper_holds_every_table(page: str, tmp_path: Path) -> None:
    [found] = probed(page, tmp_path, [700], "print")
    assert (found["scroll"], found["outside"], found["over"]) == (found["client"], 0, [])
    assert (found["split"], found["folded"]) == ([], 0)


def test_a_click_on_a_title_sorts_by_numbers(tmp_path: Path) -> None:
    table = (
        "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>x</td><td>10.5</td></tr>"
        "<tr><td>y</td><td>9</td></tr><tr><td>z</td><td>-</td></tr></tbody></table>"
    )
    script = environment().globals["script"]
    click = "document.querySelectorAll('thead button')[1].click();"
    made = tmp_path / "sorted.html"
    told = "document.title = [...document.querySelectorAll('td:first-child')].map(x => x.innerText)"
    end = f"<script>{script}</script><script>{click}{told}</script>"
    made.write_text(f"<title></title>{table}{end}", encoding="utf-8")
    assert "<title>y,x,z</title>" in chromium(tmp_path, "--dump-dom", made.as_uri())


def test_the_probe_sees_a_script_an_image_and_an_overflow(tmp_path: Path) -> None:
    bad = "<script>top.ran=1</script><img src=x><div style='width:900px'>wide</div>"
    [found] = probed(bad, tmp_path, [400])
    assert found["ran"]
    assert found["made"] == 2
    assert found["outside"] == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_are_different_pictures(tmp_path: Path, scheme: Look) -> None:
    from matplotlib import image

    made, shot = tmp_path / "page.html", tmp_path / "shot.png"
    made.write_text(PAGES["run"](tmp_path / "run"), encoding="utf-8")
    chromium(
        tmp_path,
        themed(scheme),
        "--window-size=1400,1200",
        f"--screenshot={shot}",
        made.as_uri(),
    )
    picture = image.imread(str(shot))[..., :3]
    assert picture.shape[:2] == (1200, 1400)
    corner = float(picture[2, 2].mean())
    assert (corner > 0.9) if scheme == "light" else (corner < 0.2)
    assert picture.std() > 0.02
