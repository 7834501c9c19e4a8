"""TensorFlow's protocol buffers are there at once, and TensorFlow itself is none the worse for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def execute(program):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "workflow")}
    environment.pop("TF_USE_LEGACY_KERAS", None)  # other tests set it
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr


def test_an_export_does_not_import_tensorflow():
    execute(
        "import sys, tocompress.runtimes.tensorflow.export;"
        "assert not {'tensorflow', 'tensorflow.python', 'keras'} & sys.modules.keys()"
    )


IMPORTS = ("from tocompress.runtimes.tensorflow.protocol_buffers import GraphDef", "import tensorflow as tf")
USE = """
with tf.Graph().as_default() as graph:
    tf.constant(1, name="one")
definition = graph.as_graph_def()
assert type(definition) is GraphDef
with tf.Graph().as_default():
    (one,) = tf.import_graph_def(GraphDef.FromString(definition.SerializeToString()), return_elements=["one:0"])
    assert tf.compat.v1.Session().run(one) == 1
assert tf.keras.layers.Dense(2)(tf.ones([1, 3])).shape == (1, 2)
"""


@pytest.mark.parametrize("imports", [IMPORTS, IMPORTS[::-1]], ids=["protocol buffers", "tensorflow"])
def test_tensorflow_works_whichever_is_imported_first(imports):
    execute("\n".join([*imports, USE]))
