"""Put the predictions of the shards of a test set together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tocompress.schemas.study import IMAGE_PREDICTIONS, SENTENCE_PREDICTIONS
from tocompress.tables import columns, read_table, write_table


def gather(predictions: str | Path, shards: Sequence[str | Path]) -> None:
    """Write the predictions of all shards as one table, in the order of the examples."""
    schema = SENTENCE_PREDICTIONS if "hypothesis" in columns(shards[0]) else IMAGE_PREDICTIONS
    table = pd.concat([read_table(shard, schema) for shard in shards], ignore_index=True)
    write_table(predictions, schema, table.sort_values("example", kind="stable", ignore_index=True))
