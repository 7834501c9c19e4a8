"""Run an artifact of any runtime on this machine."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tocompress.runtimes.feeds import Run
from tocompress.runtimes.tensorflow import session as tensorflow

_SESSIONS: dict[str, Any] = {"tensorflow": tensorflow}


def loaded(runtime: str, artifact: str | Path, threads: int) -> AbstractContextManager[Run]:
    """Return the context in which an artifact runs, in that many threads.

    The context or a run raises StudyError for an artifact that is not this study's, and for logits that are not finite.
    """
    context: AbstractContextManager[Run] = _SESSIONS[runtime].loaded(artifact, threads)
    return context
