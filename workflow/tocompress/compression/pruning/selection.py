"""Select the least important channels that each group can spare. This module imports no framework."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from tocompress.compression.pruning.channels import Channels, Ids, Mask
from tocompress.compression.pruning.criteria import Scores
from tocompress.errors import StudyError

Ranking = Literal["global", "layerwise"]


def select(importance: Scores, channels: Channels, share: float, ranking: Ranking, floor: int, round_to: int) -> Mask:
    """Return the channels that stay, bool [N], when `share` of them is removed.

    `global` removes the lowest of all. `layerwise` removes the same share of each group, rounded. A group keeps at
    least `floor` (from 1) channels. A group that loses channels keeps a multiple of `round_to`. A group that is too
    small for this keeps all, so fewer channels may go than asked for. With `global`, others go in place of the ones
    that a floor retains. Ties go by id. Raise StudyError for a share outside (0, 1) or beyond the removable channels,
    and for importance that is not finite or not of these channels.

    >>> groups = {"first": np.array([0, 1, 2], np.int32), "second": np.array([3, 4, 5], np.int32)}
    >>> channels = Channels(variables={}, producers={}, groups=groups)
    >>> importance = np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9])
    >>> select(importance, channels, 0.5, "global", floor=1, round_to=1).tolist()
    [False, False, True, False, True, True]
    """
    if not 0 < share < 1:
        raise StudyError(f"share of channels to remove: {share} is not between 0 and 1, both excluded")
    if len(importance) != channels.count:
        raise StudyError(f"importance of {len(importance)} channels for a network with {channels.count} to prune")
    if not np.isfinite(importance).all():
        raise StudyError("importance of channels: NaN or infinity; only a network of finite weights can be pruned")
    blocks = {group: _blocks(ids, importance, floor, round_to) for group, ids in channels.groups.items()}
    everywhere = [block for of_group in blocks.values() for block in of_group]
    _check_attainable(share, channels.count, sum(map(len, everywhere)), floor, round_to)
    if ranking == "global":
        lowest = _lowest(everywhere, importance, round(share * channels.count))
    else:
        lowest = [
            block
            for group, ids in channels.groups.items()
            for block in _lowest(blocks[group], importance, round(share * len(ids)))
        ]
    keep = np.ones(channels.count, np.bool_)
    for block in lowest:
        keep[block] = False
    return keep


def _blocks(ids: Ids, importance: Scores, floor: int, round_to: int) -> list[Ids]:
    """Return the blocks that a group may lose, lowest first. Each block leaves a multiple of `round_to` channels."""
    lowest_first = ids[np.argsort(importance[ids], kind="stable")]
    removable = len(ids) - -(-floor // round_to) * round_to
    first = len(ids) % round_to or round_to
    return [lowest_first[max(0, end - round_to) : end] for end in range(first, removable + 1, round_to)]


def _lowest(blocks: Sequence[Ids], importance: Scores, most: int) -> list[Ids]:
    """Return the lowest blocks, of at most `most` channels. A block ranks like its most important channel."""
    ranked = sorted(blocks, key=lambda block: (importance[block[-1]], block[-1]))
    channels = np.cumsum([len(block) for block in ranked])
    return ranked[: np.searchsorted(channels, most, side="right")]


def _check_attainable(share: float, count: int, removable: int, floor: int, round_to: int) -> None:
    if round(share * count) > removable:
        raise StudyError(
            f"share of channels to remove: {share} of {count} is too much, at most {removable} "
            f"({removable / count:.3f}) may go where every group keeps {floor}, rounded up to a multiple of {round_to}"
        )
