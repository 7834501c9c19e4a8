"""GNMT against tensorflow/nmt's own outputs, and the properties that hold for any weights."""

from __future__ import annotations

import ast
import itertools
import json
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tocompress.models import gnmt

Arrays = dict[str, np.ndarray]


def pruned_shapes(vocabulary: int) -> dict[str, tuple[int, ...]]:
    """A network whose every free size differs from the others."""
    source_features, target_features, forward, decoder_first, upper, attention = 5, 7, 6, 8, 4, 3
    inputs = {
        gnmt.FORWARD: (source_features, forward),
        gnmt.BACKWARD: (source_features, decoder_first),
        gnmt.ENCODER_CELLS[0]: (forward + decoder_first, upper),
        gnmt.ENCODER_CELLS[1]: (upper, upper),
        gnmt.ENCODER_CELLS[2]: (upper, upper),
        gnmt.ATTENTION_CELL: (target_features + upper, decoder_first),
        gnmt.DECODER_CELLS[0]: (decoder_first + upper, upper),
        gnmt.DECODER_CELLS[1]: (2 * upper, upper),
        gnmt.DECODER_CELLS[2]: (2 * upper, upper),
    }
    cells = {f"{scope}/kernel": (features + units, 4 * units) for scope, (features, units) in inputs.items()}
    biases = {f"{scope}/bias": (4 * units,) for scope, (_, units) in inputs.items()}
    return {
        **cells,
        **biases,
        gnmt.SOURCE_EMBEDDING: (vocabulary, source_features),
        gnmt.TARGET_EMBEDDING: (vocabulary, target_features),
        gnmt.MEMORY_KERNEL: (upper, attention),
        gnmt.QUERY_KERNEL: (decoder_first, attention),
        gnmt.ATTENTION_V: (attention,),
        gnmt.ATTENTION_G: (),
        gnmt.ATTENTION_B: (attention,),
        gnmt.PROJECTION_KERNEL: (upper, vocabulary),
    }


def random_weights(vocabulary: int, seed: int) -> Arrays:
    generator = np.random.default_rng(seed)
    shapes = pruned_shapes(vocabulary)
    return {name: generator.uniform(-1.5, 1.5, shape).astype("float32") for name, shape in shapes.items()}


