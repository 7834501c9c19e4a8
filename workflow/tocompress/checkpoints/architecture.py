"""Build a Keras model from the architecture that a file describes, without Keras's own way, which can run its code.

The description is JSON of Keras 3 or of Keras 2 (tf.keras). Every layer and operation is looked up in a table below and
made from plain values. A name outside the tables is refused, so nothing that a file names is imported or called.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tocompress.errors import StudyError

Json = Any
Tensor = Any

_MODELS = {"Functional", "Model", "Sequential"}

#: Layers that are made as the file says.
_LAYERS = {
    *("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense"),
    *("BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization"),
    *("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax"),
    *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"),
    *("ZeroPadding2D", "Cropping2D", "UpSampling2D"),
    *("MaxPooling2D", "AveragePooling2D", "GlobalMaxPooling2D", "GlobalAveragePooling2D"),
    *("Flatten", "Reshape", "Permute", "Identity", "Rescaling", "Normalization"),
    *("Dropout", "SpatialDropout2D", "AlphaDropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization"),
}

#: Layers under a name that Keras 2 gave them.
_OLD_NAMES = {
    "MaxPool2D": "MaxPooling2D",
    "AvgPool2D": "AveragePooling2D",
    "GlobalMaxPool2D": "GlobalMaxPooling2D",
    "GlobalAvgPool2D": "GlobalAveragePooling2D",
    "Convolution2D": "Conv2D",
    "DepthwiseConvolution2D": "DepthwiseConv2D",
    "SeparableConvolution2D": "SeparableConv2D",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "ThresholdedReLU": "ReLU",
}

#: Layers that draw at random in training, and give their input back in inference. They become Identity.
_AUGMENTATION = {
    *("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomShear", "RandomPerspective"),
    *("RandomContrast", "RandomBrightness", "RandomHue", "RandomSaturation", "RandomColorJitter", "RandomGrayscale"),
    *("RandomColorDegeneration", "RandomErasing", "RandomElasticTransform", "RandomGaussianBlur", "RandomInvert"),
    *("RandomPosterization", "RandomSharpness", "RandomHeight", "RandomWidth", "AugMix", "CutMix", "MixUp"),
    *("RandAugment",),
}

_SEQUENCES = {
    *("RNN", "LSTM", "GRU", "SimpleRNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "TimeDistributed"),
    *("LSTMCell", "GRUCell", "SimpleRNNCell", "StackedRNNCells", "CuDNNLSTM", "CuDNNGRU", "Embedding", "Masking"),
    *("TextVectorization", "StringLookup", "IntegerLookup", "Hashing", "CategoryEncoding"),
}

_RESIZING = {"Resizing", "CenterCrop", "RandomCrop"}

#: Operations of keras.ops that are nodes of a graph, by their module.
_OPERATIONS = {
    "numpy": {
        *("Absolute", "Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Negative", "Reciprocal"),
        *("Maximum", "Minimum", "Clip", "Sqrt", "Square", "Power", "Exp", "Log", "Tanh"),
        *("Mean", "Max", "Min", "Sum", "Amax", "Amin"),
        *("Reshape", "Squeeze", "ExpandDims", "Transpose", "GetItem", "Flip", "Pad", "Concatenate", "Stack"),
    },
    "nn": {
        *("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu", "Silu", "Softplus", "Softsign", "Squareplus"),
        *("Sigmoid", "LogSigmoid", "HardSigmoid", "HardSilu", "HardTanh", "TanhShrink", "Softmax"),
        *("MaxPool", "AveragePool"),
    },
}

#: Layers of tf.keras that call a function of TensorFlow.
_FUNCTIONS = {"TFOpLambda", "SlicingOpLambda"}
_ALL = set.union(_LAYERS, _AUGMENTATION, _FUNCTIONS, *_OPERATIONS.values())

#: Functions of TensorFlow that tf.keras stored as TFOpLambda layers, and the operation that each becomes.
_TENSORFLOW_FUNCTIONS = {
    "math.add": "Add",
    "__operators__.add": "Add",
    "nn.bias_add": "Add",
    "math.subtract": "Subtract",
    "math.multiply": "Multiply",
    "math.truediv": "TrueDivide",
    "math.divide": "TrueDivide",
    "math.maximum": "Maximum",
    "math.minimum": "Minimum",
    "math.negative": "Negative",
    "math.reduce_mean": "Mean",
    "math.reduce_max": "Max",
    "math.sigmoid": "Sigmoid",
    "math.tanh": "Tanh",
    "math.softplus": "Softplus",
    "nn.relu": "Relu",
    "nn.relu6": "Relu6",
    "nn.elu": "Elu",
    "nn.selu": "Selu",
    "nn.silu": "Silu",
    "nn.swish": "Silu",
    "nn.softmax": "Softmax",
    "nn.sigmoid": "Sigmoid",
    "nn.tanh": "Tanh",
    "reshape": "Reshape",
    "concat": "Concatenate",
    "expand_dims": "ExpandDims",
    "squeeze": "Squeeze",
    "clip_by_value": "Clip",
    "identity": "Identity",
}
#: Names of arguments of those functions, and those of the operation.
_TENSORFLOW_ARGUMENTS = {
    "axis": "axis",
    "keepdims": "keepdims",
    "shape": "newshape",
    "clip_value_min": "x_min",
    "clip_value_max": "x_max",
}

#: Activations that Keras knows by name.
_ACTIVATIONS = {
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "swish", "mish"),
    *("sigmoid", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "tanh", "softmax", "softplus", "softsign"),
    *("exponential", "log_sigmoid", "squareplus", "tanh_shrink", "soft_shrink", "hard_shrink"),
}
#: Layers that may stand in place of the name of an activation.
_ACTIVATION_LAYERS = {"ReLU", "LeakyReLU", "ELU", "Softmax"}

#: Settings of layers that change nothing in inference with stored weights, and some that Keras 3 no longer has.
_WITHOUT_EFFECT = {
    *("name", "trainable", "dtype", "autocast", "seed", "momentum", "synchronized", "lora_rank", "lora_alpha"),
    *("batch_shape", "batch_input_shape", "input_shape", "build_config", "time_major", "fused", "implementation"),
}
_TRAINING_ONLY = re.compile(r".*(initializer|regularizer|constraint)$")

_PRECISIONS = {"float32", "float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16"}
_INPUT_TYPES = {"float16", "bfloat16", "float32", "float64", "uint8", "int8", "int16", "uint16", "int32", "int64"}


@dataclass
class Notes:
    """Facts of a description beside the model itself."""

    #: The kinds of numbers of the layers, but for float32.
    precisions: set[str] = field(default_factory=set)
    #: The type of the model's input.
    input_type: str = "float32"
    #: Names of layers for random augmentation.
    augmentation: list[str] = field(default_factory=list)
    #: Names in the file of layers whose names Keras 3 does not allow.
    renamed: dict[str, str] = field(default_factory=dict)

    def allowed(self, name: str) -> str:
        """Return the name of a layer without a slash, which Keras 3 does not allow."""
        new = name.replace("/", "_")
        if new != name:
            self.renamed[new] = name
        return new

    def sentences(self) -> tuple[str, ...]:
        """Return the notes as sentences for people."""
        notes = []
        if self.precisions:
            notes.append(f"computed in float32, though layers were saved in {', '.join(sorted(self.precisions))}")
        if self.input_type != "float32":
            notes.append(f"takes its pictures as float32, though the file says {self.input_type}; their values stay")
        if self.augmentation:
            names = ", ".join(self.augmentation)
            notes.append(f"left out, since random augmentation changes nothing in inference: {names}")
        return tuple(notes)


@dataclass(frozen=True)
class _Reference:
    """The output of a call of a layer: its name, the number of the call from 0, and the number of the output."""

    layer: str
    call: int
    output: int


@contextmanager
def _fitting(name: str) -> Iterator[None]:
    """Turn the errors of Keras, which are of any kind, into one that names the layer."""
    try:
        yield
    except StudyError:
        raise
    except Exception as error:
        raise StudyError(f"{name}: its settings or its input do not fit: {short(error)}") from error


def build(description: Json, notes: Notes, *, old: bool) -> Any:
    """Return the Keras model of a description, with initial weights, and complete `notes`.

    `old`: whether Keras 2 wrote it. Raise StudyError, which names the layer, for anything that is not in the tables.
    """
    try:
        kind = _kind(description, "the model")
        if kind not in _MODELS:
            raise StudyError(
                f"is a model of the class {kind}, whose Python code is not in the file; only functional and sequential"
                " models can be brought"
            )
        return _Builder(notes, old).model(description)
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise StudyError(f"its description is damaged ({short(error)}); save the model again") from error


class _Builder:
    """Builds a model. The nested models share its notes."""

    def __init__(self, notes: Notes, old: bool) -> None:
        self.notes, self.old = notes, old

    def model(self, description: Json, *, nested: bool = False) -> Any:
        """Return a functional model or a sequential one."""
        config = _config(description, "the model")
        if isinstance(config, list):  # a Sequential of an early Keras 2
            config = {"layers": config}
        if not isinstance(config.get("layers"), list) or not config["layers"]:
            raise StudyError("its description names no layers; only functional and sequential models can be brought")
        name = _name(description)
        self._precision(config.get("dtype"), name)
        if _kind(description, name) == "Sequential":
            return self._sequential(config, name, nested)
        return self._functional(config, name, nested)

    def _sequential(self, config: Json, name: str, nested: bool) -> Any:
        import keras

        records = list(config["layers"])
        if _kind(records[0], name) == "InputLayer":
            tensor = self._input(records.pop(0), nested)
        else:
            first = _config(records[0], name)
            shape = first.get("batch_input_shape") or first.get("batch_shape") or config.get("build_input_shape")
            if not shape:
                raise StudyError(f"{name}: has no input size; build the model with keras.Input and save it again")
            type_ = first["dtype"] if isinstance(first.get("dtype"), str) else "float32"
            tensor = self._input({"class_name": "InputLayer", "config": {"batch_shape": shape, "dtype": type_}}, nested)
        layers = [self._layer(record) for record in records]
        with _fitting(name):
            return keras.Sequential([tensor, *layers], name=self.notes.allowed(name))

    def _functional(self, config: Json, name: str, nested: bool) -> Any:
        import keras

        graph = _Graph(config, self.old)
        layers: dict[str, Any] = {}
        outputs: dict[_Reference, Tensor] = {}
        for own, record in graph.records.items():
            if _kind(record, own) == "InputLayer":
                outputs[_Reference(own, 0, 0)] = self._input(record, nested)
            else:
                layers[own] = self._layer(record)
        waiting = {own: graph.calls(own) for own in layers}
        while any(waiting.values()):
            before = len(outputs)
            for own, calls in waiting.items():
                while calls and calls[0].ready(outputs):
                    call = calls.pop(0)
                    results = call.made(layers[own], outputs, own)
                    for number, result in enumerate(results if isinstance(results, (list, tuple)) else [results]):
                        outputs[_Reference(own, call.number, number)] = result
            if len(outputs) == before:
                raise StudyError(f"{next(own for own, calls in waiting.items() if calls)}: its input is missing")
        try:
            inputs, results = ([outputs[graph.reference(end, end=True)] for end in ends] for ends in graph.ends)
        except (KeyError, TypeError, ValueError) as error:
            raise StudyError(f"{name}: its inputs or outputs are not among those of its layers") from error
        with _fitting(name):
            return keras.Model(
                inputs if len(inputs) > 1 else inputs[0],
                results if len(results) > 1 else results[0],
                name=self.notes.allowed(name),
            )

    def _input(self, record: Json, nested: bool) -> Tensor:
        import keras

        config = _config(record, "the input")
        name = config.get("name") or "input"
        shape = config.get("batch_shape") or config.get("batch_input_shape")
        if isinstance(shape, dict):
            shape = shape.get("items")
        if not isinstance(shape, list) or not all(size is None or isinstance(size, int) for size in shape):
            raise StudyError(f"{name}: has no input size")
        if config.get("sparse") or config.get("ragged"):
            raise StudyError(f"{name}: is a sparse or ragged input; a picture is a dense tensor")
        type_ = config.get("dtype") or "float32"
        type_ = type_ if isinstance(type_, str) else self._precision(type_, name)
        if type_ not in _INPUT_TYPES:
            raise StudyError(f"{name}: takes numbers of the type {type_}; pictures are float32 or integers")
        if "float" in type_:
            self._precision(type_, name)
        elif not nested:
            self.notes.input_type = type_
        return keras.Input(shape=tuple(shape[1:]), name=self.notes.allowed(str(name)), dtype="float32")

    def _layer(self, record: Json) -> Any:
        """Return a new layer, operation or nested model."""
        name = _name(record)
        kind = _kind(record, name)
        if kind in _MODELS:
            return self.model(record, nested=True)
        kind = _OLD_NAMES.get(kind, kind)
        if kind not in _ALL:
            raise _refusal(record, kind, name)
        config = dict(_config(record, name))
        if kind in _FUNCTIONS:
            return _tensorflow_function(config, name)
        if _is_operation(record, kind, config):
            return _operation(kind, config, name)
        if kind in _AUGMENTATION:
            self.notes.augmentation.append(name)
            kind, config = "Identity", {}
        self._precision(config.get("dtype"), name)
        return _made_layer(kind, config, name, self)

    def _precision(self, policy: Json, name: str) -> str:
        """Return the name of a policy of numbers, which a note tells if it is not float32."""
        if isinstance(policy, dict):
            policy = policy.get("config", {}).get("name") if isinstance(policy.get("config"), dict) else "unknown"
        if policy is None:
            return "float32"
        if policy not in _PRECISIONS:
            raise StudyError(
                f"{name}: computes in {policy}; bring the model as it was before it was quantized, in float32"
            )
        if policy != "float32":
            self.notes.precisions.add(policy)
        return str(policy)


@dataclass(frozen=True)
class _Call:
    """A call of a layer, with references in place of tensors."""

    number: int
    arguments: Any
    settings: Any

    def ready(self, outputs: Mapping[_Reference, Tensor]) -> bool:
        return all(each in outputs for each in _references([self.arguments, self.settings]))

    def made(self, layer: Any, outputs: Mapping[_Reference, Tensor], name: str) -> Any:
        """Return the outputs of the layer for the tensors."""
        arguments, settings = _with_tensors([self.arguments, self.settings], outputs)
        with _fitting(name):
            return layer(*arguments, **settings)


class _Graph:
    """The layers of a functional model by name, how they are called, and where the model begins and ends."""

    def __init__(self, config: Json, old: bool) -> None:
        self.records: dict[str, Json] = {}
        self.old = old
        for record in config["layers"]:
            name = _name(record)
            if self.records.setdefault(name, record) is not record:
                raise StudyError(f"{name}: two layers have this name")
        self.ends = [_entries(config.get(key)) for key in ("input_layers", "output_layers")]

    def calls(self, name: str) -> list[_Call]:
        """Return the calls of a layer, in order."""
        record = self.records[name]
        nodes = record.get("inbound_nodes") or []
        if not isinstance(nodes, list):
            raise StudyError(f"{name}: its calls are not a list")
        lambdas = _kind(record, name) in _FUNCTIONS
        return [self._call(name, number, node, lambdas) for number, node in enumerate(nodes)]

    def _call(self, name: str, number: int, node: Json, lambdas: bool) -> _Call:
        try:
            if isinstance(node, dict):
                arguments, settings = self._value(node["args"], name), self._value(node["kwargs"], name)
            elif lambdas and isinstance(node[0], str):
                first, settings = self._old_entry(node)
                arguments = [first]
            else:
                entries = [node] if isinstance(node[0], str) else node
                pairs = [self._old_entry(entry) for entry in entries]
                firsts = [first for first, _ in pairs]
                arguments, settings = [firsts[0] if len(firsts) == 1 else firsts], pairs[0][1]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise StudyError(f"{name}: its calls are damaged") from error
        # Keras notes training=True at layers of augmentation, which nobody gave.
        if settings.pop("training", None) and _kind(self.records[name], name) not in _AUGMENTATION:
            raise StudyError(
                f"{name}: is called with training=True, so it computes with random or with the batch's values; call it"
                " without, and save the model again"
            )
        if settings.pop("mask", None) is not None:
            raise StudyError(f"{name}: is called with a mask; an image classifier needs none")
        return _Call(number, arguments, settings)

    def _old_entry(self, entry: Json) -> tuple[Any, dict[str, Any]]:
        """Return the input and the settings that Keras 2 wrote as [layer, call, output, settings]."""
        settings = {key: self._old_value(value) for key, value in (entry[3] if len(entry) > 3 else {}).items()}
        if entry[0] == "_CONSTANT_VALUE":
            return _plain(entry[2], "a constant"), settings
        return self.reference(entry[:3]), settings

    def _old_value(self, value: Json) -> Any:
        is_reference = isinstance(value, list) and len(value) == 3 and isinstance(value[0], str)
        if is_reference and value[0] in self.records:
            return self.reference(value)
        return _plain(value, "a setting")

    def _value(self, value: Json, name: str) -> Any:
        """Return a value of Keras 3's description of a call, with a reference for each tensor."""
        if isinstance(value, list):
            return [self._value(each, name) for each in value]
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            return self.reference(value["config"]["keras_history"])
        if isinstance(value, dict) and "class_name" not in value:
            return {str(key): self._value(each, name) for key, each in value.items()}
        return _plain(value, name)

    def reference(self, entry: Json, *, end: bool = False) -> _Reference:
        """Return the reference of [layer, call, output].

        The first call of a nested model may be number 1. It is in most files of Keras 2, and at the ends in Keras 3.
        """
        name, call, output = entry
        kind = _kind(self.records[name], name)
        if kind in _MODELS:
            count = len(self.records[name].get("inbound_nodes") or [])
            from_one = (
                any(number >= count for number in _call_numbers([self.ends, *self._nodes()], name))
                if self.old
                else end and kind != "Sequential"
            )
            call -= from_one
        return _Reference(name, int(call), int(output))

    def _nodes(self) -> list[Json]:
        return [record.get("inbound_nodes") or [] for record in self.records.values()]


