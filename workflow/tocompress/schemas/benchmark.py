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
    variant=(TEXT, ""),
    arithmetic=(TEXT, "how quantized operations compute"),
    input_id=(TEXT, ""),
    process=(COUNT, "number of the fresh process, and of the randomised round"),
    order=(COUNT, "place within the round"),
    start_s=(FLOAT, "s, monotonic clock"),
    duration_s=(FLOAT, "s"),
    tokens=(COUNT, "tokens generated (null: images)"),
    warmup=(FLAG, ""),
)

#: Memory of each worker.
MEMORY = _of_a_session(
    "memory",
    variant=(TEXT, "'control' is a worker without a model"),
    arithmetic=(TEXT, "how quantized operations compute (null: control worker)"),
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
    variant=(TEXT, ""),
    arithmetic=(TEXT, "how quantized operations compute"),
    process=(COUNT, "number of the fresh process"),
    time_s=(FLOAT, "s, monotonic clock"),
    rail=(TEXT, ""),
    watt=(FLOAT, "W"),
)

#: Times in which a worker idled and inferred while its power was sampled.
WINDOWS = _of_a_session(
    "windows",
    variant=(TEXT, ""),
    arithmetic=(TEXT, "how quantized operations compute"),
    process=(COUNT, "number of the fresh process"),
    phase=(TEXT, "idle_before, block, idle_after"),
    start_s=(FLOAT, "s, monotonic clock"),
    end_s=(FLOAT, "s, monotonic clock"),
    runs=(COUNT, "inferences of the block (null: other phases)"),
)

#: Time of each operation in profiled runs.
OPERATIONS = _of_a_session(
    "operations",
    variant=(TEXT, ""),
    arithmetic=(TEXT, "how quantized operations compute"),
    operation=(TEXT, "name in the graph"),
    type=(TEXT, "TensorFlow operation type"),
    operation_class=(TEXT, "the study's class"),
    duration_s=(FLOAT, "s"),
    run=(COUNT, "number of the profiled run"),
)

#: How far each time can be trusted. A row without input is of all inputs. Too few samples give null.
DIAGNOSTICS = _of_a_session(
    "diagnostics",
    variant=(TEXT, ""),
    arithmetic=(TEXT, "how quantized operations compute"),
    input_id=(TEXT, "null: all inputs"),
    n=(COUNT, "timed runs"),
    processes=(COUNT, "fresh processes"),
    median_s=(FLOAT, "s"),
    p90_s=(FLOAT, "s"),
    p99_s=(FLOAT, "s"),
    rank_width=(FLOAT, "half-width of the median's interval by ranks, fraction, for one input only"),
    batch_width=(FLOAT, "half-width of the mean's interval by batches, fraction, for one input only"),
    process_width=(FLOAT, "half-width of the interval between processes, fraction"),
    usual_width=(FLOAT, "the same with the spread between processes that is usual in the session"),
    autocorrelation=(FLOAT, "of neighbouring runs of one process"),
    effective_n=(FLOAT, "independent runs that would tell as much"),
    drift=(FLOAT, "change of the process medians from first to last, fraction"),
    drift_p=(FLOAT, "probability of such a rank correlation with time by chance"),
    drift_within=(FLOAT, "change from the first to the last third of a block, fraction"),
    session_drift=(FLOAT, "the same as drift, over the processes of all variants"),
    session_drift_p=(FLOAT, ""),
    session_drift_within=(FLOAT, "the same as drift_within, over the blocks of all variants"),
    session_drift_within_p=(FLOAT, ""),
    stationary=(FLAG, ""),
    converged=(FLAG, ""),
    reason=(TEXT, "why not converged"),
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
