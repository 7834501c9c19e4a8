"""Run model.pb. It takes NumPy and TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

# Messages would hide the answer, and only graphs are run here, so Keras is not imported.
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_USE_LEGACY_KERAS="1")

import tensorflow as tf

Run = Callable[[dict[str, np.ndarray]], np.ndarray]


def loaded(artifact: Path) -> Run:
    """Return a function that maps a batch, an array for each input's name, to the model's output."""
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(artifact.read_bytes()), name="")
    session = tf.compat.v1.Session(graph=graph)

    def run(feeds: dict[str, np.ndarray]) -> np.ndarray:
        output: np.ndarray = session.run("output:0", {f"{name}:0": array for name, array in feeds.items()})
        return output

    return run