def _entries(ends: Json) -> list[Json]:
    """Return the entries [layer, call, output] of the inputs or outputs of a model."""
    if isinstance(ends, dict):
        return [entry for each in ends.values() for entry in _entries(each)]
    if isinstance(ends, list) and len(ends) == 3 and isinstance(ends[0], str):
        return [ends]
    return ends if isinstance(ends, list) else []


def _call_numbers(value: Json, name: str) -> Iterator[int]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _call_numbers(each, name)
    elif isinstance(value, list):
        if len(value) >= 3 and value[0] == name and isinstance(value[1], int):
            yield value[1]
        for each in value:
            yield from _call_numbers(each, name)


def _references(value: Any) -> Iterator[_Reference]:
    if isinstance(value, _Reference):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _references(each)
    elif isinstance(value, dict):
        yield from _references(list(value.values()))


def _with_tensors(value: Any, outputs: Mapping[_Reference, Tensor]) -> Any:
    if isinstance(value, _Reference):
        return outputs[value]
    if isinstance(value, list):
        return [_with_tensors(each, outputs) for each in value]
    if isinstance(value, dict):
        return {key: _with_tensors(each, outputs) for key, each in value.items()}
    return value


def _made_layer(kind: str, config: dict[str, Any], name: str, builder: _Builder) -> Any:
    """Return a layer of Keras with the settings that its class takes."""
    import keras

    class_ = getattr(keras.layers, kind)
    takes = set(inspect.signature(class_.__init__).parameters) - {"self", "args", "kwargs"}
    if config.get("data_format") == "channels_first":
        raise StudyError(f"{name}: has its channels first; build the model with channels last and save it again")
    if kind == "BatchNormalization" and isinstance(config.get("axis"), list) and len(config["axis"]) == 1:
        config["axis"] = config["axis"][0]
    if kind == "LeakyReLU" and "alpha" in config:
        config["negative_slope"] = config.pop("alpha")
    if kind == "ReLU" and "theta" in config:
        config["threshold"] = config.pop("theta")
    if kind in ("DepthwiseConv2D", "SeparableConv2D") and config.get("groups") == 1:
        del config["groups"]
    settings: dict[str, Any] = {}
    for key, value in config.items():
        if key in _WITHOUT_EFFECT or _TRAINING_ONLY.match(key):
            continue
        if key == "activation":
            settings[key] = _activation(value, name, builder)
        elif key in takes:
            settings[key] = _plain(value, name)
        elif value not in (None, False):
            raise StudyError(f"{name}: {kind} has the setting {key}={short(value)}, which is not known")
    with _fitting(name):
        return class_(**settings, name=builder.notes.allowed(name), trainable=config.get("trainable") is not False)


