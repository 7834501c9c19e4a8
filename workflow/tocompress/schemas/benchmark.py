"""Benchmark: raw samples."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tocompress.tables import COUNT, FLAG, FLOAT, TEXT, schema

_OWNER = {"device": (TEXT, ""), "model": (TEXT, "")}


def _of_a_session(name: str, **columns: Any) -> pa.Schema:
    return schema(name, **_OWNER, **columns)


#: Time of each run.
LATENCY = _of_a_session(
    "latency",
    runtime=(TEXT, ""),
    variant=(TEXT, ""),
    arithmetic=(TEXT, "how operations compute"),
    batch=(COUNT, "inputs of an inference"),
    input_id=(TEXT, ""),
    generation=(COUNT, "number of the generation of fresh processes, which take turns"),
    process=(COUNT, "number of the fresh process of this variant and arithmetic"),
    round=(COUNT, "number of the round in the generation, 0 while loading"),
    order=(COUNT, "place within the round"),
    start_s=(FLOAT, "s, monotonic clock"),
    duration_s=(FLOAT, "s"),
    processor_s=(FLOAT, "s, time of all processors"),
    tokens=(COUNT, "tokens generated (null: images)"),
    warmup=(FLAG, ""),
)

#: Time in which each process reads and prepares its artifact, before its first inference.
LOADING = _of_a_session(
    "loading",
    runtime=(TEXT, ""),
    variant=(TEXT, ""),
    arithmetic=(TEXT, "how operations compute"),
    generation=(COUNT, "number of the generation of fresh processes"),
    process=(COUNT, "number of the fresh process of this variant and arithmetic"),
    duration_s=(FLOAT, "s"),
    processor_s=(FLOAT, "s, time of all processors"),
)

#: Memory of each worker.
MEMORY = _of_a_session(
    "memory",
    runtime=(TEXT, ""),
    variant=(TEXT, "'control' is a worker without a model"),
    arithmetic=(TEXT, "how operations compute (null: control worker)"),
    generation=(COUNT, "number of the generation of fresh processes"),
    process=(COUNT, "number of the fresh process"),
    phase=(TEXT, "start, loaded, first, last"),
    vm_hwm=(COUNT, "byte, highest since the phase before"),
    rss=(COUNT, "byte"),
    pss=(COUNT, "byte"),
    uss=(COUNT, "byte"),
    nvmap=(COUNT, "byte, graphics memory of a Jetson (null: unreadable)"),
)

#: Samples of each power rail while a worker idles, infers and idles again.
POWER = _of_a_session(
    "power",
    runtime=(TEXT, ""),
    variant=(TEXT, ""),
    arithmetic=(TEXT, "how operations compute"),
    process=(COUNT, "number of the fresh process"),
    time_s=(FLOAT, "s, monotonic clock"),
    rail=(TEXT, ""),
    watt=(FLOAT, "W"),
)

#: Times in which a worker idled and inferred while its power was sampled.
WINDOWS = _of_a_session(
    "windows",
    runtime=(TEXT, ""),
    variant=(TEXT, ""),
    arithmetic=(TEXT, "how operations compute"),
    process=(COUNT, "number of the fresh process"),
    phase=(TEXT, "idle_before, block, idle_after"),
    start_s=(FLOAT, "s, monotonic clock"),
    end_s=(FLOAT, "s, monotonic clock"),
    runs=(COUNT, "inferences of the block (null: other phases)"),
)

#: Time of each operation in profiled runs.
OPERATIONS = _of_a_session(
    "operations",
    runtime=(TEXT, ""),
    variant=(TEXT, ""),
    arithmetic=(TEXT, "how operations compute"),
    operation=(TEXT, "name in the graph"),
    type=(TEXT, "the runtime's type of operation"),
    operation_class=(TEXT, "the study's class"),
    integer=(FLAG, "it computes in integers"),
    duration_s=(FLOAT, "s (null: shorter than the runtime's clock tells)"),
    run=(COUNT, "number of the profiled run"),
)

#: How far each time can be trusted. A row without input is of all inputs. Too few samples give null.
DIAGNOSTICS = _of_a_session(
    "diagnostics",
    runtime=(TEXT, ""),
    variant=(TEXT, ""),
    arithmetic=(TEXT, "how operations compute"),
    input_id=(TEXT, "null: all inputs"),
    n=(COUNT, "timed runs"),
    generations=(COUNT, "generations of fresh processes"),
    median_s=(FLOAT, "s"),
    p90_s=(FLOAT, "s"),
    p99_s=(FLOAT, "s"),
    own_width=(FLOAT, "half-width of the time's interval, fraction"),
    likely_width=(FLOAT, "the same with the largest spread that the session's spread makes likely"),
    ratio_own_width=(FLOAT, "half-width of the ratio's interval, fraction (null: fp32)"),
    ratio_likely_width=(FLOAT, "the same with the largest spread that the session's spread makes likely"),
    rank_width=(FLOAT, "half-width of the median's interval by ranks, fraction, for one input only"),
    batch_width=(FLOAT, "half-width of the mean's interval by batches, fraction, for one input only"),
    autocorrelation=(FLOAT, "of neighbouring runs, for one input only"),
    effective_n=(FLOAT, "independent runs that would tell as much"),
    drift=(FLOAT, "change of the machine from the first generation to the last, fraction"),
    drift_p=(FLOAT, "probability of such a rank correlation with time by chance"),
    settled=(FLAG, "the time"),
    ratio_settled=(FLAG, "the ratio to fp32 (null: fp32)"),
    reason=(TEXT, "why the time or the ratio is not settled"),
)

#: Facts about the device, the settings and the measured files.
SESSION = _of_a_session(
    "session",
    key=(TEXT, ""),
    value=(TEXT, ""),
)

#: All tables of a session, by the names of their files.
TABLES = {
    "latency": LATENCY,
    "loading": LOADING,
    "memory": MEMORY,
    "power": POWER,
    "windows": WINDOWS,
    "operations": OPERATIONS,
    "diagnostics": DIAGNOSTICS,
    "session": SESSION,
}

#: Each table without the device and the model, which are the same in all rows.
RECORDED = {
    name: pa.schema([field for field in table if field.name not in _OWNER], table.metadata)
    for name, table in TABLES.items()
}
