"""Training."""

from __future__ import annotations

from tocompress.tables import COUNT, FLOAT, TEXT, schema

#: Each metric after each epoch.
HISTORY = schema(
    "history",
    epoch=(COUNT, ""),
    metric=(TEXT, ""),
    value=(FLOAT, ""),
)