def _activation(value: Json, name: str, builder: _Builder) -> Any:
    """Return an activation: its name in Keras, or a layer."""
    import keras

    if isinstance(value, dict):
        kind = _kind(value, name)
        if kind in ("Lambda", "__lambda__"):
            raise _refusal(value, kind, name)
        if kind in _ACTIVATION_LAYERS:
            return _made_layer(kind, dict(_config(value, name)), f"{name}_activation", builder)
        value = value.get("config") if kind == "function" and _is_of_keras(value) else kind
    if value is None:
        return None
    value = str(value).rpartition(">")[2] if str(value).startswith("keras>") else value
    if value not in _ACTIVATIONS:
        raise StudyError(f"{name}: has the activation {short(value)}, which is not one of Keras's")
    if builder.old and value == "hard_sigmoid":
        raise StudyError(
            f"{name}: has the hard_sigmoid of Keras 2, which has another slope than that of Keras 3; write it as"
            " ReLU(max_value=1) of a Rescaling(0.2, 0.5), and save the model again"
        )
    return keras.activations.get(value)


def _is_operation(record: Json, kind: str, config: Mapping[str, Any]) -> bool:
    """Return whether the record is an operation of keras.ops. Some have the names of layers."""
    if not any(kind in names for names in _OPERATIONS.values()):
        return False
    module = record.get("module")
    # An .h5 file names no module, but only layers can be trainable.
    return module.startswith("keras.src.ops.") if isinstance(module, str) else "trainable" not in config


