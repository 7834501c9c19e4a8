"""The hypotheses of a beam search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from tocompress.models.lstm import Tensor

END = 2  # the token that ends a sentence


class Beams(NamedTuple):
    """The hypotheses of a beam search, best first, each [B, K]. A finished length includes its `</s>`."""

    log_probability: Tensor
    length: Tensor
    finished: Tensor


def first_beams(batch: Tensor | int, beam_width: int) -> Beams:
    """Return empty hypotheses. Only the first can be extended, because the others are its copies."""
    log_probability = ops.where(ops.equal(ops.arange(beam_width), 0), 0.0, -float("inf"))
    return Beams(
        log_probability=ops.broadcast_to(log_probability, (batch, beam_width)),
        length=ops.zeros((batch, beam_width), "int32"),
        finished=ops.zeros((batch, beam_width), "bool"),
    )


def extend(beams: Beams, logits: Tensor, length_penalty: float, forced: Tensor) -> tuple[Beams, Tensor, Tensor]:
    """Return the K best continuations by logits [B * K, V], the row [B * K] it extends, and its token [B * K]."""
    beam_width, vocabulary = beams.length.shape[1], logits.shape[1]
    is_end = ops.equal(ops.arange(vocabulary, dtype="int32"), END)
    running = ops.logical_not(beams.finished)[:, :, None]
    log_probability = ops.reshape(ops.log_softmax(logits, axis=-1), (-1, beam_width, vocabulary))
    log_probability = ops.where(running, log_probability, ops.where(is_end, 0.0, -float("inf")))
    log_probability = log_probability + beams.log_probability[:, :, None]
    longer = ops.logical_and(running, ops.logical_or(forced, ops.logical_not(is_end)))
    length = ops.cast(beams.length[:, :, None] + ops.cast(longer, "int32"), log_probability.dtype)
    scores = log_probability / ((5.0 + length) / 6.0) ** length_penalty

    _, best = ops.top_k(ops.reshape(scores, (-1, beam_width * vocabulary)), beam_width)
    first_row = beam_width * ops.arange(ops.shape(best)[0], dtype="int32")[:, None]
    parent, token = first_row + best // vocabulary, best % vocabulary
    length, finished = (ops.take(ops.reshape(values, (-1,)), parent) for values in (beams.length, beams.finished))
    extended = Beams(
        log_probability=ops.take(ops.reshape(log_probability, (-1,)), parent * vocabulary + token),
        length=length + ops.cast(ops.logical_not(finished), "int32"),
        finished=ops.logical_and(ops.logical_or(finished, ops.equal(token, END)), ops.logical_not(forced)),
    )
    return extended, ops.reshape(parent, (-1,)), ops.reshape(token, (-1,))


def each(structure: Any, change: Callable[[Tensor], Tensor]) -> Any:
    return keras.tree.map_structure(change, structure)


def write_token(ids: Tensor, step: Tensor, token: Tensor) -> Tensor:
    """Return `ids` [B, L] with column `step` set to `token` [B]."""
    column = ops.arange(ops.shape(ids)[1], dtype="int32")[None, :]
    return ops.where(ops.equal(column, step), token[:, None], ids)
