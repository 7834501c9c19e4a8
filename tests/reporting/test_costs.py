"""The report tells in numbers what the uncompressed models cost."""

from __future__ import annotations

from tocompress.reporting.report.costs import costs
from tocompress.reporting.style import quantity


def test_a_model_has_its_known_costs_with_half_their_intervals(small_study):
    table = costs(small_study, "host")
    assert table.columns.tolist() == ["MobileNet", "GNMT"]
    expected = ["inference time", "throughput of 1 input", "throughput of 16 inputs", "loading time", "runtime memory"]
    assert table.index.tolist() == expected
    assert table.loc["loading time", "GNMT"] == "80.0 ms ±4.0 % ○"
    assert costs(small_study, "tx2").empty


def test_a_cost_that_a_model_lacks_is_blank(small_study):
    lacking = small_study["model"].eq("gnmt") & small_study["metric"].eq("load")
    assert costs(small_study[~lacking], "host").loc["loading time"].tolist() == ["80.0 ms ±4.0 % ○", ""]


def test_each_runtime_of_a_device_has_a_row_of_each_cost(both):
    table = costs(both, "host")
    rows = both[both["metric"].eq("latency") & both["variant"].eq("fp32") & both["label"].isna()]
    of_vgg = rows[rows["model"] == "vgg_16"].set_index("runtime")["value"]
    for runtime, title in (("tensorflow", "TensorFlow"), ("litert", "LiteRT")):
        assert table.loc[f"inference time, {title}", "VGG 16"].startswith(quantity(of_vgg[runtime], "ms"))
