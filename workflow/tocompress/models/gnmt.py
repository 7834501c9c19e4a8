"""The 4-layer GNMT of tensorflow/nmt (`gnmt_v2`, normed Bahdanau attention) as pure functions of its weights.

Every function takes `weights`, a mapping from tensorflow/nmt's variable names to tensors: Keras variables in training,
placeholders in a graph to deploy, arrays in a test. All sizes come from the shapes of the weights, so a pruned network
runs the same code. These sizes must agree: {backward encoder, decoder 0}, {encoder 0-2, decoder 1-3}.

B sentences, S source tokens, T target tokens, K beams, L decoded tokens, V target vocabulary. Ids are int32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from tocompress.models.beams import END, Beams, each, extend, first_beams, write_token
from tocompress.models.lstm import (
    CellState,
    Tensor,
    Watch,
    Weights,
    at,
    backwards,
    before,
    gate,
    lstm,
    run_cell,
    split_kernel,
)

START = 1  # the token that begins a translation
GUIDE_WIDTH = 0.2  # of the band around equal pace that guided attention allows, as a share of the sentence
UNITS = 1024  # LSTM units of a layer of the published network
SOURCE_EMBEDDING = "embeddings/encoder/embedding_encoder"
TARGET_EMBEDDING = "embeddings/decoder/embedding_decoder"
_ENCODER = "dynamic_seq2seq/encoder"
_DECODER = "dynamic_seq2seq/decoder"
FORWARD = f"{_ENCODER}/bidirectional_rnn/fw/basic_lstm_cell"
BACKWARD = f"{_ENCODER}/bidirectional_rnn/bw/basic_lstm_cell"
ENCODER_CELLS = tuple(f"{_ENCODER}/rnn/multi_rnn_cell/cell_{index}/basic_lstm_cell" for index in range(3))
_ATTENTION = f"{_DECODER}/multi_rnn_cell/cell_0_attention/attention"
ATTENTION_CELL = f"{_ATTENTION}/basic_lstm_cell"
MEMORY_KERNEL = f"{_DECODER}/memory_layer/kernel"
QUERY_KERNEL = f"{_ATTENTION}/bahdanau_attention/query_layer/kernel"
ATTENTION_V = f"{_ATTENTION}/bahdanau_attention/attention_v"
ATTENTION_G = f"{_ATTENTION}/bahdanau_attention/attention_g"
ATTENTION_B = f"{_ATTENTION}/bahdanau_attention/attention_b"
DECODER_CELLS = tuple(f"{_DECODER}/multi_rnn_cell/cell_{index}/basic_lstm_cell" for index in range(1, 4))
PROJECTION_KERNEL = f"{_DECODER}/output_projection/kernel"
#: The kernels whose rows are source tokens. The rows of others are target tokens.
_READ_THE_SOURCE = (*(f"{scope}/kernel" for scope in (FORWARD, BACKWARD, *ENCODER_CELLS)), MEMORY_KERNEL)
Shapes = Mapping[str, tuple[int, ...]]


class Encoded(NamedTuple):
    """Memory [B, S, units] and the initial state of each decoder cell."""

    memory: Tensor
    states: tuple[CellState, ...]


class Attention(NamedTuple):
    """The constants of all decoder steps: keys [B, S, A], memory [B, S, units], mask [B, S], and scoring [A]."""

    keys: Tensor
    memory: Tensor
    mask: Tensor
    scoring: Tensor


class DecoderState(NamedTuple):
    """State between two decoder steps: the four cells, and the attention context [B, units]."""

    cells: tuple[CellState, ...]
    context: Tensor


def units(width: float) -> int:
    """Return the LSTM units of a layer at this share of the published width."""
    return round(UNITS * width)


def shapes(source_vocabulary: int, target_vocabulary: int, units: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of every float variable, in the order of tensorflow/nmt's checkpoint."""

    def cell(name: str, inputs: int) -> dict[str, tuple[int, ...]]:
        return {f"{name}/kernel": (inputs + units, 4 * units), f"{name}/bias": (4 * units,)}

    first, *upper = ENCODER_CELLS
    return {
        SOURCE_EMBEDDING: (source_vocabulary, units),
        TARGET_EMBEDDING: (target_vocabulary, units),
        **cell(FORWARD, units),
        **cell(BACKWARD, units),
        **cell(first, 2 * units),
        **{name: shape for scope in upper for name, shape in cell(scope, units).items()},
        MEMORY_KERNEL: (units, units),
        **cell(ATTENTION_CELL, 2 * units),
        QUERY_KERNEL: (units, units),
        ATTENTION_V: (units,),
        ATTENTION_G: (),
        ATTENTION_B: (units,),
        **{name: shape for scope in DECODER_CELLS for name, shape in cell(scope, 2 * units).items()},
        PROJECTION_KERNEL: (units, target_vocabulary),
    }


