"""One benchmark session: all variants of a model on one device, alternately, each block in a fresh process."""

from __future__ import annotations

import hashlib
import platform
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tocompress.devices import Agent, Record
from tocompress.errors import StudyError
from tocompress.measurement.operations import classify
from tocompress.schemas.benchmark import TABLES

CONTROL = "control"

EVERY_INFERENCE, ONCE = "every_inference", "once"

#: done, total, what is being measured now
Report = Callable[[int, int, str], None]


@dataclass(frozen=True)
class BenchmarkPlan:
    """What to measure and for how long; times in seconds. Paths are the device's.

    A block warms up for at least `warmup_runs` runs (the first inference among them) and `warmup_seconds`, then is
    timed in whole rotations over the inputs until `block_seconds` and `minimum_runs` are reached, or one more rotation
    would pass `maximum_runs`; one rotation is always run.
    """

    model: str
    artifacts: Mapping[str, Path]
    inputs: Path
    threads: int
    dequantizations: tuple[str, ...] = (EVERY_INFERENCE, ONCE)
    processes: int = 5
    block_seconds: float = 0.5
    warmup_runs: int = 3
    warmup_seconds: float = 0.2
    minimum_runs: int = 10
    maximum_runs: int = 400
    profiled_runs: int = 5
    timeout_seconds: float = 600.0
    seed: int = 1


@dataclass(frozen=True)
class Block:
    """One block of the session. A control worker has neither artifact nor dequantization."""

    kind: str
    variant: str
    dequantization: str | None
    round: int
    order: int


