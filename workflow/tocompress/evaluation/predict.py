"""Run an artifact over its test set, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tocompress.runtimes import load
from tocompress.settings.jobs import PredictJob
from tocompress.tables import write_table
from tocompress.tasks.classification import predictions as classification
from tocompress.tasks.translation import predictions as translation

_PREDICTIONS: dict[str, Any] = {"classification": classification, "translation": translation}


def predict(
    predictions: str | Path,
    artifact: str | Path,
    test: str | Path,
    job: PredictJob,
    threads: int,
    shard: str = "1-of-1",
) -> None:
    """Run the artifact over a shard of the test set in the file `test`, and write the table of its predictions."""
    task = _PREDICTIONS[job.model.task]
    with load(job.runtime, "session").loaded(artifact, threads) as run:
        table = task.predict(run, artifact, test, job, threads, shard)
    write_table(predictions, task.SCHEMA, table)
