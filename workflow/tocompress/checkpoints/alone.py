"""Read a file in a process of its own, because TensorFlow and HDF5 abort the process on some damage."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from signal import Signals

from tocompress.errors import StudyError
from tocompress.files import unmet

_LIBRARY = Path(__file__).parents[2]


def alone(function: Callable[..., None], *arguments: str, file: str) -> None:
    """Call a function of this library with `arguments` in a process of its own.

    Raise its StudyError. Raise one about `file` where reading it ended the process.
    """
    # PYTHONPATH would cut the path of a folder that holds a colon.
    program = (
        f"import sys; sys.path.insert(0, {str(_LIBRARY)!r}); from {__name__} import {call.__name__};"
        f" from {function.__module__} import {function.__name__};"
        f" {call.__name__}({function.__name__}, sys.argv[1:])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program, *arguments], stdout=subprocess.PIPE, text=True)
    if done.stdout:
        raise StudyError(done.stdout)
    if done.returncode < 0:
        raise StudyError(
            f"{file}: reading it ended the process with {Signals(-done.returncode).name}; not a readable file, or too"
            " large for the memory: get all of it again"
        )
    done.check_returncode()


def call(function: Callable[..., None], arguments: Sequence[str]) -> None:
    """Call a function. Only the text of its StudyError, or of an error of the system, goes to standard output."""
    try:
        with redirect_stdout(sys.stderr):
            function(*arguments)
    except StudyError as error:
        print(error)
    except OSError as error:
        print(f"{error.filename or arguments}: {unmet(error)}")
