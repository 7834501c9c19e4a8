"""The runtimes that execute artifacts. Each has a folder in `runtimes` and a module in `devices.agent`."""

from __future__ import annotations

#: The suffix of an artifact, by the runtime that executes it.
SUFFIXES = {"tensorflow": "pb"}
