"""How often the comparison of two studies is wrong, and how often it finds a slow-down.

    PYTHONPATH=workflow python benchmarks/compare.py simulated [PAIRS]
    PYTHONPATH=workflow python benchmarks/compare.py measure FOLDER SESSIONS [STUDY]
    PYTHONPATH=workflow python benchmarks/compare.py measured FOLDER

`simulated` compares pairs of studies of five models, each with a session of eight conditions and six generations. A log
time is the sum of the machine's state in the session, its state in the generation, and the process's deviation, all
normal. In one half of the pairs nothing differs. In the other half, all times of one study are a tenth longer, or those
of one condition of each model.

`measure` times the artifacts of results/smoke, or of another study, in sessions one after the other, and puts each into
a folder of its own. `measured` compares each session with each later one: as they are, and with raw times of the first
that are a tenth longer.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pandas as pd
import yaml

from tocompress.comparing.costs import TO_FP32, VALUE, Cost, Key, Sessions, costs, ratios, values
from tocompress.comparing.differences import chance, corrected, interval
from tocompress.comparing.sides import Side
from tocompress.comparing.verdicts import Limits, verdict
from tocompress.devices.reach import reach
from tocompress.measurement.estimate import REFERENCE
from tocompress.measurement.session import measure
from tocompress.measurement.statistics import exponential
from tocompress.measurement.subject import Subject
from tocompress.paths import Paths
from tocompress.schemas.benchmark import TABLES
from tocompress.schemas.study import STUDY
from tocompress.settings.compare import Compare
from tocompress.settings.evaluation import Scores
from tocompress.settings.jobs import CompareJob, Condition
from tocompress.settings.study import load
from tocompress.tables import read_table, write_table
from tocompress.vocabulary.arithmetic import FLOAT, INTEGER, ONCE
from tocompress.vocabulary.runtimes import LITERT

MODELS, GENERATIONS = 5, 6
CONDITIONS = (REFERENCE, *((f"v{number}", FLOAT) for number in range(1, 8)))
QUANTIZED = ("q8", "i8", "dyn8")
LEVEL, EQUAL, TENTH = 0.95, 0.05, float(np.log(1.1))
SLOWED = CONDITIONS[3]
SETTINGS = CompareJob(
    here="here",
    there="there",
    compare=Compare(equal=EQUAL),
    quantile=0.1,  # as in the default study
    level=LEVEL,
    rails={},
    scores=Scores(),
    languages={},
)


class Noise(NamedTuple):
    """Standard deviations of log times: between sessions, between generations, and between processes."""

    session: float
    generation: float
    process: float


#: A quiet board, a quiet machine, and machines that others share, which drift as much over hours, or more.
NOISES = {
    "a board": Noise(0.002, 0.002, 0.005),
    "a quiet machine": Noise(0.01, 0.01, 0.01),
    "a shared machine": Noise(0.03, 0.03, 0.02),
    "a machine that drifts slowly": Noise(0.03, 0.015, 0.02),
}


def session(random: np.random.Generator, noise: Noise) -> pd.DataFrame:
    """Return the log times [generation, condition] of a session whose truth is 0."""
    states = random.normal(0, noise.session) + random.normal(0, noise.generation, (GENERATIONS, 1))
    processes = random.normal(0, noise.process, (GENERATIONS, len(CONDITIONS)))
    return pd.DataFrame(states + processes, columns=pd.MultiIndex.from_tuples(CONDITIONS))


def pair(random: np.random.Generator, noise: Noise, slower: Sequence[tuple[str, str]]) -> list[Sessions]:
    """Return the sessions of two studies, the first of which takes a tenth longer in some conditions."""
    sessions = []
    for number in range(MODELS):
        here, there = session(random, noise), session(random, noise)
        here[list(slower)] += TENTH
        sessions.append(Sessions("host", f"m{number}", "litert", {("latency", None): here}, {("latency", None): there}))
    return sessions


def verdicts(sessions: Sequence[Sessions]) -> Iterator[tuple[Key, str]]:
    """Yield the verdict on each time and on each ratio to fp32."""
    found: dict[Key, Cost] = dict(values(sessions))
    for one in sessions:
        found |= dict(ratios(one))
    yield from judged(found)


def judged(found: Mapping[Key, Cost]) -> Iterator[tuple[Key, str]]:
    chances = corrected([chance(cost.difference) for cost in found.values()])
    limits = Limits(1 / (1 + EQUAL), 1 + EQUAL, 1.0, 1 - LEVEL)
    for (key, cost), probability in zip(found.items(), chances, strict=True):
        yield key, verdict("latency", exponential(interval(cost.difference, LEVEL)), probability, limits)


def simulated(pairs: int) -> None:
    print(f"{pairs} pairs: false differences of times and of ratios to fp32, in % of rows and of pairs; found, in %")
    for name, noise in NOISES.items():
        random = np.random.default_rng(7)
        none = [dict(verdicts(pair(random, noise, ()))) for _ in range(pairs)]
        print(f"{name} {tuple(noise)}")
        for quantity in (VALUE, TO_FP32):
            told = [[word for key, word in one.items() if key.quantity == quantity] for one in none]
            rows = 100 * share([word for words in told for word in words], "slower", "faster")
            equal = 100 * share([word for words in told for word in words], "equal")
            any_false = 100 * np.mean([bool({"slower", "faster"} & set(words)) for words in told])
            print(f"  A against A, {quantity}: {rows:.1f} % of rows, {any_false:.1f} % of pairs; equal {equal:.0f} %")
        for what, slower, quantity in (
            ("all times", CONDITIONS, VALUE),
            ("one condition", (SLOWED,), VALUE),
            ("one condition", (SLOWED,), TO_FP32),
        ):
            some = [dict(verdicts(pair(random, noise, slower))) for _ in range(pairs)]
            told = [w for one in some for key, w in one.items() if concerned(key, slower, quantity)]
            print(f"  a tenth longer, {what}, {quantity}: found {100 * share(told, 'slower'):.0f} %")


def concerned(key: Key, slower: Sequence[tuple[str, str]], quantity: str) -> bool:
    return key.quantity == quantity and (key.variant, key.arithmetic) in slower


def share(words: Sequence[str], *wanted: str) -> float:
    return float(np.mean([word in wanted for word in words]))


# Real sessions


def measure_sessions(folder: Path, sessions: int, study: str) -> None:
    """Write the tables of so many sessions of each model that has inputs."""
    config = load(yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8")))
    paths = Paths(f"results/{study}")
    models = sorted(file.stem for file in Path(paths.inputs).parent.glob("*.npz"))
    for number in range(sessions):
        for model in models:
            subject = subject_of(paths, model)
            settings = config.benchmark.model_copy(update={"seed": number})
            with reach("host", config.devices["host"], (LITERT,)) as agents:
                tables = measure(agents, subject, config.devices["host"], settings)
            place = folder / str(number) / "benchmarks/host" / model
            place.mkdir(parents=True)
            for name, table in tables.items():
                write_table(place / f"{name}.parquet", TABLES[name], table.assign(device="host", model=model))
            print(f"session {number} of {model}", flush=True)


def subject_of(paths: Paths, model: str) -> Subject:
    """Return fp32 and the ways of quantization of a model, in LiteRT."""
    known = {"fp32": FLOAT, "q8": ONCE, "i8": INTEGER, "dyn8": INTEGER}
    pattern = paths.artifact(LITERT)
    files = {name: Path(pattern.format(model=model, variant=name)) for name in known}
    artifacts = {(LITERT, name): file for name, file in files.items() if file.is_file()}
    conditions = [Condition(LITERT, name, known[name]) for _, name in artifacts]
    return Subject(model, artifacts, Path(paths.inputs.format(model=model)), conditions)


def measured(folder: Path) -> None:
    """Print the verdicts on all pairs of sessions, by what was slowed in the first one."""
    places = sorted(folder.iterdir())
    for what, slower in (("nothing", ()), ("all variants", ("fp32", *QUANTIZED)), ("q8", ("q8",))):
        told: dict[tuple[str, str, str], list[str]] = {}
        with TemporaryDirectory() as copies:
            sides = [(side_of(slowed(place, Path(copies), slower)), side_of(place)) for place in places]
            for (here, _), (_, there) in combinations(sides, 2):
                for key, word in judged(costs(here, there, (("host", "host"),), (LITERT,), SETTINGS)):
                    part = "slowed" if key.variant in slower else "as it is"
                    told.setdefault((key.metric, key.quantity, part), []).append(word)
        for (metric, quantity, part), words in told.items():
            shares = ", ".join(f"{100 * share(words, word):.1f} % {word}" for word in sorted(set(words)))
            print(f"a tenth longer: {what}; {metric}, {quantity}, {part}: {shares} of {len(words)}")


def slowed(place: Path, copies: Path, variants: Sequence[str]) -> Path:
    """Copy a session with the raw times of some variants a tenth longer."""
    copy = copies / place.name
    shutil.copytree(place, copy)
    for name in ("latency", "loading"):
        for file in copy.rglob(f"{name}.parquet"):
            samples = read_table(file, TABLES[name])
            factor = np.where(samples["variant"].isin(variants), 1.1, 1.0)
            longer = {column: factor * samples[column] for column in ("duration_s", "processor_s")}
            write_table(file, TABLES[name], samples.assign(**longer))
    return copy


def side_of(place: Path) -> Side:
    """Return the sessions of a folder as a study without a table."""
    files = {(*file.parts[-4:-1], file.stem): file for file in place.rglob("*.parquet")}
    return Side(place.name, STUDY.empty_table().to_pandas(), files)


if __name__ == "__main__":
    task, *arguments = sys.argv[1:]
    if task == "simulated":
        simulated(int(arguments[0]) if arguments else 100)
    elif task == "measure":
        measure_sessions(Path(arguments[0]), int(arguments[1]), *arguments[2:] or ["smoke"])
    else:
        measured(Path(arguments[0]))
