"""The heat map of a scan draws from any network's table, legibly and within its page."""

import pandas as pd
import pytest
from matplotlib.text import Text

from tocompress.paths import FIGURE_FORMATS
from tocompress.reporting import style
from tocompress.reporting.figures import save
from tocompress.reporting.figures.sensitivity import caption, drawing, group_names
from tocompress.settings.jobs import SensitivityFigureJob
from tocompress.settings.reporting import Plot

RESNET = [f"resnet_v1_50/block{b}/unit_{u}/bottleneck_v1/{c}" for b in (1, 2) for u in (1, 2, 3) for c in ("a", "b")]
INCEPTION = [f"InceptionV4/Mixed_{b}/Branch_{n}/Conv2d_0a_1x1" for b in range(30) for n in range(5)]
GNMT = ["embeddings/encoder", "dynamic_seq2seq/encoder/rnn/multi_rnn_cell/cell_0/basic_lstm_cell"]


def scan(groups, metric="top1", kind="filters", whole=0.8):
    rows = [(None, None, 8 * len(groups), 0, 0.0, metric, whole, whole, whole, 1000)]
    for number, group in enumerate(groups):
        for tenths in range(1, 10):
            value = whole * (1 - tenths / 10 / (1 + number))
            rows.append((group, kind, 8, tenths - 1, tenths / 10, metric, value, value - 0.02, value + 0.02, 1000))
    columns = ["group", "kind", "channels", "removed", "share", "metric", "value", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns)


def settings(network="resnet_v1_50"):
    return SensitivityFigureJob(model=network, network=network, data="glyphs", criterion="l1", plot=Plot(dpi=60))


def texts(figure):
    return [text for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize(
    ("table", "network"),
    [
        (scan(RESNET), "resnet_v1_50"),
        (scan(INCEPTION), "inception_v4"),
        (scan(GNMT, "next_token", "units"), "gnmt"),
        (scan(RESNET, whole=0.0), "resnet_v1_50"),
    ],
    ids=["resnet", "inception", "gnmt", "nothing right"],
)
def test_a_scan_is_drawn_within_its_page(table, network, tmp_path):
    made = drawing(table, settings(network))
    with style.applied():
        made.figure.canvas.draw()
    page = made.figure.bbox.padded(1)
    for text in texts(made.figure):
        box = text.get_window_extent()
        assert text.get_fontsize() >= 7
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text.get_text()
    files = {kind: tmp_path / f"scan.{kind}" for kind in FIGURE_FORMATS}
    save(made, files, Plot(dpi=60))
    assert len(pd.read_csv(files["csv"])) == len(table)


def test_layers_are_rows_in_the_networks_order_with_what_is_left_of_each_printed():
    shown = [text.get_text() for text in texts(drawing(scan(RESNET), settings()).figure)]
    names = [text for text in shown if text in group_names(RESNET)]
    assert names == group_names(RESNET)
    assert {"uncut 80.0", "72", "8"} <= set(shown)  # the first layer without 10 % and without 90 %


def test_names_leave_out_the_network_and_what_all_have_in_common():
    assert group_names(RESNET)[:2] == ["block1/unit_1/a", "block1/unit_1/b"]
    assert group_names(["vgg_16/conv1/conv1_1", "vgg_16/conv2/conv2_1", "vgg_16/fc6"])[1:] == ["conv2/conv2_1", "fc6"]
    assert group_names(["vgg_16/fc6"]) == ["fc6"]
    assert group_names(GNMT) == ["source embedding", "encoder 0 to 2; decoder 1 to 3"]


def test_the_caption_states_criterion_basis_observations_and_interval():
    text = str(caption(scan(GNMT, "next_token", "units"), settings("gnmt")))
    for part in ("by l1", "Measured on the calibration set of glyphs", "n = 1,000 tokens", "95 % intervals", "±2.0"):
        assert part in text


def test_the_finding_names_the_worst_and_the_best_layer_to_cut():
    found = caption(scan(GNMT, "next_token", "units"), settings("gnmt")).finding
    assert "Without 50 % of one layer, next tokens right is 40.0 % (38.0 to 42.0 %) for source embedding" in found
    assert "60.0 % (58.0 to 62.0 %) for encoder 0 to 2; decoder 1 to 3 at best, of 80.0 % uncut" in found
