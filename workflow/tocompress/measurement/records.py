"""Turn the agent's records of blocks into the tables of a session."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd
import pyarrow as pa

from tocompress.devices import Record
from tocompress.runtimes import load
from tocompress.schemas.benchmark import RECORDED

#: The variant of a worker without a model.
CONTROL = "control"

Kind = Literal["latency", "operations", "power", "control"]

#: Kind of a block -> records that it must have.
_NEEDED: dict[Kind, set[str]] = {
    "latency": {"samples"},
    "operations": {"operations"},
    "power": {"windows", "power"},
    "control": set(),
}

_PHASES = ("idle_before", "block", "idle_after")
_COUNTS = ("tokens", "vm_hwm", "rss", "pss", "uss", "nvmap", "runs")


@dataclass(frozen=True)
class Block:
    """One block of a session, in a fresh process. A control worker has neither artifact nor arithmetic."""

    kind: Kind
    variant: str
    arithmetic: str | None
    process: int
    order: int

    def __str__(self) -> str:
        what = {"operations": "operations of ", "power": "power of "}.get(self.kind, "")
        how = f", {self.arithmetic}" if self.arithmetic else ""
        return f"round {self.process}: {what}{self.variant}{how}"


@dataclass
class Recorder:
    """The records of blocks so far. A block is recorded whole, after it has ended well."""

    runtime: str
    loads: list[float] = field(default_factory=list)
    realtime: bool = True  # whether the sensors were read with real-time priority
    failed_readings: dict[str, int] = field(default_factory=dict)
    _parts: defaultdict[str, list[pd.DataFrame]] = field(default_factory=lambda: defaultdict(list))
    _outputs: defaultdict[tuple[str, str, str], set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, block: Block, records: Sequence[Record]) -> None:
        """Record a block. Raise KeyError, TypeError or ValueError for records that do not fit such a block."""
        if missing := _NEEDED[block.kind] - {record["record"] for record in records}:
            raise ValueError(f"no {' and '.join(sorted(missing))}")
        for record in records:
            content = {key: value for key, value in record.items() if key != "record"}
            match record["record"]:
                case "samples":
                    self._add("latency", block, content | {"order": block.order})
                case "memory":
                    self._add("memory", block, {key: [value] for key, value in content.items()})
                case "operations":
                    classify = load(self.runtime, "operations").classify
                    classes = list(map(classify, content["type"], content["operation"]))
                    self._add("operations", block, content | {"operation_class": classes})
                case "windows":
                    start, end = zip(*(content[phase] for phase in _PHASES), strict=True)
                    runs = [content["runs"] if phase == "block" else None for phase in _PHASES]
                    self._add("windows", block, {"phase": _PHASES, "start_s": start, "end_s": end, "runs": runs})
                case "power":
                    self.realtime = self.realtime and content["realtime"]
                    for rail, samples in content["rails"].items():
                        self.failed_readings[rail] = self.failed_readings.get(rail, 0) + samples["failed"]
                        self._add("power", block, {"time_s": samples["time_s"], "watt": samples["watt"], "rail": rail})
                case "outputs":
                    for input_id, digest in content["digests"].items():
                        self._outputs[block.variant, str(block.arithmetic), input_id].add(digest)
                case "end":
                    self.loads.append(content["load"])

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

    def _add(self, table: str, block: Block, columns: Record) -> None:
        place = {"variant": block.variant, "arithmetic": block.arithmetic, "process": block.process}
        part = pd.DataFrame(columns).assign(**place)
        pa.Table.from_pandas(part[RECORDED[table].names], RECORDED[table])  # fails now, not at the end
        self._parts[table].append(part)
