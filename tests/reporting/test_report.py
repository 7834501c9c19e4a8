"""The report is one file with every figure and every value, and trusts no name."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from made_up import NO_SENSOR, make_unavailable

from tocompress.reporting import figures
from tocompress.reporting.report import METHODS, headlines, report, session_facts
from tocompress.reporting.study import METRICS
from tocompress.settings.reporting import Plot, Report


class Elements(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def drawn(small_study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    found = []
    for name in ("table1_models", "fig27_memory"):
        drawing = figures.draw(name, small_study, Plot(dpi=50))
        figures.save(drawing, *(folder / f"{name}.{kind}" for kind in ("png", "pdf", "csv")), Plot(dpi=50))
        found.append((name, folder / f"{name}.png", drawing.caption))
    return found


@pytest.fixture(scope="module")
def html(small_study, drawn):
    return report(small_study, drawn, Report(), {"host": {"cpu": "<b>fast</b>", "tensorflow": "2.21.0"}})


def test_the_report_asks_nothing_of_the_network(html):
    for tag, attributes in Elements(html).tags:
        assert tag not in ("script", "link", "iframe", "object")
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith("#")
    assert not re.search(r"url\(|@import", html)


def test_every_figure_is_in_it_with_its_caption(html, drawn):
    elements = Elements(html)
    images = [attributes for tag, attributes in elements.tags if tag == "img"]
    assert len(images) == len(drawn)
    for _, _, caption in drawn:
        assert caption in elements.text
    for tag, attributes in elements.tags:
        if tag == "a":
            assert f'id="{attributes["href"][1:]}"' in html


def test_every_value_is_in_it(html, small_study):
    assert html.count("<tr><td>") >= len(small_study)
    assert NO_SENSOR in Elements(html).text


def test_names_are_text(small_study, html):
    assert "<b>fast</b>" not in html
    assert "&lt;b&gt;fast&lt;/b&gt;" in html
    odd = small_study.assign(device="<script>alert(1)</script>")
    assert "<script" not in report(odd, [], Report(title="<i>"), {})


def test_headlines_are_the_means_of_the_table(study):
    q8 = study[(study["variant"] == "q8") & (study["metric"] == "size")]
    change = 100 * (q8["ratio"].mean() - 1)
    sentence = next(line for line in headlines(study) if line.startswith("q8:"))
    assert f"file size −{-change:.1f} %" in sentence
    assert f"{len(q8)} models" in sentence
    assert "dequantized once" in sentence and "dequantized at every inference" in sentence


def test_a_study_without_values_still_reports(study):
    nothing = make_unavailable(study)
    assert headlines(nothing) == []
    assert "the device did not answer" in report(nothing, [], Report(), {})


def test_facts_that_differ_between_sessions_are_all_told():
    sessions = [pd.DataFrame({"key": ["cpu", "load"], "value": ["x86", str(number)]}) for number in range(5)]
    assert session_facts(sessions) == {"cpu": "x86", "load": "5 different values, from 0 to 4"}


def test_every_metric_has_a_method():
    assert set(METHODS) == set(METRICS)
