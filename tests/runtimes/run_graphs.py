"""Run graphs on this machine's processor, in any TensorFlow from 1.15 on: `python run_graphs.py FOLDER`.

FOLDER holds `GRAPH.pb`, ..., and `feeds.npz` of keys `GRAPH/CASE/PLACEHOLDER`; `outputs.npz` is written, of keys
`GRAPH/CASE`.
"""

import os
import sys

import numpy as np
import tensorflow.compat.v1 as tf


def run_graphs(folder):
    """Outputs by `GRAPH/CASE`."""
    feeds = {}
    with np.load(os.path.join(folder, "feeds.npz")) as arrays:
        for key in arrays.files:
            case, _, placeholder = key.rpartition("/")
            feeds.setdefault(case, {})[placeholder + ":0"] = arrays[key]
    return {case: _run(os.path.join(folder, case.partition("/")[0] + ".pb"), values) for case, values in feeds.items()}


def _run(path, values):
    with open(path, "rb") as file:
        graph = tf.GraphDef.FromString(file.read())
    with tf.Graph().as_default():
        # Left to itself, TensorFlow 1.15 compiles with XLA what the processor has no kernel for, where it was built so.
        with tf.device("/cpu:0"):
            tf.import_graph_def(graph, name="")
        with tf.Session() as session:
            return session.run("output:0", values)


if __name__ == "__main__":
    np.savez(os.path.join(sys.argv[1], "outputs.npz"), **run_graphs(sys.argv[1]))
