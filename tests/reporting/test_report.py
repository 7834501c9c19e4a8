"""The report is one file with every figure, claim and value, and trusts no name."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import pandas as pd
import pytest
from made_up import make_unavailable
from made_up_search import SEARCHES
from made_up_search import SETTINGS as SEARCH_SETTINGS
from report_inputs import SETTINGS, draw_figures, make_claims

from tocompress.reporting.claims import DEPENDS
from tocompress.reporting.claims import VERDICTS as KNOWN_VERDICTS
from tocompress.reporting.report.page import Search, report, write_report
from tocompress.reporting.report.statements import VERDICTS
from tocompress.schemas.benchmark import SESSION
from tocompress.schemas.study import CANDIDATES, CLAIMS, STUDY
from tocompress.tables import write_table

FACTS = {
    "device/machine": "<b>fast</b>", "device/tensorflow": "2.21.0", "noise/machine": "0.021", "noise/process": "0.012",
    "noise/sample": "0.01",
}  # fmt: skip
SESSIONS = {"host": [pd.DataFrame({"key": FACTS.keys(), "value": FACTS.values()})]}


class Elements(HTMLParser):
    """Tags with their attributes, the visible text, and what scripts hold."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.scripts = [], "", []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] == "script" and data.strip():
            self.scripts.append((self.tags[-1][1], data))
        else:
            self.text += data


@pytest.fixture(scope="module")
def drawn(small_study, tmp_path_factory):
    return draw_figures(small_study, tmp_path_factory.mktemp("figures"), "table1_models", "fig27_memory")


@pytest.fixture(scope="module")
def html(small_study, drawn):
    return report(small_study, make_claims(), drawn, SETTINGS, SESSIONS)


def test_the_report_asks_nothing_of_the_network(html):
    for tag, attributes in Elements(html).tags:
        assert tag not in ("iframe", "object", "img")
        assert "src" not in attributes
        assert not re.match(r"\w+:(?!,)", attributes.get("href", "#").removeprefix("data:,"))
    assert "sourceMappingURL" not in html
    assert not re.search(r"url\((?!#)|@import", re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL))


def test_only_its_own_scripts_may_run(html):
    policy = next(a["content"] for _, a in Elements(html).tags if a.get("http-equiv") == "Content-Security-Policy")
    own = [text for attributes, text in Elements(html).scripts if "type" not in attributes]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in own]
    assert len(digests) == 5
    assert policy.endswith("script-src " + " ".join(f"'sha256-{digest}'" for digest in digests))


def data_of(elements):
    return {attributes["id"]: json.loads(text) for attributes, text in elements.scripts if "id" in attributes}


def test_figures_stand_with_caption_files_and_the_rows_behind_them(html, drawn):
    elements = Elements(html)
    table_1, memory = drawn
    pictures = [attributes for tag, attributes in elements.tags if tag == "svg"]
    assert [picture["aria-label"] for picture in pictures] == [f"Figure 27. {memory.caption.finding}".strip()]
    assert data_of(elements)["data-fig27_memory"]["rows"] == len(memory.rows)
    assert memory.caption.reading in elements.text
    links = {attributes["href"] for tag, attributes in elements.tags if tag == "a"}
    assert {f"figures/fig27_memory.{kind}" for kind in ("pdf", "png", "svg", "csv")} <= links
    assert "MobileNet" in elements.text and table_1.number == "Table I"


def test_ids_of_figures_do_not_meet(small_study, tmp_path):
    drawn = draw_figures(small_study, tmp_path, "fig27_memory", "fig13_quantization")
    elements = Elements(report(small_study, make_claims(), drawn, SETTINGS, SESSIONS))
    known = [attributes["id"] for _, attributes in elements.tags if "id" in attributes]
    assert len(known) == len(set(known))


