"""Run a whole benchmark: reach the device, verify its outputs, measure, and write the tables."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pandas as pd

from tocompress.devices import Agent
from tocompress.devices.local import LocalAgent
from tocompress.devices.reach import reach
from tocompress.measurement.modes import Tables, in_each_mode
from tocompress.measurement.session import Outputs, measure, outputs_of
from tocompress.measurement.subject import Subject
from tocompress.schemas.benchmark import TABLES
from tocompress.settings.device import Device, LocalDevice
from tocompress.settings.jobs import BenchmarkJob
from tocompress.tables import write_table


def benchmark(subject: Subject, session: BenchmarkJob, log: Path | None = None) -> dict[str, pd.DataFrame]:
    """Return the tables of a session. Progress goes to stdout, the agents' stderr to `log`. Raises StudyError."""
    measured = _measured(subject, session, log)
    return {
        table: pd.concat(
            [tables[table].assign(device=name, model=subject.model) for name, tables in measured.items()],
            ignore_index=True,
        )
        for table in TABLES
    }


def _measured(subject: Subject, session: BenchmarkJob, log: Path | None) -> dict[str, Tables]:
    """Return the tables of a session by the device's name, or by its name in each power mode."""
    device, settings = session.device, session.benchmark

    def report(done: int, total: int, text: str) -> None:
        print(f"{done}/{total} {text}", flush=True)

    runtimes = tuple(subject.runtimes)
    with reach(session.name, device, runtimes, log) as agents:
        reference = None if _computes_here(device) else _reference(subject, session, log)

        def measured(agents: Mapping[str, Agent]) -> Tables:
            return measure(agents, subject, device, settings, report, reference)

        return in_each_mode(agents, session, measured) if device.modes else {session.name: measured(agents)}


def _computes_here(device: Device) -> bool:
    """Return whether the runtime of this study computes, on this machine's processor."""
    own = isinstance(device, LocalDevice) and device.interpreter is None and not device.interpreters
    return own and device.processor == "cpu"


def _reference(subject: Subject, session: BenchmarkJob, log: Path | None) -> Outputs:
    """Return the outputs of this machine's processor."""
    with ExitStack() as stack:
        hosts = {
            runtime: stack.enter_context(LocalAgent(log, name="this machine", runtime=runtime))
            for runtime in subject.runtimes
        }
        on_cpu = session.device.model_copy(update={"processor": "cpu"})
        return outputs_of(hosts, subject, on_cpu, session.benchmark)


def write_session(tables: Mapping[str, pd.DataFrame], files: Mapping[str, Path], *, keep: bool) -> None:
    """Write the tables to their files. With `keep`, also write them to a folder that no later session overwrites."""
    if keep:
        parent = files["session"].parent
        unfinished = parent / ".session.partial"
        shutil.rmtree(unfinished, ignore_errors=True)
        _write_tables(tables, {name: unfinished / file.name for name, file in files.items()})
        _take_name(unfinished, parent)
    _write_tables(tables, files)


def _write_tables(tables: Mapping[str, pd.DataFrame], files: Mapping[str, Path]) -> None:
    for name, schema in TABLES.items():
        write_table(files[name], schema, tables[name])


def _take_name(folder: Path, parent: Path) -> None:
    """Name a folder after the time, with a number where that name is taken."""
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    names = (now if number == 1 else f"{now}-{number}" for number in count(1))
    folder.rename(next(free for name in names if not (free := parent / name).exists()))
