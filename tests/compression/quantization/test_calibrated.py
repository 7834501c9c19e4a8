"""Quantization on data: its kernels see the true inputs, its biases keep the means, and it repeats itself."""

from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image
from pydantic import TypeAdapter

from tocompress.checkpoints.acquire import initial
from tocompress.compression.quantization import moments
from tocompress.compression.quantization.calibrated import as_matrices, quantize_on_data
from tocompress.compression.quantization.grid import dequantize, quantize_weights
from tocompress.compression.quantization.moments import moments_of
from tocompress.data.photographs import PictureFiles
from tocompress.errors import StudyError
from tocompress.models.flat import flat
from tocompress.models.variables import named_variables
from tocompress.schemas.study import COMPRESSION
from tocompress.settings.data import Folders, Glyphs, Preprocessing
from tocompress.settings.jobs import QuantizeJob
from tocompress.settings.model import FileModel, ImageModel
from tocompress.settings.technique import Technique
from tocompress.tables import read_table, write_table
from tocompress.tasks.classification.forward import visits
from tocompress.tasks.networks import network_of
from tocompress.tasks.visits import KernelVisit, StatisticsVisit
from tocompress.weights import QuantizedTensor

SHAPE = (16, 12, 3)
COUNT = 60  # pictures to learn from, and as many that nothing learned from
KERNELS = {
    "conv/weights": "conv",
    "grouped/weights": "grouped",
    "depthwise/depthwise_weights": "depthwise",
    "separable/pointwise_weights": "separable",
    "dense/weights": "dense",
}
#: The layers after which a channel's mean is as before, where biases are corrected.
CORRECTED = ("conv.BatchNorm", "grouped", "depthwise.BatchNorm", "separable", "dense")
ALL_OPTIONS = {"range": "mse", "rounding": "learned", "correction": "bias", "statistics": "recalibrated"}


def quiet(_):
    pass


def all_layers():
    """A network with kernels of each kind, with and without batch norm and bias."""
    x = image = keras.Input(SHAPE)
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="conv")(x)
    x = layers.ReLU()(layers.BatchNormalization(name="conv_norm")(x))
    x = layers.ReLU()(layers.Conv2D(8, 3, groups=2, name="grouped")(x))
    x = layers.DepthwiseConv2D(3, dilation_rate=2, padding="same", use_bias=False, name="depthwise")(x)
    x = layers.ReLU()(layers.BatchNormalization(name="depthwise_norm")(x))
    x = layers.ReLU()(layers.SeparableConv2D(6, 3, depth_multiplier=2, padding="same", name="separable")(x))
    return keras.Model(image, layers.Dense(5, name="dense")(layers.GlobalAveragePooling2D()(x)))


@dataclass(frozen=True)
class Own:
    """A network of one's own with its weights, and pictures for it."""

    model: FileModel
    weights: dict[str, np.ndarray]
    pictures: PictureFiles

    def network(self, weights=None):
        return network_of(self.model, floats(self.weights if weights is None else weights))[0]

    def inputs(self, seen=True):
        chosen = self.pictures[:COUNT] if seen else self.pictures[COUNT:]
        return chosen.network_input(SHAPE, None)

    def quantize(self, report=quiet, examples=COUNT, **technique: Any):
        settings = {"method": "quantize", "bits": 4, "granularity": "channel", "minimum_values": 1, **technique}
        job = QuantizeJob(
            model=self.model,
            data=Folders(kind="folders", test="test", preprocessing=Preprocessing(scale=(-1, 1))),
            technique=TypeAdapter(Technique).validate_python(settings),
            examples=examples,
            seed=1,
        )
        learned_from = self.pictures[:COUNT], np.zeros(COUNT, np.int32)
        return quantize_on_data(self.weights, job, learned_from, report=report)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    keras.utils.set_random_seed(1)
    random = np.random.default_rng(1)
    made, _ = flat(all_layers())
    weights = {
        name: variable.numpy() + (random.normal(0, 0.2, variable.shape) if len(variable.shape) == 1 else 0)
        for name, variable in named_variables(made).items()
    }
    weights = {name: np.abs(array) if "variance" in name else array for name, array in weights.items()}
    model = FileModel(
        network="keras", file="own.keras", data="x", shape=SHAPE, classes=5, graph=made.to_json(), takes_pixels=False
    )
    folder = tmp_path_factory.mktemp("pictures")
    files = [_picture(folder / f"{number}.png", random) for number in range(2 * COUNT)]
    pictures = PictureFiles(np.array(files, object), Preprocessing(scale=(-1, 1)))
    return Own(model, {name: array.astype(np.float32) for name, array in weights.items()}, pictures)


