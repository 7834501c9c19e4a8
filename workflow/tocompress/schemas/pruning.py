"""Rank and prune."""

from __future__ import annotations

from tocompress.tables import COUNT, FLOAT, TEXT, schema

#: How much each channel matters to the loss: the share of all channels that go before it.
IMPORTANCE = schema(
    "importance",
    channel=(COUNT, ""),
    group=(TEXT, "scope of the first layer that makes the channel"),
    importance=(FLOAT, "1"),
)

#: What each group of channels that go together lost.
PRUNING = schema(
    "pruning",
    group=(TEXT, "scope of the first layer that makes the channels"),
    kind=(TEXT, "filters, units or embedding dimensions"),
    channels=(COUNT, "1"),
    removed=(COUNT, "1"),
)