@dataclass
class _Tables:
    latency: list[pd.DataFrame] = field(default_factory=list)
    memory: list[Record] = field(default_factory=list)
    operations: list[pd.DataFrame] = field(default_factory=list)
    digests: defaultdict[tuple[str, str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    loads: list[float] = field(default_factory=list)


def blocks(plan: BenchmarkPlan) -> Iterator[Block]:
    """The session's blocks in order: for each round a random permutation of every variant under every dequantization
    and a control worker; after the rounds, one profiled block for each variant and dequantization."""
    random = np.random.default_rng(plan.seed)
    conditions = [(variant, mode) for variant in plan.artifacts for mode in plan.dequantizations]
    members: list[tuple[str, str | None]] = [*conditions, (CONTROL, None)]
    for number in range(1, plan.processes + 1):
        for order, index in enumerate(random.permutation(len(members))):
            variant, mode = members[index]
            yield Block("control" if variant == CONTROL else "latency", variant, mode, number, order)
    for order, index in enumerate(random.permutation(len(conditions))):
        variant, mode = conditions[index]
        yield Block("operations", variant, mode, plan.processes + 1, order)


def measure(
    agent: Agent, plan: BenchmarkPlan, report: Report = lambda done, total, text: None
) -> dict[str, pd.DataFrame]:
    """Run the session; the tables `latency`, `memory`, `power` (empty), `operations` and `session`, as declared in
    `tocompress.tables`.

    `process` numbers the fresh processes of a variant and dequantization from 1; here each round has one, so it equals
    `block`, and rows of the same number may be paired across variants. Raises StudyError when a block fails.
    """
    identities = _check(plan)
    input_ids = _input_ids(plan.inputs)
    sequence = list(blocks(plan))
    tables = _Tables()
    for done, block in enumerate(sequence):
        report(done, len(sequence), _describe(block))
        for record in agent.run(_command(plan, block, input_ids)):
            _collect(tables, plan, block, record)
    report(len(sequence), len(sequence), "done")
    return {
        "latency": _table("latency", tables.latency),
        "memory": _table("memory", [pd.DataFrame(tables.memory)]),
        "power": _table("power", []),
        "operations": _table("operations", tables.operations),
        "session": _session_table(agent.hello, plan, identities, tables),
    }


def _check(plan: BenchmarkPlan) -> dict[str, str]:
    """SHA-256 of every file of the plan by what it is; an absent one is an error before anything is measured."""
    paths = {"inputs": plan.inputs, **{f"artifact/{variant}": path for variant, path in plan.artifacts.items()}}
    digests = {}
    for name, path in paths.items():
        try:
            with path.open("rb") as file:
                digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise StudyError(f"{path}: {plan.model}'s {name} is not readable ({error.strerror})") from error
    return digests


def _input_ids(path: Path) -> list[str]:
    """The inputs' names in the file's order, from keys `{input_id}/{placeholder}`."""
    with np.load(path, allow_pickle=False) as arrays:
        names = list(dict.fromkeys(key.rpartition("/")[0] for key in arrays.files))
    if not names or "" in names:
        raise StudyError(f"{path}: not a file of benchmark inputs: its keys must be {{input_id}}/{{placeholder}}")
    return names


def _command(plan: BenchmarkPlan, block: Block, input_ids: list[str]) -> Record:
    return {
        "command": "block",
        "kind": block.kind,
        "artifact": None if block.kind == "control" else str(plan.artifacts[block.variant]),
        "inputs": str(plan.inputs),
        "input_ids": input_ids,
        "dequantization": block.dequantization,
        "threads": plan.threads,
        "warmup_runs": plan.warmup_runs,
        "warmup_seconds": plan.warmup_seconds,
        "seconds": plan.block_seconds,
        "minimum_runs": plan.minimum_runs,
        "maximum_runs": plan.maximum_runs,
        "profiled_runs": plan.profiled_runs,
        "timeout_seconds": plan.timeout_seconds,
    }


def _describe(block: Block) -> str:
    name = block.variant if block.dequantization is None else f"{block.variant}, dequantized {_words(block)}"
    return f"operations of {name}" if block.kind == "operations" else f"round {block.round}: {name}"


def _words(block: Block) -> str:
    return str(block.dequantization).replace("_", " ").replace("every", "in every")


def _collect(tables: _Tables, plan: BenchmarkPlan, block: Block, record: Record) -> None:
    content = {key: value for key, value in record.items() if key != "record"}
    condition: dict[str, Any] = {"variant": block.variant, "dequantization": block.dequantization}
    match record["record"]:
        case "samples":
            place = {"process": block.round, "block": block.round, "order": block.order}
            tables.latency.append(pd.DataFrame(content).assign(**condition, **place))
        case "memory":
            tables.memory.append({**condition, "process": block.round, **content})
        case "operations":
            rows = pd.DataFrame(content).assign(**condition)
            rows["operation_class"] = [
                classify(kind, name) for kind, name in zip(rows["type"], rows["operation"], strict=True)
            ]
            tables.operations.append(rows)
        case "outputs":
            for input_id, digest in content["digests"].items():
                tables.digests[block.variant, str(block.dequantization), input_id].add(digest)
        case "end":
            tables.loads.append(content["load"])
        case "error":
            raise StudyError(f"benchmark of {plan.model}: {_describe(block)}: {content['error']}")


def _table(name: str, parts: list[pd.DataFrame]) -> pd.DataFrame:
    """The parts as one table with the schema's columns and types; columns that hold only nulls keep their type."""
    schema = TABLES[name]
    empty = schema.empty_table().to_pandas()
    whole = pd.concat(parts, ignore_index=True) if parts else empty
    integers = {column: "Int64" for column in ("tokens", "vm_hwm", "rss", "pss", "uss") if column in schema.names}
    return whole[schema.names].astype(integers)


def _session_table(hello: Record, plan: BenchmarkPlan, identities: dict[str, str], tables: _Tables) -> pd.DataFrame:
    """What the numbers rest on. `output/...` holds the digest of each output, or several where processes differ."""
    settings = {
        item.name: getattr(plan, item.name)
        for item in fields(plan)
        if item.name not in ("artifacts", "inputs", "model")
    }
    entries: dict[str, Any] = {
        **{f"device/{key}": value for key, value in hello.items() if key != "record"},
        "host/python": platform.python_version(),
        **{f"plan/{key}": value for key, value in settings.items()},
        **{f"sha256/{name}": digest for name, digest in identities.items()},
        "load/highest": max(tables.loads, default=None),
        "outputs_agree": all(len(digests) == 1 for digests in tables.digests.values()),
        **{f"output/{'/'.join(key)}": ",".join(sorted(digests)) for key, digests in sorted(tables.digests.items())},
    }
    return pd.DataFrame({"key": list(entries), "value": [_text(value) for value in entries.values()]})


def _text(value: Any) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(map(str, value))
        case _:
            return str(value)
