"""Check the tensors of an artifact, and state facts about its file, alike for all runtimes."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from math import prod
from pathlib import Path

import pandas as pd

from tocompress.errors import StudyError
from tocompress.files import digest
from tocompress.runtimes.deployed import AffineTensor, DeployedTensor
from tocompress.weights import ModelMetadata, Weights, check_finite, check_grid


def facts(artifact: str | Path, metadata: ModelMetadata, weights: Weights, structure: pd.DataFrame) -> pd.DataFrame:
    """Return the table 'artifact' of a file, but for its runtime.

    The column `parameters` counts the training form, batch norm included.
    """
    return pd.DataFrame(
        {
            "model": [metadata.model],
            "variant": [metadata.variant],
            "size": [Path(artifact).stat().st_size],
            "size_deflated": [deflated_size(artifact)],
            "parameters": [sum(prod(tensor.shape) for tensor in weights.values())],
            "macs": [int(structure["macs"].iloc[0])],
            "sha256": [digest(artifact)],
        }
    )


def deflated_size(path: str | Path) -> int:
    """Return the bytes of the file `path` after zlib at level 6, the size of a package that is sent to a device."""
    compressor = zlib.compressobj(6)
    size = 0
    with Path(path).open("rb") as file:
        while piece := file.read(1 << 20):
            size += len(compressor.compress(piece))
    return size + len(compressor.flush())


def check_names(expected: Collection[str], given: Collection[str]) -> None:
    """Raise StudyError for a tensor that the network lacks, and for one that the weights lack."""
    if missing := set(expected) - set(given):
        raise StudyError(f"the weights lack {len(missing)} tensor(s) of the network, among them {min(missing)}")
    if unknown := set(given) - set(expected):
        raise StudyError(f"the network has no place for {len(unknown)} tensor(s), among them {min(unknown)}")


def check_values(tensors: Mapping[str, DeployedTensor]) -> None:
    """Raise StudyError for values that are not finite. Sound weights can become so when batch norm is folded in."""
    for name, tensor in tensors.items():
        if isinstance(tensor, AffineTensor):
            check_grid(f"{name}, as deployed", tensor.scale, tensor.bits)
        else:
            check_finite(f"{name}, as deployed", tensor)
