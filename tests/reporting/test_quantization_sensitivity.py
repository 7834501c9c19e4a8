"""The heat map of a scan of kernels draws from any network's table, legibly and within its page."""

import pandas as pd
import pytest
from matplotlib.text import Text

from tocompress.paths import FIGURE_FORMATS
from tocompress.reporting import palette, style
from tocompress.reporting.figures import save
from tocompress.reporting.figures.quantization_sensitivity import caption, drawing, kernel_names, together_of
from tocompress.settings.jobs import QuantizationSensitivityFigureJob
from tocompress.settings.reporting import Plot

MOBILENET = [
    f"MobilenetV1/Conv2d_{n}_{kind}"
    for n in range(1, 9)
    for kind in ("depthwise/depthwise_weights", "pointwise/weights")
]
INCEPTION = [f"InceptionV4/Mixed_{b}/Branch_{n}/Conv2d_0a_1x1/weights" for b in range(30) for n in range(5)]
GNMT = [
    "embeddings/encoder/embedding_encoder",
    "dynamic_seq2seq/decoder/multi_rnn_cell/cell_0_attention/attention/bahdanau_attention/query_layer/kernel",
    "dynamic_seq2seq/decoder/output_projection/kernel",
]
BITS = (2, 3, 4, 8)


def scan(kernels, metric="top1", bits=BITS, loss=0.08):
    """Return a scan in which the first kernel loses most, and in which all together lose and diverge twice the sum."""

    def row(kernel, own, change, divergence, margin):
        facts = {"tensor": kernel, "bits": own, "granularity": "channel", "values": 1024}
        of_weights = {"signal_to_noise": 6.0 * (own or 0), "kurtosis": 3.2, "clipped": 0.013}
        effect = {"divergence": divergence, "metric": metric, "value": 0.9 + change, "change": change, "n": 1000}
        return facts | of_weights | effect | {"change_low": change - margin, "change_high": change + margin}

    rows = [row(None, None, 0.0, 0.0, 0.002)]
    for number, kernel in enumerate(kernels):
        for own in bits:
            rows.append(row(kernel, own, -loss / (1 + number) / own, 0.1 / own, 0.012))
    for own in bits:
        change = 2 * sum(each["change"] for each in rows if each["tensor"] and each["bits"] == own)
        rows.append(row(None, own, max(change, -0.9), 0.2 * len(kernels) / own, 0.02))
    table = pd.DataFrame(rows)
    return table.astype({"bits": "Int64", "tensor": "string"})


def given(kernels, variant="q5_mixed"):
    return pd.DataFrame({"variant": variant, "tensor": kernels[1:], "bits": 7})


def settings(network="mobilenet_v1"):
    return QuantizationSensitivityFigureJob(model=network, network=network, data="glyphs", plot=Plot(dpi=60))


def texts(figure):
    return [text for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize(
    ("table", "network", "budgeted"),
    [
        (scan(MOBILENET), "mobilenet_v1", [given(MOBILENET), given(MOBILENET, "q4_mixed")]),
        (scan(INCEPTION, bits=(2, 3, 4, 5, 6, 8)), "inception_v4", [given(INCEPTION)]),
        (scan(GNMT, "next_token", bits=(3,)), "gnmt", []),
        (scan(GNMT, "next_token", loss=0.0), "gnmt", []),
        (scan(MOBILENET, bits=tuple(range(2, 17))), "mobilenet_v1", []),
    ],
    ids=["budgets", "two blocks", "one width", "nothing lost", "all widths"],
)
def test_a_scan_is_drawn_within_its_page(table, network, budgeted, tmp_path):
    made = drawing(table, settings(network), budgeted)
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


def test_kernels_are_rows_in_the_networks_order_with_their_losses_and_bits():
    shown = [text.get_text() for text in texts(drawing(scan(MOBILENET), settings(), [given(MOBILENET)]).figure)]
    assert [text for text in shown if text in kernel_names(MOBILENET)] == kernel_names(MOBILENET)
    assert {"4.0", "2.0", "1.0", "7"} <= set(shown)  # 8 / bits of the first kernel, and the bits given
    assert shown.count("7") == len(MOBILENET) - 1  # the first kernel stays float
    assert shown.count("24") == len(MOBILENET)  # dB at 4 bits


def test_a_loss_within_its_interval_is_grey():
    colours = {text.get_text(): text.get_color() for text in texts(drawing(scan(GNMT), settings("gnmt")).figure)}
    # Losses of 8 / 3 and of 8 / 8 points, each +-1.2.
    assert (colours["2.7"], colours["1.0"]) == (palette.ON_LIGHT, palette.FAINT_ON_LIGHT)


def test_all_together_stand_against_the_sum_of_the_rows():
    together = together_of(scan(GNMT))
    assert list(together.index) == list(BITS)
    assert together["sum"].iloc[0] == pytest.approx(0.04 * (1 + 1 / 2 + 1 / 3))
    assert together["all"].iloc[0] == pytest.approx(2 * together["sum"].iloc[0])
    assert together["ratio"].tolist() == pytest.approx([2.0] * len(BITS))


def test_both_kernels_of_a_separable_layer_are_told_apart():
    separable = ["InceptionV2/Conv2d_1a_7x7/depthwise_weights", "InceptionV2/Conv2d_1a_7x7/pointwise_weights"]
    assert kernel_names(separable) == ["Conv2d_1a_7x7 depthwise", "Conv2d_1a_7x7 pointwise"]
    assert kernel_names(INCEPTION)[1] == "Mixed_0/Branch_1/0a_1x1"
    assert kernel_names(GNMT) == ["source embedding", "attention, query", "output projection"]


def test_the_caption_states_grid_basis_observations_and_interval():
    text = str(caption(scan(GNMT, "next_token"), settings("gnmt"), [given(GNMT)]))
    for part in ("grid a channel", "calibration set of glyphs", "n = 1,000 tokens", "paired, at most ±1.2", "q5_mixed"):
        assert part in text


def test_the_finding_counts_the_kernels_that_clearly_lose_and_names_the_worst():
    found = caption(scan(GNMT), settings("gnmt")).finding
    assert found.startswith("The loss of top-1 at 4 bits is clear for 1 of 3 kernels alone. It is largest for")
    assert found.endswith("source embedding: 2.0 points (0.8 to 3.2).")
    assert "clear for none of 3" in caption(scan(GNMT, loss=0.01), settings("gnmt")).finding
