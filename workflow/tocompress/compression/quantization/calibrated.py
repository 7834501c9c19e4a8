"""Quantize a network kernel by kernel on calibration data.

Each kernel gets the inputs that reach it in the network that is quantized so far. Its outputs are held against the
uncompressed network's. So a kernel can undo errors of those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tocompress.compression.quantization.bits import bits_of, kept
from tocompress.compression.quantization.budget import distributed, harm_of
from tocompress.compression.quantization.grid import (
    along,
    axis_of,
    dequantize,
    described,
    grid,
    kernels_of,
    kinds_of,
    on_grid,
)
from tocompress.compression.quantization.moments import Moments, moments_of
from tocompress.compression.quantization.rounding import best_kernel, rounded
from tocompress.compression.statistics import match, spread
from tocompress.errors import about
from tocompress.schemas.study import COMPRESSION
from tocompress.settings.jobs import QuantizeJob
from tocompress.settings.technique import Budget, Quantize
from tocompress.tasks.examples import Examples, drawn_at_most
from tocompress.tasks.forward import visits
from tocompress.tasks.networks import network_of
from tocompress.tasks.visits import StatisticsVisit
from tocompress.weights import QuantizedTensor, Weights

Floats = NDArray[np.float32]
Variables = Mapping[str, keras.Variable]


def quantize_on_data(
    weights: Weights,
    job: QuantizeJob,
    examples: Examples,
    sensitivity: pd.DataFrame | None = None,
    report: Callable[[str], None] = print,
) -> tuple[Weights, pd.DataFrame]:
    """Return the weights quantized as the job's technique says, and the table of schema `compression`.

    `examples` is the calibration set. `sensitivity` is the table of schema `quantization_sensitivity` that a budget of
    bits is distributed by. The same call gives the same bits on one machine. Raise StudyError as `quantize_weights`
    does.
    """
    technique, model = job.technique, job.model
    kernels = kernels_of(weights, technique.minimum_values, kinds_of(technique))
    bits = _bits(technique, kernels, weights, sensitivity)
    arrays = {name: np.asarray(tensor) for name, tensor in weights.items()}
    chosen = drawn_at_most(examples, model, job.examples, job.seed)
    exact, _ = network_of(model, arrays)
    network, variables = network_of(model, arrays)
    quantizer = _Quantizer(technique, bits, variables)
    for visit in visits(model, exact, network, chosen, job.seed):
        if isinstance(visit, StatisticsVisit):
            if technique.statistics == "recalibrated":
                match(visit, variables, spread(exact_inputs for exact_inputs, _ in visit.inputs))
        elif visit.kernel in bits and visit.kernel not in quantizer.stored:
            with about(visit.kernel):
                quantizer.quantize(visit.kernel, moments_of(visit.inputs))
            report(f"{visit.kernel}: {bits[visit.kernel]} bits")
    for kernel in bits:
        if kernel not in quantizer.stored:  # an embedding, whose words multiply nothing
            with about(kernel):
                quantizer.round_alone(kernel)
    others = {name: keras.ops.convert_to_numpy(variable) for name, variable in variables.items()}
    quantized: Weights = {name: quantizer.stored.get(name, others[name]) for name in weights}
    rows = [{"tensor": name, **described(arrays[name], quantizer.stored[name], technique.granularity)} for name in bits]
    return quantized, pd.DataFrame(rows, columns=COMPRESSION.names)


def _bits(
    technique: Quantize, kernels: list[str], weights: Weights, sensitivity: pd.DataFrame | None
) -> dict[str, int]:
    """Return the bits of each kernel that is quantized."""
    if not isinstance(technique.bits, Budget):
        return bits_of(technique.bits, technique.keep, kernels)
    assert sensitivity is not None  # by the rule's inputs
    sizes = {kernel: int(np.prod(weights[kernel].shape)) for kernel in kernels}
    return distributed(technique.bits.budget, sizes, harm_of(sensitivity, kernels), kept(technique.keep, kernels))


@dataclass
class _Quantizer:
    """Puts kernels of a network on their grids, one after another. `stored` holds those that are done."""

    technique: Quantize
    bits: Mapping[str, int]
    variables: Variables

    def __post_init__(self) -> None:
        self.stored: dict[str, QuantizedTensor] = {}

    def quantize(self, name: str, moments: Moments) -> None:
        """Quantize a kernel for inputs of these moments. Its bias takes in the change of the mean output."""
        kernel = keras.ops.convert_to_numpy(self.variables[name])
        offset = _offset_of(name, self.variables) if self.technique.correction == "bias" else None
        self._store(name, kernel, moments.centred() if offset else moments)
        if offset is None:
            return
        before, after = (as_matrices(name, values, moments) for values in (kernel, dequantize(self.stored[name])))
        shift = moments.exact[:, None] @ before - moments.reached[:, None] @ after
        variable, sign = offset
        of_channels = shift.reshape(moments.groups, -1, shift.shape[-1]).sum(1).reshape(-1)
        self.variables[variable].assign_add((sign * of_channels).astype(np.float32))

    def round_alone(self, name: str) -> None:
        """Quantize a kernel whose outputs no inputs tell about."""
        self._store(name, keras.ops.convert_to_numpy(self.variables[name]), None)

    def _store(self, name: str, kernel: Floats, moments: Moments | None) -> None:
        technique, symmetric = self.technique, self.technique.activations is not None
        axis, bits = axis_of(name, kernel, technique.granularity), self.bits[name]
        scale, zero_point = grid(kernel, bits, axis, symmetric, technique.range)
        if moments is not None and technique.rounding == "learned":
            parameters = (along(parameter, axis, kernel.ndim) for parameter in (scale, zero_point))
            step, zero = (np.broadcast_to(parameter, kernel.shape) for parameter in parameters)
            kernel = _learned(name, kernel, step, (int(symmetric) - zero, 2**bits - 1 - zero), moments)
        self.stored[name] = on_grid(kernel, bits, axis, symmetric, scale, zero_point)
        self.variables[name].assign(dequantize(self.stored[name]))


def _learned(
    name: str, kernel: Floats, step: Floats, bounds: tuple[NDArray[Any], NDArray[Any]], moments: Moments
) -> Floats:
    """Return the kernel on the levels of its grid that give the uncompressed outputs best.

    `step` is the size of a step. `bounds` are the first and the last level in steps. Each has the kernel's shape.
    """
    steps, lowest, highest = (as_matrices(name, values, moments) for values in (step, *bounds))
    places = best_kernel(as_matrices(name, kernel, moments), moments) / steps
    levels = rounded(places, lowest[:, :1], highest[:, :1], moments.second)
    return _as_kernel(name, levels * steps, kernel.shape, moments.groups).astype(np.float32)


def as_matrices(name: str, kernel: NDArray[Any], moments: Moments) -> NDArray[Any]:
    """Return a kernel as the matrices [B, K, C] that multiply inputs of these moments."""
    if name.endswith("/depthwise_weights"):
        matrices = kernel.transpose(2, 0, 1, 3)
    else:
        matrices = kernel.reshape(-1, moments.groups, kernel.shape[-1] // moments.groups).swapaxes(0, 1)
    return matrices.reshape(*moments.exact.shape, -1)


def _as_kernel(name: str, matrices: NDArray[Any], shape: tuple[int, ...], groups: int) -> NDArray[Any]:
    if name.endswith("/depthwise_weights"):
        height, width, channels, multiplier = shape
        return matrices.reshape(channels, height, width, multiplier).transpose(1, 2, 0, 3)
    return matrices.reshape(groups, -1, shape[-1] // groups).swapaxes(0, 1).reshape(shape)


def _offset_of(kernel: str, variables: Variables) -> tuple[str, int] | None:
    """Return the variable that moves a kernel's mean outputs, and its sign. It is None where there is none."""
    scope, _, kind = kernel.rpartition("/")
    if kind == "depthwise_weights" and f"{scope}/pointwise_weights" in variables:
        return None  # the bias follows the second of the two kernels
    offsets = {f"{scope}/biases": 1, f"{scope}/bias": 1, f"{scope}/BatchNorm/moving_mean": -1}
    return next(((name, sign) for name, sign in offsets.items() if name in variables), None)
