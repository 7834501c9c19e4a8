"""Fronts hold what nothing beats, among models that can be compared."""

from __future__ import annotations

import pandas as pd
import pytest
from made_up import make_unavailable
from matplotlib.text import Text

from tocompress.reporting import figures
from tocompress.reporting.figures.pareto import table, undominated
from tocompress.settings.reporting import Plot

PLOT = Plot(dpi=60)
TRAINED = {"vgg_16", "resnet_v1_50", "mobilenet_v1", "gnmt"}


@pytest.mark.parametrize(
    ("costs", "gains", "front"),
    [
        ([1, 2, 3], [5, 7, 6], [True, True, False]),  # dearer, and no better
        ([1, 1, 2], [5, 6, 6], [False, True, False]),  # as cheap but worse; as good but dearer
        ([2, 2], [5, 5], [True, True]),  # equal ones stand together
        ([], [], []),
    ],
)
def test_nothing_on_a_front_is_beaten(costs, gains, front):
    assert undominated(pd.Series(costs, dtype=float), pd.Series(gains, dtype=float)).tolist() == front


def test_models_without_a_cost_or_an_accuracy_are_on_no_front(study):
    unbenchmarked = study.assign(
        value=study["value"].mask((study["model"] == "vgg_16") & (study["metric"] == "latency"))
    )
    rows = table(unbenchmarked, PLOT)
    placed = rows[rows["on_front"].notna()]
    assert set(placed.loc[placed["metric"] == "size", "model"]) == TRAINED
    assert set(placed.loc[placed["metric"] == "latency", "model"]) == TRAINED - {"vgg_16"}
    assert set(rows["model"]) == set(study["model"])


def test_fronts_are_of_models_with_the_same_metric_on_the_same_data(study):
    def front(of, metric, model):
        rows = table(of, PLOT)
        return rows[rows["on_front"].fillna(False) & (rows["metric"] == metric) & (rows["model"] == model)]

    rows = table(study, PLOT)
    alone = rows[(rows["model"] == "gnmt") & (rows["accuracy_metric"] == "bleu")]
    assert (alone["on_front"] == alone["on_model_front"]).all()
    assert front(study, "size", "vgg_16").empty  # the others are smaller
    apart = study.assign(dataset=study["dataset"].mask(study["model"] == "vgg_16", "photographs"))
    assert not front(apart, "size", "vgg_16").empty


def test_the_overview_names_the_front_and_each_model_has_panels_of_its_own(study):
    drawing = figures.draw("pareto", study, PLOT)
    shown = [text.get_text() for text in drawing.figure.findobj(Text) if text.get_text()]
    comparable = drawing.table["accuracy_metric"] == "top1"
    front = drawing.table[comparable & drawing.table["on_front"].fillna(False)]
    names = {"resnet_v1_50": "Res. 50", "vgg_16": "VGG 16", "mobilenet_v1": "Mobile"}
    labels = [f"{names[row.model]} {row.variant}" for row in front.itertuples()]
    assert sorted(text for text in shown if text in labels) == sorted(labels)
    titles = [axes.get_title("left") for axes in drawing.figure.axes]
    assert [titles.count(name) for name in ("ResNet 50", "VGG 16", "MobileNet", "GNMT")] == [2] * 4


def test_where_nothing_can_be_placed_panels_and_caption_say_why(study):
    nothing = make_unavailable(study)
    drawing = figures.draw("pareto", nothing, PLOT)
    assert "No model has both" in figures.caption("pareto", nothing, PLOT)
    for axes in drawing.figure.axes:
        assert "the device did not answer" in " ".join(text.get_text() for text in axes.texts)
