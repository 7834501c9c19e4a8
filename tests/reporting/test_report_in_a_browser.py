"""The report in headless Chromium: no error, no missing picture, tables that sort and filter."""

from __future__ import annotations

import pandas as pd
import pytest
from chromium import PROGRAM, Page
from report_inputs import SETTINGS, draw_figures, make_claims

from tocompress.reporting.report import report

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs Chromium or Chrome")

ROWS = 10_000


@pytest.fixture(scope="module")
def many(study):
    """As many rows as a large study has."""
    return pd.concat([study] * (ROWS // len(study) + 1), ignore_index=True).iloc[:ROWS]


@pytest.fixture(scope="module")
def page(study, many, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    drawn = draw_figures(study, folder, "table1_models", "fig13_quantization")
    file = folder / "report.html"
    session = pd.DataFrame({"key": ["device/machine"], "value": ["x86"]})
    file.write_text(report(many, make_claims(), drawn, SETTINGS, {"host": [session]}), encoding="utf-8")
    with Page(file) as page:
        yield page


def cells(page: Page, column: str) -> list[str]:
    """What the table of all values shows in a column."""
    return page.run(
        f"""(() => {{
        const table = document.querySelector("#values ~ .browse table");
        const place = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent === {column!r});
        return [...table.tBodies[0].rows].map((row) => row.cells[place].textContent);
        }})()"""
    )


def sort_by(page: Page, column: str) -> str | None:
    """Press the head of a column; its `aria-sort` after that."""
    return page.run(
        f"""(() => {{
        const heads = [...document.querySelectorAll("#values ~ .browse th[scope=col]")];
        const head = heads.find((cell) => cell.textContent === {column!r});
        head.querySelector("button").click();
        return head.getAttribute("aria-sort");
        }})()"""
    )


def choose(page: Page, field: str, value: str) -> None:
    """Choose from, or type into, the field of the table of all values that is labelled so."""
    page.run(
        f"""(() => {{
        const labels = [...document.querySelectorAll("#values ~ .browse label")];
        const field = labels.find((label) => label.firstChild.textContent === {field!r}).lastChild;
        const option = [...(field.options ?? [])].find((option) => option.textContent === {value!r});
        field.value = option ? option.value : {value!r};
        field.dispatchEvent(new Event(field.options ? "change" : "input"));
        }})()"""
    )


def status(page: Page) -> str:
    return page.run("""document.querySelector("#values ~ .browse [role=status]").textContent""")


def test_pictures_are_there_and_nothing_is_asked_of_the_network(page):
    widths = page.run("[...document.images].map((image) => image.naturalWidth)")
    assert widths and all(width > 100 for width in widths)
    assert len(page.requests) == 1 + len(widths)
    assert all(url.startswith(("file:", "data:")) for url in page.requests)


def test_a_column_sorts_up_then_down_then_not_at_all(page):
    before = cells(page, "n")
    assert sort_by(page, "n") == "ascending"
    rising = [int(cell.replace(",", "")) for cell in cells(page, "n")]
    assert rising == sorted(rising)
    assert sort_by(page, "n") == "descending"
    falling = [int(cell.replace(",", "")) for cell in cells(page, "n")]
    assert falling == sorted(falling, reverse=True) and falling[0] > rising[-1]
    assert sort_by(page, "n") is None
    assert cells(page, "n") == before


def test_rows_are_narrowed_by_choice_and_by_text(page, many):
    choose(page, "variant", "q8")
    choose(page, "metric", "inference time")
    shown = cells(page, "metric")
    assert set(cells(page, "variant")) == {"q8"} and set(shown) == {"inference time"}
    chosen = many[(many["variant"] == "q8") & (many["metric"] == "latency")]
    assert f"of {len(chosen)} rows" in status(page) or status(page).startswith(f"{len(chosen)} of")
    choose(page, "contains", "VGG")
    assert set(cells(page, "model")) == {"vgg_16"}
    page.run("""document.querySelector("#values ~ .browse .controls button").click()""")
    assert f"of {ROWS:,} rows" in status(page)


def test_values_are_written_as_in_figures(page):
    choose(page, "model", "vgg_16")
    choose(page, "metric", "file size")
    assert cells(page, "value")[0] == "14.0 MB"
    choose(page, "metric", "inference time")
    assert page.run("1") and cells(page, "value")[0].endswith(" ms]")
    page.run("""document.querySelector("#values ~ .browse .controls button").click()""")


def test_ten_thousand_rows_sort_and_filter_at_once(page):
    milliseconds = page.run(
        """(() => {
        const begin = performance.now();
        const place = document.querySelector("#values ~ .browse");
        for (const button of [...place.querySelectorAll("th button")].slice(0, 6)) button.click();
        const search = place.querySelector("input");
        search.value = "q8"; search.dispatchEvent(new Event("input"));
        search.value = ""; search.dispatchEvent(new Event("input"));
        return (performance.now() - begin) / 8;
        })()"""
    )
    assert milliseconds < 500


def test_the_rows_behind_a_figure_are_drawn_when_they_are_asked_for(page):
    rows = """document.querySelectorAll("#fig13_quantization .browse tbody tr").length"""
    assert page.run(rows) == 0
    page.run("""new Promise((done) => {
        const details = document.querySelector("#fig13_quantization details");
        details.addEventListener("toggle", () => done(true));
        details.open = true;
    })""")
    assert page.run(rows) > 10


def test_claims_are_narrowed_by_verdict(page):
    page.run("""(() => {
        const select = document.querySelector("#claims ~ .controls select");
        select.value = "contradicts";
        select.dispatchEvent(new Event("change"));
    })()""")
    shown = page.run("""[...document.querySelectorAll("#claims ~ .scroll tbody tr")]
        .filter((row) => !row.hidden).map((row) => row.querySelector(".verdict").textContent.trim())""")
    assert shown == ["✗ contradicts"]


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_and_a_desk_in_light_and_dark(page, width, scheme):
    page.show(width, prefers_color_scheme=scheme)
    assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
    ink, paper = (
        sum(map(int, page.run(f"getComputedStyle(document.body).{name}").strip("rgb()").split(",")))
        for name in ("color", "backgroundColor")
    )
    assert (ink > paper) == (scheme == "dark") and abs(ink - paper) > 500
    pictures = page.run("[...document.querySelectorAll('.picture')].map((p) => getComputedStyle(p).backgroundColor)")
    assert set(pictures) == {"rgb(255, 255, 255)"}


def test_in_print_controls_are_gone_and_paper_is_white(page):
    page.show(800, media="print", prefers_color_scheme="dark")
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    hidden = page.run(
        "[...document.querySelectorAll('nav, .browse, .controls')].every((one) => one.offsetParent === null)"
    )
    assert hidden
    page.show(1280)


def test_the_page_had_no_error(page):
    assert page.problems == []
