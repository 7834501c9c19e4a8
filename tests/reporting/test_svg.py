"""Figures in SVG: text stays text, marks tell their numbers, and a page may set the colours."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tocompress.reporting import palette, style
from tocompress.reporting.figures import svg

NAMES = {"svg": "http://www.w3.org/2000/svg", "xlink": "http://www.w3.org/1999/xlink"}


@pytest.fixture(scope="module")
def text() -> str:
    with style.applied():
        figure = style.figure(2, 1)
        axes = style.axes(figure, 0.3, 0.2, 1.5, 0.5)
        (mark,) = axes.plot([0.123456, 1, 2], [0, 1, 0], "o-", clip_on=False, color="#3a93d6", markevery=[1])
        svg.tell(mark, "q8: ×1.15 & more")
        axes.set_title("inference time")
        return svg.text_of(figure)


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314, made here


def test_text_stays_text_in_a_font_that_is_named_once(text):
    root = parsed(text)
    assert "inference time" in [found.text for found in root.iterfind(".//svg:text", NAMES)]
    assert text.count("DejaVu Sans") == 1


def test_a_mark_tells_its_numbers_on_its_interval_too(text):
    (title,) = parsed(text).iterfind(".//svg:title/..", NAMES)
    assert [child.tag.partition("}")[2] for child in title] == ["title", "path", "defs", "use"]
    assert title[0].text == "q8: ×1.15 & more"


def test_places_have_at_most_two_decimals_and_every_id_is_used(text):
    assert not re.search(r'(?:d|x|y)="[^"]*\.\d{3}', text)
    ids = set(re.findall(r' id="([^"]+)"', text))
    assert ids == set(re.findall(r'(?:url\(|href=")#([^")]+)', text))


def test_a_page_sets_the_colours_and_ids_are_those_of_the_figure(text):
    look = palette.Look("#3a93d6", "#2f7fc4", "o")
    dark = palette.dark_colours([look])
    inline = svg.inline(text, "fig1", dark, "a label")
    assert "var(--c3a93d6, #3a93d6)" in inline and "currentColor" in inline
    assert all(found.startswith("fig1-") for found in re.findall(r' id="([^"]+)"', inline))
    assert "--c3a93d6: #2f7fc4;" in svg.variables(dark)


def test_only_the_first_alternative_is_seen():
    with style.applied():
        first, second = style.figure(2, 1), style.figure(2, 1)
        for figure in (first, second):
            style.axes(figure, 0.3, 0.2, 1, 0.5).plot([0, 1], [0, 1], "o")
        text = svg.text_of(first, {"filters": first, "parameters": second})
    shown = parsed(text).findall("svg:g[@data-switch]", NAMES)
    assert [(group.get("data-switch"), group.get("display")) for group in shown] == [
        ("filters", None), ("parameters", "none"),
    ]  # fmt: skip
