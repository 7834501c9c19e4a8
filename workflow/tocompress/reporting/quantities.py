"""Measure the quantity of a claim for the models of a study."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tocompress.measurement.statistics import Interval
from tocompress.models.registry import NETWORKS
from tocompress.reporting.effects import PERFECT
from tocompress.reporting.intervals import averaged, mapped, quotient, summed
from tocompress.reporting.study import models, of_device, of_first_runtime, of_quantized, of_runtime, runtimes, whole
from tocompress.reporting.thresholds import largest_cuts
from tocompress.settings.claims import LARGEST_CUT, Claim
from tocompress.settings.jobs import ClaimsJob
from tocompress.vocabulary.metrics import ACCURACY, COSTS, COUNTED, METRICS
from tocompress.vocabulary.operations import OPERATION_CLASSES
from tocompress.vocabulary.runtimes import TENSORFLOW, title
from tocompress.vocabulary.variants import BASELINE

#: A model has the published size if its parameters differ from the published number by at most this share. Other
#: vocabularies and numbers of classes stay within it, other widths do not.
_SAME_SIZE = 0.1

#: The data behind published accuracies, by task: a kind of dataset, and its name.
_PUBLISHED_DATA = {"classification": ("imagenet", "ImageNet"), "translation": ("wmt", "WMT")}

#: The time share of a class of operations that a model does not have.
_NO_SHARE = {"value": 0.0, "low": 0.0, "high": 0.0, "settled": None}


#: The metrics that are the same in every runtime.
_OF_WEIGHTS = ("parameters", "macs", "filters_removed")


class _Missing(Exception):
    """A model has no such quantity. The text is the reason."""


@dataclass(frozen=True)
class Measured:
    """The quantity of a claim, of one model."""

    model: str
    interval: Interval  # as the paper prints it
    ratio: Interval  # or value, behind the interval
    perfect: float  # the ratio of a model without mistakes, infinite for metrics without such an end
    level: float | None
    settled: bool  # the ratio, or the value of a claim that compares nothing
    unmet: tuple[str, ...]  # conditions of the paper that the model does not meet


class Quantities:
    """The values of a study, by model, variant, metric, label and arithmetic of quantized weights.

    They are of TensorFlow's graphs, as the paper's are, or else of the study's first runtime.
    """

    def __init__(self, study: pd.DataFrame, settings: ClaimsJob) -> None:
        self._settings = settings
        known = runtimes(study)
        self._runtime = known[0] if known and TENSORFLOW not in known else TENSORFLOW
        study = of_runtime(study, TENSORFLOW) if TENSORFLOW in known else of_first_runtime(study)
        self._device, self._processor = _device(study)
        rows = of_device(study, self._device)
        rows = pd.concat(
            [whole(rows, *METRICS).assign(label=None), rows[rows["metric"] == "operation_share"]], ignore_index=True
        )
        rows = rows.assign(arithmetic=of_quantized(rows)).astype(object)
        rows = rows.where(rows.notna(), None)
        self._rows = {
            (row["model"], row["variant"], row["metric"], row["label"], row["arithmetic"]): row
            for row in rows.to_dict("records")
        }
        networks = study.drop_duplicates("model").set_index("model")["network"]
        self._models = {
            network: [model for model in models(study) if networks[model] == network] for network in NETWORKS
        }
        self._cuts = {model: cut.by_value for model, cut in largest_cuts(of_device(study, self._device)).items()}

    def measure(self, claim: Claim) -> tuple[list[Measured], dict[str, str]]:
        """Return a claim's quantity for one model of each network, and the reason for each network without one.

        Models that meet more of the claim's conditions come first.
        """
        measured: list[Measured] = []
        missing: dict[str, str] = {}
        for network in claim.networks:
            unmet = {model: self._unmet(claim, network, model) for model in self._models[network]}
            reasons = []
            for model in sorted(unmet, key=lambda model: len(unmet[model])):
                try:
                    measured.append(self._measure(claim, model, unmet[model]))
                    break
                except _Missing as reason:
                    reasons.append(str(reason))
            else:
                missing[network] = reasons[0] if reasons else "not in this study"
        return measured, missing

    def _unmet(self, claim: Claim, network: str, model: str) -> tuple[str, ...]:
        """Return the paper's conditions that the model does not meet, as far as the study's rows tell.

        The rows name the processor of a device, but not the kind of GPU.
        """
        unmet = []
        facts = NETWORKS[network]
        parameters = self._rows.get((model, BASELINE, "parameters", None, None), {}).get("value")
        if parameters is None or abs(parameters / facts.parameters - 1) > _SAME_SIZE:
            unmet.append("a model of the published size")
        if claim.metric in ACCURACY:
            kind, name = _PUBLISHED_DATA[facts.task]
            dataset = self._value(model, BASELINE, claim.metric, None, claim).get("dataset")
            if self._settings.data.get(str(dataset)) != kind:
                unmet.append(f"{name} (here {dataset})")
        if self._runtime != TENSORFLOW and claim.metric not in _OF_WEIGHTS:
            unmet.append(f"a graph of {title(TENSORFLOW)} (here {title(self._runtime)})")
        if claim.metric in COSTS and self._processor != "gpu":
            unmet.append(f"the GPU of a board (here the {self._processor} of '{self._device}')")
        return tuple(unmet)

    def _measure(self, claim: Claim, model: str, unmet: tuple[str, ...]) -> Measured:
        variants = [self._found(claim, model, self._variant(variant, model)) for variant in claim.variants]
        baseline = self._found(claim, model, self._variant(claim.baseline, model)) if claim.compared else []
        column, settled = ("ratio", "ratio_settled") if claim.compared else ("value", "settled")
        interval = averaged([summed(_interval(row, column) for row in rows) for rows in variants])
        used = [*baseline, *(row for rows in variants for row in rows)]
        if claim.compared and claim.baseline != BASELINE:
            interval = quotient(interval, _interval(baseline[0], column))
        return Measured(
            model=model,
            interval=printed(claim, interval, baseline[0]["value"] if baseline else None),
            ratio=interval,
            perfect=_perfect(baseline),
            level=min((row["level"] for row in used if row["level"] is not None), default=None),
            settled=all(row[settled] is not False for row in used),
            unmet=unmet,
        )

    def _variant(self, variant: str, model: str) -> str:
        if variant != LARGEST_CUT:
            return variant
        cut = self._cuts.get(model)
        if cut is None:
            why = "keeps the accuracy within 5 %" if model in self._cuts else "has a known accuracy"
            raise _Missing(f"no pruned variant {why}")
        return cut

    def _found(self, claim: Claim, model: str, variant: str) -> list[dict[str, Any]]:
        """Return a variant's row for a claim, or one row for each class of operations that the claim names."""
        if claim.labels:
            shares = [self._value(model, variant, claim.metric, label, claim) for label in OPERATION_CLASSES]
            known = [row for row in shares if row.get("value") is not None]
            if known:
                return [row for row in known if row["label"] in claim.labels] or [known[0] | _NO_SHARE]
        row = self._value(model, variant, claim.metric, None, claim)
        if row.get("ratio" if claim.compared else "value") is None:
            raise _Missing(self._why(claim, model, variant, row))
        return [row]

    def _value(self, model: str, variant: str, metric: str, label: str | None, claim: Claim) -> dict[str, Any]:
        """Return the row of a value, or an empty dict."""
        keys = [(model, variant, metric, label, mode) for mode in (claim.arithmetic, None)]
        return next((self._rows[key] for key in keys if key in self._rows), {})

    def _why(self, claim: Claim, model: str, variant: str, row: Mapping[str, Any]) -> str:
        if row.get("value") is not None:
            return f"no ratio of {variant} to {BASELINE}"
        if row.get("reason"):
            return str(row["reason"])
        if any(key[:2] == (model, variant) for key in self._rows):
            return f"no {claim.metric} in this study"
        return f"variant {variant} was not made"


