"""The report in headless Chromium: it answers, its tables sort and filter, and nothing overlaps or is too small."""

from __future__ import annotations

import pandas as pd
import pytest
from chromium import PROGRAM, Page
from report_inputs import SETTINGS, draw_figures, make_claims

from tocompress.reporting.report.page import report
from tocompress.vocabulary.arithmetic import FLOAT

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs Chromium or Chrome")

#: Sets a field of the limits as a person would.
SET = """(name, value) => {
    const field = document.getElementById("limits").elements[name];
    field.value = value;
    field.dispatchEvent(new Event(field.tagName === "SELECT" ? "change" : "input"));
    return new Promise((done) => setTimeout(() => done(1), 60));
}"""
#: The texts of a column of the ranked table, by its place.
COLUMN = """(place) => [...document.querySelectorAll("#ranked .tabulator-row")].map(
    (row) => row.querySelectorAll(".tabulator-cell")[place].textContent.trim())"""


@pytest.fixture(scope="module")
def page(both, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    drawn = draw_figures(both, folder, "table1_models", "fig13_quantization", "fig24_thresholds", "pareto")
    session = pd.DataFrame({"key": ["device/machine"], "value": ["x86"]})
    runs = {"model": "vgg_16", "device": "host", "runtime": "tensorflow", "variant": "fp32", "arithmetic": FLOAT}
    runs |= {"batch": 1, "warmup": False, "duration_s": [0.01, 0.011, 0.02]}
    file = folder / "report.html"
    html = report(both, make_claims(), drawn, SETTINGS, {"host": [session]}, [pd.DataFrame(runs)])
    file.write_text(html, encoding="utf-8")
    assert len(html) < 5e6
    with Page(file) as page:
        yield page


def limit(page: Page, name: str, value: str) -> None:
    page.run(f"({SET})({name!r}, {value!r})")


def column(page: Page, place: int) -> list[str]:
    found: list[str] = page.run(f"({COLUMN})({place})")
    return found


def answer(page: Page) -> str:
    text: str = page.run("document.getElementById('answer-line').textContent")
    return text


@pytest.fixture
def limits(page):
    """The limits of a fresh page, which the test may set."""
    page.show(1280)
    yield page
    for name, value in (("loss-number", "1"), ("time-number", ""), ("model", ""), ("order", "size")):
        limit(page, name, value)


def test_the_first_screen_alone_answers_which_variant_to_use(limits, both):
    limit(limits, "loss-number", "1")
    limit(limits, "time-number", "10")
    limit(limits, "model", "vgg_16")
    # By hand: at most 1 point lost and 10 ms taken, by the worse ends of both intervals, then the smallest file.
    own = both[both["model"].eq("vgg_16") & both["label"].isna()]
    time = own[own["metric"].eq("latency") & own["high"].le(10)].set_index(["variant", "runtime"])
    top1 = own[own["metric"].eq("top1")].set_index(["variant", "runtime"])["change_low"]
    kept = time.join(top1.rename("worst"))
    kept = kept[kept["worst"] >= -0.01]
    size = own[own["metric"].eq("size")].set_index(["variant", "runtime"])["value"]
    if kept.empty:
        assert "none qualifies" in answer(limits)
    else:
        assert f" {size[kept.index].idxmin()[0]}, " in answer(limits)
    below = limits.run("document.getElementById('ranked').getBoundingClientRect().top")
    assert below < 700, "the table begins on the first screen"


def test_the_sliders_narrow_the_table_and_their_numbers_follow(limits):
    limit(limits, "loss-number", "100")
    everything = len(column(limits, 0))
    limit(limits, "loss", "2")
    assert limits.run("document.getElementById('limits').elements['loss-number'].value") == "2"
    assert 0 < len(column(limits, 0)) < everything
    limit(limits, "time", "0")
    fast = limits.run("document.getElementById('limits').elements['time-number'].value")
    assert float(fast) > 0 and len(column(limits, 0)) <= 1
    limit(limits, "time", "200")
    assert limits.run("document.getElementById('limits').elements['time-number'].value") == ""


def test_the_ranked_table_begins_with_the_best(limits):
    limit(limits, "loss-number", "100")
    limit(limits, "order", "time")
    times = [float(text.split(" ms")[0].replace(",", "")) for text in column(limits, 6) if text != "–"]
    assert times == sorted(times) and len(times) > 20


def test_a_head_sorts_by_the_keyboard(limits):
    state = limits.run("""(async () => {
        const head = document.querySelector("#ranked .tabulator-col[tabulator-field=time]");
        head.focus();
        const focused = document.activeElement === head;
        head.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
        await new Promise((done) => setTimeout(done, 60));
        return [focused, head.getAttribute("aria-sort")];
    })()""")
    assert state[0] and state[1] in ("ascending", "descending")


def test_a_row_opens_with_its_values_its_times_and_its_files(limits):
    limit(limits, "loss-number", "100")
    limit(limits, "model", "vgg_16")
    found = limits.run("""(() => {
        const rows = [...document.querySelectorAll("#ranked .tabulator-row")];
        const wanted = rows.find((row) => row.textContent.includes("fp32") && row.textContent.includes("TensorFlow"));
        wanted.querySelector("button.link").click();
        const dialog = document.getElementById("row");
        const result = [dialog.open, dialog.textContent, dialog.querySelectorAll("figure svg").length];
        dialog.close();
        return result;
    })()""")
    is_open, text, pictures = found
    assert is_open and pictures == 1 and "3 timed runs" in text
    assert "snakemake --cores all results/made_up/bundles/tensorflow/vgg_16/fp32" in text
    assert "artifacts/tensorflow/vgg_16/fp32.pb" in text and "inference time" in text


def test_each_model_has_a_block_with_its_variants(page):
    rows = page.run("""(async () => {
        const block = document.getElementById("model-gnmt");
        block.open = true;
        await new Promise((done) => setTimeout(done, 200));
        return [...block.querySelectorAll(".tabulator-row")].map((row) => row.textContent);
    })()""")
    assert len(rows) > 10 and any("p50_random" in row for row in rows)


def test_the_rows_behind_a_figure_are_drawn_when_they_are_asked_for(page):
    rows = """document.querySelectorAll("#fig13_quantization .tabulator-row").length"""
    assert page.run(rows) == 0
    page.run("""(async () => {
        document.querySelector("#fig13_quantization .browse").closest("details").open = true;
        await new Promise((done) => setTimeout(done, 200));
    })()""")
    assert page.run(rows) > 10


def test_figure_24_switches_its_axis(page):
    shown = page.run("""(() => {
        const figure = document.getElementById("fig24_thresholds");
        const field = figure.querySelectorAll("input[name=switch]")[1];
        field.click();
        return [field.value, [...figure.querySelectorAll("[data-switch]")]
            .filter((group) => getComputedStyle(group).display !== "none").map((group) => group.dataset.switch)];
    })()""")
    assert shown[1] == [shown[0]]


def test_values_of_all_variants_are_in_a_wide_table(page):
    heads = page.run("[...document.querySelectorAll('#wide .tabulator-col-title')].map((head) => head.textContent)")
    assert heads[:3] == ["model", "variant", "runtime, weights"] and "inference time (ms)" in heads
    assert page.run("document.querySelectorAll('#wide .tabulator-frozen.tabulator-cell').length") >= 2


#: Texts that are too small, or whose boxes meet, among those that a reader sees.
TOO_SMALL = """() => {
    const found = [];
    for (const one of document.querySelectorAll("body *")) {
        const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || one.closest("script, style, noscript, dialog:not([open])")) continue;
        if (!one.getClientRects().length) continue;
        let size = parseFloat(getComputedStyle(one).fontSize);
        const svg = one.closest("svg");
        if (svg && svg.viewBox?.baseVal?.width) size *= svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
        if (size < 11) found.push(`${size.toFixed(1)} px: ${one.textContent.trim().slice(0, 40)}`);
    }
    return found;
}"""


@pytest.mark.parametrize("width", [390, 1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_and_a_desk_in_light_and_dark(page, width, scheme):
    page.show(width, prefers_color_scheme=scheme)
    assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
    ink, paper = (
        sum(map(int, page.run(f"getComputedStyle(document.body).{name}").strip("rgb()").split(",")))
        for name in ("color", "backgroundColor")
    )
    assert (ink > paper) == (scheme == "dark") and abs(ink - paper) > 500
    assert page.run(f"({TOO_SMALL})()") == []


def test_the_contents_are_reached_by_the_keyboard_and_lead_to_every_section(page):
    page.show(1280)
    order = page.run("""(() => {
        const first = [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")]
            .filter((one) => one.tabIndex >= 0).slice(0, 3);
        return first.map((one) => one.getAttribute("href"));
    })()""")
    assert order == ["#answer", "#answer", "#time"]
    led = page.run("[...document.querySelectorAll('.contents a')].every((a) => document.querySelector(a.hash))")
    assert led


def test_in_print_controls_are_gone_and_paper_is_white(page):
    page.show(800, media="print", prefers_color_scheme="dark")
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    hidden = page.run(
        "[...document.querySelectorAll('nav, .browse, .limits, .files')].every((one) => one.offsetParent === null)"
    )
    assert hidden
    page.show(1280)


def test_the_page_had_no_error_and_asked_nothing_of_the_network(page):
    assert page.problems == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in page.requests if url.startswith("file:")]) == 1
