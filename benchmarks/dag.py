"""Time of a dry run of the full reproduction, alternating between this repository and others.

    PYTHONPATH=workflow python benchmarks/dag.py [another clone, ...]

Each is dry-run as from the command line, in a folder of its own where ImageNet's files are as good as there. Prints the
number of jobs, and the median and the fastest of the seconds by the clock and by the processors.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 9
REPOSITORY = Path(__file__).resolve().parents[1]
PHOTOGRAPHS = ("ILSVRC2012_img_val.tar", "ILSVRC2012_devkit_t12.tar.gz", "ILSVRC2012_img_train.tar")
_JOBS = re.compile(r"^total +(\d+)$", re.MULTILINE)


def prepare(repository: Path, folder: Path) -> None:
    shutil.copy(repository / "config.yaml", folder)
    for name in ("config", "workflow", "zoo"):
        (folder / name).symlink_to(repository / name)
    (folder / "imagenet").mkdir()
    for name in PHOTOGRAPHS:
        (folder / "imagenet" / name).touch()


def dry_run(repository: Path, folder: Path) -> tuple[int, float, float]:
    """Number of jobs, seconds by the clock, and seconds of user and system."""
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "all", "--snakefile", repository / "Snakefile"]
    profile = ["--workflow-profile", repository / "profiles/default", "--configfile", "config/paper.yaml"]
    environment = os.environ | {"PYTHONPATH": str(repository / "workflow")}
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(
        [*command, *profile], cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    seconds, after = time.perf_counter() - start, os.times()
    used = after.children_user - before.children_user + after.children_system - before.children_system
    return int(_JOBS.findall(done.stdout.decode())[-1]), seconds, used


def main(repositories: list[Path]) -> None:
    found: dict[Path, list[tuple[int, float, float]]] = {repository: [] for repository in repositories}
    with tempfile.TemporaryDirectory() as scratch:
        folders = {repository: Path(scratch, str(number)) for number, repository in enumerate(repositories)}
        for repository, folder in folders.items():
            folder.mkdir()
            prepare(repository, folder)
            dry_run(repository, folder)  # compiles, and fills the caches
        for _ in range(ROUNDS):
            for repository, folder in folders.items():
                found[repository].append(dry_run(repository, folder))
    print("jobs  clock: median  fastest  processors: median  fastest")
    for repository, runs in found.items():
        jobs, clock, used = zip(*runs, strict=True)
        medians = statistics.median(clock), statistics.median(used)
        print(f"{jobs[0]:4}  {medians[0]:13.2f}  {min(clock):7.2f}  {medians[1]:18.2f}  {min(used):7.2f}  {repository}")


if __name__ == "__main__":
    main([REPOSITORY, *(Path(clone).resolve() for clone in sys.argv[1:])])
