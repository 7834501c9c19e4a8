"""Structured pruning: what matters least of a network goes, and the smaller network is retrained (paper, II-B)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tocompress.compression.pruning.channels import Channels
from tocompress.compression.pruning.criteria import Scores
from tocompress.compression.pruning.ranking import channels_of, float_weights, kind_of, scores
from tocompress.compression.pruning.selection import select
from tocompress.compression.pruning.surgery import cut
from tocompress.compression.quantization.grid import quantize
from tocompress.errors import StudyError, about
from tocompress.schemas.study import HISTORY
from tocompress.settings.jobs import PruneJob
from tocompress.settings.model import ModelSettings
from tocompress.tasks.examples import Examples
from tocompress.training.fake_quantization import Grid
from tocompress.training.retrain import retrain
from tocompress.weights import QuantizedTensor, Weights


@dataclass(frozen=True)
class Pruned:
    """The smaller network's weights, what each group lost (schema 'pruning'), and schema 'history' of retraining."""

    weights: Weights
    removed: pd.DataFrame
    history: pd.DataFrame


def prune(
    weights: Weights,
    inputs: PruneJob,
    examples: Examples | None,
    calibration: Examples | None,
    *,
    resume_folder: Path,
    importance: Scores | None = None,
    report: Callable[[str], None] = print,
) -> Pruned:
    """Prune a network in one cut or several, each followed by retraining where `inputs` have any.

    A share of 0 cuts nothing: the control that is retrained alike.
    `importance`, float64 [N], of the channels of `weights`, where it is known already. What was quantized is retrained
    on its grids and quantized again. A stopped run goes on from `resume_folder`.
    """
    technique, model = inputs.technique, inputs.model
    grids = {
        name: Grid(tensor.bits, tensor.axis) for name, tensor in weights.items() if isinstance(tensor, QuantizedTensor)
    }
    arrays = float_weights(weights)
    whole = channels = channels_of(model, arrays)
    histories = []
    for turn in range(1, technique.rounds + 1):
        goal = round(technique.share * whole.count * turn / technique.rounds)
        share = (goal - (whole.count - channels.count)) / channels.count
        if technique.share > 0:
            if share <= 0:  # too few channels for one to go in each round
                continue
            if turn > 1 or importance is None:
                importance = scores(technique, model, arrays, channels, calibration)
            keep = select(importance, channels, share, technique.ranking, technique.floor, technique.round_to)
            arrays = {name: np.asarray(array) for name, array in cut(dict(arrays), channels, keep).items()}
            report(f"cut {turn}/{technique.rounds}: {int((~keep).sum())} of {channels.count} filters or units go")
            channels = channels_of(model, arrays)
        if inputs.retraining:
            if examples is None or calibration is None:
                raise StudyError(f"{model.network}: retraining needs a training and a calibration set")
            arrays, history = retrain(
                arrays,
                model,
                inputs.retraining,
                examples,
                calibration,
                grids,
                resume_folder=resume_folder / str(turn),
                report=report,
            )
            histories.append(history.assign(round=turn))
    if technique.share > 0 and channels.count == whole.count:
        raise StudyError(
            f"{model.network}: a share of {technique.share} of {whole.count} filters or units removes none: layers"
            f" keep {technique.floor} and a multiple of {technique.round_to}; raise it"
        )
    pruned: Weights = {**arrays}
    for name, grid in grids.items():
        with about(name):
            pruned[name] = quantize(arrays[name], *grid)
    return Pruned(
        pruned,
        _removed(whole, channels, model),
        pd.concat(histories, ignore_index=True) if histories else pd.DataFrame(columns=HISTORY.names),
    )


def _removed(whole: Channels, left: Channels, model: ModelSettings) -> pd.DataFrame:
    groups = {name: (len(ids), len(ids) - len(left.groups[name])) for name, ids in whole.groups.items()}
    return pd.DataFrame(
        [(name, kind_of(name, model), *counts) for name, counts in groups.items()],
        columns=["group", "kind", "channels", "removed"],
    )