def multiply_accumulates(shapes: Shapes, source_tokens: int, target_tokens: int) -> int:
    """Return the multiply-accumulates of the matrix products of one greedy translation. Embedding lookups cost none."""
    encoder = sum(prod(shapes[f"{scope}/kernel"]) for scope in (FORWARD, BACKWARD, *ENCODER_CELLS))
    decoder = sum(prod(shapes[f"{scope}/kernel"]) for scope in (ATTENTION_CELL, *DECODER_CELLS))
    memory_units, attention_units = shapes[MEMORY_KERNEL]
    attending = source_tokens * (attention_units + memory_units)
    source_step = encoder + prod(shapes[MEMORY_KERNEL])
    target_step = decoder + prod(shapes[QUERY_KERNEL]) + attending + prod(shapes[PROJECTION_KERNEL])
    return source_tokens * source_step + target_tokens * target_step


def encode(
    weights: Weights,
    source: Tensor,
    source_length: Tensor,
    dropout: float = 0.0,
    seed: keras.random.SeedGenerator | None = None,
    watch: Watch | None = None,
) -> Encoded:
    """Encode source [B, S] of the true lengths [B], at least 1. The ids in the padding have no effect."""
    embedded = ops.take(weights[SOURCE_EMBEDDING], ops.transpose(source), axis=0)
    last = ops.cast(source_length, "int32") - 1
    reading_backwards = backwards(embedded, last)

    def layer(scope: str, inputs: Tensor) -> tuple[Tensor, CellState]:
        states = run_cell(weights, scope, keras.random.dropout(inputs, dropout, seed=seed), watch=watch)
        return states.output, CellState(*(at(values, last) for values in states))

    forward, _ = layer(FORWARD, embedded)
    backward, backward_state = layer(BACKWARD, at(embedded, reading_backwards))
    first, *upper = ENCODER_CELLS
    hidden, state = layer(first, ops.concatenate([forward, at(backward, reading_backwards)], axis=-1))
    states = [backward_state, state]
    for scope in upper:
        output, state = layer(scope, hidden)
        hidden = hidden + output
        states.append(state)
    return Encoded(ops.transpose(hidden, (1, 0, 2)), tuple(states))


def attention_over(weights: Weights, memory: Tensor, source_length: Tensor) -> Attention:
    """Return attention over the memory [B, S, units]: normed Bahdanau's keys (attention_b added) and g * v / |v|."""
    v = ops.convert_to_tensor(weights[ATTENTION_V])
    return Attention(
        keys=ops.matmul(memory, weights[MEMORY_KERNEL]) + weights[ATTENTION_B],
        memory=memory,
        mask=ops.arange(ops.shape(memory)[1], dtype="int32") < ops.cast(source_length, "int32")[:, None],
        scoring=v * (weights[ATTENTION_G] / ops.sqrt(ops.sum(v * v))),
    )


def initial_state(encoded: Encoded) -> DecoderState:
    """Return the decoder's state before its first step: the encoder's state, and a context of zeros."""
    return DecoderState(encoded.states, ops.zeros_like(encoded.memory[:, 0]))


def decode_step(
    weights: Weights, attention: Attention, token: Tensor, state: DecoderState
) -> tuple[Tensor, DecoderState]:
    """Return the logits [B, V] of the token after `token` [B], and the next state."""
    embedded = ops.take(weights[TARGET_EMBEDDING], token, axis=0)
    first, *upper = state.cells
    first = lstm(weights, ATTENTION_CELL, ops.concatenate([embedded, state.context], axis=-1), first)
    context = _attend(weights, attention, first.output)
    hidden, cells = first.output, [first]
    for index, (scope, cell) in enumerate(zip(DECODER_CELLS, upper, strict=True)):
        cell = lstm(weights, scope, ops.concatenate([hidden, context], axis=-1), cell)
        hidden = hidden + cell.output if index else cell.output
        cells.append(cell)
    return ops.matmul(hidden, weights[PROJECTION_KERNEL]), DecoderState(tuple(cells), context)