def _operation(kind: str, config: Mapping[str, Any], name: str) -> Any:
    """Return an operation of keras.ops."""
    from importlib import import_module

    module = next(module for module, names in _OPERATIONS.items() if kind in names)
    class_ = getattr(import_module(f"keras.src.ops.{module}"), kind)
    takes = set(inspect.signature(class_.__init__).parameters) - {"self", "name"}
    if config.get("data_format") == "channels_first":
        raise StudyError(f"{name}: has its channels first; build the model with channels last and save it again")
    settings = {key: _plain(value, name) for key, value in config.items() if key in takes and key != "dtype"}
    for key in ("axis", "axes", "newshape"):
        if isinstance(settings.get(key), list):
            settings[key] = tuple(settings[key])
    with _fitting(name):
        operation = class_(**settings)
    operation.name = name.replace("/", "_")
    return _sliced(operation) if kind == "GetItem" else operation


def _sliced(operation: Any) -> Any:
    """Return a function that gives GetItem its slices as Python's tuple. JSON has only lists."""

    def call(tensor: Tensor, key: Any) -> Tensor:
        return operation(tensor, tuple(key) if isinstance(key, list) else key)

    return call


def _tensorflow_function(config: Mapping[str, Any], name: str) -> Any:
    """Return a function that calls the operation of keras.ops for a function of TensorFlow in a file of Keras 2."""
    import numpy as np

    function = config.get("function")
    if function == "__operators__.getitem":
        operation = _operation("GetItem", {}, name)
        return lambda tensor, slice_spec: operation(tensor, [_old_slice(each, name) for each in slice_spec])
    kind = _TENSORFLOW_FUNCTIONS.get(function) if isinstance(function, str) else None
    if kind is None:
        raise StudyError(
            f"{name}: calls tf.{short(function)}, which is not supported; use a layer of Keras and save it again"
        )

    def call(*arguments: Any, **settings: Any) -> Tensor:
        tensors = [*arguments, *(settings.pop(key) for key in ("x", "y", "bias") if key in settings)]
        tensors = [np.asarray(each, np.float32) if _is_numbers(each) else each for each in tensors]
        settings = {key: value for key, value in settings.items() if key not in ("name", "data_format")}
        if kind == "Identity":
            return tensors[0]
        unknown = settings.keys() - _TENSORFLOW_ARGUMENTS.keys()
        if unknown:
            raise StudyError(f"{name}: calls tf.{function} with {', '.join(sorted(unknown))}, which is not supported")
        return _operation(kind, {_TENSORFLOW_ARGUMENTS[key]: value for key, value in settings.items()}, name)(*tensors)

    return call


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, (int, float)) or _is_numbers(each) for each in value)


