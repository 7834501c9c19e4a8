"""Each variant has a name in words."""

from __future__ import annotations

from tocompress.reporting.report.legend import legend


def test_variants_are_told_by_their_methods_and_facts(both):
    told = legend(both)
    assert set(told) == set(both["variant"])
    assert told["q8"] == "8-bit weights, one grid a tensor"
    assert told["i8"] == "8-bit weights, one grid a channel, activations in 8 bits"
    assert told["p30"] == "30 % of the filters removed"
    assert told["p05-q8"] == "5 % of the filters removed, then 8-bit weights, one grid a tensor"


def test_options_and_a_control_are_told(both):
    options = both["options"].mask(both["variant"].eq("q6"), "rounding learned")
    assert legend(both.assign(options=options))["q6"].endswith(", with rounding learned")
    nothing = both["metric"].eq("filters_removed") & both["variant"].eq("p05")
    assert "control" in legend(both.assign(value=both["value"].mask(nothing, 0.0)))["p05"]
