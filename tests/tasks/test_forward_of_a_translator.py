"""The kernels of GNMT get the rows that they multiply, and padding is none of them."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from tocompress.compression.quantization.calibrated import quantize_on_data
from tocompress.compression.quantization.grid import dequantize, quantize_weights
from tocompress.models import gnmt
from tocompress.models.lstm import gate
from tocompress.settings.data import NumberPhrases
from tocompress.settings.jobs import QuantizeJob
from tocompress.settings.model import TranslationModel
from tocompress.settings.technique import Technique
from tocompress.tasks.forward import visits
from tocompress.tasks.networks import network_of
from tocompress.weights import QuantizedTensor

UNITS, VOCABULARY = 8, 20
MODEL = TranslationModel(
    network="gnmt", build="initial", width=UNITS / 1024, source_vocabulary=20, target_vocabulary=20, data="phrases"
)
CELLS = (gnmt.FORWARD, gnmt.BACKWARD, *gnmt.ENCODER_CELLS, gnmt.ATTENTION_CELL, *gnmt.DECODER_CELLS)


@pytest.fixture(scope="module")
def weights():
    random = np.random.default_rng(0)
    shapes = gnmt.shapes(VOCABULARY, VOCABULARY, UNITS)
    return {name: random.uniform(-1, 1, shape).astype(np.float32) for name, shape in shapes.items()}


def sentences(count):
    random = np.random.default_rng(1)
    return [
        (random.integers(3, VOCABULARY, source, np.int32), random.integers(3, VOCABULARY, target, np.int32))
        for source, target in random.integers(1, 7, (count, 2))
    ]


def rows_of(weights, pairs):
    """The rows of each kernel of the uncompressed network, [rows, inputs], and of one with other weights."""
    exact, _ = network_of(MODEL, weights)
    network, _ = network_of(MODEL, {name: array * np.float32(0.9) for name, array in weights.items()})
    return {
        visit.kernel: [np.concatenate(parts, axis=1)[0] for parts in zip(*visit.inputs, strict=True)]
        for visit in visits(MODEL, exact, network, pairs, seed=1)
    }


def steps_of(weights, source, target):
    """The inputs and the state of the decoder at each step of one sentence, as it decodes."""
    length = np.int32([len(source)])
    encoded = gnmt.encode(weights, source[None], length)
    attention = gnmt.attention_over(weights, encoded.memory, length)
    state, steps = gnmt.initial_state(encoded), []
    for token in [gnmt.START, *target]:
        logits, after = gnmt.decode_step(weights, attention, np.int32([token]), state)
        steps.append((token, state, after, logits))
        state = after
    return encoded, steps


@pytest.fixture(scope="module")
def one(weights):
    """A sentence of six tokens, the rows of its kernels, and its decoding step by step."""
    source, target = np.int32([3, 9, 4, 17, 8, 5]), np.int32([7, 12, 3, 19])
    rows = {kernel: found for kernel, (found, _) in rows_of(weights, [(source, target)]).items()}
    return rows, *steps_of(weights, source, target)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_all_kernels_but_embeddings_are_visited_in_the_order_of_the_computation(one, weights):
    rows, _, _ = one
    kernels = [name for name in weights if name.endswith("kernel")]
    assert sorted(rows) == sorted(kernels)
    order = [*(f"{cell}/kernel" for cell in CELLS[:5]), gnmt.MEMORY_KERNEL, f"{gnmt.ATTENTION_CELL}/kernel"]
    assert list(rows)[:7] == order
    assert list(rows)[7:] == [gnmt.QUERY_KERNEL, *(f"{cell}/kernel" for cell in CELLS[6:]), gnmt.PROJECTION_KERNEL]


@pytest.mark.parametrize("scope", CELLS)
def test_a_cells_kernel_times_a_row_leads_to_the_next_row(one, weights, scope):
    rows, encoded, _ = one
    after_encoder = {cell: state for cell, state in zip(CELLS[5:], encoded.states, strict=True)}
    kernel, found = weights[f"{scope}/kernel"], rows[f"{scope}/kernel"]
    inputs = len(kernel) - UNITS
    cell = after_encoder[scope].cell if scope in after_encoder else np.zeros((1, UNITS), np.float32)
    outputs = []
    for row in found:
        cell, output = gate(row[None] @ kernel + weights[f"{scope}/bias"], cell)
        outputs.append(output[0])
    close(found[1:, inputs:], outputs[:-1])
    close(found[0, inputs:], after_encoder[scope].output[0] if scope in after_encoder else 0)


def test_the_rows_of_the_decoder_are_those_of_its_steps(one, weights):
    rows, encoded, steps = one
    for number, (token, before, after, logits) in enumerate(steps):
        first = np.concatenate([weights[gnmt.TARGET_EMBEDDING][token], before.context[0], before.cells[0].output[0]])
        close(rows[f"{gnmt.ATTENTION_CELL}/kernel"][number], first)
        close(rows[gnmt.QUERY_KERNEL][number], after.cells[0].output[0])
        second = np.concatenate([after.cells[0].output[0], after.context[0], before.cells[1].output[0]])
        close(rows[f"{gnmt.DECODER_CELLS[0]}/kernel"][number], second)
        close(rows[gnmt.PROJECTION_KERNEL][number] @ weights[gnmt.PROJECTION_KERNEL], logits[0])
    assert len(rows[gnmt.PROJECTION_KERNEL]) == len(steps) == 5
    close(rows[gnmt.MEMORY_KERNEL], encoded.memory[0])


def test_padding_is_no_row_and_other_sentences_change_none(weights):
    pairs = sentences(4)
    together = rows_of(weights, pairs)
    alone = [rows_of(weights, [pair]) for pair in pairs]
    for kernel, found in together.items():
        for which, rows in enumerate(found):
            expected = np.concatenate([of_one[kernel][which] for of_one in alone])
            assert len(rows) == len(expected)
            close(rows[np.lexsort(rows.round(3).T)], expected[np.lexsort(expected.round(3).T)])


def test_the_quantized_network_has_rows_of_its_own(weights):
    exact, other = rows_of(weights, sentences(3))[gnmt.PROJECTION_KERNEL]
    assert exact.shape == other.shape
    assert np.abs(exact - other).max() > 0.01


def quantized(weights, pairs, **technique):
    settings = {"method": "quantize", "bits": 3, "granularity": "channel", "minimum_values": 1, **technique}
    job = QuantizeJob(
        model=MODEL,
        data=NumberPhrases(kind="number_phrases", codes="", source_vocabulary="", target_vocabulary=""),
        technique=TypeAdapter(Technique).validate_python(settings),
        examples=len(pairs),
        seed=1,
    )
    return quantize_on_data(weights, job, pairs, report=lambda line: None)[0]


def logits_of(weights, pairs):
    floats = {name: dequantize(one) if isinstance(one, QuantizedTensor) else one for name, one in weights.items()}
    found = []
    for source, target in pairs:
        inputs = source[None], np.int32([len(source)]), np.int32([[gnmt.START, *target]])
        found.append(np.asarray(gnmt.teacher_forced(floats, *inputs))[0])
    return np.concatenate(found)


def test_learned_levels_and_biases_change_a_translators_logits_less_than_nearest(weights):
    pairs = sentences(80)
    learned = quantized(weights, pairs[:64], rounding="learned", correction="bias")
    nearest, _ = quantize_weights(weights, 3, "channel", 1)
    exact, *changed = (logits_of(one, pairs[64:]) for one in (weights, learned, nearest))
    of_learned, of_nearest = (np.square(logits - exact).mean() for logits in changed)
    assert of_learned < 0.7 * of_nearest
    for embedding in (gnmt.SOURCE_EMBEDDING, gnmt.TARGET_EMBEDDING):  # they multiply nothing that could be learned from
        np.testing.assert_array_equal(learned[embedding].integers, nearest[embedding].integers)
