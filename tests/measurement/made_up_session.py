"""Tables of made-up sessions, whose answer is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd
import pyarrow as pa

from tocompress.measurement.estimate import Condition
from tocompress.schemas.benchmark import RECORDED
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE, FLOAT, ONCE

FP32: Condition = ("fp32", FLOAT)
Q8: Condition = ("q8", EVERY_INFERENCE)
Q8_ONCE: Condition = ("q8", ONCE)

#: Seconds of each process of a condition in each generation.
Seconds = Mapping[Condition, Sequence[Sequence[float]]]

ONE_INPUT = {"i0": 1.0}


def latency(
    seconds: Seconds,
    inputs: Mapping[str, float] = ONE_INPUT,
    slices: Sequence[Sequence[float]] = ((1.0, 1.0),) * 2,
    *,
    batch: int = 1,
    tokens: Mapping[str, int] | None = None,
    runtime: str = "tensorflow",
) -> pd.DataFrame:
    """Return the table `latency`.

    A run takes the seconds of its process, times the factor of its input, times its own factor in `slices`, which holds
    the runs of each round. The processors take twice as long. The first run, as warm-up, takes ten times as long.
    """
    rows, numbers = [], Counter[Condition]()
    for generation in range(1, 1 + max(map(len, seconds.values()))):
        for order, (condition, generations) in enumerate(seconds.items()):
            for process_s in generations[generation - 1] if generation <= len(generations) else ():
                numbers[condition] += 1
                runs = [(next(iter(inputs)), 0, 10.0)]
                runs += [(name, number, run) for number, of in enumerate(slices, 1) for name in inputs for run in of]
                for input_id, number, factor in runs:
                    duration_s = process_s * inputs[input_id] * factor
                    rows.append(
                        {
                            "runtime": runtime,
                            "variant": condition[0],
                            "arithmetic": condition[1],
                            "batch": batch,
                            "input_id": input_id,
                            "generation": generation,
                            "process": numbers[condition],
                            "round": number,
                            "order": order,
                            "start_s": float(len(rows)),
                            "duration_s": duration_s,
                            "processor_s": 2 * duration_s,
                            "tokens": tokens[input_id] if tokens else None,
                            "warmup": number == 0,
                        }
                    )
    return pa.Table.from_pylist(rows, RECORDED["latency"]).to_pandas().astype({"tokens": "Int64"})