def _old_slice(value: Any, name: str) -> Any:
    if isinstance(value, dict) and set(value) == {"start", "stop", "step"}:
        return slice(value["start"], value["stop"], value["step"])
    return value


def _plain(value: Json, name: str) -> Any:
    """Return a value without objects of Keras: numbers, texts, lists, slices and constant tensors."""
    import numpy as np

    if isinstance(value, list):
        return [_plain(each, name) for each in value]
    if not isinstance(value, dict):
        return value
    kind, config = value.get("class_name"), value.get("config")
    if kind is None:
        return {str(key): _plain(each, name) for key, each in value.items()}
    if kind == "__ellipsis__":
        return Ellipsis
    if kind == "__slice__" and isinstance(config, dict):
        return slice(*(_plain(config.get(key), name) for key in ("start", "stop", "step")))
    if kind in ("__tuple__", "TensorShape"):
        return tuple(_plain(each, name) for each in value.get("items") or [])
    if kind in ("__tensor__", "__numpy__") and isinstance(config, dict):
        try:
            return np.asarray(config.get("value"), np.float32)
        except (TypeError, ValueError) as error:
            raise StudyError(f"{name}: holds a constant that is no array of numbers") from error
    raise _refusal(value, str(kind), name)


def _refusal(record: Json, kind: str, name: str) -> StudyError:
    """Return the error for a layer that no table has."""
    kind = "Lambda" if kind == "__lambda__" else kind
    if kind == "Lambda":
        why = "runs code from the file; put layers of Keras in its place"
    elif kind in _SEQUENCES:
        why = "takes recurrent or text input; only image classifiers can be brought"
    elif kind in _RESIZING:
        why = "resizes, but the size of the input is fixed; leave that to the preprocessing of the data"
    elif kind in ("TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"):
        why = "runs code from outside Keras; put layers of Keras in its place"
    elif not _is_of_keras(record):
        why = "is a custom object, whose Python code would be run; put layers of Keras in its place"
    else:
        why = "is not among the layers of image classifiers that can be brought"
    return StudyError(f"{name}: is of the type {kind}, which {why}")


