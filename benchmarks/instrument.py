"""Try the instrument on this machine: against a plain loop, against itself, and under a disturbance.

    PYTHONPATH=workflow python benchmarks/instrument.py loop MODEL...      times against a loop as one writes it by hand
    PYTHONPATH=workflow python benchmarks/instrument.py itself MODEL       200 sessions of one artifact under two names
    PYTHONPATH=workflow python benchmarks/instrument.py disturbed MODEL    100 short sessions against a long one
    PYTHONPATH=workflow python benchmarks/instrument.py threads MODEL...   inference time by the runtime's threads

Reads artifacts and inputs that `snakemake --cores all` has made in results/default, or in the folder RESULTS of the
environment. Nothing else should run on the machine meanwhile. `disturbed` keeps one core busy for 2 s of every 4 s.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from tocompress.devices import Agent, Record
from tocompress.devices.reach import reach
from tocompress.measurement.estimate import estimates, levels, of_one_input
from tocompress.measurement.session import measure
from tocompress.measurement.statistics import Interval, ratio_interval
from tocompress.measurement.subject import Subject
from tocompress.paths import Paths
from tocompress.settings.benchmark import Benchmark
from tocompress.settings.device import LocalDevice
from tocompress.settings.jobs import Condition
from tocompress.settings.study import Study, load
from tocompress.vocabulary.arithmetic import FLOAT
from tocompress.vocabulary.runtimes import TENSORFLOW

SESSIONS_ITSELF, SESSIONS_DISTURBED = 200, 100
GENERATIONS_OF_LOOPS = 12
LONG_SECONDS = 300
LOOP = "--loop"
DISTURBER = "while True:\n end = time.time() + 2\n while time.time() < end: pass\n time.sleep(2)"


def study() -> Study:
    return load(yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8")))


def subject_of(model: str, variants: list[str], *, again: bool = False) -> Subject:
    """Return the artifacts of a model. With `again`, add fp32's under a second name."""
    paths, config = Paths(os.environ.get("RESULTS", "results/default")), study()
    pattern = paths.artifact(TENSORFLOW)
    artifacts = {(TENSORFLOW, name): Path(pattern.format(model=model, variant=name)) for name in variants}
    conditions = [
        Condition(TENSORFLOW, name, arithmetic)
        for name in variants
        for arithmetic in config.arithmetics(TENSORFLOW, name)
    ]
    if again:
        artifacts[TENSORFLOW, "again"] = artifacts[TENSORFLOW, "fp32"]
        conditions.append(Condition(TENSORFLOW, "again", FLOAT))
    return Subject(model, artifacts, Path(paths.inputs.format(model=model)), conditions)


def session(agents: Mapping[str, Agent], subject: Subject, settings: Benchmark, **changes: Any) -> pd.DataFrame:
    """Return the table `latency` of a session with changed settings."""
    changed = settings.model_copy(update={"profiled_runs": 1, **changes})
    device = study().devices["host"]
    return measure(agents, subject, device, changed)["latency"]


def ratios(latency: pd.DataFrame, quantile: float) -> dict[tuple[str, str], Interval]:
    found = estimates(levels(of_one_input(latency), quantile))
    return {condition: estimate.ratio for condition, estimate in found.items() if estimate.ratio is not None}


def holds(interval: Interval, truth: float) -> bool:
    return interval.low is not None and interval.high is not None and interval.low <= truth <= interval.high


def half_width(interval: Interval) -> float:
    assert interval.low is not None and interval.high is not None
    return (interval.high - interval.low) / 2 / interval.value


# A plain loop


def plain_loop(artifact: Path, inputs: Path, threads: int, seconds: float) -> list[float]:
    """Return the seconds of each run over the inputs in turn, after as long a warm-up. Nothing of ours runs."""
    os.environ |= {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    import tensorflow.compat.v1 as tf

    graph = tf.GraphDef.FromString(artifact.read_bytes())
    tf.import_graph_def(graph, name="")
    config = tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=1)
    feeds: dict[str, dict[str, np.ndarray]] = {}
    for key, value in np.load(inputs).items():
        name, placeholder = key.rsplit("/", 1)
        feeds.setdefault(name, {})[f"{placeholder}:0"] = value
    with tf.Session(config=config) as running:
        for timed in (False, True):
            durations: list[float] = []
            while sum(durations) < seconds:
                for feed in feeds.values():
                    start = time.perf_counter()
                    running.run("output:0", feed)
                    durations.append(time.perf_counter() - start)
            if timed:
                return durations
    raise AssertionError("the second pass is timed")


class WithLoop:
    """An agent in whose session a plain loop takes its turn, next to the control worker of each generation."""

    def __init__(self, agent: Agent, arguments: list[str]) -> None:
        self._agent = agent
        self._command = [sys.executable, __file__, LOOP, *arguments]
        self.hello = agent.hello
        self.send = agent.send
        self.order = agent.order
        self.reconnect = agent.reconnect
        self.loops: list[list[float]] = []

    def run(self, command: Record) -> Iterator[Record]:
        if command.get("kind") == "control":
            answer = subprocess.run(self._command, check=True, stdout=subprocess.PIPE)
            self.loops.append(json.loads(answer.stdout))
        yield from self._agent.run(command)


