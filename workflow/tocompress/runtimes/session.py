"""Run an artifact on this machine, whatever its runtime."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tocompress.runtimes.feeds import Run
from tocompress.runtimes.tensorflow import session as tensorflow

_SESSIONS: dict[str, Any] = {"tensorflow": tensorflow}


def loaded(runtime: str, artifact: str | Path, threads: int) -> AbstractContextManager[Run]:
    """Return the context in which an artifact runs, in that many threads.

    Entering it or running raises StudyError where the artifact is none of this study's or its logits are not finite.
    """
    context: AbstractContextManager[Run] = _SESSIONS[runtime].loaded(artifact, threads)
    return context
