"""Read the nodes of a TFLite file and the types of their tensors, which a profile needs.

A board has no library for flatbuffers, so tables are read here byte by byte. A table begins with the distance back to
its vtable. The vtable holds the place of each field. Version 3 of LiteRT's `schema.fbs` gives the numbers of fields.
"""

import re
import struct
from typing import Iterator, List, NamedTuple, Optional

#: Codes of `BuiltinOperator`.
ADD, CONV_2D, DEPTHWISE_CONV_2D, DEQUANTIZE, FULLY_CONNECTED, MUL, SUB, QUANTIZE, BATCH_MATMUL = (
    0, 3, 4, 6, 9, 18, 41, 114, 126,
)  # fmt: skip
LOGISTIC, RELU, RELU6, TANH, MEAN, MAXIMUM, MINIMUM, SUM, LEAKY_RELU, ELU, HARD_SWISH, GELU = (
    14, 19, 21, 28, 40, 55, 57, 74, 98, 111, 117, 150,
)  # fmt: skip

#: Codes of `TensorType` for uint8, int16, int8 and int4.
_INTEGERS = (3, 7, 9, 17)

#: Kinds whose second input is a kernel. They compute in integers where the kernel is of integers.
_WITH_KERNEL = (CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, BATCH_MATMUL)

_CONVERSIONS = (QUANTIZE, DEQUANTIZE)


class Node(NamedTuple):
    """A node of a subgraph: the code of its kind, and its arithmetic by the types of its tensors.

    A dense one is a product of each position's channels with a kernel. So is a convolution of 1 x 1 without a stride.
    """

    kind: int
    gives_integers: bool
    computes_in_integers: bool
    dense: bool = False

    @property
    def converts(self) -> bool:
        return self.kind in _CONVERSIONS


class _Table:
    """A table of a flatbuffer, by its position. A field is known by its number in the schema."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self._position = position

    def place(self, field: int) -> Optional[int]:
        """Return where a field lies, or None where the file leaves it at its default."""
        vtable = self._position - self.number("<i", self._position)
        entry = 4 + 2 * field
        offset = self.number("<H", vtable + entry) if entry < self.number("<H", vtable) else 0
        return self._position + offset if offset else None

    def value(self, field: int, form: str) -> int:
        """Return a number, which is 0 by default."""
        place = self.place(field)
        return 0 if place is None else self.number(form, place)

    def elements(self, field: int) -> range:
        """Return the places of a vector's elements, of four bytes each."""
        place = self.place(field)
        if place is None:
            return range(0)
        begin = place + self.number("<I", place)
        return range(begin + 4, begin + 4 + 4 * self.number("<I", begin), 4)

    def numbers(self, field: int) -> List[int]:
        """Return a vector of int32."""
        return [self.number("<i", place) for place in self.elements(field)]

    def tables(self, field: int) -> List["_Table"]:
        """Return a vector of tables."""
        return [_Table(self.data, place + self.number("<I", place)) for place in self.elements(field)]

    def table(self, field: int) -> List["_Table"]:
        """Return the table of a field in a list, which is empty where the file leaves it out."""
        place = self.place(field)
        return [] if place is None else [_Table(self.data, place + self.number("<I", place))]

    def number(self, form: str, place: int) -> int:
        return int(struct.unpack_from(form, self.data, place)[0])


def _model(data: bytes) -> _Table:
    return _Table(data, struct.unpack_from("<I", data)[0])


def nodes(data: bytes) -> List[List[Node]]:
    """Return the nodes of each subgraph, in the order of the file."""
    model = _model(data)
    # Codes below 127 also stand in the older field, of one byte.
    kinds = [max(code.value(0, "<b"), code.value(3, "<i")) for code in model.tables(1)]
    return [list(_nodes(subgraph, kinds)) for subgraph in model.tables(2)]


def _nodes(subgraph: _Table, kinds: List[int]) -> Iterator[Node]:
    tensors = subgraph.tables(0)
    integers = [tensor.value(1, "<b") in _INTEGERS for tensor in tensors]
    for operator in subgraph.tables(3):
        kind = kinds[operator.value(0, "<I")]
        gives = any(integers[tensor] for tensor in operator.numbers(2))
        computes = gives or (kind in _WITH_KERNEL and integers[operator.numbers(1)[1]])
        dense = kind == FULLY_CONNECTED or (kind == CONV_2D and _is_dense(operator, tensors))
        yield Node(kind, gives, computes and kind not in _CONVERSIONS, dense)


def _is_dense(convolution: _Table, tensors: List[_Table]) -> bool:
    """Return whether a convolution is of 1 x 1, without a stride and without groups."""
    source, kernel, *_ = (tensors[tensor].numbers(0) for tensor in convolution.numbers(1)[:2])
    (options,) = convolution.table(4)
    strides = [options.value(field, "<i") for field in (1, 2)]
    return kernel[1:3] == [1, 1] and strides == [1, 1] and kernel[3] == source[3]


def with_output(data: bytes, tensor: int) -> bytes:
    """Return the file with another tensor as its only output. Every node still runs."""
    model = _model(data)
    places: List[Optional[int]] = list(model.tables(2)[0].elements(2))
    for signature in model.tables(7):
        places += [output.place(1) for output in signature.tables(1)]
    changed = bytearray(data)
    for place in places:
        if place is not None:
            struct.pack_into("<I", changed, place, tensor)
    return bytes(changed)


def placeholder(tensor: str) -> str:
    """Return the name of the placeholder that an input tensor comes from: `input` of `serving_default_input:0`."""
    return re.sub(r"^serving_default_|:0$", "", tensor)
