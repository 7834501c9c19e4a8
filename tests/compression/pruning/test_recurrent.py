"""The channels of a translation network: six groups, each read where it is computed with."""

from __future__ import annotations

import numpy as np
import pytest

from tocompress.compression.pruning.channels import FIXED, Channels
from tocompress.compression.pruning.recurrent import gnmt_channels
from tocompress.models import gnmt

UNITS = 4


@pytest.fixture(scope="module")
def channels() -> Channels:
    return gnmt_channels(gnmt.shapes(10, 11, UNITS))


def test_what_makes_each_group(channels: Channels) -> None:
    producers = {
        group: {name for name, axis in channels.producers.items() if ids[0] in channels.variables[name][axis]}
        for group, ids in channels.groups.items()
    }
    kernels = {cell: f"{cell}/kernel" for cell in (*gnmt.ENCODER_CELLS, *gnmt.DECODER_CELLS)}
    assert producers == {
        "embeddings/encoder": {gnmt.SOURCE_EMBEDDING},
        "embeddings/decoder": {gnmt.TARGET_EMBEDDING},
        gnmt.FORWARD: {f"{gnmt.FORWARD}/kernel"},
        gnmt.BACKWARD: {f"{gnmt.BACKWARD}/kernel", f"{gnmt.ATTENTION_CELL}/kernel"},
        gnmt.ENCODER_CELLS[0]: {*kernels.values()},
        "dynamic_seq2seq/decoder/memory_layer": {gnmt.MEMORY_KERNEL, gnmt.QUERY_KERNEL},
    }
    assert [len(ids) for ids in channels.groups.values()] == [UNITS] * 6
    np.testing.assert_array_equal(np.concatenate([*channels.groups.values()]), np.arange(channels.count))


def test_ids_fit_every_variable_and_logits_stay(channels: Channels) -> None:
    shapes = gnmt.shapes(10, 11, UNITS)
    assert list(channels.variables) == list(shapes)
    for name, axes in channels.variables.items():
        assert len(axes) == len(shapes[name])
        assert all(ids is None or len(ids) == length for ids, length in zip(axes, shapes[name], strict=True))
    assert (channels.variables[gnmt.PROJECTION_KERNEL][1] == FIXED).all()


def test_a_cell_reads_its_inputs_and_its_own_units_and_makes_four_gates(channels: Channels) -> None:
    _, target, _, backward, upper, _ = channels.groups.values()
    read, made = channels.variables[f"{gnmt.ATTENTION_CELL}/kernel"]
    assert read.tolist() == [*target, *upper, *backward]
    assert made.tolist() == [*backward] * 4
