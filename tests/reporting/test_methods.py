"""How numbers came to be is told for every metric, with what is missing."""

from __future__ import annotations

from made_up import NO_SENSOR

from tocompress.reporting.report.methods import methods


def test_bases_observations_intervals_and_reasons_are_those_of_the_table(study):
    found = {method.metric: method for method in methods(study)}
    energy = found["energy (J)"]
    assert energy.basis == f"{(study['metric'] == 'energy').sum()} unavailable"
    assert (energy.observations, energy.half_width, energy.reasons) == ("", "", NO_SENSOR)
    latency = study[study["metric"] == "latency"]
    shown = found["inference time (ms)"]
    compared = latency[latency["variant"] != "fp32"]
    assert shown.settled == f"{latency['settled'].sum()} of {len(latency)}"
    assert shown.ratio_settled == f"{compared['ratio_settled'].sum()} of {len(compared)}"
    assert shown.observations.endswith("(processes: 5)")
    widths = (latency["high"] - latency["low"]) / 2 / latency["value"]
    assert shown.half_width == f"{100 * widths.median():.1f} % (at most {100 * widths.max():.1f} %)"
    widths = (compared["ratio_high"] - compared["ratio_low"]) / 2 / compared["ratio"]
    assert shown.ratio_half_width == f"{100 * widths.median():.1f} % (at most {100 * widths.max():.1f} %)"
    assert found["top-1 (fraction)"].reasons == "no trained weights"
