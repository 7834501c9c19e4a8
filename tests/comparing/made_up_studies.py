"""Results of made-up studies, in files as a study leaves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from made_up_session import FP32, ONE_INPUT, Q8_ONCE, Seconds, latency

from tocompress.comparing.sides import Side, read_side
from tocompress.measurement.summary import time_rows
from tocompress.reporting.study import Part, aggregate, artifact_rows
from tocompress.schemas.benchmark import TABLES
from tocompress.schemas.study import ARTIFACT, IMAGE_PREDICTIONS, STUDY
from tocompress.settings.compare import Compare
from tocompress.settings.evaluation import Scores
from tocompress.settings.jobs import CompareJob, StudyVariant
from tocompress.tables import write_table
from tocompress.tasks.classification.scores import scores

MODEL, EXAMPLES = "vgg_16", 200
FACTS = {
    "device/processor_name": "a processor",
    "device/litert": "2.3.0",
    "settings/device/threads": "1",
    "load/highest": "1.0",
    "begin/celsius/cpu": "50.0",
    "sha256/inputs": "0" * 64,
    "sha256/artifact/litert/fp32": "1" * 64,
}
SETTINGS = CompareJob(
    here="here",
    there="there",
    compare=Compare(),
    quantile=0.5,
    level=0.95,
    rails={},
    scores=Scores(resamples=100),
    languages={},
)


def seconds(random: np.random.Generator, slower: Mapping[tuple[str, str], float], state: float = 0.005) -> Seconds:
    """The processes of a session of six generations: two of fp32 and one of q8 in each, all with its state."""
    states = np.exp(random.normal(0, state, 6))

    def of(condition: tuple[str, str], count: int) -> Sequence[Sequence[float]]:
        processes = np.exp(random.normal(0, 0.005, (6, count))) * states[:, None]
        return (0.01 * slower.get(condition, 1.0) * processes).tolist()

    return {FP32: of(FP32, 2), Q8_ONCE: of(Q8_ONCE, 1)}


def predictions(random: np.random.Generator, right: float) -> pd.DataFrame:
    """The best classes of the same pictures, of which so many are right."""
    label = np.arange(EXAMPLES) % 10
    predicted = np.where(np.arange(EXAMPLES) < right * EXAMPLES, label, label + 1)
    scores = random.uniform(size=EXAMPLES)
    columns = {"example": np.arange(EXAMPLES), "label": label, "rank": 1, "predicted": predicted, "score": scores}
    return pd.DataFrame(columns)


def write_study(
    folder: Path,
    name: str,
    seed: int,
    *,
    slower: Mapping[tuple[str, str], float] | None = None,
    right: float = 0.8,
    size: int = 1000,
    device: str = "host",
    facts: Mapping[str, str] | None = None,
) -> Side:
    """Write the results of a study of one model, and read them again."""
    random = np.random.default_rng(seed)
    times = latency(seconds(random, slower or {}), ONE_INPUT, runtime="litert")
    root = folder / name
    tables = {"latency": times, "session": pd.DataFrame({**FACTS, **(facts or {})}.items(), columns=["key", "value"])}
    of_session = {table: root / f"benchmarks/{device}/{MODEL}/{table}.parquet" for table in tables}
    for table, file in of_session.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_table(file, TABLES[table], tables[table].assign(device=device, model=MODEL))
    files = list(of_session.values())
    judged = predictions(random, right)
    for variant in ("fp32", "q8"):
        facts_of_file = {"size": size, "size_deflated": size, "parameters": 10, "macs": 10, "sha256": f"{size:064}"}
        key = {"runtime": "litert", "model": MODEL, "variant": variant}
        for kind, schema, table in (
            ("artifacts", ARTIFACT, pd.DataFrame([key | facts_of_file])),
            ("predictions", IMAGE_PREDICTIONS, judged),
        ):
            files.append(root / f"{kind}/litert/{MODEL}/{variant}.parquet")
            files[-1].parent.mkdir(parents=True, exist_ok=True)
            write_table(files[-1], schema, table)
    write_table(root / "study.parquet", STUDY, _study(times, judged, size, device))
    return read_side(name, root / "study.parquet", files)


def _study(times: pd.DataFrame, judged: pd.DataFrame, size: int, device: str) -> pd.DataFrame:
    shared = {"model": MODEL, "network": MODEL, "build": "zoo", "runtime": "litert"}
    sizes = pd.DataFrame({"variant": ["fp32", "q8"], "size": size, "size_deflated": size, "parameters": 10, "macs": 10})
    judgement = scores(judged, judged, level=0.95, resamples=100, seed=1)
    parts = [
        Part(**shared, rows=artifact_rows(sizes)),
        Part(
            **shared,
            device=device,
            processor="cpu",
            rows=time_rows(times, TABLES["loading"].empty_table().to_pandas(), 0.5),
        ),
        *(Part(**shared, dataset="glyphs", variant=name, rows=judgement) for name in ("fp32", "q8")),
    ]
    variants = [StudyVariant(name="fp32"), StudyVariant(name="q8", methods=("quantize",), bits=8, granularity="tensor")]
    return aggregate(parts, variants)
