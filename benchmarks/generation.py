"""Draw a generation of a session: when each process loads, and when it runs its slices.

    PYTHONPATH=workflow python benchmarks/generation.py results/default/benchmarks/host/resnet_v1_50_full docs/images

Reads the tables `latency` and `loading` of a session and draws its first generation.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd

from tocompress.vocabulary.arithmetic import FLOAT, in_print

ROUNDS = 3  # that are drawn
LOADING, SETTLING, TIMED = "#9aa5b1", "#f4c27a", "#2f6fab"


def name(runtime: str, variant: str, arithmetic: str, *, several: bool) -> str:
    """Return the name of a process. It tells the runtime where a session measures `several`."""
    where = f" in {runtime}" if several else ""
    return variant + where + ("" if arithmetic == FLOAT else f", {in_print(arithmetic)}")


def main(session: Path, folder: Path) -> None:
    keys = ["runtime", "variant", "arithmetic", "process"]
    latency, loading = (pd.read_parquet(session / f"{name}.parquet") for name in ("latency", "loading"))
    latency = latency[(latency["generation"] == 1) & (latency["round"] <= ROUNDS)]
    latency = latency.assign(end_s=latency["start_s"] + latency["duration_s"])
    first = latency[latency["round"] == 0].groupby(keys).agg(start_s=("start_s", "min"), end_s=("end_s", "max"))
    seconds = loading.set_index(keys)["duration_s"]
    loads = first.assign(start_s=first["start_s"] - seconds.reindex(first.index)).sort_values("start_s")
    origin = loads["start_s"].min()

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 0.42 * len(loads) + 1.3), sharey=True, width_ratios=(2, 3))
    for row, key in enumerate(loads.index):
        begin, end = loads.loc[key, "start_s"], loads.loc[key, "end_s"]
        left.barh(row, end - begin, left=begin - origin, color=LOADING)
        slices = latency[(latency["round"] > 0) & (latency[keys] == list(key)).all(axis=1)]
        for warmup, colour in ((True, SETTLING), (False, TIMED)):
            runs = (
                slices[slices["warmup"] == warmup]
                .groupby("round")
                .agg(start_s=("start_s", "min"), end_s=("end_s", "max"))
            )
            right.barh([row] * len(runs), runs["end_s"] - runs["start_s"], left=runs["start_s"] - origin, color=colour)
    names = [name(*key[:3], several=latency["runtime"].nunique() > 1) for key in loads.index]
    left.set_yticks(range(len(loads)), names)
    left.invert_yaxis()
    left.set_title("The processes load", fontsize="medium", loc="left")
    right.set_title(f"{ROUNDS} rounds of slices in random order", fontsize="medium", loc="left")
    for axes in (left, right):
        axes.set_xlabel("s")
        axes.spines[["top", "right"]].set_visible(False)
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in (LOADING, SETTLING, TIMED)]
    figure.legend(
        handles,
        ["loads and warms up", "runs uncounted", "is timed"],
        loc="outside lower center",
        ncols=3,
        frameon=False,
    )
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.savefig(folder / "generation.png", dpi=160)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