def random_sources(vocabulary: int, lengths: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Sentences whose padding is made of tokens like any other."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, vocabulary, (len(lengths), max(lengths)), "int32"), np.array(lengths, "int32")


def until_end(ids: np.ndarray) -> list[int]:
    return list(itertools.takewhile(lambda token: token != gnmt.END, ids.tolist()))


@pytest.fixture(scope="module")
def golden(shared: Path) -> Path:
    return shared / "golden" / "gnmt"


@pytest.fixture(scope="module")
def golden_weights(golden: Path) -> dict[str, tf.Tensor]:
    checkpoint = tf.train.load_checkpoint(str(golden / "translate.ckpt"))
    return {name: tf.constant(checkpoint.get_tensor(name)) for name in gnmt.shapes(203, 203, 64)}


@pytest.fixture(scope="module")
def golden_source(golden: Path) -> tuple[np.ndarray, np.ndarray]:
    """The 24 sentences, which one batch of nmt's infer_batch_size holds."""
    assert json.loads((golden / "hparams.json").read_text())["infer_batch_size"] >= 24
    index = {token: position for position, token in enumerate((golden / "vocab.bpe.de").read_text().split())}
    lines = (golden / "src.de").read_text().splitlines()
    sentences = [[index.get(token, 0) for token in line.split()] for line in lines]
    length = np.array([len(sentence) for sentence in sentences], "int32")
    source = np.full((len(sentences), length.max()), gnmt.END, "int32")
    for row, sentence in zip(source, sentences, strict=True):
        row[: len(sentence)] = sentence
    return source, length


def as_text(golden: Path, ids: np.ndarray) -> list[str]:
    """Lines as tensorflow/nmt writes them: an unfinished last word is dropped."""
    vocabulary = (golden / "vocab.bpe.en").read_text().split()
    lines = []
    for row in ids:
        pieces = "".join(f"{vocabulary[token]} " for token in until_end(row)).replace("@@ ", "@@")
        words = [word for word in pieces.split(" ") if word and not word.endswith("@@")]
        lines.append(" ".join(word.replace("@@", "") for word in words))
    return lines


def test_full_size_has_the_variables_of_the_published_checkpoint(shared: Path) -> None:
    rows = [line.split("\t") for line in (shared / "golden/variables/gnmt.tsv").read_text().splitlines()]
    published = {name: tuple(ast.literal_eval(shape)) for name, shape, kind in rows if kind == "float32"}
    assert list(gnmt.shapes(36548, 36548, 1024).items()) == list(published.items())


def test_full_size_has_table_ones_parameters() -> None:
    assert sum(map(prod, gnmt.shapes(36548, 36548, 1024).values())) == 210_880_513


def test_a_token_costs_every_matrix_once_and_attention_over_the_source() -> None:
    shapes = pruned_shapes(vocabulary=11)
    matrices = sum(prod(shape) for name, shape in shapes.items() if len(shape) == 2 and "embedding" not in name)
    attention, memory = shapes[gnmt.ATTENTION_V][0], shapes[gnmt.MEMORY_KERNEL][0]
    assert gnmt.multiply_accumulates(shapes, 1, 1) == matrices + attention + memory
    assert gnmt.multiply_accumulates(shapes, 3, 2) - gnmt.multiply_accumulates(shapes, 3, 1) == (
        gnmt.multiply_accumulates(shapes, 0, 1) + 3 * (attention + memory)
    )


def test_greedy_translates_as_nmt_does(golden: Path, golden_weights: Any, golden_source: Any) -> None:
    source, length = golden_source
    ids = gnmt.greedy(golden_weights, source, length, 2 * length.max()).numpy()
    reference = np.load(golden / "ref.npz")["greedy_ids"].T
    assert [until_end(row) for row in ids] == [until_end(row) for row in reference]
    assert as_text(golden, ids) == (golden / "output_greedy").read_text().splitlines()


def test_beam_search_translates_as_nmt_does(golden: Path, golden_weights: Any, golden_source: Any) -> None:
    source, length = golden_source
    ids = gnmt.beam_search(golden_weights, source, length, 2 * length.max()).numpy()
    reference = np.load(golden / "ref.npz")["beam_ids"][:, :, 0].T
    assert [until_end(row) for row in ids] == [until_end(row) for row in reference]
    assert as_text(golden, ids) == (golden / "output_beam_search").read_text().splitlines()


def test_teacher_forced_logits_are_those_of_nmt(golden: Path, golden_weights: Any, golden_source: Any) -> None:
    reference = np.load(golden / "ref.npz")
    target = np.pad(reference["greedy_ids"].T[:, :-1], ((0, 0), (1, 0)), constant_values=gnmt.START)
    logits = gnmt.teacher_forced(golden_weights, *golden_source, target)
    np.testing.assert_allclose(logits, reference["greedy_logits"].transpose(1, 0, 2), rtol=0, atol=1e-4)


def test_teacher_forced_logits_are_those_of_the_decoder_steps() -> None:
    weights = random_weights(vocabulary=11, seed=1)
    source, length = random_sources(11, [4, 1, 6])
    target = np.random.default_rng(2).integers(0, 11, (3, 5), "int32")
    encoded = gnmt.encode(weights, source, length)
    attention, state = gnmt.attention_over(weights, encoded.memory, length), gnmt.initial_state(encoded)
    steps = []
    for token in target.T:
        logits, state = gnmt.decode_step(weights, attention, token, state)
        steps.append(logits)
    np.testing.assert_allclose(
        gnmt.teacher_forced(weights, source, length, target), np.stack(steps, axis=1), rtol=0, atol=1e-5
    )


def test_greedy_takes_the_likeliest_token_of_each_step() -> None:
    weights = random_weights(vocabulary=11, seed=1)
    source, length = random_sources(11, [4, 1, 6])
    ids = gnmt.greedy(weights, source, length, 8, forced=True).numpy()
    target = np.pad(ids[:, :-1], ((0, 0), (1, 0)), constant_values=gnmt.START)
    logits = np.asarray(gnmt.teacher_forced(weights, source, length, target))
    np.testing.assert_array_equal(logits.argmax(axis=-1), ids)


@pytest.mark.parametrize("translate", [gnmt.greedy, gnmt.beam_search])
def test_padding_does_not_change_a_translation(translate: Callable[..., Any]) -> None:
    weights = random_weights(vocabulary=11, seed=3)
    source, length = random_sources(11, [7, 2, 5])
    together = translate(weights, source, length, 6, forced=True).numpy()
    alone = [
        translate(weights, source[row : row + 1, :size], length[row : row + 1], 6, forced=True).numpy()[0]
        for row, size in enumerate(length)
    ]
    np.testing.assert_array_equal(together, alone)


def test_forced_length_is_exact_and_free_running_stops_at_the_end_token() -> None:
    weights = random_weights(vocabulary=5, seed=0)
    source, length = random_sources(5, [3, 4, 2, 6])
    forced = gnmt.greedy(weights, source, length, 40, forced=True).numpy()
    free = gnmt.greedy(weights, source, length, 40).numpy()
    ended = [until_end(row) for row in forced]
    assert forced.shape == (4, 40)
    assert free.shape[1] == max(map(len, ended)) + 1 < 40
    for row, tokens in zip(free.tolist(), ended, strict=True):
        assert row == tokens + [gnmt.END] * (len(row) - len(tokens))


def test_one_beam_without_a_length_penalty_is_greedy() -> None:
    weights = random_weights(vocabulary=5, seed=0)
    source, length = random_sources(5, [3, 4, 2, 6])
    beam = gnmt.beam_search(weights, source, length, 40, beam_width=1, length_penalty=0.0)
    np.testing.assert_array_equal(beam, gnmt.greedy(weights, source, length, 40))


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_a_beam_that_holds_every_hypothesis_finds_the_best_one(seed: int) -> None:
    vocabulary, steps = 4, 3
    weights = random_weights(vocabulary, seed)
    source, length = random_sources(vocabulary, [5])
    every = np.array(list(itertools.product(range(vocabulary), repeat=steps)), "int32")
    target = np.pad(every[:, :-1], ((0, 0), (1, 0)), constant_values=gnmt.START)
    logits = gnmt.teacher_forced(weights, np.repeat(source, len(every), 0), np.repeat(length, len(every)), target)
    log_probabilities = np.asarray(keras.ops.log_softmax(logits))

    def score(ids: np.ndarray, log_probability: np.ndarray) -> float:
        ending = len(until_end(ids))
        tokens = min(ending + 1, steps)
        counted = tokens - 1 if ending == steps - 1 else tokens
        total = log_probability[np.arange(tokens), ids[:tokens]].sum()
        return float(total / ((5 + counted) / 6))

    best = max(range(len(every)), key=lambda index: score(every[index], log_probabilities[index]))
    found = gnmt.beam_search(weights, source, length, steps, beam_width=vocabulary**steps).numpy()[0]
    assert until_end(found) == until_end(every[best])


@pytest.mark.parametrize("translate", [gnmt.greedy, gnmt.beam_search])
def test_a_graph_with_weights_as_placeholders_translates_as_eagerly(translate: Callable[..., Any]) -> None:
    weights = random_weights(vocabulary=7, seed=8)
    cases = [(random_sources(7, [4, 1, 6]), 9, False), (random_sources(7, [3]), 5, True)]
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        named = {name: v1.placeholder(tf.float32, value.shape) for name, value in weights.items()}
        source, length = v1.placeholder(tf.int32, [None, None]), v1.placeholder(tf.int32, [None])
        maximum, forced = v1.placeholder(tf.int32, []), v1.placeholder(tf.bool, [])
        output = translate(named, source, length, maximum, forced=forced)
    session = v1.Session(graph=graph)
    constants = {named[name]: value for name, value in weights.items()}
    for (ids, sizes), steps, force in cases:
        feed = {**constants, source: ids, length: sizes, maximum: steps, forced: force}
        np.testing.assert_array_equal(session.run(output, feed), translate(weights, ids, sizes, steps, forced=force))


def test_a_traced_function_translates_as_eagerly() -> None:
    weights = {name: tf.constant(value) for name, value in random_weights(vocabulary=7, seed=8).items()}
    source, length = random_sources(7, [4, 1, 6])
    shape = tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32)
    traced = tf.function(lambda *inputs: gnmt.greedy(weights, *inputs), input_signature=shape)
    np.testing.assert_array_equal(traced(source, length, 9), gnmt.greedy(weights, source, length, 9))


