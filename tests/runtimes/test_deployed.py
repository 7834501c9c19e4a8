"""Folding batch norm changes nothing but the form."""

import numpy as np
import pytest

from tocompress.compression.quantization.grid import dequantize, quantize, quantize_weights
from tocompress.errors import StudyError
from tocompress.packing import unpack
from tocompress.runtimes.deployed import AffineTensor, deployed

EPSILON = 1e-3


def convolve(kernel, patch, kind):
    """One output position of a convolution over a patch [h, w, C] of its kernel's size."""
    if kind == "depthwise_weights":
        return np.einsum("hwc,hwcm->c", patch, kernel)  # multiplier 1
    return np.einsum("hwc,hwcd->d", patch, kernel)


def normalized(random, kind="weights", shape=(3, 3, 16, 24), gamma=True):
    channels = shape[2] if kind == "depthwise_weights" else shape[3]
    statistics = {
        "gamma": random.normal(1, 0.5, channels),
        "beta": random.normal(size=channels),
        "moving_mean": random.normal(size=channels),
        "moving_variance": random.uniform(0.01, 4, channels),
    }
    weights = {f"N/C/{kind}": random.normal(size=shape)}
    weights |= {f"N/C/BatchNorm/{name}": value for name, value in statistics.items() if gamma or name != "gamma"}
    return {name: value.astype(np.float32) for name, value in weights.items()}


@pytest.mark.parametrize(
    ("kind", "shape", "gamma"),
    [
        ("weights", (3, 3, 16, 24), True),
        ("weights", (1, 1, 16, 24), False),
        ("depthwise_weights", (3, 3, 16, 1), True),
        ("pointwise_weights", (1, 1, 16, 24), True),
    ],
)
def test_convolution_and_batch_norm_equal_the_deployed_kernel_and_bias(kind, shape, gamma):
    random = np.random.default_rng(0)
    weights = normalized(random, kind, shape, gamma)
    patch = random.normal(size=shape[:3])

    def batch_norm(name):
        return weights[f"N/C/BatchNorm/{name}"].astype(np.float64)

    expected = convolve(weights[f"N/C/{kind}"].astype(np.float64), patch, kind)
    expected = (expected - batch_norm("moving_mean")) / np.sqrt(batch_norm("moving_variance") + EPSILON)
    expected = expected * (batch_norm("gamma") if gamma else 1) + batch_norm("beta")

    form = deployed(weights, EPSILON)
    assert list(form) == [f"N/C/{kind}", "N/C/biases"]
    assert all(tensor.dtype == np.float32 for tensor in form.values())
    result = convolve(form[f"N/C/{kind}"].astype(np.float64), patch, kind) + form["N/C/biases"]
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("bits", [16, 8, 6, 3])
@pytest.mark.parametrize("granularity", ["tensor", "channel"])
@pytest.mark.parametrize(("kind", "shape"), [("weights", (3, 3, 16, 24)), ("depthwise_weights", (5, 5, 64, 1))])
def test_a_quantized_kernel_keeps_its_integers_and_takes_batch_norm_into_scale_and_offset(
    kind, shape, granularity, bits
):
    name = f"N/C/{kind}"
    quantized, _ = quantize_weights(normalized(np.random.default_rng(1), kind, shape), bits, granularity)
    form = deployed(quantized, EPSILON)
    floats = deployed(quantized | {name: dequantize(quantized[name])}, EPSILON)

    tensor = form[name]
    assert isinstance(tensor, AffineTensor)
    np.testing.assert_array_equal(tensor.integers, quantized[name].integers)
    integers = unpack(tensor.integers, bits, np.prod(shape)).reshape(shape)
    per_channel = (-1, 1) if kind == "depthwise_weights" else (-1,)
    values = integers.astype(np.float32) * tensor.scale.reshape(per_channel) + tensor.offset.reshape(per_channel)
    # integer * scale and offset are rounded before they cancel
    np.testing.assert_allclose(values, floats[name], rtol=0, atol=3e-7 * np.abs(floats[name]).max())
    zero_point = np.broadcast_to(quantized[name].zero_point, tensor.scale.shape).astype(np.float32)
    assert (zero_point * tensor.scale + tensor.offset == 0).all()
    np.testing.assert_array_equal(form["N/C/biases"], floats["N/C/biases"])


