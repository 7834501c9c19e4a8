"""What ran on what is told from the sessions."""

from __future__ import annotations

import pandas as pd

from tocompress.reporting.machines import session_facts, summary, versions


def test_facts_that_differ_between_sessions_are_all_told():
    sessions = [pd.DataFrame({"key": ["cpu", "load"], "value": ["x86", str(number)]}) for number in range(5)]
    assert session_facts(sessions) == {"cpu": "x86", "load": "5 different values, from 0 to 4"}


def test_a_board_is_called_by_its_name_and_digests_are_left_out():
    keys = ["device/board", "device/processor_name", "device/memory_bytes", "device/l4t", "sha256/inputs", "output/q8"]
    values = ["Jetson TX2", "ARMv8", "8242712576", None, "ab", "cd"]
    facts = session_facts([pd.DataFrame({"key": keys, "value": values})])
    assert "sha256/inputs" not in facts and "output/q8" not in facts
    assert summary(facts) == {"machine": "Jetson TX2", "memory": "8.24 GB"}


def test_modes_of_dequantization_are_told_in_words():
    assert summary({"settings/arithmetic": "integer; float, dequantized once"}) == {
        "arithmetic": "integer and float, dequantized once"
    }


def test_the_versions_of_this_workflow_are_known():
    assert {"python", "numpy", "snakemake"} <= set(versions())
