"""The backend of Keras that networks are trained on: TensorFlow, or JAX where the user asks for it."""

from __future__ import annotations

import os
from importlib.util import find_spec

from tocompress.errors import StudyError


def check_backend() -> None:
    """Raise a StudyError where the user asks for a backend that the study does not know, or that is not installed."""
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if backend not in ("tensorflow", "jax"):
        raise StudyError(f"KERAS_BACKEND: is '{backend}'; the study trains on 'tensorflow', its default, or on 'jax'")
    if backend == "jax" and not (find_spec("jax") and find_spec("jaxlib")):
        raise StudyError(
            "KERAS_BACKEND: is 'jax', which is not installed; install it with `.venv/bin/pip install -e '.[gpu]'`, or"
            " leave KERAS_BACKEND out for TensorFlow"
        )