def _picture(path, random):
    """A picture in which near pixels are alike, as in photographs."""
    coarse = random.integers(0, 256, (4, 3, 3)).astype(np.uint8)
    Image.fromarray(coarse).resize((SHAPE[1], SHAPE[0]), Image.Resampling.BICUBIC).save(path)
    return str(path)


def floats(weights):
    return {
        name: dequantize(tensor) if isinstance(tensor, QuantizedTensor) else tensor for name, tensor in weights.items()
    }


def outputs_of(network, layer, inputs):
    return keras.Model(network.input, network.get_layer(layer).output)(inputs).numpy()


def inputs_of(network, layer, inputs):
    return keras.Model(network.input, network.get_layer(layer).input)(inputs).numpy()


def by_channel(values):
    return values.reshape(-1, values.shape[-1])


def products(visit, kernel, which):
    """The kernel as matrices times the rows of one of the two networks, [rows, channels in their order]."""
    pairs = list(visit.inputs)
    rows = np.concatenate([pair[which] for pair in pairs], axis=1)
    outputs = rows @ as_matrices(visit.kernel, kernel, moments_of(pairs))
    return outputs.transpose(1, 0, 2).reshape(rows.shape[1], -1)


@pytest.fixture(scope="module")
def visited(own):
    """All visits of the network beside one of other weights, its weights, and the two networks."""
    other = {name: array + np.float32(0.1) for name, array in own.weights.items()}
    exact, network = own.network(), own.network(other)
    inputs = own.inputs()
    seen = [
        replace(visit, inputs=list(visit.inputs))
        for visit in visits(exact, network, [inputs[:25], inputs[25:]], seed=1)
    ]
    rows = {visit.kernel: visit for visit in seen if isinstance(visit, KernelVisit)}
    norms = [visit for visit in seen if isinstance(visit, StatisticsVisit)]
    return rows, norms, [(own.weights, exact), (other, network)]


@pytest.mark.parametrize("which", [0, 1], ids=["exact", "quantized"])
@pytest.mark.parametrize(("kernel", "layer"), KERNELS.items())
def test_a_kernel_times_its_rows_gives_its_layers_outputs(visited, own, kernel, layer, which):
    rows, _, networks = visited
    weights, network = networks[which]
    bias = weights.get(f"{layer}/biases", 0)
    expected = by_channel(outputs_of(network, layer, own.inputs()))
    np.testing.assert_allclose(products(rows[kernel], weights[kernel], which) + bias, expected, rtol=1e-4, atol=1e-5)


def test_the_first_kernel_of_a_separable_convolution_gives_the_inputs_of_the_second(visited):
    rows, _, networks = visited
    first, second = "separable/depthwise_weights", "separable/pointwise_weights"
    for which, (weights, _) in enumerate(networks):
        expected = np.concatenate([pair[which] for pair in rows[second].inputs], axis=1)[0]
        np.testing.assert_allclose(products(rows[first], weights[first], which), expected, rtol=1e-4, atol=1e-5)


def test_kernels_come_in_the_order_of_the_computation_and_batch_norms_with_their_inputs(visited, own):
    rows, norms, networks = visited
    assert list(rows) == [*list(KERNELS)[:3], "separable/depthwise_weights", *list(KERNELS)[3:]]
    assert [norm.mean for norm in norms] == ["conv/BatchNorm/moving_mean", "depthwise/BatchNorm/moving_mean"]
    for norm in norms:
        layer = norm.mean.split("/")[0]
        for which, (_, network) in enumerate(networks):
            found = np.concatenate([pair[which] for pair in norm.inputs])
            np.testing.assert_allclose(found, outputs_of(network, layer, own.inputs()), rtol=1e-4, atol=1e-5)


