"""Prune a network: remove its least important channels and retrain the smaller network (paper, section II-B)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tocompress.compression.pruning.channels import Channels, Mask, left_whole
from tocompress.compression.pruning.criteria import Scores
from tocompress.compression.pruning.ranking import channels_of, float_weights, kind_of, scores
from tocompress.compression.pruning.selection import select
from tocompress.compression.pruning.surgery import cut
from tocompress.compression.quantization.grid import halve, is_symmetric, quantize
from tocompress.compression.statistics import recalibrated, spreads
from tocompress.errors import StudyError, about
from tocompress.schemas.study import HISTORY
from tocompress.settings.jobs import PruneJob
from tocompress.settings.model import ModelSettings
from tocompress.settings.technique import Prune
from tocompress.tasks.examples import Examples, drawn_at_most
from tocompress.tasks.networks import Arrays
from tocompress.training.fake_quantization import Grid
from tocompress.training.retrain import retrain
from tocompress.weights import QuantizedTensor, Weights


@dataclass(frozen=True)
class Pruned:
    """The smaller network's weights, each group's losses (schema 'pruning') and the retraining (schema 'history')."""

    weights: Weights
    removed: pd.DataFrame
    history: pd.DataFrame


def prune(
    weights: Weights,
    job: PruneJob,
    examples: Examples | None,
    calibration: Examples | None,
    *,
    resume_folder: Path,
    importance: Scores | None = None,
    teacher: Weights | None = None,
    report: Callable[[str], None] = print,
) -> Pruned:
    """Prune a network in one cut or several. Retrain it after each cut where the job asks for retraining.

    `importance` float64 [N] holds the scores of the channels of `weights`, where they are known already. `teacher`
    holds the uncompressed model's weights, where retraining learns from them. A share of 0 cuts nothing. It is the
    control, which is recalibrated and retrained alike. Quantized weights are retrained on their grids. All weights are
    stored as before. A stopped run goes on from `resume_folder`. Raise StudyError where no channel can go.
    """
    technique, model = job.technique, job.model
    grids, arrays = _grids_of(weights), float_weights(weights)
    whole = channels = _prunable(model, arrays, report)
    exact = _spreads(job, arrays, calibration)
    taught_by = None if teacher is None else float_weights(teacher)
    histories = []
    for turn in range(1, technique.rounds + 1):
        share = _share_to_cut(technique, turn, whole, channels)
        if technique.share > 0 and share <= 0:  # too few channels to remove one in each round
            continue
        if technique.share > 0:
            if turn > 1 or importance is None:
                importance = scores(technique, model, arrays, channels, calibration)
            keep = select(importance, channels, share, technique.ranking, technique.floor, technique.round_to)
            report(f"cut {turn}/{technique.rounds}: {int((~keep).sum())} of {channels.count} filters or units go")
            arrays, exact = (_smaller(values, channels, keep) for values in (arrays, exact))
            channels = channels_of(model, arrays)
        if job.recalibration:
            deployed = float_weights(_stored_like(weights, arrays, grids))
            arrays |= _statistics(job, deployed, calibration, exact)
        if job.retraining:
            sets = _retraining_sets(model, examples, calibration)
            course: Any = {"resume_folder": resume_folder / str(turn), "teacher": taught_by, "report": report}
            arrays, history = retrain(arrays, model, job.retraining, *sets, grids, **course)
            histories.append(history.assign(round=turn))
    _check_loss(technique, model, whole, channels)
    history = pd.concat(histories, ignore_index=True) if histories else pd.DataFrame(columns=HISTORY.names)
    return Pruned(_stored_like(weights, arrays, grids), _removed(whole, channels, model), history)


def _prunable(model: ModelSettings, weights: Arrays, report: Callable[[str], None]) -> Channels:
    """Return the channels of a network. Raise StudyError where none can go."""
    channels = channels_of(model, weights)
    for warning in left_whole(channels):
        report(warning)
    if not channels.count:
        raise StudyError(f"{model.network}: no filter or unit can be pruned; select variants without pruning")
    return channels


def _grids_of(weights: Weights) -> dict[str, Grid]:
    return {
        name: Grid(tensor.bits, tensor.axis, is_symmetric(tensor))
        for name, tensor in weights.items()
        if isinstance(tensor, QuantizedTensor)
    }


def _share_to_cut(technique: Prune, turn: int, whole: Channels, left: Channels) -> float:
    """Return the share of `left` to remove in a round, so that all rounds remove equal shares of `whole`."""
    goal = round(technique.share * whole.count * turn / technique.rounds)
    return (goal - (whole.count - left.count)) / left.count


def _smaller(arrays: Arrays, channels: Channels, keep: Mask) -> dict[str, np.ndarray]:
    return {name: np.asarray(array) for name, array in cut(dict(arrays), channels, keep).items()}


def _spreads(job: PruneJob, weights: Arrays, calibration: Examples | None) -> Arrays:
    """Return the spreads of batch norms' inputs, which recalibration restores. Without it, there are none."""
    if job.recalibration is None:
        return {}
    return spreads(weights, job.model, *_recalibration_set(job, calibration))


def _statistics(job: PruneJob, weights: Arrays, calibration: Examples | None, exact: Arrays) -> Arrays:
    """Return batch norm's means and variances, recalibrated on examples of the calibration set."""
    measured = recalibrated(weights, job.model, *_recalibration_set(job, calibration), exact)
    return {name: measured[name] for name in exact}


def _recalibration_set(job: PruneJob, calibration: Examples | None) -> tuple[Examples, int]:
    """Return the examples of a recalibration, and the seed of their order."""
    assert job.recalibration is not None
    if calibration is None:
        raise StudyError(f"{job.model.network}: recalibrated statistics need a calibration set")
    count, seed = job.recalibration.examples, job.recalibration.seed
    return drawn_at_most(calibration, job.model, count, seed), seed


def _retraining_sets(
    model: ModelSettings, examples: Examples | None, calibration: Examples | None
) -> tuple[Examples, Examples]:
    if examples is None or calibration is None:
        raise StudyError(f"{model.network}: retraining needs a training and a calibration set")
    return examples, calibration


def _check_loss(technique: Prune, model: ModelSettings, whole: Channels, left: Channels) -> None:
    if technique.share > 0 and left.count == whole.count:
        raise StudyError(
            f"{model.network}: a share of {technique.share} of {whole.count} filters or units removes none: layers"
            f" keep {technique.floor} and a multiple of {technique.round_to}; raise it"
        )


def _stored_like(weights: Weights, arrays: Mapping[str, np.ndarray], grids: Mapping[str, Grid]) -> Weights:
    """Return the arrays, with the kernels on grids or in float16 that `weights` stores so."""
    stored: Weights = {}
    for name, array in arrays.items():
        with about(name):
            if name in grids:
                stored[name] = quantize(array, *grids[name])
            else:
                stored[name] = halve(array) if getattr(weights[name], "dtype", None) == np.float16 else array
    return stored


def _removed(whole: Channels, left: Channels, model: ModelSettings) -> pd.DataFrame:
    groups = {name: (len(ids), len(ids) - len(left.groups[name])) for name, ids in whole.groups.items()}
    return pd.DataFrame(
        [(name, kind_of(name, model), *counts) for name, counts in groups.items()],
        columns=["group", "kind", "channels", "removed"],
    )
