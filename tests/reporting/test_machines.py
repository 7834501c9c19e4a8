"""What ran on what is told from the sessions."""

from __future__ import annotations

import pandas as pd
import pytest

from tocompress.reporting.report.machines import noise, products, session_facts, several_processors, summary, versions


def test_facts_that_differ_between_sessions_are_all_told():
    loads = ["9", "10", "none", "8.5", "100"]
    sessions = [pd.DataFrame({"key": ["cpu", "load"], "value": ["x86", load]}) for load in loads]
    assert session_facts(sessions) == {"cpu": "x86", "load": "5 different values, from 8.5 to none"}
    assert session_facts(sessions[:2] + sessions[3:])["load"] == "4 different values, from 8.5 to 100"


def test_the_noise_of_a_device_spans_its_sessions_and_is_left_out_where_none_tells_it():
    keys = ["noise/machine", "noise/process", "noise/sample"]
    told = [pd.DataFrame({"key": keys, "value": values}) for values in (["0.021", "0.03", "0.01"], ["0.04", None, ""])]
    assert noise(told).replace("\N{NO-BREAK SPACE}", " ") == (
        "Between rounds the machine changed all times alike by 2.1 to 4.0 %, fresh processes differed by 3.0 %, and"
        " slices of one process by 1.0 % (standard deviations)."
    )
    assert noise([pd.DataFrame({"key": ["cpu", "noise/machine"], "value": ["x86", "0.02"]})]) == ""


def test_sessions_on_different_processors_are_told_and_on_one_are_not():
    one, two = (pd.DataFrame({"key": ["device/processor_name"], "value": [name]}) for name in ("EPYC", "Xeon"))
    assert several_processors([one, one]) == ""
    assert "EPYC, Xeon" in several_processors([one, two, one])


def test_a_board_is_called_by_its_name_and_digests_are_left_out():
    keys = ["device/board", "device/processor_name", "device/memory_bytes", "device/l4t", "sha256/inputs", "output/q8"]
    values = ["Jetson TX2", "ARMv8", "8242712576", None, "ab", "cd"]
    facts = session_facts([pd.DataFrame({"key": keys, "value": values})])
    assert "sha256/inputs" not in facts and "output/q8" not in facts
    assert summary(facts) == {"machine": "Jetson TX2", "memory": "8.24 GB"}


@pytest.mark.parametrize(
    ("features", "told"),
    [
        ("avx2; avx512_vnni; sse4_1", "VNNI"),
        ("avx2; sse4_1", "none"),
        ("asimd", "none"),
        ("asimd; asimddp", "dot product"),
    ],
)
def test_the_integer_products_of_a_processor_are_told(features, told):
    facts = session_facts([pd.DataFrame({"key": ["device/processor_features"], "value": [features]})])
    assert summary(facts) == {"integer products": told}
    assert products({}) == "unknown"


def test_modes_of_dequantization_are_told_in_words():
    assert summary({"settings/arithmetic": "integer; float, dequantized once"}) == {
        "arithmetic": "integer; float, dequantized once"
    }


def test_the_versions_of_this_workflow_are_known():
    assert {"python", "numpy", "snakemake"} <= set(versions())
