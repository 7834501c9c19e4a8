"""Turn the agent's records of blocks into the tables of a session."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

import pandas as pd
import pyarrow as pa

from tocompress.devices import Record
from tocompress.runtimes import load
from tocompress.schemas.benchmark import RECORDED
from tocompress.settings.jobs import Condition

#: The variant of a worker without a model.
CONTROL = "control"

Kind = Literal["operations", "power", "control"]

#: Kind of a block -> records that it must have.
_NEEDED: dict[Kind, set[str]] = {
    "operations": {"operations"},
    "power": {"windows", "power"},
    "control": set(),
}

_PHASES = ("idle_before", "block", "idle_after")
#: The least share of an inference that its operations must take. A clock of whole microseconds hides short ones.
_LEAST_TOLD = 0.9

_COUNTS = ("tokens", "vm_hwm", "rss", "pss", "uss", "nvmap", "runs")


@dataclass(frozen=True)
class Block:
    """One block of a session, in a fresh process. A control worker has neither artifact nor arithmetic."""

    kind: Kind
    runtime: str
    variant: str
    arithmetic: str | None
    process: int

    def __str__(self) -> str:
        what = {"operations": "operations of ", "power": "power of "}.get(self.kind, "")
        how = f", {self.arithmetic}" if self.arithmetic else ""
        return f"round {self.process}: {what}{self.variant} in {self.runtime}{how}"


@dataclass(frozen=True)
class Member:
    """A fresh process of a generation, which stays loaded and takes turns with the others."""

    runtime: str
    variant: str
    arithmetic: str
    generation: int
    process: int

    @property
    def condition(self) -> Condition:
        return Condition(self.runtime, self.variant, self.arithmetic)

    def __str__(self) -> str:
        return f"generation {self.generation}: {self.variant} in {self.runtime}, {self.arithmetic}"


@dataclass
class Recorder:
    """The records of blocks so far. A block is recorded whole, after it has ended well."""

    loads: list[float] = field(default_factory=list)
    realtime: bool = True  # whether the sensors were read with real-time priority
    failed_readings: dict[str, int] = field(default_factory=dict)
    _parts: defaultdict[str, list[pd.DataFrame]] = field(default_factory=lambda: defaultdict(list))
    _outputs: defaultdict[tuple[str, ...], set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, block: Block, records: Sequence[Record]) -> None:
        """Record a block. Raise KeyError, TypeError or ValueError for records that do not fit such a block."""
        if missing := _NEEDED[block.kind] - {record["record"] for record in records}:
            raise ValueError(f"no {' and '.join(sorted(missing))}")
        for record in records:
            content = {key: value for key, value in record.items() if key != "record"}
            match record["record"]:
                case "memory":  # of a control worker, whose number is its generation's
                    columns = {key: [value] for key, value in content.items()}
                    self._add("memory", block, columns | {"generation": block.process})
                case "operations":
                    self._add("operations", block, _operations(block.runtime, content))
                case "windows":
                    start, end = zip(*(content[phase] for phase in _PHASES), strict=True)
                    runs = [content["runs"] if phase == "block" else None for phase in _PHASES]
                    self._add("windows", block, {"phase": _PHASES, "start_s": start, "end_s": end, "runs": runs})
                case "power":
                    self.realtime = self.realtime and content["realtime"]
                    for rail, samples in content["rails"].items():
                        self.failed_readings[rail] = self.failed_readings.get(rail, 0) + samples["failed"]
                        self._add("power", block, {"time_s": samples["time_s"], "watt": samples["watt"], "rail": rail})
                case "end":
                    self.loads.append(content["load"])

    def add_generation(
        self, members: Sequence[Member], batches: Sequence[int], records: Sequence[Record]
    ) -> list[Condition]:
        """Record a generation. Return the conditions that memory held.

        `batches` holds the number of inputs of each batch. Raise KeyError, TypeError or ValueError for records that do
        not fit.
        """
        (loaded,) = (record["members"] for record in records if record["record"] == "loaded")
        if loaded[:2] != [0, 1]:
            raise ValueError("the first two members were not loaded")
        if sorted(record["member"] for record in records if record["record"] == "samples") != loaded:
            raise ValueError("the samples are not of the members that were loaded")
        for record in records:
            content = {key: value for key, value in record.items() if key not in ("record", "member")}
            match record["record"]:
                case "samples":
                    sizes = [batches[place] for place in content["batch"]]
                    self._add("latency", members[record["member"]], content | {"batch": sizes})
                case "loading":
                    self._add("loading", members[record["member"]], {key: [value] for key, value in content.items()})
                case "memory":
                    self._add("memory", members[record["member"]], {key: [value] for key, value in content.items()})
                case "outputs":
                    self._add_outputs(members[record["member"]], content)
                case "end":
                    self.loads.append(content["load"])
        return [members[place].condition for place in loaded]

    def table(self, name: str) -> pd.DataFrame:
        """Return a table so far. Columns that hold only nulls keep their schema's type."""
        schema, parts = RECORDED[name], self._parts[name]
        whole = pd.concat(parts, ignore_index=True) if parts else schema.empty_table().to_pandas()
        self._parts[name] = [whole] if parts else []
        return whole[schema.names].astype({column: "Int64" for column in _COUNTS if column in schema.names})

    @property
    def outputs(self) -> dict[str, str]:
        """Return the digests of each variant's output for each input. There are several where its processes differ."""
        return {f"output/{'/'.join(key)}": ",".join(sorted(found)) for key, found in sorted(self._outputs.items())}

    @property
    def outputs_agree(self) -> bool:
        """Return whether all processes of a variant gave the same answers."""
        return all(len(found) == 1 for found in self._outputs.values())

    def _add_outputs(self, member: Member, content: Record) -> None:
        for input_id, digest in content["digests"].items():
            self._outputs[*member.condition, input_id].add(digest)

    def _add(self, table: str, block: Block | Member, columns: Record) -> None:
        schema = RECORDED[table]
        place = {key: value for key, value in asdict(block).items() if key in schema.names}
        part = pd.DataFrame(columns).assign(**place)
        pa.Table.from_pandas(part[schema.names], schema)  # fails now, not at the end
        self._parts[table].append(part)


def _operations(runtime: str, content: Record) -> Record:
    """Return the columns of a profiled run. Durations are null where they hold too little of the inference."""
    classify = load(runtime, "operations").classify
    count = len(content["operation"])
    durations, whole = content["duration_s"], content.get("invoke_s", 0.0)
    return {
        "operation": content["operation"],
        "type": content["type"],
        "operation_class": list(map(classify, content["type"], content["operation"])),
        "integer": content.get("integer", [False] * count),
        "duration_s": durations if sum(durations) >= _LEAST_TOLD * whole else [None] * count,
        "run": content["run"],
    }
