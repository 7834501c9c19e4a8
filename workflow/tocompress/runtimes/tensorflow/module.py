"""TensorFlow for those who only run graphs."""

from __future__ import annotations

import os
from typing import Any


def tensorflow() -> Any:
    """The module, without Keras, and such that every session has the threads that it asks for, not the first one's.

    To be asked for before the first session of a process begins: TensorFlow looks only then.
    """
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("TF_OVERRIDE_GLOBAL_THREADPOOL", "1")
    import tensorflow

    return tensorflow
