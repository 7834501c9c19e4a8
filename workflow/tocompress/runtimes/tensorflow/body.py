"""Trace the body graph of a structure: the deployed network, with a placeholder in place of each weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.python.framework.meta_graph import strip_graph_default_valued_attrs
from tensorflow.python.grappler import tf_optimizer

from tocompress.errors import StudyError
from tocompress.models import registry
from tocompress.runtimes.tensorflow.graph import OUTPUT, WEIGHTS, reachable
from tocompress.weights import ModelMetadata

#: The length of the sentence for which the cost of a translation is counted.
TOKENS = 20

Tensor = Any
Shapes = Mapping[str, tuple[int, ...]]


def trace(metadata: ModelMetadata, shapes: Shapes, beam_width: int = 1) -> GraphDef:
    """Return the body graph of a network in its deployed form, with a placeholder `weights/<name>` for each weight.

    `shapes` come from a weights file, since a pruned network has fewer filters or units than its width gives.

    A CNN maps `input` float32 [None, height, width, channels], preprocessed, to `output` float32 [None, classes],
    logits. GNMT maps `source` int32 [B, T], `source_length` int32 [B], `maximum_length` int32 [] and `forced` bool []
    to `output` int32 [B, L], token ids. They are decoded greedily or are the best of `beam_width` beams.

    TensorFlow 1.15 runs the graph too. Its loops are made of operations, not of functions, and it names no attribute
    that an older runtime may not know.
    """
    with tf.Graph().as_default():
        output = (
            _trace_translation(metadata, shapes, beam_width)
            if metadata.network == "gnmt"
            else _trace_images(metadata, shapes)
        )
        tf.identity(output, name=OUTPUT)
        graph = tf.compat.v1.train.export_meta_graph()
    return _portable(reachable(_with_loops_taken_apart(graph)))


def multiply_accumulates(metadata: ModelMetadata, shapes: Shapes) -> pd.DataFrame:
    """Return the table 'structure': the cost of one image, or of a sentence of `TOKENS` tokens to as many."""
    if metadata.network == "gnmt":
        macs = registry.module(metadata.network).multiply_accumulates(shapes, TOKENS, TOKENS)
    else:
        from tocompress.models import operations

        macs = operations.multiply_accumulates(_folded(metadata, shapes))
    return pd.DataFrame({"macs": [macs]})


def _with_loops_taken_apart(graph: MetaGraphDef) -> GraphDef:
    """Return the graph with operations in place of functions, as TensorFlow 2 makes it of every graph before a run.

    This leaves many operations that only pass a value on. Without them, a small file is smaller.
    """
    results = graph.collection_def["train_op"].node_list.value
    results.extend(f"{node.name}:0" for node in graph.graph_def.node if node.op == "Placeholder" or node.name == OUTPUT)
    # Keras makes functions of grouped convolutions, for XLA to compile as a whole.
    for part in (*graph.graph_def.library.function, *graph.graph_def.node):
        for name in ("_XlaMustCompile", "_noinline"):
            part.attr.pop(name, None)
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.optimizers.extend(["function", "dependency"])
    config.graph_options.rewrite_options.min_graph_nodes = -1  # small graphs too
    return tf_optimizer.OptimizeGraph(config, graph)


def _portable(graph: GraphDef) -> GraphDef:
    """Return the graph without attributes that older runtimes may not know: defaults and private hints."""
    stripped = MetaGraphDef(graph_def=graph)
    strip_graph_default_valued_attrs(stripped)
    for node in stripped.graph_def.node:
        for name in [name for name in node.attr if name.startswith("_")]:
            del node.attr[name]
    return stripped.graph_def


def _trace_images(metadata: ModelMetadata, shapes: Shapes) -> Tensor:
    import keras

    from tocompress.models.variables import named_variables

    with tf.init_scope():
        model = _folded(metadata, shapes)
    variables = named_variables(model)
    values = _placeholders({name: tuple(variable.shape) for name, variable in variables.items()})
    image = tf.compat.v1.placeholder(tf.float32, [None, *(metadata.shape or ())], "input")
    mapping = [(variable, values[name]) for name, variable in variables.items()]
    with keras.StatelessScope(mapping, initialize_variables=False):
        return model(image, training=False)


def _trace_translation(metadata: ModelMetadata, shapes: Shapes, beam_width: int) -> Tensor:
    gnmt = registry.module(metadata.network)
    weights = _placeholders(shapes)
    source = tf.compat.v1.placeholder(tf.int32, [None, None], "source")
    source_length = tf.compat.v1.placeholder(tf.int32, [None], "source_length")
    maximum_length = tf.compat.v1.placeholder(tf.int32, [], "maximum_length")
    forced = tf.compat.v1.placeholder(tf.bool, [], "forced")
    try:
        if beam_width == 1:
            return gnmt.greedy(weights, source, source_length, maximum_length, forced)
        return gnmt.beam_search(weights, source, source_length, maximum_length, beam_width, forced=forced)
    except KeyError as error:
        raise StudyError(f"the weights lack {error.args[0]}, a kernel of {metadata.network}") from error


def _placeholders(shapes: Shapes) -> dict[str, Tensor]:
    placeholders = {name: tf.compat.v1.placeholder(tf.float32, shape, WEIGHTS + name) for name, shape in shapes.items()}
    for name, placeholder in placeholders.items():
        if placeholder.op.name != WEIGHTS + name:  # TensorFlow renames silently
            raise StudyError(f"{name}: no name for a TensorFlow operation, or it differs from another only in case")
    return placeholders


def _folded(metadata: ModelMetadata, shapes: Shapes) -> Any:
    """Return the Keras model of a CNN's deployed form. It has no values, which take seconds for the largest network."""
    import keras

    from tocompress.models.resize import resized

    if metadata.shape is None or metadata.classes is None:
        raise StudyError(f"{metadata.model}: its weights file names no shape of the input or no classes")
    with keras.StatelessScope(initialize_variables=False):
        if metadata.graph is not None:
            flat = registry.module(metadata.network)
            return resized(flat.folded(flat.rebuilt(metadata.graph)), shapes)
        model = registry.build(
            metadata.network,
            width=metadata.width,
            input_size=metadata.shape[0],
            classes=metadata.classes,
            folded=True,
        )
        return resized(model, shapes)