def test_a_kernel_that_changes_at_its_visit_changes_the_inputs_of_the_next(own):
    exact, (network, variables) = own.network(), network_of(own.model, own.weights)
    found = {}
    for visit in visits(exact, network, [own.inputs()], seed=1):
        if isinstance(visit, KernelVisit):
            found[visit.kernel] = [(one.copy(), other.copy()) for one, other in visit.inputs]
            variables[visit.kernel].assign(0 * variables[visit.kernel])
    ((one, other),) = found["conv/weights"]
    np.testing.assert_array_equal(one, other)
    ((one, other),) = found["grouped/weights"]
    assert np.ptp(one, axis=1).max() > 0.1
    assert np.ptp(other, axis=1).max() == 0  # each position sees only offsets


def test_enough_rows_of_large_maps_tell_and_other_draws_are_other_rows():
    image = keras.Input((40, 40, 2))
    network = keras.Model(image, layers.Conv2D(3, 3, name="conv")(image))
    inputs = np.random.default_rng(0).normal(size=(20, 40, 40, 2)).astype(np.float32)

    def rows(seed):
        (visit,) = visits(network, network, [inputs[:10], inputs[10:]], seed)
        return np.concatenate([one for one, _ in visit.inputs], axis=1)[0]

    first = rows(1)
    assert 4096 <= len(first) < 4100 < 20 * 38 * 38
    np.testing.assert_array_equal(first, rows(1))
    assert not np.array_equal(first, rows(2))


@pytest.mark.parametrize(
    "options", [{}, {"rounding": "learned"}, {"range": "mse", "granularity": "tensor"}, {"activations": 8}]
)
def test_the_mean_output_of_each_channel_stays_after_correction(own, options):
    quantized, _ = own.quantize(bits=3, correction="bias", **options)
    plain, _ = own.quantize(bits=3, rounding="learned")
    exact, corrected, left = (own.network(weights) for weights in (None, quantized, plain))
    moved = 0
    for layer in CORRECTED:
        expected, found, other = (by_channel(outputs_of(net, layer, own.inputs())) for net in (exact, corrected, left))
        deviation = expected.std(0)
        assert (abs(found.mean(0) - expected.mean(0)) <= 1e-4 * deviation + 1e-5).all(), layer
        moved = max(moved, (abs(other.mean(0) - expected.mean(0)) / deviation).max())
    assert moved > 0.1  # without the correction


def test_recalibrated_batch_norm_gives_the_moments_of_the_uncompressed_network(own):
    quantized, _ = own.quantize(bits=3, statistics="recalibrated")
    networks = own.network(None), own.network(quantized)
    for layer in ("conv", "depthwise"):
        outputs = (by_channel(outputs_of(network, f"{layer}.BatchNorm", own.inputs())) for network in networks)
        exact, reached = (values.astype(np.float64) for values in outputs)
        np.testing.assert_allclose(reached.mean(0), exact.mean(0), atol=2e-3)
        np.testing.assert_allclose(reached.std(0), exact.std(0), rtol=5e-3)
        mean = f"{layer}/BatchNorm/moving_mean"
        assert not np.allclose(quantized[mean], own.weights[mean], atol=1e-3)
        gamma = f"{layer}/BatchNorm/gamma"
        np.testing.assert_array_equal(quantized[gamma], own.weights[gamma])


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_learned_levels_change_outputs_less_than_nearest_on_pictures_not_seen(own, bits):
    learned, _ = own.quantize(bits=bits, rounding="learned")
    nearest, _ = quantize_weights(own.weights, bits, "channel", 1)
    networks = (own.network(weights) for weights in (None, learned, nearest))
    exact, *changed = (network(own.inputs(seen=False)).numpy() for network in networks)
    of_learned, of_nearest = (np.square(outputs - exact).mean() for outputs in changed)
    assert of_learned < 0.5 * of_nearest


def test_grids_are_those_of_nearest_rounding(own):
    learned, _ = own.quantize(rounding="learned")
    nearest, _ = quantize_weights(own.weights, 4, "channel", 1)
    for name, tensor in nearest.items():
        if isinstance(tensor, QuantizedTensor):
            np.testing.assert_array_equal(learned[name].scale, tensor.scale)
            np.testing.assert_array_equal(learned[name].zero_point, tensor.zero_point)
        else:
            np.testing.assert_array_equal(learned[name], tensor)


