"""Import TensorFlow to run graphs only."""

from __future__ import annotations

import os
from typing import Any


def tensorflow() -> Any:
    """Return the module without Keras, where each session has its own number of threads, not the first session's.

    Call this before the first session of a process begins, since TensorFlow reads the settings only then.
    """
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("TF_OVERRIDE_GLOBAL_THREADPOOL", "1")
    import tensorflow

    return tensorflow