def teacher_forced(
    weights: Weights,
    source: Tensor,
    source_length: Tensor,
    target: Tensor,
    dropout: float = 0.0,
    seed: keras.random.SeedGenerator | None = None,
) -> Tensor:
    """Return logits [B, T, V] for target [B, T], which starts with `<s>`. Row t predicts the token after target[:, t].

    Only cell 0 of gnmt_v2 feeds the attention, so the other three run over whole sequences after it.
    `dropout` is the rate for the inputs of every cell, drawn anew at every step.
    """
    return _decode_given(weights, source, source_length, target, dropout, seed)[0]


def _decode_given(
    weights: Weights,
    source: Tensor,
    source_length: Tensor,
    target: Tensor,
    dropout: float,
    seed: keras.random.SeedGenerator | None,
    watch: Watch | None = None,
) -> tuple[Tensor, Encoded, Tensor]:
    """Return the logits of `teacher_forced`, the encoded source, and the queries of attention [T, B, units]."""
    encoded = encode(weights, source, source_length, dropout, seed, watch)
    embedded = ops.take(weights[TARGET_EMBEDDING], ops.transpose(target), axis=0)
    queries, context = _run_attention_cell(weights, encoded, source_length, embedded, dropout, seed, watch)
    hidden = queries
    for index, (scope, state) in enumerate(zip(DECODER_CELLS, encoded.states[1:], strict=True)):
        inputs = keras.random.dropout(ops.concatenate([hidden, context], axis=-1), dropout, seed=seed)
        output = run_cell(weights, scope, inputs, state, watch).output
        hidden = hidden + output if index else output
    if watch:
        watch(PROJECTION_KERNEL, hidden)
    return ops.matmul(ops.transpose(hidden, (1, 0, 2)), weights[PROJECTION_KERNEL]), encoded, queries


def off_diagonal(
    weights: Weights, encoded: Encoded, source_length: Tensor, queries: Tensor, target_length: Tensor
) -> Tensor:
    """Return how far attention strays from reading source and target at the same pace: a scalar from 0 to 1.

    The loss of guided attention (H. Tachibana and others, 2017, arXiv 1710.08969, section 4). Without it, a small
    network on few sentences attends to the first words only, where the backward cell has read the whole sentence.
    """
    alignment = _alignment(weights, attention_over(weights, encoded.memory, source_length), queries[:, :, None])
    steps, positions = (ops.arange(ops.shape(alignment)[axis], dtype="float32") for axis in (0, 2))
    pace_of_target = steps[:, None] / ops.cast(target_length, "float32")[None]
    pace_of_source = positions[None] / ops.cast(source_length, "float32")[:, None]
    distance = pace_of_target[:, :, None] - pace_of_source[None]
    strayed = ops.sum(alignment * (1 - ops.exp(-0.5 * ops.square(distance / GUIDE_WIDTH))), axis=-1)
    real = ops.cast(pace_of_target < 1, "float32")
    return ops.sum(strayed * real) / ops.sum(real)


def likeliest(logits: Tensor) -> Tensor:
    """Return the token [B] with the largest of the logits [B, V], the first of equals."""
    return ops.cast(ops.argmax(logits, axis=-1), "int32")


def greedy(
    weights: Weights,
    source: Tensor,
    source_length: Tensor,
    maximum_length: Tensor | int,
    forced: Tensor | bool = False,
    choose: Callable[[Tensor], Tensor] = likeliest,
) -> Tensor:
    """Return ids [B, L] of the likeliest token at each step. L is the number of steps, at most `maximum_length`.

    After its `</s>` a sentence holds only `</s>`. If `forced`, exactly `maximum_length` steps run and `</s>` ends none.
    `choose` returns the tokens of `likeliest`, by operations that the runtime has.
    """
    encoded = encode(weights, source, source_length)
    attention = attention_over(weights, encoded.memory, source_length)
    limit, forced = ops.convert_to_tensor(maximum_length, "int32"), ops.convert_to_tensor(forced, "bool")
    batch = ops.shape(source)[0]

    def unfinished(step: Tensor, ids: Tensor, token: Tensor, finished: Tensor, state: DecoderState) -> Tensor:
        return ops.logical_and(step < limit, ops.logical_not(ops.all(finished)))

    def advance(step: Tensor, ids: Tensor, token: Tensor, finished: Tensor, state: DecoderState) -> tuple[Any, ...]:
        logits, state = decode_step(weights, attention, token, state)
        token = ops.where(finished, END, choose(logits))
        finished = ops.logical_and(ops.equal(token, END), ops.logical_not(forced))
        return step + 1, write_token(ids, step, token), token, finished, state

    steps, ids, *_ = ops.while_loop(
        unfinished,
        advance,
        (
            ops.zeros((), "int32"),
            ops.full((batch, limit), END, "int32"),
            ops.full((batch,), START, "int32"),
            ops.zeros((batch,), "bool"),
            initial_state(encoded),
        ),
    )
    return ids[:, :steps]


