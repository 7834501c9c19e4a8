"""Checkpoints as TF-Slim published them: format, names, and what else is in the files, with made-up values."""

from __future__ import annotations

import csv
import tarfile
from ast import literal_eval
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tocompress.checkpoints import tensorflow_checkpoint
from tocompress.models.registry import NETWORKS

#: Name and shape to a value.
Value = Callable[[str, tuple[int, ...]], np.ndarray]


def variables_of(network: str, shared: Path) -> dict[str, tuple[int, ...]]:
    """Every variable of the published checkpoint, those of auxiliary heads too, and its shape."""
    with (shared / "golden/variables" / f"{network}.tsv").open() as file:
        return {row["name"]: tuple(literal_eval(row["shape"])) for row in csv.DictReader(file, delimiter="\t")}


def published(network: str, folder: Path, variables: Mapping[str, tuple[int, ...]], value: Value) -> Path:
    """An archive of a checkpoint: MobileNet's in format V2 with optimizer slots, the others' of 2016 in V1."""
    tensors = {name: value(name, shape) for name, shape in variables.items()}
    tensors["global_step"] = np.array(1_000_000, np.int64)
    if NETWORKS[network].preprocessing == "vgg":
        tensors[f"{network}/mean_rgb"] = np.array([123.68, 116.78, 103.94], np.float32)
    prefix = folder / f"{network}.ckpt"
    if network.startswith("mobilenet"):
        slots = ("RMSProp", "RMSProp_1", "ExponentialMovingAverage")
        for name, shape in variables.items():
            tensors |= {f"{name}/{slot}": np.zeros(shape, np.float32) for slot in slots}
        tensorflow_checkpoint.write(prefix, tensors)
    else:
        write_v1(prefix, tensors)
    archive = folder / f"{network}.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=0) as tar:  # random numbers do not get smaller
        for file in tensorflow_checkpoint.files_of(prefix):
            tar.add(file, file.name)
            file.unlink()
    return archive


def write_v1(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """TensorFlow's format of 2016: a single file."""
    import tensorflow as tf

    tf.raw_ops.Save(filename=str(path), tensor_names=[*tensors], data=[*tensors.values()])
