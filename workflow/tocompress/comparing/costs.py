"""Compare the costs of two studies from the samples of their sessions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import pandas as pd

from tocompress.comparing.differences import Mean, difference, drift, in_usual_state, mean_of
from tocompress.comparing.facts import both, same_inputs
from tocompress.comparing.observations import Observations, observations
from tocompress.comparing.sides import Side
from tocompress.measurement.estimate import REFERENCE, log_ratios
from tocompress.settings.jobs import CompareJob

VALUE, TO_FP32 = "value", "ratio to fp32"

#: The costs whose ratio to fp32 is compared too.
_TO_FP32 = ("latency", "energy")

#: Pairs of devices: here and there.
Devices = Sequence[tuple[str, str]]


class Key(NamedTuple):
    """A cost of a variant in both studies. The device is the one here."""

    quantity: str
    device: str
    model: str
    runtime: str
    variant: str
    arithmetic: str
    metric: str
    label: str | None


class Cost(NamedTuple):
    """Both logarithms of a cost, their difference, and the generations or processes behind each."""

    here: Mean
    there: Mean
    difference: Mean
    n_here: int
    n_there: int


class Sessions(NamedTuple):
    """The sessions of a model on paired devices in one runtime."""

    device: str
    model: str
    runtime: str
    here: Observations
    there: Observations


def costs(here: Side, there: Side, devices: Devices, runtimes: Sequence[str], settings: CompareJob) -> dict[Key, Cost]:
    """Return every cost that the sessions of both studies measured, and its ratio to fp32."""
    found: dict[Key, Cost] = {}
    for pair in devices:
        for runtime in runtimes:
            sessions = list(_sessions(here, there, pair, runtime, settings))
            found |= dict(values(sessions))
            found |= dict(chain.from_iterable(map(ratios, sessions)))
    return found


def _sessions(
    here: Side, there: Side, devices: tuple[str, str], runtime: str, settings: CompareJob
) -> Iterator[Sessions]:
    """Yield the sessions of each model that both studies timed on the same inputs."""
    ours, theirs = devices
    rails = settings.rails.get(ours)
    for model in both(here, there, ours, theirs):
        if same_inputs(here.facts(ours, model), there.facts(theirs, model)):
            of_here = observations(here, ours, model, runtime, settings.quantile, rails)
            of_there = observations(there, theirs, model, runtime, settings.quantile, rails if ours == theirs else None)
            yield Sessions(ours, model, runtime, of_here, of_there)


def values(sessions: Sequence[Sessions]) -> Iterator[tuple[Key, Cost]]:
    """Yield all costs, each with the drift of its metric on both machines."""
    for key in dict.fromkeys(chain.from_iterable(session.here for session in sessions)):
        shared = [session for session in sessions if key in session.there and key in session.here]
        drifts = [
            drift([session.here[key] for session in shared]),
            drift([session.there[key] for session in shared]),
        ]
        for session in shared:
            here, there = in_usual_state(session.here[key]), in_usual_state(session.there[key])
            yield from _costs(VALUE, session, key, here, there, drifts)


def ratios(session: Sessions) -> Iterator[tuple[Key, Cost]]:
    """Yield the ratios to fp32, in which the state of the machine cancels."""
    for metric in _TO_FP32:
        here, there = session.here.get((metric, None)), session.there.get((metric, None))
        if here is not None and there is not None and REFERENCE in here and REFERENCE in there:
            yield from _costs(TO_FP32, session, (metric, None), log_ratios(here), log_ratios(there), ())


def _costs(
    quantity: str,
    session: Sessions,
    key: tuple[str, str | None],
    here: pd.DataFrame,
    there: pd.DataFrame,
    drifts: Sequence[Mean],
) -> Iterator[tuple[Key, Cost]]:
    (device, model, runtime, _, _), (metric, label) = session, key
    for variant, arithmetic in here.columns.intersection(there.columns):
        of_here, of_there = here[variant, arithmetic].dropna(), there[variant, arithmetic].dropna()
        ours, theirs = mean_of(of_here), mean_of(of_there)
        place = Key(quantity, device, model, runtime, variant, arithmetic, metric, label)
        yield place, Cost(ours, theirs, difference(ours, theirs, *drifts), len(of_here), len(of_there))
