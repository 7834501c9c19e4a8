"""The runtimes that execute artifacts. Each has a folder in `runtimes` and a module in `devices.agent`."""

from __future__ import annotations

TENSORFLOW, LITERT = "tensorflow", "litert"

#: The most bits of an integer weight in LiteRT.
LITERT_BITS = 8

#: The suffix of an artifact, by the runtime that executes it.
SUFFIXES = {TENSORFLOW: "pb", LITERT: "tflite"}

#: The name of a runtime in print.
TITLES = {TENSORFLOW: "TensorFlow", LITERT: "LiteRT"}


def title(runtime: str) -> str:
    """Return a runtime's name in print. An unknown runtime keeps its own."""
    return TITLES.get(runtime, runtime)
