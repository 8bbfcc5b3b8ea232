"""Every page can be heard, printed, walked with a keyboard, and read in both themes."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from essay_scoring.reports.html import environment
from tests.reports.made_pages import PAGES
from tests.reports.pages import Page

ENOUGH = 4.5
"""WCAG 2.2, 1.4.3: the least contrast of text with what is behind it."""


@pytest.fixture(scope="module", params=list(PAGES))
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(PAGES[request.param](tmp_path_factory.mktemp("page")))


def test_it_is_well_formed_and_alone(page: Page) -> None:
    assert page.faults == []
    assert not {"script", "link", "iframe", "object", "embed", "img", "base"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "src"]
    assert not [value for value in page.values("href") if "//" in value]
    assert not set("\u202e\u2066") & set(page.text)
    [policy] = [value for value in page.values("content") if "default-src" in value]
    assert "default-src 'none'" in policy


def test_landmarks_and_headings_are_in_order(page: Page) -> None:
    for landmark in ("header", "main", "h1"):
        assert page.tags.count(landmark) == 1
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert ("html", "lang", "en") in page.attributes


def test_tables_have_captions_and_heads_have_scopes(page: Page) -> None:
    for (tag, _), (following, _) in itertools.pairwise(page.elements):
        assert tag != "table" or following == "caption"
    assert all("scope" in held for tag, held in page.elements if tag == "th")


def test_every_drawing_is_named(page: Page) -> None:
    for (tag, held), (following, _) in itertools.pairwise(page.elements):
        if tag == "svg" and held.get("aria-hidden") != "true":
            assert held["role"] == "img"
            assert following == "title"
    assert page.tags.count("desc") == page.tags.count("title") - 1


def test_what_scrolls_is_reached_by_keyboard_and_named(page: Page) -> None:
    wide = [held for _, held in page.elements if "wide" in held.get("class", "").split()]
    assert all(held["tabindex"] == "0" for held in wide)
    assert all(held["role"] == "region" and held["aria-label"] for held in wide)


def test_every_id_is_single_and_every_link_arrives(page: Page) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    targets = {value[1:] for value in page.values("href") if value.startswith("#")}
    assert targets | set(page.values("aria-labelledby")) <= set(ids)


def palettes() -> list[dict[str, str]]:
    """Return the variables of the light theme, the dark one and print."""
    css = environment().get_template("palette.css.jinja").render()
    blocks = [dict(re.findall(r"--([\w-]+): ([^;]+);", one)) for one in css.split(":root")[1:]]
    assert len(blocks) == 3
    assert len({frozenset(block) for block in blocks}) == 1
    return blocks


def rgb(colour: str) -> list[float]:
    parts = re.findall("[0-9a-f]{2}", colour) if colour.startswith("#") else colour.split()
    return [int(part, 16 if colour.startswith("#") else 10) / 255 for part in parts]


def luminance(colour: list[float]) -> float:
    """Return the relative luminance of sRGB, WCAG 2.2."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: list[float], other: list[float]) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_by_hand() -> None:
    # White has luminance 1, black 0: 1.05 / 0.05 = 21. #777777 on white is the known 4.48.
    assert contrast(rgb("#ffffff"), rgb("#000000")) == pytest.approx(21)
    assert contrast(rgb("#777777"), rgb("#ffffff")) == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("theme", [0, 1, 2])
@pytest.mark.parametrize("text", ["ink", "quiet", "accent", "second", "good", "bad"])
def test_text_stands_out_in_every_theme(theme: int, text: str) -> None:
    palette = palettes()[theme]
    for behind in ("paper", "panel"):
        assert contrast(rgb(palette[text]), rgb(palette[behind])) >= ENOUGH


@pytest.mark.parametrize("theme", [0, 1, 2])
def test_numbers_stand_out_in_the_darkest_cell_of_a_matrix(theme: int) -> None:
    palette = palettes()[theme]
    most, heat, paper = float(palette["heat-most"]), rgb(palette["heat"]), rgb(palette["paper"])
    shade = [most * one + (1 - most) * other for one, other in zip(heat, paper, strict=True)]
    assert contrast(rgb(palette["ink"]), shade) >= ENOUGH


def test_focus_is_seen_and_what_matters_is_printed(tmp_path: Path) -> None:
    css = environment().get_template("report.css.jinja").render()
    assert ":focus-visible { outline: 3px solid" in css
    assert "details.prints::details-content { content-visibility: visible" in css
    assert "outline: none" not in css
