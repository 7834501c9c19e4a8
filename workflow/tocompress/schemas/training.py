"""Training."""

from __future__ import annotations

from tocompress.tables import COUNT, FLOAT, TEXT, schema

#: Each metric after each epoch; after epoch 0, of the weights that a retraining began with.
HISTORY = schema(
    "history",
    round=(COUNT, ""),  # of pruning, from 1; 0 where a network is trained from initial weights
    learning_rate=(FLOAT, ""),  # at its peak; 0 before the first epoch
    epoch=(COUNT, ""),
    metric=(TEXT, ""),
    value=(FLOAT, ""),
)