def _device(study: pd.DataFrame) -> tuple[str | None, str | None]:
    """Return the device to compare with the paper's, and its processor: the first with a GPU, else the first."""
    rows = study[study["device"].notna()]
    known = [*zip(rows["device"], rows["processor"], strict=True)]
    return next((one for one in known if one[1] == "gpu"), known[0] if known else (None, None))


def _interval(row: Mapping[str, Any], column: str) -> Interval:
    """Return a value or ratio of a row with its bounds. An exact number bounds itself."""
    value = float(row[column])
    if row["metric"] in COUNTED:
        return Interval(value, value, value)
    prefix = "ratio_" if column == "ratio" else ""
    return Interval(value, row[f"{prefix}low"], row[f"{prefix}high"])


def printed(claim: Claim, interval: Interval, baseline: float | None) -> Interval:
    """Return a ratio or a value as the paper prints it. A difference takes the baseline's value as known."""
    expressed, scale = claim.expressed, claim.scale
    if expressed == "ratio":
        return interval
    if expressed == "change":
        return mapped(interval, lambda ratio: 100 * (ratio - 1))
    if expressed == "value":
        return mapped(interval, lambda value: scale * value)
    if expressed == "remainder":
        turned = Interval(interval.value, interval.high, interval.low)
        return mapped(turned, lambda value: scale * (1 - value))
    assert baseline is not None  # a difference is compared
    return mapped(interval, lambda ratio: scale * baseline * (ratio - 1))


def _perfect(baseline: Sequence[Mapping[str, Any]]) -> float:
    """Return the ratio of a model without mistakes to the baseline, infinite for a metric without such an end."""
    if not baseline or not baseline[0]["value"]:
        return math.inf
    return PERFECT.get(baseline[0]["unit"], math.inf) / float(baseline[0]["value"])
