"""Run model.tflite. It takes NumPy and ai-edge-litert."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

Run = Callable[[dict[str, np.ndarray]], np.ndarray]


def loaded(artifact: Path) -> Run:
    """Return a function that maps one example, an array for each input's name, to the model's output."""
    interpreter = Interpreter(str(artifact))

    def run(feeds: dict[str, np.ndarray]) -> np.ndarray:
        inputs = {details["name"]: details["index"] for details in interpreter.get_input_details()}
        for name, array in feeds.items():
            interpreter.resize_tensor_input(inputs[name], array.shape)
        interpreter.allocate_tensors()
        for name, array in feeds.items():
            interpreter.set_tensor(inputs[name], array)
        interpreter.invoke()
        output: np.ndarray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        return output

    return run
