"""Run a whole benchmark: reach the device, verify its outputs, measure, and write the tables."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pandas as pd

from tocompress.devices.local import LocalAgent
from tocompress.devices.reach import reach
from tocompress.measurement.session import measure, outputs_of
from tocompress.measurement.subject import Subject
from tocompress.schemas.benchmark import TABLES
from tocompress.settings.device import LocalDevice
from tocompress.settings.jobs import BenchmarkJob
from tocompress.tables import write_table


def benchmark(subject: Subject, session: BenchmarkJob, log: Path | None = None) -> dict[str, pd.DataFrame]:
    """Return the tables of a session. Progress goes to stdout, the agents' stderr to `log`. Raises StudyError."""
    recorded = _measured(subject, session, log)
    return {name: table.assign(device=session.name, model=subject.model) for name, table in recorded.items()}


def _measured(subject: Subject, session: BenchmarkJob, log: Path | None) -> dict[str, pd.DataFrame]:
    device, settings = session.device, session.benchmark

    def report(done: int, total: int, text: str) -> None:
        print(f"{done}/{total} {text}", flush=True)

    runtimes = tuple(subject.runtimes)
    with reach(session.name, device, runtimes, log) as agents:
        if isinstance(device, LocalDevice) and not _has_own_python(device) and device.processor == "cpu":
            return measure(agents, subject, device, settings, report)
        with ExitStack() as stack:
            hosts = {
                runtime: stack.enter_context(LocalAgent(log, name="this machine", runtime=runtime))
                for runtime in runtimes
            }
            on_cpu = device.model_copy(update={"processor": "cpu"})
            reference = outputs_of(hosts, subject, on_cpu, settings)
        return measure(agents, subject, device, settings, report, reference)


def _has_own_python(device: LocalDevice) -> bool:
    return device.interpreter is not None or bool(device.interpreters)


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