@pytest.fixture
def examples() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Copying, with targets one token longer than the sources."""
    source, length = random_sources(9, [5, 3, 4, 5])
    labels = np.pad(source, ((0, 0), (0, 1)), constant_values=gnmt.END)
    target = np.pad(source, ((0, 0), (1, 0)), constant_values=gnmt.START)
    return {"source": source, "source_length": length, "target": target}, labels


def test_the_model_holds_exactly_the_named_variables() -> None:
    shapes = pruned_shapes(vocabulary=9)
    model = gnmt.GNMT(shapes)
    named = gnmt.named_variables(model)
    assert {name: tuple(variable.shape) for name, variable in named.items()} == shapes
    assert [id(variable) for variable in model.trainable_variables] == [id(variable) for variable in named.values()]


def test_dropout_acts_in_training_only(examples: Any) -> None:
    inputs, _ = examples
    model = gnmt.GNMT(pruned_shapes(vocabulary=9))
    plain = gnmt.teacher_forced(gnmt.named_variables(model), **inputs)
    np.testing.assert_array_equal(model(inputs), plain)
    first, second = np.asarray(model(inputs, training=True)), np.asarray(model(inputs, training=True))
    assert not np.allclose(first, second)


def test_training_lowers_the_loss_and_moves_every_variable(examples: Any) -> None:
    model = gnmt.GNMT(pruned_shapes(vocabulary=9), dropout=0.0)
    before = random_weights(vocabulary=9, seed=9)
    for name, variable in gnmt.named_variables(model).items():
        variable.assign(before[name])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-2), loss=loss)
    losses = model.fit(*examples, batch_size=4, epochs=2, verbose=0).history["loss"]
    assert losses[1] < losses[0]
    after = gnmt.named_variables(model)
    assert [name for name, value in before.items() if np.array_equal(value, after[name].numpy())] == []


def strayed(model: gnmt.GNMT, inputs: dict[str, np.ndarray]) -> float:
    """What guided attention adds to the loss."""
    model(inputs, training=True)
    (loss,) = model.losses
    return float(loss)


def test_guided_attention_asks_for_one_pace_in_source_and_target(examples: Any) -> None:
    model = gnmt.GNMT(pruned_shapes(vocabulary=9), dropout=0.0, guidance=1.0)
    one = {"source": np.array([[4]], np.int32), "source_length": np.array([1], np.int32)}
    assert strayed(model, one | {"target": np.array([[gnmt.START]], np.int32)}) == 0
    inputs, _ = examples
    assert 0 < strayed(model, inputs) < 1
    padded = inputs | {"source": np.pad(inputs["source"], ((0, 0), (0, 3)), constant_values=gnmt.END)}
    assert strayed(model, padded) == pytest.approx(strayed(model, inputs), rel=1e-4)
    model.guidance = 0.0
    model(inputs, training=True)
    assert not model.losses


@pytest.mark.long
def test_guided_attention_trains_as_part_of_the_loss(examples: Any) -> None:
    histories = []
    for guidance in (0.0, 10.0):
        model = gnmt.GNMT(pruned_shapes(vocabulary=9), dropout=0.0, guidance=guidance, seed=1)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.Adam(1e-2), loss=loss)
        histories.append(model.fit(*examples, batch_size=4, epochs=1, verbose=0).history["loss"][0])
    assert histories[1] > histories[0] + 0.1
