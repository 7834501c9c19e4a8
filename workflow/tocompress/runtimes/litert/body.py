"""Convert the network of a structure to a LiteRT model without weights, and find the place of every weight in it.

The converter renames, transposes and cuts weights, and it copies them into loops. So it gets weights whose values all
differ. The first value of a constant then tells which weight it holds, and from which row on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from ai_edge_litert.schema_py_generated import ModelT, SignatureDefT, TensorMapT, TensorType
from numpy.typing import NDArray
from tensorflow.core.framework.graph_pb2 import GraphDef

from tocompress.errors import StudyError
from tocompress.models import registry
from tocompress.runtimes.litert.apart import apart, put_back
from tocompress.runtimes.litert.flatbuffer import constant, is_constant, read, write
from tocompress.runtimes.litert.places import (
    DIRECTION,
    LENGTH,
    SAME,
    TRANSPOSED,
    Place,
    columns,
    rows,
    scaled_direction,
)
from tocompress.runtimes.tensorflow.export import export
from tocompress.runtimes.tensorflow.graph import OUTPUT, weight_shapes
from tocompress.weights import ModelMetadata

Weights = Mapping[str, NDArray[np.float32]]

#: The bits of the first value, -2**-12. The next values are larger negative numbers, unlike a network's own constants.
_FIRST = 0xB9800000
_SIGNATURE = "serving_default"


def trace(metadata: ModelMetadata, body: GraphDef, beam_width: int = 1) -> tuple[bytes, pd.DataFrame]:
    """Return the LiteRT model of a network in its deployed form, and the table `places` of its weights.

    `body` is TensorFlow's of the same structure. The model has its inputs and its output, for one image or one
    sentence. Raise StudyError where the converter fails or leaves no place for a weight.
    """
    weights = _numbered(weight_shapes(body))
    translates = metadata.network == "gnmt"
    graph, kept = (body, {}) if translates else apart(export(body, weights))
    converter = _translator(weights, beam_width) if translates else _classifier(graph, [*kept])
    model = read(_convert(converter))
    put_back(model, kept)
    places = [*_places(model, weights), *(_attention_places(model, weights) if translates else ())]
    _check_all_found(places, weights)
    _remove_weights(model, places)
    _sign(model)
    return write(model), pd.DataFrame(places)


def _numbered(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    """Return weights of these shapes. The value number i of all of them has the bits `_FIRST` + i."""
    weights, start = {}, _FIRST
    for name, shape in shapes.items():
        stop = start + prod(shape)
        weights[name] = np.arange(start, stop, dtype=np.uint32).view(np.float32).reshape(shape)
        start = stop
    return weights


def _classifier(graph: GraphDef, others: Sequence[str]) -> Any:
    """Return a converter of a frozen graph for one image, with `others` of its nodes as further inputs."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(graph, name="")
        image, output, *further = (session.graph.get_tensor_by_name(f"{name}:0") for name in ("input", OUTPUT, *others))
        image.set_shape([1, *image.shape[1:]])
        return tf.compat.v1.lite.TFLiteConverter.from_session(session, [image, *further], [output])


def _translator(weights: Weights, beam_width: int) -> Any:
    """Return a converter of the function that decodes one sentence, since none converts the loops of a frozen graph."""
    gnmt = registry.module("gnmt")
    constants = {name: tf.constant(values) for name, values in weights.items()}

    def translate(source: Any, source_length: Any, maximum_length: Any, forced: Any) -> Any:
        given = (constants, source, source_length, maximum_length)
        if beam_width == 1:
            return gnmt.greedy(*given, forced, _likeliest)
        return gnmt.beam_search(*given, beam_width, forced=forced)

    inputs = {"source": [1, None], "source_length": [1], "maximum_length": []}
    specification = [tf.TensorSpec(shape, tf.int32, name) for name, shape in inputs.items()]
    function = tf.function(translate, input_signature=[*specification, tf.TensorSpec([], tf.bool, "forced")])
    return tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], tf.Module())


def _likeliest(logits: Any) -> Any:
    """Return the tokens of `gnmt.likeliest`. The converter knows no operation by which Keras finds the largest."""
    from keras import ops

    return ops.top_k(logits, 1)[1][..., 0]


