"""The facts of benchmark sessions, and the versions of this workflow."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

import pandas as pd

from tocompress.reporting.style import quantity
from tocompress.vocabulary.processors import UNKNOWN, integer_products

_MOST = 3  # values of one fact that are listed

#: The entries of a device's summary, and the session facts behind each.
_SUMMARY = {
    "machine": ("device/board", "device/processor_name", "device/machine"),
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
        elif name == "arithmetic":
            told = told.replace(";", " and")
        elif told and name == "integer products":
            told = products(facts)
        if told:
            shown[name] = told
    return shown


def products(facts: Mapping[str, str]) -> str:
    """Return the best instruction of a device's processor for products of integers (`integer_products`)."""
    features = facts.get("device/processor_features", "")
    return integer_products(features.split("; ")) if features else UNKNOWN


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
