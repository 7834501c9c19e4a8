"""Benchmark: raw samples."""

from __future__ import annotations

from tocompress.tables import COUNT, FLAG, FLOAT, TEXT, schema

#: Time of each run.
LATENCY = schema(
    "latency",
    variant=(TEXT, ""),
    dequantization=(TEXT, "every_inference or once"),
    input_id=(TEXT, ""),
    process=(COUNT, "number of the fresh process"),
    block=(COUNT, "number of the randomised round"),
    order=(COUNT, "place within the round"),
    start_s=(FLOAT, "s, monotonic clock"),
    duration_s=(FLOAT, "s"),
    tokens=(COUNT, "tokens generated; null for images"),
    warmup=(FLAG, ""),
)

#: Memory of each worker.
MEMORY = schema(
    "memory",
    variant=(TEXT, "'control' is a worker without a model"),
    dequantization=(TEXT, "every_inference or once; null for the control worker"),
    process=(COUNT, "number of the fresh process"),
    phase=(TEXT, "start, loaded, first, last"),
    vm_hwm=(COUNT, "byte, highest since the phase before"),
    rss=(COUNT, "byte"),
    pss=(COUNT, "byte"),
    uss=(COUNT, "byte"),
)

#: Samples of each power rail.
POWER = schema(
    "power",
    time_s=(FLOAT, "s, monotonic clock"),
    rail=(TEXT, ""),
    watt=(FLOAT, "W"),
)

#: Time of each operation in profiled runs.
OPERATIONS = schema(
    "operations",
    variant=(TEXT, ""),
    dequantization=(TEXT, "every_inference or once"),
    operation=(TEXT, "name in the graph"),
    type=(TEXT, "TensorFlow operation type"),
    operation_class=(TEXT, "the study's class"),
    duration_s=(FLOAT, "s"),
    run=(COUNT, "number of the profiled run"),
)

#: What was measured on what.
SESSION = schema(
    "session",
    key=(TEXT, ""),
    value=(TEXT, ""),
)

#: All tables of a session, by the names of their files.
TABLES = {
    "latency": LATENCY,
    "memory": MEMORY,
    "power": POWER,
    "operations": OPERATIONS,
    "session": SESSION,
}