def beam_search(
    weights: Weights,
    source: Tensor,
    source_length: Tensor,
    maximum_length: Tensor | int,
    beam_width: int = 10,
    length_penalty: float = 1.0,
    forced: Tensor | bool = False,
) -> Tensor:
    """Return ids [B, L] of the best beam, by TensorFlow 1's BeamSearchDecoder. L and `forced` are as in `greedy`.

    A hypothesis scores its log-probability / ((5 + length) / 6) ** length_penalty. The length of a hypothesis
    excludes its `</s>` at the step that ends it, and includes it afterwards.
    """
    encoded = encode(weights, source, source_length)
    encoded, source_length = each((encoded, source_length), lambda rows: ops.repeat(rows, beam_width, axis=0))
    attention = attention_over(weights, encoded.memory, source_length)
    limit, forced = ops.convert_to_tensor(maximum_length, "int32"), ops.convert_to_tensor(forced, "bool")
    batch = ops.shape(source)[0]

    def unfinished(step: Tensor, ids: Tensor, token: Tensor, beams: Beams, state: DecoderState) -> Tensor:
        return ops.logical_and(step < limit, ops.logical_not(ops.all(beams.finished)))

    def advance(step: Tensor, ids: Tensor, token: Tensor, beams: Beams, state: DecoderState) -> tuple[Any, ...]:
        logits, state = decode_step(weights, attention, token, state)
        beams, parent, token = extend(beams, logits, length_penalty, forced)
        ids, state = each((ids, state), lambda rows: ops.take(rows, parent, axis=0))
        return step + 1, write_token(ids, step, token), token, beams, state

    steps, ids, *_ = ops.while_loop(unfinished, advance, _before_first_step(batch, beam_width, limit, encoded))
    return ops.reshape(ids, (-1, beam_width, limit))[:, 0, :steps]


def _before_first_step(batch: Tensor | int, beam_width: int, limit: Tensor, encoded: Encoded) -> tuple[Any, ...]:
    """Return the first step, ids [B * K, limit], last tokens [B * K], beams and state of the search."""
    return (
        ops.zeros((), "int32"),
        ops.full((batch * beam_width, limit), END, "int32"),
        ops.full((batch * beam_width,), START, "int32"),
        first_beams(batch, beam_width),
        initial_state(encoded),
    )


def _run_attention_cell(
    weights: Weights,
    encoded: Encoded,
    source_length: Tensor,
    embedded: Tensor,
    dropout: float,
    seed: keras.random.SeedGenerator | None,
    watch: Watch | None,
) -> tuple[Tensor, Tensor]:
    """Run decoder cell 0 over embeddings [T, B, features]. Return its outputs and contexts, both [T, B, units]."""
    attention = attention_over(weights, encoded.memory, source_length)
    state = initial_state(encoded)
    input_kernel, recurrent_kernel = split_kernel(weights, ATTENTION_CELL, embedded.shape[-1])
    inputs = keras.random.dropout(embedded, dropout, seed=seed)
    projected = ops.matmul(inputs, input_kernel) + weights[f"{ATTENTION_CELL}/bias"]
    ones = ops.ones((ops.shape(embedded)[0], *ops.shape(state.context)), projected.dtype)
    kept = keras.random.dropout(ones, dropout, seed=seed)

    def step(carry: tuple[CellState, Tensor], current: Tensor) -> tuple[Any, Any]:
        cell, context = carry
        gates, keep = ops.split(current, [recurrent_kernel.shape[1]], axis=-1)
        joined = ops.concatenate([context * keep, cell.output], axis=-1)
        cell = gate(gates + ops.matmul(joined, recurrent_kernel), cell.cell)
        carry = (cell, _attend(weights, attention, cell.output))
        return carry, carry

    # Keras on TensorFlow scans several tensors only where their length is static, so they are joined to one.
    sequence = ops.concatenate([projected, kept], axis=-1)
    _, (cells, contexts) = ops.scan(step, (state.cells[0], state.context), sequence)
    if watch:
        watch(MEMORY_KERNEL, ops.transpose(encoded.memory, (1, 0, 2)))
        previous = before(state.context, contexts), before(state.cells[0].output, cells.output)
        watch(f"{ATTENTION_CELL}/kernel", ops.concatenate([embedded, *previous], axis=-1))
        watch(QUERY_KERNEL, cells.output)
    return cells.output, contexts


