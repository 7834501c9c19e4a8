"""The rows of the report's tables: each variant of a model as one runtime executes it, with all its values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from tocompress.reporting.fronts import front, goal
from tocompress.reporting.palette import Look, looks
from tocompress.reporting.report.embedding import number
from tocompress.reporting.style import model_name
from tocompress.settings.jobs import ReportFiles
from tocompress.vocabulary.arithmetic import FLOAT, IN_SHORT
from tocompress.vocabulary.metrics import ACCURACY, JUDGES, METRICS
from tocompress.vocabulary.runtimes import title
from tocompress.vocabulary.variants import BASELINE

#: A row of the study's table, with None for all that is unknown.
Record = dict[Any, Any]

_NUMBERS = ("value", "low", "high", "n", "processes")
_RATIO, _CHANGE = (tuple(f"{name}{end}" for end in ("", "_low", "_high")) for name in ("ratio", "change"))
_EFFECT = slice(5, 8)  # the place of the effect and its bounds in a row's values
_POINTS = {"fraction": 100.0, "score": 1.0}
_READ = [
    *("model", "network", "build", "variant", "device", "runtime", "arithmetic", "metric", "unit", "reason"),
    *(*_NUMBERS, *_RATIO, *_CHANGE, "settled", "ratio_settled"),
]
_BUILDS = {"zoo": "reduced", "published": "published", "own": "own", "initial": "initial weights"}


def rows(study: pd.DataFrame, files: ReportFiles) -> list[dict[str, Any]]:
    """Return a row for each model, variant, runtime, device and arithmetic of a table `study`.

    A row without times has no device and no arithmetic. `front` tells whether no other variant of the model is shown to
    be better in accuracy and time. `values` hold a list by metric, or the reason why there is no value. The list begins
    with value, low, high, n and processes. The effect and its bounds follow: a ratio to fp32, or a change in points.
    At its end stands whether the value and the ratio are settled.
    """
    known, found = looks(study), []
    for (_, variant), own in _by_variant(study[_stands_for_a_whole(study)]).items():
        for runtime in dict.fromkeys(row["runtime"] for row in own if row["runtime"]):
            here = [row for row in own if row["runtime"] in (None, runtime)]
            for device, arithmetic in _conditions(here):
                shown = [row for row in here if _is_of(row, device, arithmetic)]
                found.append(_row(shown, variant, runtime, device, arithmetic, known[variant], files))
    return _with_fronts(found)


def _with_fronts(found: list[Record]) -> list[Record]:
    """Return the rows with a flag `front`: no other variant of the model is shown to be better in accuracy and time."""
    table = pd.DataFrame([_goals(row) for row in found])
    flags = pd.Series(False, table.index)
    for _, own in table.dropna(subset=["gain", "cost"]).groupby(["model", "device"]):
        gains = goal(own["gain"], own["gain_low"], own["gain_high"])
        flags.loc[own.index] = front(gains, goal(own["cost"], own["cost_low"], own["cost_high"]))
    return [row | {"front": bool(flag)} for row, flag in zip(found, flags, strict=True)]


def _goals(row: Record) -> Record:
    """Return the points from fp32 and the time of a row, each with its bounds."""
    scores = (value for name in JUDGES if isinstance(value := row["values"].get(name), list))
    score, time = next(scores, None), row["values"].get("latency")
    unknown = [None] * 3
    gain = [0.0] * 3 if row["baseline"] and score else score[_EFFECT] if score else unknown
    cost = time[:3] if isinstance(time, list) else unknown
    names = ("gain", "gain_low", "gain_high", "cost", "cost_low", "cost_high")
    return {"model": row["model"], "device": row["device"], **dict(zip(names, [*gain, *cost], strict=True))}


def _by_variant(plain: pd.DataFrame) -> dict[tuple[str, str], list[Record]]:
    """Return the rows of each variant of a model, with None for all that is unknown."""
    found: dict[tuple[str, str], list[Record]] = {}
    for row in plain[_READ].astype(object).where(plain[_READ].notna(), None).to_dict("records"):
        found.setdefault((row["model"], row["variant"]), []).append(row)
    return found


def _stands_for_a_whole(study: pd.DataFrame) -> pd.Series[bool]:
    """Return which rows tell of a whole variant, not of one input, class or kind of channel."""
    signed = [metric.name for metric in METRICS.values() if metric.signed]
    return study["label"].isna() | study["metric"].isin(signed)


def _conditions(own: Sequence[Record]) -> list[tuple[str | None, str | None]]:
    """Return the devices and arithmetics with values, or none of both where nothing was measured on a device."""
    measured = [row for row in own if row["value"] is not None and row["arithmetic"]]
    return list(dict.fromkeys((row["device"], row["arithmetic"]) for row in measured)) or [(None, None)]


def _is_of(row: Record, device: str | None, arithmetic: str | None) -> bool:
    """Return whether a row is of a device and an arithmetic, or of none. All rows are where none is wanted."""
    return arithmetic is None or (row["device"] in (None, device) and row["arithmetic"] in (None, arithmetic))


def _row(
    shown: Sequence[Record],
    variant: str,
    runtime: str,
    device: str | None,
    arithmetic: str | None,
    look: Look,
    files: ReportFiles,
) -> dict[str, Any]:
    facts = shown[0]
    names = {"model": str(facts["model"]), "variant": variant}
    values = {row["metric"]: _value(row) for row in shown}
    executed = isinstance(values.get("size"), list)
    return names | {
        "name": model_name(names["model"], facts["network"]),
        "build": _BUILDS[facts["build"]],
        "task": "translation" if "bleu" in values else "classification",
        "baseline": variant == BASELINE,
        "runtime": title(runtime),
        "device": device or "",
        "arithmetic": "" if arithmetic in (None, FLOAT) else IN_SHORT.get(arithmetic, arithmetic),
        "look": [look.colour, look.dark, look.shape],
        "artifact": files.artifacts[runtime].format(**names) if executed else "",
        "bundle": files.bundle.format(runtime=runtime, **names) if executed else "",
        "values": values,
    }


def _value(row: Record) -> str | list[Any]:
    """Return a value with its effect and whether both are settled, or the reason why there is none."""
    if row["value"] is None:
        return str(row["reason"])
    judged = row["metric"] in ACCURACY
    effect, scale = (_CHANGE, _POINTS[row["unit"]]) if judged else (_RATIO, 1.0)
    numbers = [_number(row[name]) for name in _NUMBERS] + [_number(row[name], scale) for name in effect]
    return [*numbers, row["settled"], row["ratio_settled"]]


def _number(value: Any, scale: float = 1.0) -> float | int | None:
    return None if value is None else number(scale * float(value))


def embedded_rows(found: Any) -> str:
    """Return plain data as JSON that is safe inside a <script> element."""
    return json.dumps(found, separators=(",", ":"), allow_nan=False).replace("<", r"\u003c")


def units(study: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return the title and the unit of each metric with a value, in the order of `METRICS`."""
    known = set(study.loc[study["value"].notna() & _stands_for_a_whole(study), "metric"])
    return {name: {"title": one.title, "unit": one.unit} for name, one in METRICS.items() if name in known}
