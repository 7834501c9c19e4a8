"""The facts of benchmark sessions, and the versions of this workflow."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version

import pandas as pd

from tocompress.reporting.style import quantity

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
    "TensorFlow": ("device/tensorflow",),
    "Python": ("device/python",),
    "NumPy": ("device/numpy",),
    "arithmetic": ("settings/arithmetic",),
    "fresh processes": ("settings/processes",),
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
        else f"{len(found)} different values, from {min(found)} to {max(found)}"
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
        if told:
            shown[name] = told
    return shown


def versions() -> dict[str, str]:
    """Return the versions of Python and the installed libraries that make weights, accuracies and this report."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