def _attend(weights: Weights, attention: Attention, query: Tensor) -> Tensor:
    """Return the context [B, units]: the mean of the memory, weighted by the fit to the query [B, units]."""
    alignment = _alignment(weights, attention, query[:, None])
    return ops.sum(alignment[:, :, None] * attention.memory, axis=1)


def _alignment(weights: Weights, attention: Attention, query: Tensor) -> Tensor:
    """Return how well each position [..., B, S] fits the queries [..., B, 1, units]. The fits sum to 1."""
    scores = ops.sum(attention.scoring * ops.tanh(attention.keys + ops.matmul(query, weights[QUERY_KERNEL])), axis=-1)
    return ops.softmax(ops.where(attention.mask, scores, -1e9), axis=-1)


class GNMT(keras.Model):  # type: ignore[misc]
    """The trainable network of the given shapes: {source, source_length, target} -> logits [B, T, V].

    `target` starts with `<s>`. Training drops inputs of every cell at the rate `dropout`, and adds `guidance` times
    `off_diagonal` to the loss.
    Initial kernels are Glorot's and attention_g is 1. tensorflow/nmt has +-0.1 and sqrt(1 / attention units). With its
    values, a network of an eighth of its units does not learn to attend within a few epochs.
    """

    def __init__(self, shapes: Shapes, dropout: float = 0.2, guidance: float = 0.0, seed: int = 0) -> None:
        super().__init__(name="gnmt")
        # TensorFlow's compiler takes no gradient of a scan of unknown length.
        self.supports_jit = keras.config.backend() != "tensorflow"
        self.dropout = dropout
        self.guidance = guidance
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.named = {
            name: self.add_weight(
                shape=shape,
                initializer=_initializer(name, seed + index),
                name=name.replace("/", "."),
            )
            for index, (name, shape) in enumerate(shapes.items())
        }
        self.built = True

    def call(self, inputs: Mapping[str, Tensor], training: bool = False) -> Tensor:
        length = inputs["source_length"]
        logits, encoded, queries = _decode_given(
            self.named,
            inputs["source"],
            length,
            inputs["target"],
            self.dropout if training else 0.0,
            self.seed_generator,
        )
        if training and self.guidance:
            target_length = ops.sum(ops.cast(ops.not_equal(inputs["target"], END), "int32"), axis=1)
            self.add_loss(self.guidance * off_diagonal(self.named, encoded, length, queries, target_length))
        return logits

    def kernel_rows(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the rows that each kernel multiplies at the real tokens of a batch, float32 [rows, K].

        Kernels are in the order of the computation. Embeddings are looked up and multiply nothing, so they are not
        there.
        """
        source, length, target = (inputs[name] for name in ("source", "source_length", "target"))
        lengths = {True: length, False: (target != END).sum(axis=1)}
        rows: dict[str, np.ndarray] = {}

        def watch(kernel: str, stacked: Tensor) -> None:
            values = ops.convert_to_numpy(stacked)
            real = np.arange(len(values))[:, None] < lengths[kernel in _READ_THE_SOURCE][None]
            rows[kernel] = values[real]

        _decode_given(self.named, source, length, target, 0.0, None, watch)
        return rows


def named_variables(model: GNMT) -> dict[str, keras.Variable]:
    """Return the model's variables by tensorflow/nmt's names."""
    return dict(model.named)


def _initializer(name: str, seed: int) -> keras.initializers.Initializer:
    if name == ATTENTION_G:
        return keras.initializers.Ones()
    if name == ATTENTION_B or name.endswith("/bias"):
        return keras.initializers.Zeros()
    if name.startswith("embeddings/"):
        return keras.initializers.RandomUniform(-0.1, 0.1, seed)
    return keras.initializers.GlorotUniform(seed)
