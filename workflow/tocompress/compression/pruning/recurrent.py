"""Find the channels of `gnmt` that must go together, from the names and sizes of its variables alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tocompress.compression.pruning.channels import FIXED, Channels, Ids
from tocompress.models import registry

GATES = 4  # in an LSTM cell, whose kernel makes each gate for every unit

Axes = tuple[Ids | None, ...]


def gnmt_channels(shapes: Mapping[str, tuple[int, ...]]) -> Channels:
    """Return the channels of a translation network with variables of these shapes (`models.gnmt.shapes` or pruned).

    Residuals, and decoder cells that start from the states of encoder cells, leave six groups: the dimensions of each
    embedding, the forward cell, the backward cell with decoder cell 0, the six upper cells, and the attention.
    """
    gnmt = registry.module("gnmt")
    first, *upper_encoder = gnmt.ENCODER_CELLS
    second_decoder, *upper_decoder = gnmt.DECODER_CELLS
    sizes = {
        **{_scope(name): shapes[name][-1] for name in (gnmt.SOURCE_EMBEDDING, gnmt.TARGET_EMBEDDING)},
        **{cell: shapes[f"{cell}/kernel"][-1] // GATES for cell in (gnmt.FORWARD, gnmt.BACKWARD, first)},
        _scope(gnmt.MEMORY_KERNEL): shapes[gnmt.MEMORY_KERNEL][-1],
    }
    groups = _numbered(sizes)
    source, target, forward, backward, upper, attention = groups.values()
    logits = np.full(shapes[gnmt.PROJECTION_KERNEL][-1], FIXED, np.int32)
    # The context that attention gives to every cell of the decoder is a mean of the encoder's top outputs.
    variables: dict[str, Axes] = {
        gnmt.SOURCE_EMBEDDING: (None, source),
        gnmt.TARGET_EMBEDDING: (None, target),
        **_cell(gnmt.FORWARD, [source], forward),
        **_cell(gnmt.BACKWARD, [source], backward),
        **_cell(first, [forward, backward], upper),
        **{name: axes for cell in upper_encoder for name, axes in _cell(cell, [upper], upper).items()},
        gnmt.MEMORY_KERNEL: (upper, attention),
        **_cell(gnmt.ATTENTION_CELL, [target, upper], backward),
        gnmt.QUERY_KERNEL: (backward, attention),
        gnmt.ATTENTION_V: (attention,),
        gnmt.ATTENTION_G: (),
        gnmt.ATTENTION_B: (attention,),
        **_cell(second_decoder, [backward, upper], upper),
        **{name: axes for cell in upper_decoder for name, axes in _cell(cell, [upper, upper], upper).items()},
        gnmt.PROJECTION_KERNEL: (upper, logits),
    }
    makes_nothing = (gnmt.PROJECTION_KERNEL,)
    producers = {name: 1 for name, axes in variables.items() if len(axes) == 2 and name not in makes_nothing}
    return Channels(variables, producers, groups, gated=True)


def _scope(name: str) -> str:
    return name.rpartition("/")[0]


def _numbered(sizes: Mapping[str, int]) -> dict[str, Ids]:
    """Return consecutive ids for groups of these sizes."""
    ends = np.cumsum([*sizes.values()])
    return {
        name: np.arange(end - size, end, dtype=np.int32) for (name, size), end in zip(sizes.items(), ends, strict=True)
    }


def _cell(scope: str, inputs: Sequence[Ids], units: Ids) -> dict[str, Axes]:
    """Return the axes of an LSTM cell. Its kernel reads the inputs, then its units, and makes gate after gate."""
    gates = np.tile(units, GATES)
    return {f"{scope}/kernel": (np.concatenate([*inputs, units]), gates), f"{scope}/bias": (gates,)}
