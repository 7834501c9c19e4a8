"""A study of two tiny networks in a folder of its own, and Snakemake as a user starts it there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import psutil

from tocompress.schemas.study import VALUE

REPOSITORY = Path(__file__).parents[2]
_COPIED = ("CITATION.cff", "Snakefile", "config.yaml", "config", "rules", "profiles", "envs", "workflow")
_ANNOUNCED = re.compile(r"^Job (\d+): (.+)$", re.MULTILINE)
_FINISHED = re.compile(r"^Finished jobid: (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """A Snakemake that was started, and what it has printed."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def text(self) -> str:
        return self.log.read_text()

    @property
    def begun(self) -> list[str]:
        """The messages of the jobs that have begun; each job has another."""
        return [message for _, message in _ANNOUNCED.findall(self.text)]

    @property
    def finished(self) -> list[str]:
        """The messages of the jobs that have ended well."""
        messages = dict(_ANNOUNCED.findall(self.text))
        return [messages[job] for job in _FINISHED.findall(self.text) if job in messages]

    def until(self, condition: Callable[[], bool], seconds: float = 900) -> None:
        """Wait for something to hold while the run is at work."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None and time.monotonic() < deadline, self.text
            time.sleep(0.02)

    def end(self, seconds: float | None = None) -> int:
        """Wait for the exit code: without a limit of its own, as long as the test may take."""
        return self.process.wait(seconds)

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def kill(self) -> list[psutil.Process]:
        """Kill Snakemake, and it alone; returns what is still there of its jobs when they had time to end."""
        jobs = self.descendants()
        self.process.kill()
        self.process.wait()
        deadline = time.monotonic() + 3
        while (alive := [job for job in jobs if _is_alive(job)]) and time.monotonic() < deadline:
            time.sleep(0.02)
        return alive


@dataclass(frozen=True)
class SmallStudy:
    """The repository's workflow, copied: nobody edits it meanwhile."""

    folder: Path
    runs: list[Run] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in _COPIED:
            source = REPOSITORY / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, self.folder / name)
        (self.folder / "zoo").symlink_to(REPOSITORY / "zoo")
        shutil.copy(Path(__file__).with_name("study.yaml"), self.folder)

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def start(self, *arguments: str, prefix: tuple[str, ...] = ()) -> Run:
        """The same command for each call with the same arguments."""
        log = self.folder / f"{len(self.runs)}.txt"
        command = [*prefix, sys.executable, "-m", "snakemake", "--cores", "2", *arguments, "--configfile", "study.yaml"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={key: value for key, value in os.environ.items() if not key.startswith("TOCOMPRESS")},
                start_new_session=True,
                # What a shell starts in the background is deaf to Ctrl-C, and so are these tests and what they start.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        self.runs.append(Run(process, log))
        return self.runs[-1]

    def run(self, *arguments: str, prefix: tuple[str, ...] = ()) -> Run:
        """A run that has ended."""
        run = self.start(*arguments, prefix=prefix)
        run.end()
        return run

    def files(self) -> set[str]:
        """All that is there of the results, hidden files included."""
        return {str(path.relative_to(self.results)) for path in self.results.rglob("*") if not path.is_dir()}

    def an_epoch_is_done(self) -> bool:
        """Return whether a retraining has kept its state."""
        return any(self.results.rglob("state.npz"))

    def stop(self) -> None:
        """End what a failed test has left."""
        for run in self.runs:
            if run.process.poll() is None:
                run.kill()


def _is_alive(process: psutil.Process) -> bool:
    """Whether it runs; one that has ended may stay in the table until its parent looks."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def assert_equal(one: SmallStudy, other: SmallStudy) -> None:
    """The same files, of the same bytes unless something in them was timed, and then the same but for that."""
    assert one.files() == other.files()
    for file in sorted(one.files()):
        first, second = one.results / file, other.results / file
        if not _is_timed(file):
            assert first.read_bytes() == second.read_bytes(), file
        elif file.endswith(".parquet"):
            pd.testing.assert_frame_equal(_untimed(first), _untimed(second), obj=file)


def _is_timed(file: str) -> bool:
    """Benchmarks and what is made of them, the seconds of epochs, and what jobs print."""
    kind, _, rest = file.removeprefix("crashes/").partition("/")
    timed = {"logs", "history", "figures", "study.parquet", "claims.parquet", "report.html", "provenance"}
    return kind in timed or (kind == "benchmarks" and not rest.startswith("inputs/"))


def _untimed(file: Path) -> pd.DataFrame:
    """A table without the numbers that no two runs share: of a device, of a clock."""
    table = pd.read_parquet(file)
    if file.name == "study.parquet":
        measured = table["device"].notna()
        identity = [name for name in table.columns if name not in VALUE or name in ("metric", "label", "unit")]
        return pd.concat([table[~measured], table.loc[measured, identity]], ignore_index=True)
    if file.name == "claims.parquet":
        return table[["claim", "statement", "unit", "paper", "paper_high", "bound", "margin"]]
    if "history" in file.parts:
        return table[table["metric"] != "seconds"].reset_index(drop=True)
    return pd.DataFrame({"column": table.columns})
