"""Find the ranges of a network's activations, for the steps of its integers.

A few images give values many times as large as all others do. A range with these values would leave only a few of the
256 steps to the others. So a range leaves out a share of the images at either end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tocompress.errors import StudyError, about

Range = tuple[float, float]
Floats = NDArray[np.float32]


def extremes(artifact: str | Path, images: Iterable[Floats]) -> pd.DataFrame:
    """Return the least and the largest value of each activation of a CNN of floats, for each image.

    An image is float32 [1, size, size, 3], preprocessed. The columns are tensor (its number in the artifact), example
    (the image's number), low and high. The rows of an image stand in the order of the network.

    Raise StudyError for an artifact that LiteRT does not run, for images that do not fit it, and for values that are
    not finite.
    """
    with about(artifact):
        network = _Network(artifact)
        rows = [
            (tensor, example, float(values.min()), float(values.max()))
            for example, image in enumerate(images)
            for tensor, values in network.activations(image)
        ]
        table = pd.DataFrame(rows, columns=["tensor", "example", "low", "high"])
        _check(table)
    return table


def ranges(extremes: pd.DataFrame, quantile: float) -> dict[int, Range]:
    """Return the range of each activation by its tensor's number, widened to hold 0.

    A share `quantile` of the images stays below its upper end, and the same share above its lower end. With 1, all
    images stay within it.
    """
    by_tensor = extremes.groupby("tensor", sort=False)
    low, high = by_tensor["low"].quantile(1 - quantile), by_tensor["high"].quantile(quantile)
    return {int(tensor): (min(low[tensor], 0.0), max(high[tensor], 0.0)) for tensor in low.index}


def _check(table: pd.DataFrame) -> None:
    if table.empty:
        raise StudyError("no image to find the ranges of activations with; the calibration set needs one at least")
    finite = np.isfinite(table[["low", "high"]]).all(axis=1)
    if not finite.all():
        row = table[~finite].iloc[0]
        where = f"image {row['example']:.0f} gives tensor {row['tensor']:.0f}"
        raise StudyError(f"{where} NaN or infinity; all values are to be finite")


class _Network:
    """A network that keeps all its activations. XNNPACK would not, so LiteRT's own kernels run it."""

    def __init__(self, artifact: str | Path) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        try:
            self._interpreter = Interpreter(
                str(artifact),
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                experimental_preserve_all_tensors=True,
                num_threads=1,
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise StudyError(f"LiteRT does not load it ({error}); export it again") from error
        (details,) = self._interpreter.get_input_details()
        self._input, self._shape = details["index"], tuple(map(int, details["shape"]))
        self._activations = self._float_activations()

    def _float_activations(self) -> list[int]:
        """Return the numbers of the input and of each operation's float outputs. A dequantized weight is none."""
        numbers = [self._input]
        for operation in self._interpreter._get_ops_details():
            if operation["op_name"] == "DEQUANTIZE":
                continue
            numbers.extend(map(int, operation["outputs"]))
        dtypes = {tensor["index"]: tensor["dtype"] for tensor in self._interpreter.get_tensor_details()}
        return [number for number in numbers if dtypes[number] == np.float32]

    def activations(self, image: Floats) -> Iterator[tuple[int, Floats]]:
        """Run the network on an image, and yield the number and the values of each activation."""
        if image.shape != self._shape:
            raise StudyError(f"takes images of {list(self._shape)}, not of {list(image.shape)}")
        self._interpreter.set_tensor(self._input, image)
        self._interpreter.invoke()
        for number in self._activations:
            yield number, self._interpreter.get_tensor(number)
