"""Name configurations as ordinary variants, made by ordinary techniques."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tocompress.errors import StudyError
from tocompress.search.space import Configuration
from tocompress.search.surrogate import Knowledge
from tocompress.vocabulary.arithmetic import INTEGER
from tocompress.vocabulary.variants import BASELINE, Variant

#: The options of quantization that lose least (docs/zoo.md).
_OPTIONS = {"granularity": "channel", "range": "mse", "rounding": "learned", "correction": "bias"}
#: The part of the loss of nearest levels that is left with these options, at 3 and 4 bits.
_LEFT = 0.25

Groups = tuple[tuple[str, ...], ...]
Techniques = dict[str, dict[str, Any]]


def groups_of(scan: pd.DataFrame, number: int) -> Groups:
    """Return the kernels of a table `quantization_sensitivity` in runs with about the same number of weights.

    Raise StudyError where there are fewer kernels than runs.
    """
    kernels = _kernels(scan)
    if len(kernels) < number:
        raise StudyError(f"search: {number} groups, but the model has {len(kernels)} kernels to quantize; take fewer")
    centers = np.cumsum(kernels.to_numpy()) - kernels.to_numpy() / 2
    places = (centers * number / kernels.sum()).astype(int)
    # Each run gets a kernel, even where one kernel has most of the weights.
    order = np.arange(len(kernels))
    places = np.clip(np.maximum.accumulate(places), number - len(kernels) + order, order)
    for place in order[1:]:
        places[place] = min(places[place], places[place - 1] + 1)
    return tuple(tuple(kernels.index[places == group]) for group in range(number))


def _kernels(scan: pd.DataFrame) -> pd.Series[int]:
    """Return the number of weights of each kernel, in the order of the network."""
    of_kernels = scan[scan["tensor"].notna()].drop_duplicates("tensor")
    return of_kernels.set_index("tensor")["values"].astype(int)


def knowledge_of(scan: pd.DataFrame, groups: Groups, metric: str | None) -> Knowledge:
    """Return the weights of the groups, and the harm that the scan tells of an accuracy."""
    kernels = _kernels(scan)
    weights = tuple(float(kernels[list(group)].sum()) for group in groups)
    if metric is None:
        return Knowledge(weights)
    points = 100.0 if metric == "bleu" else 1.0
    changes = scan[scan["tensor"].notna()].pivot_table(index="tensor", columns="bits", values="change")
    harms = {
        int(bits): tuple(_LEFT * points * float(column[list(group)].sum()) for group in groups)
        for bits, column in changes.items()
    }
    return Knowledge(weights, {metric: harms})


def named(configuration: Configuration, groups: Groups, task: str) -> tuple[str, Techniques]:
    """Return the variant of a configuration, and the techniques that make it.

    Integers have ranges of the calibration set, where LiteRT can take such ranges: in networks of images.
    """
    techniques: Techniques = {}
    if configuration.share:
        share = f"{configuration.share:g}".partition(".")[2]
        techniques[f"search_p{share}"] = {"method": "prune", "share": configuration.share, "criterion": "taylor"}
    if configuration.bits:
        integer = configuration.arithmetic == INTEGER
        name = "_".join([f"search_{'i' if integer else 'q'}{configuration.bits[0]}", *map(str, configuration.bits[1:])])
        activations = {"activations": 8 if task == "classification" else "dynamic"} if integer else {}
        techniques[name] = _quantization(configuration.bits, groups) | activations
    return Variant(tuple(techniques)).name or BASELINE, techniques


def _quantization(bits: Sequence[int], groups: Groups) -> dict[str, Any]:
    """Return the technique that gives each group its bits. Groups of 32 bits stay floats."""
    technique = {"method": "quantize", **_OPTIONS}
    if len(bits) == 1:
        return technique | {"bits": bits[0]}
    of_kernels = {kernel: own for group, own in zip(groups, bits, strict=True) for kernel in group if own <= 16}
    # A kernel that lost filters may be small, but is still one of its group.
    return technique | {"bits": of_kernels, "minimum_values": 1}


def of_all(
    configurations: Sequence[Configuration], groups: Groups, task: str
) -> tuple[Mapping[Configuration, str], Techniques]:
    """Return the variant of each configuration, and the techniques of all."""
    variants, techniques = {}, Techniques()
    for configuration in configurations:
        variants[configuration], own = named(configuration, groups, task)
        techniques |= own
    return variants, techniques
