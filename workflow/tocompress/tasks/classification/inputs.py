"""Turn images into the inputs of a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np

from tocompress.data.pictures import Images, network_input, read_pictures
from tocompress.runtimes.feeds import Feeds
from tocompress.settings.data import Pictures
from tocompress.settings.jobs import CalibrationJob, InputsJob
from tocompress.settings.model import ImageModel
from tocompress.tasks.feeds import batches, spread


def image_feeds(images: Images, model: ImageModel, threads: int = 1) -> Feeds:
    """Return feeds of images: `input` float32 [B, height, width, channels]."""
    return {"input": network_input(images, model, threads)}


def calibration_images(split: str | Path, job: CalibrationJob) -> Iterator[np.ndarray]:
    """Yield the job's images of a split, spread over the set, each float32 [1, height, width, channels]."""
    model = cast(ImageModel, job.model)
    images, _ = read_pictures(split, model, cast(Pictures, job.data))
    for place in spread(len(images), min(job.calibration.examples, len(images)), split):
        yield network_input(images[place : place + 1], model)


def benchmark_inputs(split: str | Path, job: InputsJob) -> dict[str, Feeds]:
    """Return the job's inputs of a split, spread over the set, by their names (`tasks.feeds.batches`)."""
    model = cast(ImageModel, job.model)
    images, _ = read_pictures(split, model, cast(Pictures, job.data))
    chosen = spread(len(images), job.count, split)
    named = batches(chosen, job.batches, "i")
    return {name: image_feeds(images[examples], model) for name, examples in named.items()}
