"""Scan the sensitivity of layers."""

from __future__ import annotations

from tocompress.tables import COUNT, FLOAT, TEXT, schema

#: Accuracy without the least important channels of one group alone, a row a group and share; first, without loss.
SENSITIVITY = schema(
    "sensitivity",
    group=(TEXT, "scope of the first layer that makes the channels; null for the uncut network"),
    kind=(TEXT, "filters, units or embedding dimensions; null for the uncut network"),
    channels=(COUNT, "1"),
    removed=(COUNT, "1, those silenced"),
    share=(FLOAT, "fraction of the channels that was asked for"),
    metric=(TEXT, "top1, or next_token: the next token is right, given those of the reference before it"),
    value=(FLOAT, "fraction"),
    low=(FLOAT, "fraction, Wilson's 95 % interval, tokens taken for independent"),
    high=(FLOAT, "fraction, Wilson's 95 % interval, tokens taken for independent"),
    n=(COUNT, "images or tokens of the calibration set"),
)
