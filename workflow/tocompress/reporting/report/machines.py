"""The facts of benchmark sessions, and the versions of this workflow."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

import pandas as pd

from tocompress.reporting.style import quantity
from tocompress.vocabulary.processors import UNKNOWN, integer_products

_BEGAN = "begin/unix_s"
_PROCESSOR = "device/processor_name"
_MOST = 3  # values of one fact that are listed

#: The entries of a device's summary, and the session facts behind each.
_SUMMARY = {
    "machine": ("device/board", _PROCESSOR, "device/machine"),
    "cores": ("device/cores_allowed", "device/cores"),
    "memory": ("device/memory_bytes",),
    "system": ("device/l4t", "device/kernel"),
    "runs on": ("settings/device/processor",),
    "threads": ("settings/device/threads",),
    "clocks": ("settings/device/clocks",),
    "integer products": ("device/processor_features",),
    "TensorFlow": ("device/tensorflow",),
    "LiteRT": ("device/litert",),
    "Python": ("device/python",),
    "NumPy": ("device/numpy",),
    "arithmetic": ("settings/arithmetic",),
    "generations of fresh processes": ("generations",),
    "power": ("power/unavailable",),
}

_LIBRARIES = ("tocompress", "snakemake", "keras", "tensorflow-cpu", "tensorflow", "numpy", "pandas", "sacrebleu")


def session_facts(sessions: Iterable[pd.DataFrame]) -> dict[str, str]:
    """Return one text per key of several tables `session`: the value, the few values, or their number and range.

    Digests of files and outputs stay in the tables.
    """
    values: dict[str, list[str]] = {}
    for session in sessions:
        told = session[~session["key"].str.startswith(("output/", "sha256/"))]
        for key, value in told[["key", "value"]].itertuples(index=False):
            values.setdefault(key, []).append("" if pd.isna(value) else str(value))
    different = {key: list(dict.fromkeys(found)) for key, found in values.items()}
    return {
        key: ", ".join(found)
        if len(found) <= _MOST
        else f"{len(found)} different values, from {min(found, key=_number)} to {max(found, key=_number)}"
        for key, found in different.items()
    }


def summary(facts: Mapping[str, str]) -> dict[str, str]:
    """Return the few facts that describe a device's machine and its run."""
    shown = {}
    for name, keys in _SUMMARY.items():
        told = next((facts[key] for key in keys if facts.get(key)), "")
        if name == "memory" and told.isdigit():
            told = quantity(float(told), "byte")
        elif told and name == "integer products":
            told = products(facts)
        if told:
            shown[name] = told
    return shown


def measured_on(device: str, facts: Mapping[str, str], sessions: Iterable[pd.DataFrame]) -> str:
    """Return where and when a device's sessions ran: `host (AMD EPYC, 2 threads), TensorFlow 2.21.0, 1 Dec 2026`."""
    known = summary(facts)
    machine = ", ".join(filter(None, [known.get("machine"), _threads(known.get("threads", ""))]))
    runtimes = [f"{name} {known[name].split()[-1]}" for name in ("TensorFlow", "LiteRT") if known.get(name)]
    return ", ".join([f"{device} ({machine})" if machine else device, *runtimes, *_days(sessions)])


def _threads(count: str) -> str:
    return count and f"{count} thread{'' if count == '1' else 's'}"


def _days(sessions: Iterable[pd.DataFrame]) -> Iterable[str]:
    """Yield the first and the last day of sessions, one text for both."""
    told = pd.concat(list(sessions))
    began = sorted(float(second) for second in told.loc[told["key"] == _BEGAN, "value"].dropna())
    if began:
        days = dict.fromkeys(f"{day.day} {day:%b %Y}" for day in (datetime.fromtimestamp(t, UTC) for t in began))
        yield " to ".join(dict.fromkeys([next(iter(days)), list(days)[-1]]))


def products(facts: Mapping[str, str]) -> str:
    """Return the best instruction of a device's processor for products of integers (`integer_products`)."""
    features = facts.get("device/processor_features", "")
    return integer_products(features.split("; ")) if features else UNKNOWN


def several_processors(sessions: Iterable[pd.DataFrame]) -> str:
    """Return a warning where the sessions of a device ran on different processors, or an empty text."""
    told = (session.loc[session["key"] == _PROCESSOR, "value"].dropna() for session in sessions)
    names = list(dict.fromkeys(name for values in told for name in values))
    if len(names) < 2:
        return ""
    return (
        f"The sessions of this device ran on {len(names)} processors: {', '.join(names)}. A session has one of them, so"
        " ratios within a model hold. Times of different models do not compare."
    )


def noise(sessions: Iterable[pd.DataFrame]) -> str:
    """Return how much times varied in the sessions of a device, or an empty text if none of them says so."""
    values: dict[str, list[float]] = {}
    for session in sessions:
        for key, value in session[["key", "value"]].dropna().itertuples(index=False):
            if key in _NOISE and value:
                values.setdefault(key, []).append(100 * float(value))
    if len(values) < len(_NOISE):
        return ""
    phrases = [f"{told} {_span(values[key])}\N{NO-BREAK SPACE}%" for key, told in _NOISE.items()]
    return f"{', '.join(phrases[:-1])}, and {phrases[-1]} (standard deviations)."


_NOISE = {
    "noise/machine": "Between rounds the machine changed all times alike by",
    "noise/process": "fresh processes differed by",
    "noise/sample": "slices of one process by",
}


def _span(percents: Sequence[float]) -> str:
    low, high = f"{min(percents):.1f}", f"{max(percents):.1f}"
    return low if low == high else f"{low} to {high}"


def _number(text: str) -> tuple[float, str]:
    """Return the key that sorts numbers by their size and other texts after them."""
    try:
        return float(text), text
    except ValueError:
        return math.inf, text


def versions() -> dict[str, str]:
    """Return the versions of Python and the installed libraries that make weights, accuracies and this report."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
