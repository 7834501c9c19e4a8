"""A scan quantizes one kernel at a time, and leaves nothing of it for the next."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax
from scipy.stats import kurtosis

from tocompress.checkpoints.acquire import initial
from tocompress.compression.quantization.grid import dequantize, quantize
from tocompress.compression.quantization.sensitivity import scan
from tocompress.errors import StudyError
from tocompress.schemas.study import QUANTIZATION_SENSITIVITY
from tocompress.settings.data import Glyphs, NumberPhrases
from tocompress.settings.evaluation import QuantizationSensitivity
from tocompress.settings.jobs import QuantizationSensitivityJob
from tocompress.settings.model import ImageModel, TranslationModel
from tocompress.tables import read_table, write_table
from tocompress.tasks.classification import batches as images
from tocompress.tasks.networks import network_of
from tocompress.tasks.translation import batches as sentences

EXAMPLES = 60
BITS = (2, 5)
CNN = ImageModel(network="mobilenet_v1", build="initial", width=0.1, input_size=32, classes=10, data="glyphs")
GNMT = TranslationModel(
    network="gnmt", build="initial", width=32 / 1024, source_vocabulary=20, target_vocabulary=20, data="phrases"
)
TWO_VALUES = "MobilenetV1/Conv2d_9_pointwise/weights"
PICTURES = np.random.default_rng(2).integers(0, 256, (EXAMPLES, 32, 32, 3)).astype(np.uint8)
GLYPHS = Glyphs(kind="glyphs")
PHRASES = NumberPhrases(kind="number_phrases", codes="", source_vocabulary="", target_vocabulary="")


def quiet(_):
    pass


def job(model, **settings):
    chosen = QuantizationSensitivity(**{"examples": EXAMPLES, "bits": BITS, **settings})
    data = GLYPHS if model is CNN else PHRASES
    return QuantizationSensitivityJob(model=model, data=data, sensitivity=chosen)


@pytest.fixture(scope="module")
def cnn():
    """Weights under which every kernel tells, and a function that gives the outputs for other values of some."""
    random = np.random.default_rng(1)
    weights = {
        name: array if name.endswith("moving_variance") else array + random.normal(0, 0.3, array.shape)
        for name, array in initial(CNN).items()
    }
    weights[TWO_VALUES] = random.choice([-0.3, 0.3], weights[TWO_VALUES].shape)
    weights = {name: array.astype(np.float32) for name, array in weights.items()}
    network, variables = network_of(CNN, weights)

    def logarithms(**changed):
        for name, array in changed.items():
            variables[name].assign(array)
        logits = network.predict_on_batch(images.network_input(PICTURES, CNN))
        for name in changed:
            variables[name].assign(weights[name])
        return log_softmax(logits, axis=-1)

    return weights, logarithms


@pytest.fixture(scope="module")
def examples(cnn):
    """Pictures labelled as the network sees them."""
    return PICTURES, cnn[1]().argmax(axis=1).astype(np.int32)


@pytest.fixture(scope="module")
def scanned(cnn, examples):
    return scan(cnn[0], job(CNN), examples, quiet)


def on_its_grid(kernel, bits):
    return dequantize(quantize(kernel, bits, axis=kernel.ndim - 1))


def divergence(exact, changed):
    return (np.exp(exact) * (exact - changed)).sum(axis=-1).mean()


def test_the_uncompressed_network_is_right_and_diverges_by_nothing(scanned, cnn, tmp_path):
    first = scanned.iloc[0]
    assert pd.isna(first["tensor"]) and pd.isna(first["bits"])
    assert (first["divergence"], first["value"], first["change"], first["n"]) == (0.0, 1.0, 0.0, EXAMPLES)
    assert first["change_low"] < 0 < first["change_high"]
    write_table(tmp_path / "scan.parquet", QUANTIZATION_SENSITIVITY, scanned)
    assert len(read_table(tmp_path / "scan.parquet", QUANTIZATION_SENSITIVITY)) == len(scanned)


def test_each_large_kernel_has_each_number_of_bits_before_all_together(scanned, cnn):
    large = [name for name, array in cnn[0].items() if name.endswith("weights") and array.size >= 1024]
    singles, together = scanned.iloc[1 : -len(BITS)], scanned.iloc[-len(BITS) :]
    assert list(zip(singles["tensor"], singles["bits"], strict=True)) == [
        (name, bits) for name in large for bits in BITS
    ]
    assert together["tensor"].isna().all() and tuple(together["bits"]) == BITS
    assert (together["values"] == sum(cnn[0][name].size for name in large)).all()


def test_a_row_is_the_network_with_this_kernel_alone_quantized(scanned, cnn, examples):
    """Kernels late in the network show that those before them are whole again, and that the cut is exact."""
    weights, logarithms = cnn
    for row in scanned[scanned["tensor"].notna()].iloc[::5].itertuples():
        changed = logarithms(**{row.tensor: on_its_grid(weights[row.tensor], row.bits)})
        assert row.divergence == pytest.approx(divergence(logarithms(), changed), rel=1e-3, abs=1e-6)
        assert row.value == (changed.argmax(axis=1) == examples[1]).mean()
    assert scanned["divergence"].nunique() == len(scanned)


def test_all_together_are_the_quantized_network(scanned, cnn):
    weights, logarithms = cnn
    for row in scanned.iloc[-len(BITS) :].itertuples():
        changed = logarithms(
            **{name: on_its_grid(weights[name], row.bits) for name in scanned["tensor"].dropna().unique()}
        )
        assert row.divergence == pytest.approx(divergence(logarithms(), changed), rel=1e-3)


def test_facts_of_weights_are_of_their_own_grid(scanned, cnn):
    for row in scanned[scanned["tensor"].notna()].itertuples():
        assert row.kurtosis == pytest.approx(kurtosis(cnn[0][row.tensor], axis=None, fisher=False), rel=1e-4)
    # Zero is a level, so both values are half a step off. That is their distance from zero by 3 or 31.
    two_values = scanned[scanned["tensor"] == TWO_VALUES]
    np.testing.assert_allclose(two_values["signal_to_noise"], 20 * np.log10([3, 31]), atol=0.01)


def test_a_translator_is_judged_by_the_next_token_padding_left_out():
    random = np.random.default_rng(1)
    pairs = [(random.integers(3, 20, length), random.integers(3, 20, length)) for length in random.integers(2, 9, 30)]
    weights = {name: 3 * array for name, array in initial(GNMT).items()}
    table = scan(weights, job(GNMT, examples=30, bits=(2,)), pairs, quiet)
    network, _ = network_of(GNMT, weights)
    inputs, following, weight = sentences.Batches(pairs, len(pairs), 1)[0]
    hits = network.predict_on_batch(inputs).argmax(axis=2) == following
    assert set(table["metric"]) == {"next_token"}
    assert set(table["n"]) == {sum(len(target) + 1 for _, target in pairs)} == {(weight > 0).sum()}
    assert table["value"].iloc[0] == pytest.approx(hits[weight > 0].mean())
    assert (table["divergence"].iloc[1:] > 0).all()


def test_more_examples_than_there_are_is_one_line(cnn, examples):
    with pytest.raises(StudyError, match="examples is 61, but the calibration set holds 60"):
        scan(cnn[0], job(CNN, examples=EXAMPLES + 1), examples, quiet)
