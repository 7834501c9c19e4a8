"""Record under results/{study}/provenance/ how a job made its results, when the job has ended well."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tocompress.files import digest, replace_on_success
from tocompress.provenance.digests import LIBRARY
from tocompress.settings.base import Settings

REPOSITORY = LIBRARY.resolve().parents[1]
_LOCK = REPOSITORY / "envs/requirements.txt"
#: Larger files, such as archives of photographs, have no digest, which would take longer than the job.
_DIGESTED_BYTES = 4 << 30
#: The environment variable of a job that holds the commit of the sources that it was sent.
_COMMIT = "TOCOMPRESS_COMMIT"
#: The environment variable of a job that holds the folder where copies of the study's files lie, with a storage plugin.
_COPIES = "TOCOMPRESS_COPIES"


class File(Settings):
    """A file as a job found or left it. A folder has no digest and no size. An archive of many GB has no digest."""

    sha256: str | None
    size: int | None


class Record(Settings, extra="ignore"):
    """The record of one job. Times are in UTC."""

    rule: str
    script: str
    wildcards: dict[str, str]
    settings: Any  # the slice of the config that the job depends on
    code: str | None  # its digest by `provenance.digests`, or null where the rule leaves it out on purpose
    versions: dict[str, str]  # of the libraries that the code names
    lock: str | None  # the digest of envs/requirements.txt
    commit: str | None  # of the repository, with "-dirty" where files were changed since
    host: dict[str, str]
    started: datetime
    ended: datetime
    inputs: dict[str, File]
    outputs: dict[str, File]


def announce(workflow: Any) -> None:
    """Tell the jobs of this Snakemake what a machine that shares no folder with the study does not show."""
    os.environ[_COMMIT] = os.environ.get(_COMMIT, "") if workflow.remote_exec else commit() or ""
    os.environ.pop(_COPIES, None)
    if provider := workflow.storage_registry.default_storage_provider:
        prefix = workflow.storage_settings.default_storage_prefix
        os.environ[_COPIES] = str(provider.object(f"{prefix.rstrip('/')}/results").local_path().parent)


def write_record(snakemake: Any, started: datetime) -> None:
    """Write the record of the job that has just made its outputs. A job that makes nothing declares no record."""
    declared = snakemake.output.get("record")
    if declared is None:
        return
    script = Path(sys.modules["__main__"].__file__ or "").name
    params = dict(snakemake.params.items())
    record = Record(
        rule=snakemake.rule,
        script=script,
        wildcards={name: str(value) for name, value in snakemake.wildcards.items()},
        settings=json.loads(params.get("settings", "null")),
        code=params.get("code"),
        versions=dict(pin.split("==") for pin in params.get("environment", "").split()),
        lock=digest(_LOCK) if _LOCK.is_file() else None,
        commit=commit(),
        host=_host(),
        started=started,
        ended=datetime.now(UTC),
        inputs={_in_study(path): look(path) for path in map(str, snakemake.input)},
        outputs={_in_study(path): look(path) for path in _files(map(str, snakemake.output)) if path != declared},
    )
    with replace_on_success(declared) as temporary:
        temporary.write_text(json.dumps(record.model_dump(mode="json"), indent=1, sort_keys=True) + "\n")


def _in_study(path: str) -> str:
    """Return the path in the study of a file that may be the copy of one in a storage."""
    copies = os.environ.get(_COPIES)
    return str(Path(path).relative_to(copies)) if copies and Path(path).is_relative_to(copies) else path


def _files(outputs: Iterable[str]) -> Iterator[str]:
    """Yield outputs, and the files of an output that is a folder instead of it."""
    for output in outputs:
        if Path(output).is_dir():
            yield from sorted(str(file) for file in Path(output).rglob("*") if file.is_file())
        else:
            yield output


def look(path: str | Path) -> File:
    """Return the digest and the size of a file as it is now."""
    path = Path(path)
    if path.is_dir():
        return File(sha256=None, size=None)
    size = path.stat().st_size
    return File(sha256=digest(path) if size <= _DIGESTED_BYTES else None, size=size)


def commit(repository: Path = REPOSITORY) -> str | None:
    """Return the commit of a repository, with "-dirty" where files were changed since. None where it is no clone.

    A machine that was sent the sources has no clone, so the sender tells it.
    """
    if not (repository / ".git").exists():  # git would search the folders above
        return os.environ.get(_COMMIT) or None
    # `git describe --dirty` would lock and rewrite the index, which somebody may be using.
    command = ["git", "--no-optional-locks", "-C", str(repository), "status", "--porcelain=v2", "--branch", "-uno"]
    try:
        status = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):  # git is missing or is not allowed to look
        return None
    lines = status.stdout.splitlines()
    found = next(line.removeprefix("# branch.oid ") for line in lines if line.startswith("# branch.oid "))
    return found + ("-dirty" if any(not line.startswith("#") for line in lines) else "")


def _host() -> dict[str, str]:
    """Return the facts of the machine without its name, which says more of its owner than of the result."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())