def test_causes_are_told_of_each_timed_variant_with_the_processor_of_its_device(both, small_study):
    keys = {"device/processor_features": "avx2; avx512_vnni", "device/litert": "ai-edge-litert 2.3.0"}
    session = pd.DataFrame({"key": keys.keys(), "value": keys.values()})
    elements = Elements(report(both, make_claims(), [], SETTINGS, {"host": [session]}))
    data = data_of(elements)
    found = {column["title"]: column for column in data["data-causes"]["columns"]}
    assert list(found) == ["model", "variant", "runtime", "arithmetic", "ratio", "share in integers", "why"]
    assert any("(VNNI)" in why for why in found["why"]["words"])
    assert "4 small models in LiteRT" in re.sub(r"\s+", " ", elements.text)
    untimed = small_study[small_study["metric"] != "latency"]
    assert "Why faster" not in report(untimed, make_claims(), [], SETTINGS, {})


def test_links_lead_to_something(html):
    elements = Elements(html)
    known = {attributes["id"] for _, attributes in elements.tags if "id" in attributes}
    links = [a["href"][1:] for tag, a in elements.tags if tag == "a" and a["href"].startswith("#")]
    assert links and set(links) <= known


def test_every_value_is_in_it(html, small_study):
    data = data_of(Elements(html))
    whole = {(row["model"], row["variant"], name) for row in data["study-data"]["rows"] for name in row["values"]}
    parts = small_study[small_study["label"].notna() & ~small_study["metric"].eq("bleu")]
    expected = small_study[small_study["label"].isna() | small_study["metric"].eq("bleu")]
    assert whole == set(zip(expected["model"], expected["variant"], expected["metric"], strict=True))
    assert data["data-parts"]["rows"] >= len(parts)


def test_claims_are_judged_in_words(html):
    text = re.sub(r"\s+", " ", Elements(html).text)
    assert set(VERDICTS) == {*KNOWN_VERDICTS, DEPENDS}
    for verdict in KNOWN_VERDICTS:
        sign, meaning = VERDICTS[verdict]
        assert f"{sign} {verdict}" in text and meaning in text
    assert "−25 %−27.2 to −22.5" in text.replace("\N{NO-BREAK SPACE}", " ")
    assert "no power sensor; inconsistent with claim_0" in text


def test_numbers_are_counted_not_readings(small_study):
    claims = make_claims(("agrees", "contradicts", "not measured")).assign(
        claim=["claim_0", "claim_0", "claim_1"], reading=["so", "otherwise", None], paper=[-28.0, -28.0, None]
    )
    html = report(small_study, claims, [], SETTINGS, SESSIONS)
    text = re.sub(r"\s+", " ", Elements(html).text)
    assert "~ depends on the reading1" in text and "Statements without a number: 1 not measured." in text
    assert "read as: otherwise" in text and "about no change" in text
    assert html.count('id="claim-claim_0"') == 1


def test_heads_of_tables_have_a_scope_and_sections_a_heading(html):
    elements = Elements(html)
    assert all("scope" in attributes for tag, attributes in elements.tags if tag == "th")
    headings = [tag for tag, _ in elements.tags if re.fullmatch(r"h\d", tag)]
    assert headings[0] == "h1" and headings.count("h1") == 1
    assert all(int(b[1]) - int(a[1]) <= 1 for a, b in pairwise(headings))


def test_config_device_and_versions_are_told(html):
    text = Elements(html).text
    assert "name: made_up" in text
    assert "2.21.0" in text and "snakemake" in text
    assert "fresh processes differed by 1.2" in text


def test_options_of_quantization_are_told(small_study, html):
    options = small_study["options"].mask(small_study["variant"].eq("q8"), "range mse, correction bias")
    other = report(small_study.assign(options=options), make_claims(), [], SETTINGS, {})
    assert "Quantized with options: q8 (range mse, correction bias)." in Elements(other).text
    assert "with options" not in Elements(html).text


def test_names_are_text(small_study, html):
    assert "<b>fast</b>" not in html
    assert "&lt;b&gt;fast&lt;/b&gt;" in html
    odd = small_study.assign(device="<script>alert(1)</script>")
    assert "<script>alert" not in report(odd, make_claims(), [], SETTINGS, {})


