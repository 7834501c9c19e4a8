"""Compress."""

from __future__ import annotations

from tocompress.tables import COUNT, FLOAT, TEXT, schema

#: What was done to each tensor.
COMPRESSION = schema(
    "compression",
    tensor=(TEXT, ""),
    values=(COUNT, "1"),
    bits=(COUNT, "bit"),
    granularity=(TEXT, "tensor or channel"),
    minimum=(FLOAT, "weight"),
    maximum=(FLOAT, "weight"),
    rms_error=(FLOAT, "weight"),
    maximum_error=(FLOAT, "weight"),
    signal_to_noise=(FLOAT, "dB"),
    bytes=(COUNT, "byte"),
)
