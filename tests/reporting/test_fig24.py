"""Figure 24 shows the four quantities that a cut changes, over each share removed."""

from __future__ import annotations

import pytest
from made_up import CUTS, make_study
from matplotlib.text import Text

from tocompress.reporting import figures
from tocompress.reporting.thresholds import largest_cuts
from tocompress.settings.reporting import Plot

PLOT = Plot(dpi=60)
FOUR = ["accuracy", "inference time", "file size", "runtime memory"]


def titles(figure):
    return [axes.get_title("left").split(") ")[1].split(" relative")[0].split(",")[0] for axes in figure.axes]


def test_a_page_switches_between_the_shares_removed(study):
    drawing = figures.draw("fig24_thresholds", study, PLOT)
    assert list(drawing.alternatives) == ["filters", "parameters", "multiply-accumulates"]
    assert drawing.alternatives["filters"] is drawing.figure
    for name, figure in drawing.alternatives.items():
        assert titles(figure) == FOUR
        assert {axes.get_xlabel() for axes in figure.axes} == {f"{name} removed (%)"}
        assert (figure.get_size_inches() == drawing.figure.get_size_inches()).all()


def test_energy_and_power_have_panels_where_there_is_a_sensor():
    measured = make_study(("vgg_16",), power=True)
    assert titles(figures.draw("fig24_thresholds", measured, PLOT).figure) == [*FOUR, "energy", "peak power"]


def test_a_share_that_is_unknown_is_no_alternative(study):
    uncounted = study[study["metric"] != "macs"]
    assert list(figures.draw("fig24_thresholds", uncounted, PLOT).alternatives) == ["filters", "parameters"]


def test_each_curve_is_named_in_its_panel_and_models_without_values_are_not(study):
    accuracy, time, *_ = figures.draw("fig24_thresholds", study, PLOT).figure.axes
    trained = {"ResNet 50", "VGG 16", "GNMT"}
    assert {text.get_text() for text in accuracy.texts} == trained
    assert {text.get_text() for text in time.texts} == trained | {"ResNet 50 full"}


def test_the_largest_cuts_are_ringed_and_are_the_finding(study):
    accuracy = figures.draw("fig24_thresholds", study, PLOT).figure.axes[0]
    cuts = largest_cuts(study)
    rings = [line for line in accuracy.lines if line.get_markerfacecolor() == "none"]
    chosen = [variant for cut in cuts.values() for variant in (cut.by_value, cut.by_bound) if variant]
    assert sorted(ring.get_xdata()[0] for ring in rings) == sorted(100 * CUTS[variant] for variant in chosen)
    finding = figures.caption("fig24_thresholds", study, PLOT).finding
    assert finding == (
        "ResNet 50 without 30 %, VGG 16 without 30 % and GNMT without 15 % of their filters keep at least 95 % of the"
        " accuracy."
    )


@pytest.mark.parametrize(
    ("lost", "finding"),
    [
        ({"resnet_v1_50", "vgg_16", "gnmt"}, "No cut of ResNet 50, VGG 16 and GNMT keeps at least 95 %"),
        ({"resnet_v1_50", "vgg_16"}, "GNMT without 15 % of its filters keeps at least 95 % of the accuracy. No cut of"),
    ],
)
def test_the_finding_names_models_without_such_a_cut(lost, finding, study):
    hopeless = study["model"].isin(lost) & study["variant"].isin(CUTS)
    worse = study.assign(ratio=study["ratio"].mask(hopeless & study["metric"].isin(["top1", "bleu"]), 0.5))
    assert figures.caption("fig24_thresholds", worse, PLOT).finding.startswith(finding)


def test_a_study_without_pruning_is_a_sentence(small_study):
    drawing = figures.draw("fig24_thresholds", small_study, PLOT)
    assert not drawing.figure.axes and not drawing.alternatives
    (text,) = [text.get_text() for text in drawing.figure.findobj(Text) if text.get_text()]
    assert text == "Pruning is not part of this study."