def test_two_runs_give_the_same_bits_and_tell_of_each_kernel(own, tmp_path):
    lines = []
    once, table = own.quantize(lines.append, bits={"*/depthwise_weights": 6, "*": 3}, keep=("last",), **ALL_OPTIONS)
    again, _ = own.quantize(bits={"*/depthwise_weights": 6, "*": 3}, keep=("last",), **ALL_OPTIONS)
    for name, tensor in once.items():
        for part in ("integers", "scale", "zero_point") if isinstance(tensor, QuantizedTensor) else ():
            np.testing.assert_array_equal(getattr(tensor, part), getattr(again[name], part))
        if not isinstance(tensor, QuantizedTensor):
            np.testing.assert_array_equal(tensor, again[name])
    bits = dict(zip(table["tensor"], table["bits"], strict=True))
    assert list(bits.values()) == [3, 3, 6, 6, 3, 8]
    assert bits == {name: tensor.bits for name, tensor in once.items() if isinstance(tensor, QuantizedTensor)}
    assert lines == [f"{name}: {number} bits" for name, number in bits.items()]
    write_table(tmp_path / "compression.parquet", COMPRESSION, table.assign(model="own", variant="q"))
    assert len(read_table(tmp_path / "compression.parquet", COMPRESSION)) == 6


def test_kernels_that_no_pattern_names_stay_floats(own):
    quantized, table = own.quantize(bits={"conv/*": 3}, rounding="learned")
    assert table["tensor"].tolist() == ["conv/weights"]
    for name in own.weights.keys() - {"conv/weights"}:
        np.testing.assert_array_equal(quantized[name], own.weights[name])


@pytest.mark.parametrize(
    ("technique", "message"),
    [
        ({"bits": {"*/head/*": 4}}, r"bits: '\*/head/\*' matches none of the 6 kernels to quantize, such as conv/"),
        ({"keep": ("stem",)}, r"keep: 'stem' matches none of the 6 kernels to quantize, such as conv/weights"),
    ],
)
def test_what_does_not_fit_the_network_is_one_line(own, technique, message):
    with pytest.raises(StudyError, match=f"^{message}"):
        own.quantize(correction="bias", **technique)


def test_a_pruned_network_is_quantized_in_its_own_shapes():
    model = ImageModel(network="mobilenet_v1", build="initial", width=0.05, input_size=32, classes=10, data="glyphs")
    weights = initial(model)
    for name in [name for name in weights if name.startswith("MobilenetV1/Conv2d_13_pointwise")]:
        weights[name] = weights[name][..., :5]
    logits = "MobilenetV1/Logits/Conv2d_1c_1x1/weights"
    weights[logits] = weights[logits][:, :, :5]
    settings = {"method": "quantize", "bits": 4, "minimum_values": 1, "rounding": "learned", "correction": "bias"}
    technique = TypeAdapter(Technique).validate_python(settings)
    job = QuantizeJob(model=model, data=Glyphs(kind="glyphs"), technique=technique, examples=20, seed=1)
    pictures = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3)).astype(np.uint8)
    quantized, table = quantize_on_data(weights, job, (pictures, np.zeros(20, np.int32)), report=quiet)
    assert quantized.keys() == weights.keys()
    assert all(quantized[name].shape == array.shape for name, array in weights.items())
    assert len(table) == sum(isinstance(tensor, QuantizedTensor) for tensor in quantized.values()) == 28
    with pytest.raises(StudyError, match="Conv2d_0/weights: already quantized to 4 bits"):
        quantize_on_data(quantized, job, (pictures, np.zeros(20, np.int32)), report=quiet)


@pytest.mark.parametrize("rounding", ["nearest", "learned"])
def test_kernels_of_very_many_inputs_are_quantized_in_blocks(own, monkeypatch, rounding):
    whole, _ = own.quantize(rounding=rounding, correction="bias")
    monkeypatch.setattr(moments, "_LARGEST", 9)
    in_blocks, _ = own.quantize(rounding=rounding, correction="bias")
    exact, inputs = own.network(), own.inputs(seen=False)
    for layer in CORRECTED:
        mean, *means = (
            by_channel(outputs_of(network, layer, own.inputs())).mean(0)
            for network in (exact, own.network(whole), own.network(in_blocks))
        )
        np.testing.assert_allclose(means, [mean, mean], atol=2e-4, err_msg=layer)
    errors = [
        np.square(own.network(weights)(inputs).numpy() - exact(inputs).numpy()).mean()
        for weights in (whole, in_blocks, own.quantize()[0])
    ]
    assert errors[1] <= errors[2] if rounding == "learned" else np.isclose(errors[0], errors[1], rtol=1e-3)
