"""The rows of the report hold each value once, with its interval and its effect."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from report_inputs import FILES

from tocompress.reporting.report.rows import rows, units
from tocompress.reporting.report.samples import histograms
from tocompress.vocabulary.arithmetic import ONCE


@pytest.fixture(scope="module")
def found(both):
    return {(row["model"], row["variant"], row["runtime"], row["arithmetic"]): row for row in rows(both, FILES)}


def test_a_row_is_a_variant_as_a_runtime_executes_it(found, both):
    row = found["vgg_16", "q8", "TensorFlow", "once"]
    own = both[both["model"].eq("vgg_16") & both["variant"].eq("q8") & both["runtime"].eq("tensorflow")]
    time = own[own["metric"].eq("latency") & own["arithmetic"].eq(ONCE) & own["label"].isna()].iloc[0]
    assert row["values"]["latency"][:3] == pytest.approx([time["value"], time["low"], time["high"]], rel=1e-5)
    assert row["values"]["latency"][5:8] == pytest.approx(
        [time["ratio"], time["ratio_low"], time["ratio_high"]], rel=1e-5
    )
    top1 = own[own["metric"].eq("top1")].iloc[0]
    assert row["values"]["top1"][5:8] == pytest.approx(
        [100 * top1[name] for name in ("change", "change_low", "change_high")], rel=1e-5
    )
    assert row["artifact"] == "artifacts/tensorflow/vgg_16/q8.pb"
    assert row["bundle"] == "results/made_up/bundles/tensorflow/vgg_16/q8"


def test_a_missing_value_is_its_reason(found):
    assert found["vgg_16", "q8", "TensorFlow", "once"]["values"]["energy"] == "no power sensor on host"
    refused = found["vgg_16", "q16", "LiteRT", ""]
    assert refused["artifact"] == "" and refused["values"]["size"].startswith("litert holds integer weights")


def test_a_variant_that_no_device_timed_has_a_row_without_a_device(study):
    untimed = study[study["device"].isna()]
    assert {row["device"] for row in rows(untimed, FILES)} == {""}
    assert "latency" not in units(untimed) and "size" in units(untimed)


def test_fp32_is_on_the_front_and_a_variant_that_is_beaten_is_not(found):
    of_vgg = {key: row["front"] for key, row in found.items() if key[0] == "vgg_16"}
    assert of_vgg["vgg_16", "fp32", "TensorFlow", ""] and of_vgg["vgg_16", "i8", "LiteRT", "integers"]
    assert not of_vgg["vgg_16", "q6", "TensorFlow", "every inference"]


def test_a_histogram_counts_each_timed_run_of_one_input():
    runs = pd.DataFrame(
        {
            "model": "vgg_16", "device": "host", "runtime": "tensorflow", "arithmetic": "float", "batch": 1,
            "variant": ["fp32"] * 300 + ["p50"] * 200, "warmup": [True] * 10 + [False] * 490,
            "duration_s": np.r_[np.linspace(0.01, 0.02, 300), np.linspace(0.001, 0.002, 200)],
        }
    )  # fmt: skip
    batches = runs.assign(batch=16, duration_s=9.0)
    fp32, p50 = histograms([pd.concat([runs, batches], ignore_index=True)])["vgg_16"]
    assert (sum(fp32["counts"]), sum(p50["counts"])) == (290, 200)
    assert fp32["edges"] == p50["edges"] and fp32["edges"][0] < 1.1 and fp32["edges"][-1] > 19
    assert (
        fp32["edges"][int(np.argmax(np.array(p50["counts"]) > 0))] < 2 < fp32["edges"][np.nonzero(fp32["counts"])[0][0]]
    )