def compare_with_loop(models: list[str], settings: Benchmark, device: LocalDevice) -> None:
    for model in models:
        subject = subject_of(model, ["fp32"])
        arguments = [str(subject.artifacts[TENSORFLOW, "fp32"]), str(subject.inputs), str(device.threads), "2"]
        with reach("host", device, (TENSORFLOW,)) as agents:
            turns = WithLoop(agents[TENSORFLOW], arguments)
            fixed = {"generations": GENERATIONS_OF_LOOPS, "maximum_generations": GENERATIONS_OF_LOOPS, "rounds": 50}
            latency = session({TENSORFLOW: turns}, subject, settings, **fixed)
        for quantile in (settings.quantile, 0.5):
            ours = np.exp(levels(of_one_input(latency), quantile).iloc[:, 0])
            count = len(subject.input_ids)
            theirs = [
                np.mean([np.quantile(durations[place::count], quantile) for place in range(count)])
                for durations in turns.loops
            ]
            ratio = ratio_interval(ours.to_numpy(), theirs)
            print(f"{model:18} session / loop, quantile {quantile:.1f}: {told(ratio)}, {len(theirs)} pairs", flush=True)


# Itself


def compare_with_itself(model: str, settings: Benchmark, device: LocalDevice) -> None:
    subject = subject_of(model, ["fp32"], again=True)
    found = []
    with reach("host", device, (TENSORFLOW,)) as agents:
        for _ in range(SESSIONS_ITSELF):
            latency = session(agents, subject, settings, maximum_generations=settings.generations)
            found += [ratio for (name, _), ratio in ratios(latency, settings.quantile).items() if name == "again"]
            tell_coverage(f"{model} against itself", found, [1.0] * len(found))


# Under a disturbance


@contextmanager
def disturbed() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "import time\n" + DISTURBER])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def compare_with_long_run(model: str, settings: Benchmark, device: LocalDevice) -> None:
    """Run a long session, short ones of the least generations, and a long one again. All are disturbed."""
    subject = subject_of(model, ["fp32", "q16", "q8"])
    endless = {"maximum_generations": 10_000, "maximum_seconds": LONG_SECONDS, "target": 1e-6}
    short = {"maximum_generations": settings.generations}
    with disturbed(), reach("host", device, (TENSORFLOW,)) as agents:
        before = session(agents, subject, settings, **endless)
        found = [
            ratios(session(agents, subject, settings, **short), settings.quantile) for _ in range(SESSIONS_DISTURBED)
        ]
        after = session(agents, subject, settings, **endless)
    after["generation"] += before["generation"].max()
    truth = ratios(pd.concat([before, after]), settings.quantile)
    for condition in truth:
        if condition[0] != "fp32":
            of_condition = [one[condition] for one in found]
            tell_coverage(
                f"{model} {' '.join(condition)}, truth {told(truth[condition])}",
                of_condition,
                [truth[condition].value] * len(found),
            )


def tell_coverage(what: str, found: list[Interval], truths: list[float]) -> None:
    held = np.mean([holds(interval, truth) for interval, truth in zip(found, truths, strict=True)])
    widths = [half_width(interval) for interval in found]
    print(f"{what}: {len(found)} sessions, {held:.3f} hold it, half-width {np.median(widths):.3%} (median)", flush=True)


# Threads


def compare_threads(models: list[str], settings: Benchmark, device: LocalDevice) -> None:
    """Measure fp32 with each number of threads, in turn, in sessions of their own."""
    cores = len(os.sched_getaffinity(0))
    choices = [(1, 1), (cores, 1), (1, cores), (cores, cores)]
    fixed = {"generations": 3, "maximum_generations": 3}
    for model in models:
        subject, medians = subject_of(model, ["fp32"]), {choice: [] for choice in choices}
        for _ in range(3):
            for choice in choices:
                changed = device.model_copy(update=dict(zip(("threads", "inter_op_threads"), choice, strict=True)))
                with reach("host", changed, (TENSORFLOW,)) as agents:
                    latency = measure(agents, subject, changed, settings.model_copy(update=fixed))["latency"]
                medians[choice].append(float(np.exp(levels(of_one_input(latency), settings.quantile)).mean().iloc[0]))
        for (intra, inter), values in medians.items():
            shown = ", ".join(f"{1000 * value:.3f}" for value in values)
            print(f"{model:18} {intra} threads, {inter} operations at a time: {shown} ms", flush=True)


def told(interval: Interval) -> str:
    return f"{interval.value:.4f} [{interval.low:.4f}, {interval.high:.4f}]"


def main(how: str, models: list[str]) -> None:
    settings, device = study().benchmark, study().devices["host"]
    assert isinstance(device, LocalDevice)
    match how:
        case "loop":
            compare_with_loop(models, settings, device)
        case "itself":
            compare_with_itself(*models, settings, device)
        case "disturbed":
            compare_with_long_run(*models, settings, device)
        case "threads":
            compare_threads(models, settings, device)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    if sys.argv[1:2] == [LOOP]:
        artifact, inputs, threads, seconds = sys.argv[2:]
        print(json.dumps(plain_loop(Path(artifact), Path(inputs), int(threads), float(seconds))))
    else:
        main(sys.argv[1] if len(sys.argv) > 1 else "", sys.argv[2:])
