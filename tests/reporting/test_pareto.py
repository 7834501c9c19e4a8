"""The Pareto figure places models that can be compared, and names the front."""

from __future__ import annotations

from made_up import make_unavailable
from matplotlib.text import Text

from tocompress.reporting import figures
from tocompress.reporting.figures.pareto import table
from tocompress.settings.reporting import Plot

PLOT = Plot(dpi=60)
FIRST = ("fp32", "p05")
TRAINED = {"vgg_16", "resnet_v1_50", "mobilenet_v1", "gnmt"}


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

    assert front(study, "size", "vgg_16").empty  # the others are smaller
    apart = study.assign(dataset=study["dataset"].mask(study["model"] == "vgg_16", "photographs"))
    assert not front(apart, "size", "vgg_16").empty


def test_the_front_of_a_model_compares_paired_differences(study):
    fp32, p05 = (
        study["model"].eq("gnmt") & study["variant"].eq(variant) & study["metric"].eq("latency") for variant in FIRST
    )
    # Times drift, so values overlap. Each round shows p05 to be faster.
    drifting = study.assign(low=study["low"].mask(fp32 | p05, 0.0), high=study["high"].mask(fp32 | p05, 1e9))
    accurate = drifting.assign(change=drifting["change"].mask(drifting["variant"] == "p05", 0.0))
    rows = table(accurate, PLOT)
    own = rows[(rows["model"] == "gnmt") & (rows["metric"] == "latency")].set_index("variant")
    ratio = own["ratio_high"]["p05"]
    assert ratio < 1
    assert own["on_model_front"][list(FIRST)].tolist() == [False, True]


def test_the_overview_names_the_front_and_models_with_a_sweep_have_panels_of_their_own(study):
    drawing = figures.draw("pareto", study, PLOT)
    shown = {text.get_text() for text in drawing.figure.findobj(Text)}
    front = drawing.table[drawing.table["accuracy_metric"].eq("top1") & drawing.table["on_front"].fillna(False)]
    short = {"resnet_v1_50": "Res. 50", "vgg_16": "VGG 16", "mobilenet_v1": "Mobile"}
    near = front[front["accuracy"] > front["accuracy"].max() - 0.06]
    assert {f"{short[row.model]} {row.variant}" for row in near.itertuples()} <= shown
    titles = [axes.get_title("left") for axes in drawing.figure.axes]
    assert [titles.count(name) for name in ("ResNet 50", "VGG 16", "GNMT", "MobileNet")] == [2, 2, 2, 0]


def test_no_axis_of_accuracy_reaches_far_below_fp32_and_the_caption_names_the_others(study):
    drawing = figures.draw("pareto", study, PLOT)
    heights = [low for low, _ in (axes.get_ylim() for axes in drawing.figure.axes)]
    assert min(heights[2:]) > -8  # of single models, in points
    assert min(heights[:2]) > 70
    assert "ResNet 50 p50, p50_random and p75" in figures.caption("pareto", study, PLOT).details


def test_the_finding_counts_what_is_unbeaten(study):
    finding = figures.caption("pareto", study, PLOT).finding
    assert "4 of 28 variants are unbeaten in file size and accuracy, from MobileNet q6 (111 kB, 70.0 %)" in finding
    assert "Only MobileNet fp32 (826 µs, 78.0 %) is unbeaten in inference time" in finding


def test_where_nothing_can_be_placed_a_sentence_says_why(study):
    drawing = figures.draw("pareto", make_unavailable(study), PLOT)
    assert not drawing.figure.axes
    assert "the device did not answer" in " ".join(text.get_text() for text in drawing.figure.findobj(Text))
    assert figures.caption("pareto", make_unavailable(study), PLOT).finding == ""


def test_a_swept_model_without_times_and_models_without_fp32_are_drawn_by_the_rest(study):
    untimed = study[~(study["model"].eq("vgg_16") & study["metric"].eq("latency"))]
    titles = [axes.get_title("left") for axes in figures.draw("pareto", untimed, PLOT).figure.axes]
    assert (titles.count("VGG 16"), titles.count("ResNet 50")) == (1, 2)
    assert figures.draw("pareto", study[study["variant"] != "fp32"], PLOT).figure.axes
