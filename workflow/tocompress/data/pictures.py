"""The images of a split, rendered here or photographs, as a network takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tocompress.data.classes import names_by_label
from tocompress.data.photographs import Photographs, PictureFiles, read_photographs
from tocompress.data.preprocessing import Kind, preprocess
from tocompress.data.sets import read_images
from tocompress.errors import StudyError
from tocompress.models.registry import NETWORKS
from tocompress.schemas.study import PICTURES
from tocompress.settings.data import Folders, Pictures
from tocompress.settings.model import FileModel, ImageModel
from tocompress.tables import read_table

#: N pictures in their files, which are decoded when they are needed.
Encoded = Photographs | PictureFiles
#: Either uint8 [N, height, width, 3], or N pictures in their files.
Images = np.ndarray | Encoded

_IMAGENET_CLASSES = 1000
_MOST_NAMED = 10  # classes


def read_pictures(path: str | Path, model: ImageModel, data: Pictures) -> tuple[Images, np.ndarray]:
    """Return the images of a split and their labels, int32 [N], as the model counts its classes.

    A network of 1,001 classes has a background class before the 1,000 classes of ImageNet. Raise StudyError where
    folders have more or fewer classes than the model has outputs.
    """
    if isinstance(data, Folders):
        return _read_folders(path, model, data)
    if data.splits == "images":
        return read_images(path)
    photographs, labels = read_photographs(path)
    return photographs, labels + np.int32(model.classes - _IMAGENET_CLASSES)


def _read_folders(path: str | Path, model: ImageModel, data: Folders) -> tuple[PictureFiles, np.ndarray]:
    table = read_table(path, PICTURES)
    names = names_by_label(table)
    if len(names) != model.classes:
        listed = ", ".join(names[:_MOST_NAMED]) + (", ..." if len(names) > _MOST_NAMED else "")
        raise StudyError(
            f"{path}: shows {len(names)} classes ({listed}), but the model has {model.classes} outputs; give each"
            " output a class with pictures, or take the model of these classes"
        )
    channels = model.shape[2]
    how = data.preprocessing
    if isinstance(model, FileModel) and model.takes_pixels and how is not None and how.changes_pixels:
        raise StudyError(
            "data's `preprocessing`: scales pixels, but the model's file begins with a layer that scales them itself;"
            " take `scale: [0, 255]` alone"
        )
    if channels not in (1, 3):
        raise StudyError(f"{path}: pictures are grey or have 3 colours, but the model takes {channels} channels")
    if how is not None and any(len(numbers) != channels for numbers in (how.mean, how.deviation) if numbers):
        raise StudyError(f"data's `preprocessing`: `mean` and `deviation` need {channels} numbers, one a channel")
    return PictureFiles(table["file"].to_numpy(object), how), table["label"].to_numpy(np.int32)


def family(model: ImageModel) -> Kind | None:
    """Return the TF-Slim family of a model's preprocessing. Other networks have none."""
    network = NETWORKS.get(model.network)
    return network.preprocessing if network else None


def network_input(images: Images, model: ImageModel, threads: int = 1) -> np.ndarray:
    """Return the images as the network takes them, float32 [N, height, width, channels]."""
    kind = family(model)
    if isinstance(images, Encoded):
        return images.network_input(model.shape, kind, threads)
    assert kind is not None  # by the check of the config
    return preprocess(images, model.shape, kind)