def test_a_study_without_values_still_reports(study):
    html = report(make_unavailable(study), make_claims(()), [], SETTINGS, {})
    assert "the device did not answer" in html
    assert "Nothing was benchmarked" in html


def test_a_report_is_written_from_files(small_study, drawn, tmp_path):
    write_table(tmp_path / "study.parquet", STUDY, small_study)
    write_table(tmp_path / "claims.parquet", CLAIMS, make_claims())
    for number, device in enumerate(("host", "tx2", "host")):
        session = pd.DataFrame({"key": ["device/tensorflow", "load"], "value": ["2.21.0", str(number)]})
        write_table(tmp_path / f"session{number}.parquet", SESSION, session.assign(device=device, model="vgg_16"))
    candidates, answer = SEARCHES["met"]
    write_table(tmp_path / "candidates.parquet", CANDIDATES, candidates)
    (tmp_path / "answer.json").write_text(json.dumps(answer))
    for figure in drawn:
        (tmp_path / f"{figure.name}.svg").write_text(figure.svg)
        figure.rows.to_csv(tmp_path / f"{figure.name}.csv", index=False)
    write_report(
        tmp_path / "report.html",
        SETTINGS.model_copy(update={"searches": (SEARCH_SETTINGS,)}),
        study=tmp_path / "study.parquet",
        claims=tmp_path / "claims.parquet",
        figures=[tmp_path / f"{figure.name}.svg" for figure in drawn],
        tables=[tmp_path / f"{figure.name}.csv" for figure in reversed(drawn)],
        sessions=[tmp_path / f"session{number}.parquet" for number in range(3)],
        times=[],
        answers=[tmp_path / "answer.json"],
        candidates=[tmp_path / "candidates.parquet"],
    )
    text = (tmp_path / "report.html").read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert "0, 2" in text and drawn[1].caption.reading in Elements(text).text
    assert answer["answer"] in text


def test_a_study_of_ones_own_model_names_its_worst_classes_and_judges_no_claim(small_study):
    own = small_study[small_study["model"] == small_study["model"].iloc[0]].assign(model="flowers", network="keras")
    rows = own[own["metric"] == "top1"].assign(metric="class_recall", value=0.5, low=0.4, high=0.6, n=30)
    labelled = pd.concat([rows.assign(label="rose"), rows.assign(label="tulip", value=0.25)], ignore_index=True)
    html = report(pd.concat([own, labelled], ignore_index=True), make_claims(), [], SETTINGS, {})
    assert "Against the paper" not in html
    section = html[html.index("Worst classes") :]
    assert section.index("tulip") < section.index("rose")
    assert "25 [40, 60] n = 30" in section


def test_a_finished_search_has_a_section_that_leads_to_its_result(small_study):
    found = [Search(SEARCH_SETTINGS, *reversed(SEARCHES[name])) for name in ("met", "not met")]
    html = report(small_study, make_claims(), [], SETTINGS, SESSIONS, searches=found)
    elements = Elements(html[html.index('<h2 class="sub">Searches</h2>') : html.index('<section id="time"')])
    text = re.sub(r"\s+", " ", elements.text)
    assert text.startswith(f"Searches MobileNet {found[0].answer['answer']}")
    assert (
        "15 % cut, 8 bits, integerp15-i8−0.80 (−1.60 to 0.00) points" in text
        and "met, chosen" in text
        and "missed" in text
    )
    assert "5 configurations tried in 3 rounds and 4.0 minutes, on host in LiteRT." in text
    links = [attributes["href"] for tag, attributes in elements.tags if tag == "a"]
    pages = [link for link in links if link.startswith("search/")]
    assert pages == ["search/mobilenet_v1/chosen/card.md", "search/mobilenet_v1/chosen/answer.md"]


def test_a_report_without_a_finished_search_has_no_such_section(html):
    assert '<h2 class="sub">Searches</h2>' not in html
