"""Bubbles share one scale, and their finding tells whether size matters."""

from __future__ import annotations

import pytest

from tocompress.reporting import figures, style
from tocompress.reporting.figures import bubbles
from tocompress.settings.reporting import Plot

PLOT = Plot(dpi=60)


@pytest.fixture(scope="module")
def values(study):
    return bubbles.table(study[study["variant"].isin(["fp32", "q8"])], PLOT)


def test_a_bubble_has_the_parameters_of_the_compressed_model(study):
    rows = bubbles.table(study, PLOT)
    lines = bubbles.bubbles_of(rows, style.shown_models(study))
    memory, accuracy = lines.values()
    sizes = {bubble.name: bubble.parameters for bubble in memory["p50"]}
    assert sizes["VGG 16"] == pytest.approx(0.25 * 138_357_544 / 40, rel=1e-3)
    trained = {"VGG 16", "ResNet 50", "GNMT"}
    assert {bubble.name for bubble in accuracy["p50"]} == trained
    assert set(sizes) == trained | {"ResNet 50 full"}


def test_a_model_without_a_time_has_no_bubble_and_a_line_without_bubbles_vanishes(study):
    untimed = study.assign(
        **{
            name: study[name].mask(study["metric"].eq("latency") & study["model"].eq("vgg_16"))
            for name in ("value", "ratio")
        }
    )
    shown = bubbles.bubbles_of(bubbles.table(untimed, PLOT), style.shown_models(untimed))
    assert all(bubble.name != "VGG 16" for line in shown.values() for some in line.values() for bubble in some)
    forgotten = study[study["metric"] != "memory"]
    assert list(bubbles.bubbles_of(bubbles.table(forgotten, PLOT), style.shown_models(study))) == [
        "accuracy, points from fp32"
    ]


@pytest.mark.parametrize(("slope", "word"), [(1e-9, "grows"), (-1e-9, "falls")])
def test_the_finding_tells_an_order_by_size(slope, word, values, study):
    parameters = values[values["metric"] == "parameters"].set_index(["model", "variant"])["value"]
    sizes = values[["model", "variant"]].join(parameters.rename("size"), on=["model", "variant"])["size"]
    ordered = values.assign(ratio=values["ratio"].mask(values["metric"] == "latency", 1 + slope * sizes))
    assert f"under q8 {word} with the size" in bubbles.finding(ordered, style.shown_models(study))


def test_the_finding_tells_that_there_is_no_order_or_too_few_models(values, study):
    shown = style.shown_models(study)
    assert "neither grows nor falls steadily with the size of a model: it is ×1.75 (" in bubbles.finding(values, shown)
    assert "too few to tell" in bubbles.finding(values, shown[:2])
    assert bubbles.finding(values, []) == ""


def test_the_legend_tells_three_sizes(study):
    drawing = figures.draw("fig32_quantization_sizes", study, PLOT)
    texts = {text.get_text() for text in drawing.figure.texts}
    assert {"10.0 M", "1.00 M", "100 k"} <= texts
