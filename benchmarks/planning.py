"""Time and memory of a dry run as the number of jobs grows: n copies of the models of the full reproduction.

    PYTHONPATH=workflow python benchmarks/planning.py [copies ...]

Each is dry-run as from the command line, in a folder of its own where ImageNet's files are as good as there. Prints the
number of jobs, the seconds by the clock and by the processors, and the largest memory. Prints for the first number the
share of this project's code too, which takes another dry run under a profiler.
"""

from __future__ import annotations

import os
import pstats
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from dag import REPOSITORY, prepare

from tocompress.settings.study import load

COPIES = (1, 6, 24)
_CONFIG = "copies.yaml"
_JOBS = re.compile(r"^total +(\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Planned:
    """One dry run."""

    jobs: int
    seconds: float  # by the clock
    used: float  # seconds of user and system
    megabytes: float  # the largest resident memory


def copied(config: dict[str, Any], copies: int) -> dict[str, Any]:
    """Return a config with so many copies of each model and of all that is said of it by its name."""
    study = config["study"]
    names = {name: [f"{name}_copy{number}" for number in range(copies)] for name in study["models"]}

    def each(of_models: dict[str, Any]) -> dict[str, Any]:
        return of_models | {copy: of_models[name] for name in names if name in of_models for copy in names[name]}

    models = {name: {"network": name, **model} for name, model in config["models"].items()}
    selected = [copy for name in study["models"] for copy in names[name]]
    return config | {
        "models": each(models),
        "retraining": each(config["retraining"]),
        "study": study | {"models": selected, "variants": each(study["variants"])},
    }


def full_reproduction() -> dict[str, Any]:
    """Return the config of the full reproduction, with all defaults."""
    parts = [yaml.safe_load((REPOSITORY / name).read_text()) for name in ("config.yaml", "config/paper.yaml")]
    return load(merged(*parts)).model_dump(mode="json")


def merged(config: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """Return a config under an overlay, as Snakemake joins them."""
    both = {key: merged(config[key], overlay[key]) for key in config.keys() & overlay if isinstance(overlay[key], dict)}
    return {**config, **overlay, **both}


def dry_run(folder: Path, *profiler: str) -> Planned:
    command = [sys.executable, *profiler, "-m", "snakemake", "-n", "--quiet", "all", "--configfile", _CONFIG]
    files = ["--snakefile", REPOSITORY / "Snakefile", "--workflow-profile", REPOSITORY / "profiles/default"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "workflow")}
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen([*command, *files], cwd=folder, env=environment, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        said.seek(0)
        text = said.read().decode()
    if status:
        raise SystemExit(text)
    return Planned(int(_JOBS.findall(text)[-1]), seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def own_share(folder: Path) -> float:
    """Return the part of the time that this project's own code takes, by a profiler."""
    profile = folder / "profile"
    dry_run(folder, "-m", "cProfile", "-o", str(profile))
    taken = {place: values[2] for place, values in pstats.Stats(str(profile)).stats.items()}  # type: ignore[attr-defined]
    own = sum(seconds for (file, _, _), seconds in taken.items() if "/tocompress/" in file or file.endswith(".smk"))
    return own / sum(taken.values())


def main(copies: tuple[int, ...]) -> None:
    config = full_reproduction()
    print("copies   jobs  clock s  processor s  MB")
    for number in copies:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            prepare(REPOSITORY, folder)
            (folder / _CONFIG).write_text(yaml.safe_dump(copied(config, number)))
            planned = dry_run(folder)
            row = f"{number:6} {planned.jobs:6} {planned.seconds:8.1f} {planned.used:12.1f} {planned.megabytes:3.0f}"
            print(row, flush=True)
            if number == copies[0]:
                print(f"of this project's code: {own_share(folder):.1%}")


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or COPIES)
