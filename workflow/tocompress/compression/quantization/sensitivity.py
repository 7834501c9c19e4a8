"""Measure the loss of a network when one kernel alone is quantized, and when all are. Nothing is retrained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd
from scipy.special import log_softmax

from tocompress.compression.quantization.grid import (
    KERNELS,
    Granularity,
    axis_of,
    beyond,
    dequantize,
    described,
    grid,
    kernels_of,
    quantize,
)
from tocompress.models.stretches import Stretch
from tocompress.schemas.study import QUANTIZATION_SENSITIVITY
from tocompress.settings.jobs import QuantizationSensitivityJob
from tocompress.tasks.examples import Examples, accuracy_of, drawn, shuffled_batches
from tocompress.tasks.networks import Arrays, network_of
from tocompress.tasks.paired import paired_change
from tocompress.tasks.stretches import stretches
from tocompress.vocabulary.levels import LEVEL
from tocompress.weights import QuantizedTensor, check_finite

_BATCH_SIZE = 100
_MINIMUM_VALUES = 1024  # of a kernel that is quantized, as techniques have it

Row = dict[str, Any]
Batch = tuple[Any, ...]  # inputs, the true classes or tokens, and the weights of tokens, which are 0 for padding


@dataclass(frozen=True)
class _Outputs:
    """Logarithms of probabilities float32 [N, classes]. `hits` tells whether the most probable is right, bool [N]."""

    logarithms: np.ndarray
    hits: np.ndarray


@dataclass(frozen=True)
class _Kernels:
    """The kernels of a network, which go on grids and back to their weights."""

    weights: Arrays
    variables: Mapping[str, keras.Variable]
    granularity: Granularity

    def quantize(self, name: str, bits: int) -> QuantizedTensor:
        kernel = self.weights[name]
        stored = quantize(kernel, bits, axis_of(name, kernel, self.granularity))
        self.variables[name].assign(dequantize(stored))
        return stored

    def restore(self, name: str) -> None:
        self.variables[name].assign(self.weights[name])


def scan(
    weights: Arrays, job: QuantizationSensitivityJob, examples: Examples, report: Callable[[str], None] = print
) -> pd.DataFrame:
    """Return the table 'quantization_sensitivity' of a network, without `model` and `variant`.

    Each kernel alone is put on the grid from its minimum to its maximum. Then all are. This is done at each number of
    bits. Raise StudyError where there are fewer examples than asked for.
    """
    settings, model = job.sensitivity, job.model
    section = "quantization_sensitivity"
    chosen = drawn(examples, model, settings.examples, settings.seed, section=section, split="calibration")
    order = shuffled_batches(chosen, model, _BATCH_SIZE, settings.seed)
    batches = [order[index] for index in range(len(order))]
    network, variables = network_of(model, weights)
    whole = _outputs(network, batches)
    names = kernels_of(dict(weights), _MINIMUM_VALUES, KERNELS)
    kernels = _Kernels(weights, variables, settings.granularity)
    rows: list[Row] = [{"values": 0, **_compared(whole, whole)}]
    rows += _one_by_one(kernels, names, stretches(model, network), batches, whole, settings.bits, report)
    for bits in settings.bits:
        report(f"all kernels together, {bits} bits")
        for name in names:
            kernels.quantize(name, bits)
        values = sum(weights[name].size for name in names)
        rows.append({"bits": bits, "values": values, **_compared(whole, _outputs(network, batches))})
    table = pd.DataFrame(rows, columns=QUANTIZATION_SENSITIVITY.names)
    return table.assign(metric=accuracy_of(model), granularity=settings.granularity)


def _one_by_one(
    kernels: _Kernels,
    names: Sequence[str],
    parts: Iterable[Stretch],
    batches: Sequence[Batch],
    whole: _Outputs,
    bits: Sequence[int],
    report: Callable[[str], None],
) -> Iterator[Row]:
    """Yield the rows of each kernel alone. Only the part of the network from its stretch on runs again."""
    for part in parts:
        for name in (name for name in names if name in part.variables):
            report(f"kernel {names.index(name) + 1} of {len(names)}: {name}")
            for own in bits:
                stored = kernels.quantize(name, own)
                compared = _compared(whole, _outputs(part.rest, batches))
                yield {"tensor": name, "bits": own, **_facts(kernels.weights[name], stored), **compared}
            kernels.restore(name)
        if part.onward:
            batches = [(part.onward.predict_on_batch(inputs), *truth) for inputs, *truth in batches]


def _facts(kernel: np.ndarray, stored: QuantizedTensor) -> Row:
    """Return how well a grid fits the values of a kernel."""
    deviations = kernel.astype(np.float64) - kernel.mean()
    variance = np.square(deviations).mean()
    least = grid(kernel, stored.bits, stored.axis, range_="mse")
    return {
        "values": kernel.size,
        "signal_to_noise": described(kernel, stored, "channel")["signal_to_noise"],
        "kurtosis": float((deviations**4).mean() / variance**2) if variance else np.nan,
        "clipped": float(beyond(kernel, stored.bits, stored.axis, *least).mean()),
    }


def _outputs(network: keras.Model, batches: Sequence[Batch]) -> _Outputs:
    parts = [_of_batch(network, *batch) for batch in batches]
    return _Outputs(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _of_batch(
    network: keras.Model, inputs: Any, truth: np.ndarray, weight: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    logits = network.predict_on_batch(inputs)
    check_finite(f"the logits of {network.name}", logits)
    real = np.ones(truth.shape, np.bool_) if weight is None else weight > 0
    return log_softmax(logits[real], axis=-1), logits[real].argmax(axis=-1) == truth[real]


def _compared(whole: _Outputs, quantized: _Outputs) -> Row:
    """Return the accuracy, its change, and the divergence of the outputs."""
    apart = np.exp(whole.logarithms) * (whole.logarithms - quantized.logarithms)
    change, low, high = paired_change(whole.hits, quantized.hits, LEVEL)
    return {
        "divergence": float(apart.sum(axis=-1).mean()),
        "value": float(quantized.hits.mean()),
        "change": change,
        "change_low": low,
        "change_high": high,
        "n": len(quantized.hits),
    }
