"""Read, write and extend LiteRT's models, which are flatbuffers. The classes of its parts come with LiteRT."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert.schema_py_generated import (
    BufferT,
    BuiltinOperator,
    Model,
    ModelT,
    OperatorCodeT,
    OperatorT,
    QuantizationParametersT,
    SubGraphT,
    TensorT,
    TensorType,
)
from numpy.typing import ArrayLike, DTypeLike, NDArray

from tocompress.errors import StudyError, about

VERSION = 3  # of the schema, the only one that LiteRT reads
_IDENTIFIER = b"TFL3"
_LARGEST_MODEL = 2**31 - 2**24  # bytes of constants: the limit of a flatbuffer, less ample room for the operations
_ALIGNMENT = 16  # bytes, which the schema demands of constants
_LAST_OLD_CODE = 127  # later operators have a code in a newer field only

_TYPES = {
    np.dtype(name): getattr(TensorType, name.upper())
    for name in ("float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")
}
_DTYPES = {number: dtype for dtype, number in _TYPES.items()}
_KINDS = {number: name for name, number in vars(BuiltinOperator).items() if not name.startswith("_")}


class _Builder(flatbuffers.Builder):  # type: ignore[misc]
    """A builder that aligns bytes, since the library aligns an array by the type of its elements only."""

    def CreateNumpyVector(self, x: NDArray[Any]) -> int:
        if x.dtype == np.uint8:
            self.Prep(_ALIGNMENT, x.nbytes)
        offset: int = super().CreateNumpyVector(x)
        return offset


def read(source: str | Path | bytes) -> ModelT:
    """Read a model from a file or from its bytes. Shapes, inputs and outputs are lists, and constants are uint8 arrays.

    Raise StudyError for a file of another kind, for a damaged one, and for another version of the schema.
    """
    if not isinstance(source, bytes):
        with about(source):
            return read(_file_bytes(source))
    if source[4:8] != _IDENTIFIER:
        raise StudyError("not a LiteRT model; export it again")
    try:
        version = Model.GetRootAs(source).Version()
        if version == VERSION:
            return _with_lists(ModelT.InitFromObj(Model.GetRootAs(source)))
    except (struct.error, AttributeError, IndexError, OverflowError, TypeError, ValueError) as error:
        raise StudyError(f"a damaged LiteRT model ({error}); export it again") from error
    raise StudyError(f"a LiteRT model of version {version} of the schema, not {VERSION}; export it again")


def _file_bytes(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise StudyError(f"not readable ({error.strerror}); export it again") from error


def _with_lists(model: ModelT) -> ModelT:
    """Return the model with lists, which can grow, in place of arrays of numbers of tensors."""
    for subgraph in model.subgraphs:
        subgraph.operators = subgraph.operators or []
        for part in (subgraph, *subgraph.operators):
            part.inputs, part.outputs = _listed(part.inputs), _listed(part.outputs)
        for tensor in subgraph.tensors:
            tensor.shape = _listed(tensor.shape)
    return model


def _listed(numbers: NDArray[np.int32] | None) -> list[int]:
    return [] if numbers is None else [int(number) for number in numbers]


def write(model: ModelT) -> bytes:
    """Return the bytes of a model. It keeps only the buffers that a tensor or the metadata names.

    Equal models give equal bytes. Raise StudyError where the constants are too large for a flatbuffer.
    """
    _compact(model)
    size = sum(buffer.data.nbytes for buffer in model.buffers if buffer.data is not None)
    if size > _LARGEST_MODEL:
        raise StudyError(f"{size / 2**30:.1f} GiB of weights: a LiteRT model holds less than 2 GiB")
    builder = _Builder(size + 2**16)
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def _compact(model: ModelT) -> None:
    """Leave out buffers that nothing names, and let all tensors without a constant name buffer 0, which is empty."""
    kept: dict[int, int] = {}
    for owner in _owners(model):
        data = model.buffers[owner.buffer].data
        owner.buffer = 0 if data is None or not len(data) else kept.setdefault(owner.buffer, len(kept) + 1)
    model.buffers = [BufferT(), *(model.buffers[old] for old in kept)]


def _owners(model: ModelT) -> Iterable[Any]:
    """Return the tensors and metadata that name a buffer."""
    return [*(tensor for subgraph in model.subgraphs for tensor in subgraph.tensors), *(model.metadata or [])]


def is_constant(model: ModelT, tensor: TensorT) -> bool:
    """Return whether a tensor has its values in the file."""
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def constant(model: ModelT, tensor: TensorT) -> NDArray[Any]:
    """Return the values of a constant in its shape, which must not be changed."""
    values: NDArray[Any] = model.buffers[tensor.buffer].data.view(_DTYPES[tensor.type])
    return values.reshape(tensor.shape)


def set_constant(model: ModelT, tensor: TensorT, values: NDArray[Any]) -> None:
    """Give a tensor these values with their shape and type, in a buffer of its own."""
    tensor.shape, tensor.type = list(values.shape), _TYPES[values.dtype]
    tensor.buffer = len(model.buffers)
    model.buffers.append(BufferT(data=np.ascontiguousarray(values).reshape(-1).view(np.uint8)))


def add_tensor(
    subgraph: SubGraphT,
    name: str,
    shape: Sequence[int],
    dtype: DTypeLike,
    quantization: QuantizationParametersT | None = None,
) -> int:
    """Add a tensor without values to a subgraph, and return its number."""
    tensor = TensorT(shape=list(shape), type=_TYPES[np.dtype(dtype)], name=name, quantization=quantization)
    tensor.hasRank = True
    subgraph.tensors.append(tensor)
    return len(subgraph.tensors) - 1


def quantization(scale: ArrayLike, zero_point: ArrayLike, axis: int = 0) -> QuantizationParametersT:
    """Return the grid of a tensor: value = (integer - zero point) * scale, with one of each or one a channel."""
    return QuantizationParametersT(
        scale=np.atleast_1d(np.asarray(scale, np.float32)),
        zeroPoint=np.atleast_1d(np.asarray(zero_point, np.int64)),
        quantizedDimension=axis,
    )


def kind(model: ModelT, part: OperatorT) -> str:
    """Return the kind of an operator, as `CONV_2D`."""
    code = model.operatorCodes[part.opcodeIndex]
    return str(_KINDS[max(code.builtinCode, code.deprecatedBuiltinCode)])


def operator(model: ModelT, kind: str, inputs: Sequence[int], outputs: Sequence[int]) -> OperatorT:
    """Return a new operator without options, for the caller to put into a subgraph's list of operators.

    Operators run in the order of that list.
    """
    return OperatorT(opcodeIndex=_code(model, kind), inputs=list(inputs), outputs=list(outputs))


def _code(model: ModelT, kind: str) -> int:
    """Return the number of a kind of operator in the model, which is added where the model has none."""
    number = getattr(BuiltinOperator, kind)
    for index, code in enumerate(model.operatorCodes):
        if number == max(code.builtinCode, code.deprecatedBuiltinCode) and not code.customCode:
            return index
    code = OperatorCodeT(deprecatedBuiltinCode=min(number, _LAST_OLD_CODE), builtinCode=number)
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
