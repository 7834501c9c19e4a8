"""A process that runs the scripts of rules, each in a fork of its own: what they import is imported once.

Started with the names of modules to import, it reads a job a line, and answers each with its exit status (JSON).
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import runpy
import signal
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from snakemake.iocontainers import InputFiles, OutputFiles, Params, Wildcards

#: Of data, bytes: what a damaged file says of itself must not make a job ask for more.
MEMORY = 3 << 30


def serve() -> None:
    """Answer the jobs of standard input, until it ends."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(job: dict[str, Any]) -> None:
    """Run a script as Snakemake does; never returns."""
    signal.alarm(job["limit_s"])
    if sys.platform == "linux":  # elsewhere, such limits do not hold
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    os.chdir(job["folder"])
    console = os.open(job["console"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(console, 1)
    os.dup2(console, 2)
    snakemake = SimpleNamespace(
        rule=Path(job["script"]).stem,
        input=_named(InputFiles, job["input"]),
        output=_named(OutputFiles, job["output"]),
        params=_named(Params, job["params"]),
        wildcards=_named(Wildcards, job["wildcards"]),
        threads=job["threads"],
        log=[job["log"]],
    )
    status = 0
    try:
        sys.path.insert(0, str(Path(job["script"]).parent))
        runpy.run_path(job["script"], {"snakemake": snakemake}, "__main__")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _named(kind: type[Any], entries: dict[str, Any]) -> Any:
    """Snakemake's list of files, in which a name stands for one or several."""
    names = kind()
    for name, entry in entries.items():
        if isinstance(entry, list):
            start = len(names)
            names.extend(entry)
            names._set_name(name, start, len(names))
        else:
            names.append(entry)
            names._add_name(name)
    return names


if __name__ == "__main__":
    for module in sys.argv[1:]:
        importlib.import_module(module)
    serve()
