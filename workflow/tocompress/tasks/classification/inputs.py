"""Turn images into the inputs of a network."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from tocompress.data.pictures import Images, network_input, read_pictures
from tocompress.runtimes.feeds import Feeds
from tocompress.settings.data import Pictures
from tocompress.settings.jobs import InputsJob
from tocompress.settings.model import ImageModel
from tocompress.tasks.feeds import spread


def image_feeds(images: Images, model: ImageModel, threads: int = 1) -> Feeds:
    """Return feeds of images: `input` float32 [B, S, S, 3], where S is the model's input size."""
    return {"input": network_input(images, model, threads)}


def benchmark_inputs(split: str | Path, job: InputsJob) -> dict[str, Feeds]:
    """Return the job's inputs of a split, named `i00`, ..., spread over the set."""
    model = cast(ImageModel, job.model)
    images, _ = read_pictures(split, model, cast(Pictures, job.data))
    chosen = spread(len(images), job.count, split)
    return {f"i{number:02d}": image_feeds(images[index : index + 1], model) for number, index in enumerate(chosen)}
