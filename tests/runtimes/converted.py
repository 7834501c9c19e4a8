"""Small models in LiteRT and in TensorFlow, with the same weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from small_models import SmallModel
from tensorflow.core.framework.graph_pb2 import GraphDef

from tocompress.models.registry import find
from tocompress.runtimes.deployed import DeployedTensor, deployed
from tocompress.runtimes.litert.body import trace
from tocompress.runtimes.litert.export import dequantized, fill
from tocompress.runtimes.litert.flatbuffer import read, write
from tocompress.runtimes.litert.session import loaded as loaded_litert
from tocompress.runtimes.tensorflow.export import export
from tocompress.runtimes.tensorflow.graph import write_graph
from tocompress.runtimes.tensorflow.session import loaded as loaded_tensorflow
from tocompress.weights import Weights


@dataclass(frozen=True)
class Converted:
    """A small model, its graph of TensorFlow without weights, and what becomes of this in LiteRT."""

    model: SmallModel
    beam_width: int = 1

    @cached_property
    def graph(self) -> GraphDef:
        return self.model.body(self.beam_width)

    @cached_property
    def traced(self) -> tuple[bytes, pd.DataFrame]:
        return trace(self.model.metadata, self.graph, self.beam_width)

    def deployed(self, weights: Weights) -> dict[str, DeployedTensor]:
        return deployed(weights, find(self.model.metadata.network).batch_norm_epsilon)

    def artifact(self, tensors: Mapping[str, DeployedTensor]) -> bytes:
        body, places = self.traced
        return write(fill(read(body), places, tensors))

    def outputs(self, folder: Path, weights: Weights, **feeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What LiteRT gives with these weights, and what TensorFlow gives with the same values."""
        tensors = self.deployed(weights)
        paths = [folder / "a.tflite", folder / "a.pb"]
        paths[0].write_bytes(self.artifact(tensors))
        halves = {name for name, tensor in tensors.items() if getattr(tensor, "dtype", None) == np.float16}
        wide = {name: dequantized(tensor) if name in halves else tensor for name, tensor in tensors.items()}
        write_graph(paths[1], export(self.graph, wide))
        with loaded_litert(paths[0], 1) as litert, loaded_tensorflow(paths[1], 1) as tensorflow:
            return litert(dict(self.model.feeds) | feeds), tensorflow(dict(self.model.feeds) | feeds)