def test_what_no_batch_norm_follows_passes_through():
    random = np.random.default_rng(2)
    kernel = random.normal(size=(40, 40)).astype(np.float32)
    weights = {"a/kernel": quantize(kernel, 8), "b/kernel": quantize(kernel, 8, 1), "a/bias": np.ones(40, np.float32)}
    form = deployed(weights, None)
    assert form["a/bias"] is weights["a/bias"]
    for name, shape in (("a/kernel", ()), ("b/kernel", (40,))):
        tensor = form[name]
        assert tensor.scale.shape == tensor.offset.shape == shape
        values = tensor.integers * tensor.scale + tensor.offset
        np.testing.assert_allclose(values, dequantize(weights[name]), atol=1e-6)


def test_batch_norm_after_a_separable_convolution_scales_its_pointwise_kernel():
    random = np.random.default_rng(3)
    weights = normalized(random, "pointwise_weights", (1, 1, 24, 8))
    weights["N/C/depthwise_weights"] = random.normal(size=(7, 7, 3, 8)).astype(np.float32)
    form = deployed(weights, EPSILON)
    assert form["N/C/depthwise_weights"] is weights["N/C/depthwise_weights"]
    assert not np.array_equal(form["N/C/pointwise_weights"], weights["N/C/pointwise_weights"])


def test_broken_batch_norms_are_named():
    weights = normalized(np.random.default_rng(4))
    with pytest.raises(StudyError, match=r"N/C: .*known to have none"):
        deployed(weights, None)
    with pytest.raises(StudyError, match=r"N/C: .*lacks moving_mean"):
        deployed({name: tensor for name, tensor in weights.items() if "mean" not in name}, EPSILON)


def test_a_batch_norm_without_a_kernel_becomes_a_factor_and_an_offset():
    weights = normalized(np.random.default_rng(4))
    inputs = np.random.default_rng(5).normal(size=(7, 24))

    def statistic(name):
        return weights[f"N/C/BatchNorm/{name}"].astype(np.float64)

    form = deployed({name: tensor for name, tensor in weights.items() if "BatchNorm" in name}, EPSILON)
    assert [*form] == ["N/C/gamma", "N/C/beta"]
    expected = (inputs - statistic("moving_mean")) / np.sqrt(statistic("moving_variance") + EPSILON)
    expected = expected * statistic("gamma") + statistic("beta")
    np.testing.assert_allclose(inputs * form["N/C/gamma"] + form["N/C/beta"], expected, rtol=0, atol=1e-5)


def test_a_bias_before_a_batch_norm_is_folded_too():
    weights = normalized(np.random.default_rng(4))
    without = deployed(weights, EPSILON)["N/C/biases"]
    bias = np.random.default_rng(5).normal(size=24).astype(np.float32)
    factor = deployed(weights, EPSILON)["N/C/weights"] / weights["N/C/weights"]
    with_bias = deployed(weights | {"N/C/biases": bias}, EPSILON)["N/C/biases"]
    np.testing.assert_allclose(with_bias - without, factor[0, 0, 0] * bias, rtol=0, atol=1e-5)


def test_a_kernel_of_smaller_floats_is_rounded_again_after_folding():
    weights = normalized(np.random.default_rng(0))
    halved = weights | {"N/C/weights": weights["N/C/weights"].astype(np.float16)}
    folded, exact = (
        deployed(halved, EPSILON),
        deployed(weights | {"N/C/weights": np.float32(halved["N/C/weights"])}, EPSILON),
    )
    assert folded["N/C/weights"].dtype == np.float16
    np.testing.assert_array_equal(folded["N/C/weights"], exact["N/C/weights"].astype(np.float16))
    np.testing.assert_array_equal(folded["N/C/biases"], exact["N/C/biases"])
