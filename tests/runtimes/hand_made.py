"""Models of LiteRT, made by hand: a few operations with the kernels of a test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from tocompress.runtimes.litert.flatbuffer import add_tensor, operator, read, set_constant, write

RELU = schema.ActivationFunctionType.RELU


class HandMade:
    """A network of floats that grows by an operation a call. Each call returns the number of its output."""

    def __init__(self, *shape: int) -> None:
        self.subgraph = schema.SubGraphT(tensors=[], inputs=[], outputs=[], operators=[])
        self.model = schema.ModelT(
            version=3, operatorCodes=[], subgraphs=[self.subgraph], buffers=[schema.BufferT()], description="by hand"
        )
        self.input = self._tensor(shape)
        self.subgraph.inputs = [self.input]
        self._places: list[tuple[str, int, int]] = []

    def convolution(self, x: int, name: str, kernel: np.ndarray, bias: np.ndarray, activation: int = 0) -> int:
        """Convolve with a kernel [H, W, I, O] and padding, with stride 1."""
        shape = [*self._shape(x)[:3], kernel.shape[3]]
        options = schema.Conv2DOptionsT(strideW=1, strideH=1, fusedActivationFunction=activation)
        return self._with_kernel("CONV_2D", x, name, kernel.transpose(3, 0, 1, 2), bias, shape, options)

    def depthwise(self, x: int, name: str, kernel: np.ndarray, bias: np.ndarray, activation: int = 0) -> int:
        """Convolve each channel with a kernel [H, W, I, M] and padding, with stride 1."""
        flat = kernel.reshape(1, *kernel.shape[:2], -1)
        options = schema.DepthwiseConv2DOptionsT(
            strideW=1, strideH=1, depthMultiplier=kernel.shape[3], fusedActivationFunction=activation
        )
        shape = [*self._shape(x)[:3], flat.shape[3]]
        return self._with_kernel("DEPTHWISE_CONV_2D", x, name, flat, bias, shape, options)

    def dense(self, x: int, name: str, kernel: np.ndarray, bias: np.ndarray, activation: int = 0) -> int:
        """Multiply by a kernel [I, O]."""
        options = schema.FullyConnectedOptionsT(fusedActivationFunction=activation)
        return self._with_kernel("FULLY_CONNECTED", x, name, kernel.T, bias, [1, kernel.shape[1]], options)

    def pool(self, x: int) -> int:
        """Return the largest of 2x2 neighbours."""
        batch, height, width, channels = self._shape(x)
        options = schema.Pool2DOptionsT(strideW=2, strideH=2, filterWidth=2, filterHeight=2)
        return self.operation("MAX_POOL_2D", [x], [batch, height // 2, width // 2, channels], options)

    def concatenation(self, *parts: int) -> int:
        shapes = [self._shape(part) for part in parts]
        shape = [*shapes[0][:3], sum(shape[3] for shape in shapes)]
        return self.operation("CONCATENATION", parts, shape, schema.ConcatenationOptionsT(axis=3))

    def addition(self, *terms: int) -> int:
        return self.operation("ADD", terms, self._shape(terms[0]), schema.AddOptionsT())

    def constant(self, values: np.ndarray) -> int:
        """Add a constant, which no place names, and return its number."""
        number = self._tensor(values.shape)
        set_constant(self.model, self.subgraph.tensors[number], values)
        return number

    def ending(self, output: int) -> schema.ModelT:
        """Return the network as it is read from a file."""
        self.subgraph.outputs = [output]
        return read(write(self.model))

    @property
    def places(self) -> pd.DataFrame:
        return pd.DataFrame(self._places, columns=["weight", "subgraph", "tensor"])

    def _shape(self, number):
        return self.subgraph.tensors[number].shape

    def _tensor(self, shape):
        return add_tensor(self.subgraph, f"tensor{len(self.subgraph.tensors)}", shape, np.float32)

    def _with_kernel(self, kind, x, name, kernel, bias, shape, options):
        numbers = []
        for weight, values in ((name, kernel), (f"{name}/biases", bias)):
            numbers.append(self._tensor(values.shape))
            set_constant(self.model, self.subgraph.tensors[numbers[-1]], values.astype(np.float32))
            self._places.append((weight, 0, numbers[-1]))
        return self.operation(kind, [x, *numbers], shape, options)

    def operation(self, kind: str, inputs: Sequence[int], shape: Sequence[int], options: object = None) -> int:
        """Add an operation of any kind. `shape` is its output's."""
        output = self._tensor(shape)
        part = operator(self.model, kind, inputs, [output])
        if options is not None:
            part.builtinOptions = options
            part.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self.subgraph.operators.append(part)
        return output


def outputs(content: bytes, inputs: np.ndarray, *, delegate: bool = True) -> np.ndarray:
    """Run a model on inputs [N, ...] one after another, by XNNPACK or else by LiteRT's own kernels."""
    kernels = OpResolverType.AUTO if delegate else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=kernels, num_threads=1)
    interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    results = []
    for one in inputs:
        interpreter.set_tensor(source["index"], one[None])
        interpreter.invoke()
        results.append(interpreter.get_tensor(result["index"])[0].copy())
    return np.stack(results)
