"""A whole benchmark: reach the device, see that it computes the right thing, and measure."""

from __future__ import annotations

import pandas as pd

from tocompress.devices.local import LocalAgent
from tocompress.devices.reach import reach
from tocompress.measurement.session import Subject, measure, outputs_of
from tocompress.settings.benchmark import Session
from tocompress.settings.device import LocalDevice


def benchmark(subject: Subject, session: Session) -> dict[str, pd.DataFrame]:
    """The tables of a session; progress goes to stdout. Raises StudyError."""
    device, settings = session.device, session.benchmark

    def report(done: int, total: int, text: str) -> None:
        print(f"{done}/{total} {text}", flush=True)

    with reach(session.name, device) as agent:
        if isinstance(device, LocalDevice) and device.interpreter is None and device.processor == "cpu":
            return measure(agent, subject, device, settings, report)
        with LocalAgent(name="this machine") as host:
            on_cpu = device.model_copy(update={"processor": "cpu"})
            reference = outputs_of(host, subject, on_cpu, settings)
        return measure(agent, subject, device, settings, report, reference)
