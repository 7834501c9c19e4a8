"""Images as a network takes them."""

from __future__ import annotations

from pathlib import Path

from tocompress.data.pictures import Images, network_input
from tocompress.runtimes.feeds import Feeds
from tocompress.settings.model import ImageModel
from tocompress.tasks.feeds import spread


def image_feeds(images: Images, model: ImageModel, threads: int = 1) -> Feeds:
    """Feeds of images: `input` float32 [B, S, S, 3], S the model's input size."""
    return {"input": network_input(images, model, threads)}


def benchmark_images(images: Images, model: ImageModel, split: str | Path, count: int) -> dict[str, Feeds]:
    chosen = spread(len(images), count, split)
    return {f"i{number:02d}": image_feeds(images[index : index + 1], model) for number, index in enumerate(chosen)}