def _kind(record: Json, name: str) -> str:
    """Return the class of a record. Raise StudyError if Keras does not have it."""
    if not isinstance(record, dict) or not isinstance(record.get("class_name"), str):
        raise StudyError(f"{name}: its description names no class; not an architecture of Keras")
    kind = record["class_name"]
    if kind.startswith("keras>"):
        kind = kind.removeprefix("keras>")
    if not _is_of_keras(record) and kind not in ("Lambda", "__lambda__", "TFSMLayer", *_SEQUENCES):
        raise _refusal(record, kind, _name(record) if "config" in record else name)
    return str(kind)


def _is_of_keras(record: Json) -> bool:
    module, registered = record.get("module"), record.get("registered_name")
    package = str(registered).rpartition(">")[0] if registered is not None else ""
    return (
        module is None
        or module == "builtins"
        or str(module).split(".")[0] in ("keras", "tf_keras", "tensorflow", "keras_core")
    ) and package in ("", "keras", "Keras")


def _config(record: Json, name: str) -> Any:
    config = record.get("config")
    if not isinstance(config, (dict, list)):
        raise StudyError(f"{name}: its description has no settings; not an architecture of Keras")
    return config


def _name(record: Json) -> str:
    """Return the name of a layer. In files of Keras 2 the outer one counts, which a metadata file leaves out within."""
    if not isinstance(record, dict):
        raise StudyError("a layer is not described; not an architecture of Keras")
    config = record.get("config")
    inner = config.get("name") if isinstance(config, dict) else None
    return str(record.get("name") or inner or record.get("class_name"))


def short(value: object) -> str:
    """Return the first words of a value or of another library's error."""
    if isinstance(value, Exception) and not str(value):
        return type(value).__name__
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(value)).split())  # Keras colours its messages
    return text if len(text) <= 200 else f"{text[:200]} ..."
