"""Put the facts of two studies' sessions side by side. Tell the meaning of each difference."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from tocompress.comparing.sides import Side
from tocompress.reporting.style import digits


class Bearing(Enum):
    """The meaning of a difference for the times."""

    MACHINE = "times: another machine"
    SETTING = "times: another setting"
    VERSION = "times: another version"
    STATE = "times: a warning, the machine was in another state"
    INPUTS = "costs of these models: not comparable"
    ARTIFACTS = "values of these artifacts: another network or another export"


@dataclass(frozen=True)
class Fact:
    """A fact of both studies, in words. `bearing` is None where it is the same."""

    name: str
    here: str
    there: str
    bearing: Bearing | None


#: Facts in words, by their keys in a session.
_WORDS = {
    Bearing.MACHINE: {
        "board": "device/board",
        "processor": "device/processor_name",
        "instruction set": "device/machine",
        "vector instructions": "device/processor_features",
        "cores allowed": "device/cores_allowed",
        "memory": "device/memory_bytes",
    },
    Bearing.SETTING: {
        "runs on": "settings/device/processor",
        "threads": "settings/device/threads",
        "operations at a time": "settings/device/inter_op_threads",
        "clocks": "settings/device/clocks",
        "power mode": "device/power_mode",
    },
    Bearing.VERSION: {
        "TensorFlow": "device/tensorflow",
        "LiteRT": "device/litert",
        "NumPy": "device/numpy",
        "Python": "device/python",
        "C library": "device/c_library",
        "kernel": "device/kernel",
        "system of the board": "device/l4t",
    },
    Bearing.STATE: {"start of the machine": "device/boot_id", "name of the machine": "device/host_name"},
}

#: Measured facts: a pattern of their keys, and the difference from which they count as another.
_NUMBERS = {
    "governor of the clocks": (r"begin/clock/.*governor", None),
    "clocks before": (r"begin/clock/.*scaling_cur_freq", 0.05),
    "clocks after": (r"end/clock/.*scaling_cur_freq", 0.05),
    "warmest temperature before (°C)": (r"begin/celsius/.*", 0.1),
    "warmest temperature after (°C)": (r"end/celsius/.*", 0.1),
    "highest load": (r"load/highest", 0.25),
    "machine's noise from round to round": (r"noise/machine", 0.5),
}


def facts(here: Side, there: Side, devices: Sequence[tuple[str, str]]) -> list[Fact]:
    """Return the facts of both studies' sessions. Those that differ come first."""
    pairs = [(ours, theirs, model) for ours, theirs in devices for model in both(here, there, ours, theirs)]
    of_here = [here.facts(ours, model) for ours, _, model in pairs]
    of_there = [there.facts(theirs, model) for _, theirs, model in pairs]
    found = [*_in_words(of_here, of_there), *_in_numbers(of_here, of_there), *_digests(pairs, of_here, of_there)]
    return sorted(found, key=lambda fact: list(Bearing).index(fact.bearing) if fact.bearing else len(Bearing))


def both(here: Side, there: Side, ours: str, theirs: str) -> list[str]:
    """Return the models that both studies have a session of, on a pair of devices."""
    return [model for model in here.models_on(ours) if model in there.models_on(theirs)]


def same_inputs(here: Mapping[str, str], there: Mapping[str, str]) -> bool:
    """Return whether two sessions timed the same inputs."""
    return here.get("sha256/inputs") == there.get("sha256/inputs")


def _in_words(here: Sequence[Mapping[str, str]], there: Sequence[Mapping[str, str]]) -> Iterator[Fact]:
    for bearing, keys in _WORDS.items():
        for name, key in keys.items():
            ours, theirs = (_distinct(facts.get(key) for facts in sessions) for sessions in (here, there))
            if ours or theirs:
                yield Fact(name, ours or "unknown", theirs or "unknown", None if ours == theirs else bearing)


def _distinct(values: Iterable[str | None]) -> str:
    return ", ".join(sorted({value for value in values if value}))


def _in_numbers(here: Sequence[Mapping[str, str]], there: Sequence[Mapping[str, str]]) -> Iterator[Fact]:
    for name, (pattern, tolerance) in _NUMBERS.items():
        ours, theirs = (_matching(sessions, pattern) for sessions in (here, there))
        if not ours and not theirs:
            continue
        if tolerance is None:
            words = _distinct(ours) or "unknown", _distinct(theirs) or "unknown"
            yield Fact(name, words[0], words[1], None if words[0] == words[1] else Bearing.STATE)
        else:
            yield _measured(name, _largest(ours), _largest(theirs), tolerance)


def _matching(sessions: Sequence[Mapping[str, str]], pattern: str) -> list[str]:
    return [value for facts in sessions for key, value in facts.items() if re.fullmatch(pattern, key)]


def _largest(values: Sequence[str]) -> float:
    return max((float(value) for value in values), default=np.nan)


def _measured(name: str, here: float, there: float, tolerance: float) -> Fact:
    near = abs(here - there) <= tolerance * max(abs(here), abs(there))
    return Fact(name, _told(here), _told(there), None if near else Bearing.STATE)


def _told(value: float) -> str:
    return "unknown" if np.isnan(value) else digits(value)


def _digests(
    pairs: Sequence[tuple[str, str, str]], here: Sequence[Mapping[str, str]], there: Sequence[Mapping[str, str]]
) -> Iterator[Fact]:
    """Yield how many sessions timed the same inputs, and how many artifacts they share."""
    sessions = list(zip(pairs, here, there, strict=True))
    other = [model for (_, _, model), ours, theirs in sessions if not same_inputs(ours, theirs)]
    yield _compared("sessions, by their inputs", len(pairs), ", ".join(other), Bearing.INPUTS)
    shared = [
        (key.removeprefix("sha256/artifact/"), model, ours[key] == theirs[key])
        for (_, _, model), ours, theirs in sessions
        for key in ours
        if key.startswith("sha256/artifact/") and key in theirs
    ]
    changed = [f"{model}/{artifact}" for artifact, model, same in shared if not same]
    yield _compared("timed artifacts, by their digests", len(shared), ", ".join(changed), Bearing.ARTIFACTS)


def _compared(name: str, count: int, other: str, bearing: Bearing) -> Fact:
    """Return the fact that so many digests are the same, or which are not."""
    return Fact(name, str(count), f"{count}, others: {other}" if other else str(count), bearing if other else None)