def _convert(converter: Any) -> bytes:
    try:
        converted: bytes = converter.convert()
    except Exception as error:  # its classes are private and of many kinds
        raise StudyError(f"LiteRT's converter fails ({error})") from error
    return converted


def _places(model: ModelT, weights: Weights) -> Iterator[Place]:
    """Yield the place of every weight, or part of one, that an operator reads."""
    names, sizes = [*weights], [values.size for values in weights.values()]
    starts = np.cumsum([0, *sizes])
    for subgraph, tensor, values in _constants(model):
        first = int(values.view(np.uint32).flat[0]) - _FIRST
        if 0 <= first < starts[-1]:
            index = int(np.searchsorted(starts, first, "right")) - 1
            name, start = names[index], (first - int(starts[index])) // columns(weights[names[index]].shape)
            yield _place(name, weights[name], start, subgraph, tensor, values)


def _constants(model: ModelT) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Yield subgraph, number and values of each float constant that an operator of its subgraph reads."""
    for index, subgraph in enumerate(model.subgraphs):
        read_here = {number for operator in subgraph.operators for number in operator.inputs if number >= 0}
        for number in sorted(read_here):
            tensor = subgraph.tensors[number]
            if tensor.type == TensorType.FLOAT32 and is_constant(model, tensor):
                yield index, number, constant(model, tensor)


def _place(
    name: str, weight: NDArray[np.float32], start: int, subgraph: int, tensor: int, values: NDArray[np.float32]
) -> Place:
    """Return the place of the weight's rows from `start` on. Raise StudyError where the converter changed their values.

    A single row or column has the same values in both layouts. The tensor's last axis then tells them apart.
    """
    width = columns(weight.shape)
    stop = start + values.size // width
    layouts = (SAME, TRANSPOSED) if columns(values.shape) % width == 0 else (TRANSPOSED, SAME)
    for layout in layouts:
        place = Place(name, subgraph, tensor, layout, start, stop)
        if np.array_equal(place.laid_out(weight), values.reshape(-1)):
            return place
    raise StudyError(f"{name}: LiteRT's converter changed its values")


def _attention_places(model: ModelT, weights: Weights) -> Iterator[Place]:
    """Yield the places of the two weights from which the converter computes how a translator's attention is scored."""
    gnmt = registry.module("gnmt")
    direction, length = weights[gnmt.ATTENTION_V], weights[gnmt.ATTENTION_G]
    scoring = scaled_direction(direction, length)
    for subgraph, tensor, values in _constants(model):
        if values.shape == scoring.shape and np.allclose(values, scoring, rtol=1e-5, atol=0):
            yield Place(gnmt.ATTENTION_V, subgraph, tensor, DIRECTION, 0, rows(direction.shape))
            yield Place(gnmt.ATTENTION_G, subgraph, tensor, LENGTH, 0, rows(length.shape))


def _check_all_found(places: Sequence[Place], weights: Weights) -> None:
    found: dict[str, set[int]] = {name: set() for name in weights}
    for place in places:
        found[place.weight].update(range(place.start, place.stop))
    for name, values in weights.items():
        if len(found[name]) < rows(values.shape):
            raise StudyError(f"{name}: LiteRT's converter left no place for all of it")


def _remove_weights(model: ModelT, places: Sequence[Place]) -> None:
    for place in places:
        tensor = model.subgraphs[place.subgraph].tensors[place.tensor]
        model.buffers[tensor.buffer].data = None


def _sign(model: ModelT) -> None:
    """Name the inputs and the output of the model as in the TensorFlow graph, and describe them in one signature."""
    main = model.subgraphs[0]
    if model.signatureDefs:  # of a function, which has its inputs in another order than the model
        inputs = [(given.name, given.tensorIndex) for given in model.signatureDefs[0].inputs]
    else:
        inputs = [(main.tensors[number].name, number) for number in main.inputs]
    [output] = main.outputs
    for name, number in (*inputs, (OUTPUT.encode(), output)):
        main.tensors[number].name = name
    model.signatureDefs = [
        SignatureDefT(
            inputs=[TensorMapT(name=name, tensorIndex=number) for name, number in inputs],
            outputs=[TensorMapT(name=OUTPUT, tensorIndex=output)],
            signatureKey=_SIGNATURE,
        )
    ]
