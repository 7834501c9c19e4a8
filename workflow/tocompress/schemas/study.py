"""Aggregate."""

from __future__ import annotations

from tocompress.schemas.value import VALUE
from tocompress.tables import TEXT, schema

#: One row a value.
STUDY = schema(
    "study",
    model=(TEXT, ""),
    network=(TEXT, ""),
    build=(TEXT, "zoo, published, initial or own"),
    variant=(TEXT, ""),
    device=(TEXT, ""),
    processor=(TEXT, "cpu or gpu"),
    runtime=(TEXT, ""),
    dequantization=(TEXT, "every_inference or once"),
    dataset=(TEXT, ""),
    **VALUE,
)
