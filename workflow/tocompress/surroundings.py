"""Start jobs from known surroundings, so that no setting of a user for other programs changes a result."""

from __future__ import annotations

import getpass
import os
import shlex
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

#: The beginnings of the variables that a job's libraries and its interpreter read.
_FOREIGN = (
    *("KERAS_", "TF_", "XLA_", "JAX_", "ONEDNN_", "DNNL_", "NVIDIA_TF32"),  # computation and precision
    *("OMP_", "KMP_", "GOMP_", "MKL_", "OPENBLAS_", "BLIS_", "NPY_", "MALLOC_"),  # threads and memory
    *("MPL", "MATPLOTLIB", "PANDAS_"),
    *("PYTHON", "BASH_ENV"),
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"),  # for example of the hook that started the run
)
#: Variables for the place and the messages of a computation, and not for its content.
_KEPT = (
    "KERAS_BACKEND",
    "TF_CPP_",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "XLA_PYTHON_CLIENT_",
    "JAX_PLATFORMS",
)

_BACKENDS = ("tensorflow", "jax")
#: A colon separates the folders of PATH. The others end the name of Python in the programs that pip writes.
_NOT_INSTALLED_IN = ':"$`\\\n'
_CLONE = Path(__file__).resolve().parents[2]


def settle() -> None:
    """Give the jobs of this process their surroundings. Exit with one line where this is impossible.

    The Snakefile calls this, and every job of a cluster reads the Snakefile too.
    """
    refuse()
    if os.environ.get("KERAS_BACKEND") == "jax" and not find_spec("jax"):
        _stop("KERAS_BACKEND is jax, and JAX is not installed: pip install 'jax[cuda12]', or unset KERAS_BACKEND")
    clean(Path.cwd())
    try:
        getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        os.environ["USER"] = str(os.getuid())
    # Snakemake writes this path into the command of each job as it is.
    sys.executable = shlex.quote(sys.executable)


def refuse() -> None:
    """Exit with one line where jobs cannot start from known surroundings.

    `make` calls this before it installs anything, so it needs nothing but Python.
    """
    if problem := _problem(Path.cwd(), os.environ):
        _stop(problem)


def clean(folder: Path) -> None:
    """Give this process, and so all that it starts, the `variables` of a job."""
    known = variables(os.environ, folder)
    for name in os.environ.keys() - known.keys():
        del os.environ[name]
    os.environ.update(known)


def variables(given: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the environment of a job that runs in `folder`: `given` without the variables for its libraries."""
    kept = {name: value for name, value in given.items() if name.startswith(_KEPT) or not name.startswith(_FOREIGN)}
    return {
        "TF_CPP_MIN_LOG_LEVEL": "2",  # TensorFlow greets at length, before a script can stop it
        **kept,
        "KERAS_HOME": os.devnull,  # where there is no keras.json, and none is written
        "MATPLOTLIBRC": os.devnull,
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": str(folder / ".snakemake/matplotlib"),  # its list of fonts
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
    }


def _problem(folder: Path, given: Mapping[str, str]) -> str | None:
    if not ((folder / "config.yaml").is_file() and (folder / "workflow/tocompress").is_dir()):
        return f"the study's config.yaml is not in {folder}: run the study in the folder of its clone"
    if "{" in str(_CLONE) or "}" in str(_CLONE):
        return f"{_CLONE}: Snakemake takes braces in a path for names; move the clone to another folder"
    if (folder / "matplotlibrc").is_file():
        return "matplotlibrc: figures are drawn in the study's own style; move this file out of the folder"
    if (backend := given.get("KERAS_BACKEND") or _BACKENDS[0]) not in _BACKENDS:
        return f"KERAS_BACKEND is {backend}: networks are trained by {' or '.join(_BACKENDS)}; unset it"
    return None


def _stop(problem: str) -> NoReturn:
    print(f"Error: {problem}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    if any(character in os.getcwd() for character in _NOT_INSTALLED_IN):
        _stop(
            f"{os.getcwd()!r}: nothing can be installed where a path has one of {_NOT_INSTALLED_IN!r}; move the clone"
        )
    refuse()
