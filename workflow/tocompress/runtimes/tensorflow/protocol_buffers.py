"""Import TensorFlow's protocol buffers without TensorFlow."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec


@contextmanager
def _not_executed(package: str) -> Iterator[None]:
    """Let modules of a package be imported without the package itself, unless it has been already."""
    if package in sys.modules or (spec := find_spec(package)) is None:
        yield
        return
    sys.modules[package] = module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules[package]


# These modules need protobuf alone and take milliseconds. A plain import would first execute the package's __init__,
# which is all of TensorFlow and takes seconds. A later import of TensorFlow finds and uses the same modules.
with _not_executed("tensorflow"):
    from tensorflow.core.framework.attr_value_pb2 import AttrValue
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.framework.types_pb2 import DT_FLOAT, DT_INT32, DT_INT64, DT_UINT8, DT_UINT16, DT_UINT64

__all__ = ["DT_FLOAT", "DT_INT32", "DT_INT64", "DT_UINT8", "DT_UINT16", "DT_UINT64", "AttrValue", "GraphDef"]
