"""Write the fixed inputs that a model is timed on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tocompress.files import replace_on_success
from tocompress.settings.jobs import InputsJob
from tocompress.tasks.classification import inputs as classification
from tocompress.tasks.translation import inputs as translation

_INPUTS: dict[str, Any] = {"classification": classification, "translation": translation}


def write_inputs(path: str | Path, job: InputsJob, split: str | Path) -> None:
    """Write the job's inputs of the file `split` to the .npz `path`, as `{input_id}/{placeholder}`.

    Images `i00`, ... are spread over the set, and sentences `s00`, ... over its lengths. `i00x8`, ... are batches of 8.
    """
    inputs = _INPUTS[job.model.task].benchmark_inputs(split, job)
    arrays = {f"{name}/{key}": array for name, feeds in inputs.items() for key, array in feeds.items()}
    with replace_on_success(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
