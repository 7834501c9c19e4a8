"""The instrument against a plain loop over the same artifact, and against itself.

    PYTHONPATH=workflow python benchmarks/instrument.py mobilenet_v1_full resnet_v1_50 [results/default]

Reads fp32 artifacts and benchmark inputs that `snakemake --cores all` has made. A session of the study's own settings,
with more processes, measures one artifact under two names; in each round, where the control worker's turn is, a fresh
process also times it in a loop as one would write it by hand. Both ratios should be 1: that to the loop within 5 %,
that of the artifact to itself with an interval that holds 1. Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml

from tocompress.devices import Agent, Record
from tocompress.devices.reach import reach
from tocompress.measurement.session import Subject, measure
from tocompress.measurement.statistics import Interval, ratio_interval
from tocompress.paths import Paths
from tocompress.settings.study import Study, load
from tocompress.vocabulary.arithmetic import ONCE

PROCESSES = 12
SECONDS = 2.0  # timed in each of them
LOOP = "loop"


def loop(artifact: Path, inputs: Path, threads: int) -> list[float]:
    """Seconds of each run over the inputs in turn, after as long a warm-up: TensorFlow and nothing of ours."""
    os.environ |= {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    import tensorflow.compat.v1 as tf

    graph = tf.GraphDef.FromString(artifact.read_bytes())
    tf.import_graph_def(graph, name="")
    config = tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads)
    feeds: dict[str, dict[str, np.ndarray]] = {}
    for key, value in np.load(inputs).items():
        name, placeholder = key.rsplit("/", 1)
        feeds.setdefault(name, {})[f"{placeholder}:0"] = value
    with tf.Session(config=config) as session:
        for timed in (False, True):
            seconds: list[float] = []
            while sum(seconds) < SECONDS:
                for feed in feeds.values():
                    start = time.perf_counter()
                    session.run("output:0", feed)
                    seconds.append(time.perf_counter() - start)
            if timed:
                return seconds
    raise AssertionError("the second pass is timed")


class WithLoop:
    """An agent in whose session a plain loop takes its turn, next to the control worker of each round."""

    def __init__(self, agent: Agent, arguments: list[str]) -> None:
        self._agent = agent
        self._command = [sys.executable, __file__, LOOP, *arguments]
        self.hello = agent.hello
        self.send = agent.send
        self.reconnect = agent.reconnect
        self.medians: list[float] = []

    def run(self, command: Record) -> Iterator[Record]:
        if command.get("kind") == "control":
            answer = subprocess.run(self._command, check=True, stdout=subprocess.PIPE)
            self.medians.append(float(np.median(json.loads(answer.stdout))))
        yield from self._agent.run(command)


def compare(study: Study, name: str, paths: Paths) -> None:
    artifact, inputs = Path(paths.artifact.format(model=name, variant="fp32")), Path(paths.inputs.format(model=name))
    device = study.devices["host"]
    settings = study.benchmark.model_copy(
        update={
            "arithmetic": (ONCE,),
            "processes": PROCESSES,
            "maximum_processes": PROCESSES,
            "warmup_seconds": SECONDS,
            "block_seconds": SECONDS,
            "maximum_runs": 1_000_000,
        }
    )
    subject = Subject(name, {"fp32": artifact, "again": artifact}, inputs)
    with reach("host", device) as agent:
        with_loop = WithLoop(agent, [str(artifact), str(inputs), str(device.threads)])
        tables = measure(with_loop, subject, device, settings, lambda done, total, what: None)
    latency, diagnostics = tables["latency"], tables["diagnostics"]
    medians = latency[~latency["warmup"]].groupby(["variant", "process"])["duration_s"].median()
    once, again = (medians[variant].sort_index().to_numpy() for variant in ("fp32", "again"))
    tell(name, "agent / plain loop", ratio_interval(once, with_loop.medians))
    tell(name, "again / itself", ratio_interval(again, once))
    whole = diagnostics[diagnostics["input_id"].isna()].set_index("variant").loc["fp32"]
    steady = "" if whole["stationary"] else f"; {whole['reason']}"
    print(f"{name:20} {1e3 * np.mean(once):.3f} ms ±{100 * whole['process_width']:.1f} %{steady}", flush=True)


def tell(name: str, what: str, ratio: Interval) -> None:
    print(f"{name:20} {what:20} {ratio.value:.4f} [{ratio.low:.4f}, {ratio.high:.4f}], {PROCESSES} rounds", flush=True)


def main(names: list[str], root: str) -> None:
    study = load(yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8")))
    for name in names:
        compare(study, name, Paths(root))


if __name__ == "__main__":
    if sys.argv[1] == LOOP:
        print(json.dumps(loop(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))))
    else:
        folders = [argument for argument in sys.argv[1:] if "/" in argument]
        main([name for name in sys.argv[1:] if name not in folders], *(folders or ["results/default"]))
