"""How the raw times of each variant lie: histograms of the runs behind the intervals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from tocompress.measurement.estimate import of_one_input
from tocompress.vocabulary.arithmetic import FLOAT, IN_SHORT
from tocompress.vocabulary.runtimes import title

_BINS = 48
_SHOWN = (0.005, 0.995)  # quantiles of all runs of a model at the ends of the axis. Runs beyond count in the last bins


def histograms(sessions: Iterable[pd.DataFrame]) -> dict[str, list[dict[str, Any]]]:
    """Return histograms by model, one for each variant in each runtime, device and arithmetic.

    `sessions` are tables of schema `latency`. A histogram has `edges` in ms, and `counts` of timed runs of one input.
    All variants of a model on a device share the edges, which are evenly spaced on a logarithmic axis.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for session in sessions:
        runs = of_one_input(session)
        for (model, _), own in runs.groupby(["model", "device"], sort=False):
            milliseconds = 1e3 * own["duration_s"].to_numpy(float)
            low, high = np.quantile(milliseconds, _SHOWN)
            edges = np.geomspace(low, max(high, 1.01 * low), _BINS + 1)
            bins = np.clip(np.searchsorted(edges, milliseconds, side="right") - 1, 0, _BINS - 1)
            found.setdefault(str(model), []).extend(_of_conditions(own, bins, edges))
    return found


def _of_conditions(own: pd.DataFrame, bins: np.ndarray, edges: np.ndarray) -> Iterable[dict[str, Any]]:
    keys = ["variant", "runtime", "device", "arithmetic"]
    for (variant, runtime, device, arithmetic), rows in own.assign(bin=bins).groupby(keys, sort=False):
        yield {
            "variant": variant,
            "runtime": title(runtime),
            "device": device,
            "arithmetic": "" if arithmetic == FLOAT else IN_SHORT.get(arithmetic, arithmetic),
            "runs": len(rows),
            "edges": [float(f"{edge:.4g}") for edge in edges],
            "counts": np.bincount(rows["bin"], minlength=_BINS).tolist(),
        }
