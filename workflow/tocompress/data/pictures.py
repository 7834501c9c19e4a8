"""The images of a split, rendered here or photographs, as a network takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tocompress.data.photographs import Photographs, read_photographs
from tocompress.data.preprocessing import preprocess
from tocompress.data.sets import read_images
from tocompress.models.registry import NETWORKS
from tocompress.settings.data import Pictures
from tocompress.settings.model import ImageModel

#: Either uint8 [N, height, width, 3], or N photographs, which are decoded when they are needed.
Images = np.ndarray | Photographs

_IMAGENET_CLASSES = 1000


def read_pictures(path: str | Path, model: ImageModel, data: Pictures) -> tuple[Images, np.ndarray]:
    """Return the images of a split and their labels, int32 [N], as the model counts its classes.

    A network of 1,001 classes has a background class before the 1,000 classes of ImageNet.
    """
    if data.splits == "images":
        return read_images(path)
    photographs, labels = read_photographs(path)
    return photographs, labels + np.int32(model.classes - _IMAGENET_CLASSES)


def network_input(images: Images, model: ImageModel, threads: int = 1) -> np.ndarray:
    """Return the images as the network takes them, float32 [N, input_size, input_size, 3]."""
    kind = NETWORKS[model.network].preprocessing
    assert kind is not None  # every image network has one
    if isinstance(images, Photographs):
        return images.network_input(model.input_size, kind, threads)
    return preprocess(images, model.input_size, kind)
