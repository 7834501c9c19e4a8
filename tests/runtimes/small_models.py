"""All networks, small and with random weights, for tests of what artifacts hold and compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from tensorflow.core.framework.graph_pb2 import GraphDef

from tocompress.compression.quantization.grid import quantize_weights
from tocompress.models import gnmt
from tocompress.models.registry import build, find
from tocompress.models.variables import named_variables
from tocompress.runtimes.deployed import deployed
from tocompress.runtimes.tensorflow.body import trace
from tocompress.runtimes.tensorflow.export import export
from tocompress.weights import ModelMetadata

Arrays = Mapping[str, np.ndarray]

_VOCABULARY, _UNITS = 40, 32


@dataclass(frozen=True)
class SmallModel:
    """A network's weights in the training form, and two inputs in one batch."""

    metadata: ModelMetadata
    weights: Arrays
    feeds: Arrays

    def body(self, beam_width: int = 1) -> GraphDef:
        return trace(self.metadata, {name: array.shape for name, array in self.weights.items()}, beam_width)

    def artifact(self, body: GraphDef, bits: int | None) -> GraphDef:
        weights = self.weights if bits is None else quantize_weights(self.weights, bits, "tensor")[0]
        return export(body, deployed(weights, find(self.metadata.network).batch_norm_epsilon))


def small_model(network: str) -> SmallModel:
    return _translator() if network == "gnmt" else _classifier(network)


def _translator() -> SmallModel:
    """It ends both sentences by itself, after ten of the fourteen tokens that it may give."""
    random = np.random.default_rng(6)
    shapes = gnmt.shapes(_VOCABULARY, _VOCABULARY, _UNITS)
    feeds = {
        "source": random.integers(3, _VOCABULARY, (2, 7), np.int32),
        "source_length": np.int32([7, 4]),
        "maximum_length": np.int32(14),
        "forced": np.bool_(False),
    }
    weights = {name: random.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}
    weights[gnmt.PROJECTION_KERNEL][:, gnmt.END] *= 1.5
    width = _UNITS / gnmt.UNITS
    vocabularies = {"source_vocabulary": _VOCABULARY, "target_vocabulary": _VOCABULARY}
    return SmallModel(
        ModelMetadata("small", "gnmt", "fp32", trained=False, width=width, **vocabularies), weights, feeds
    )


def _classifier(network: str) -> SmallModel:
    import keras

    random = np.random.default_rng(0)
    size = 75 if network in ("inception_v3", "inception_v4") else 64
    with keras.StatelessScope(initialize_variables=False):
        variables = named_variables(build(network, width=0.25, input_size=size, classes=10))
    return SmallModel(
        ModelMetadata("small", network, "fp32", trained=False, width=0.25, shape=(size, size, 3), classes=10),
        {name: _initial(random, name, tuple(variable.shape)) for name, variable in variables.items()},
        {"input": random.uniform(-1, 1, (2, size, size, 3)).astype(np.float32)},
    )


def _initial(random: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name.endswith(("gamma", "moving_variance")):
        values = random.uniform(0.5, 1.5, shape)
    elif len(shape) == 1:
        values = random.normal(0, 0.1, shape)
    else:
        inputs = shape[:2] if name.endswith("depthwise_weights") else shape[:-1]
        values = random.normal(0, np.sqrt(1.5 / np.prod(inputs)), shape)
    return values.astype(np.float32)
