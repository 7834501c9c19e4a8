"""Show at a terminal which jobs are done and running, and the time left: `snakemake --logger progress`."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from logging import ERROR, WARNING, LogRecord
from statistics import mean

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent


@dataclass
class Job:
    """A running job. While n jobs run beside each other, each gets an nth of the time as its `share`."""

    rule: str
    message: str
    began: float
    share: float = 0


class Run:
    """The jobs that are done, running and waiting. Times are in seconds, and `now` is from a monotonic clock."""

    def __init__(self, now: float) -> None:
        self.began = self.now = now
        self.done = self.total = self.failed = 0
        self.waiting: Counter[str] = Counter()
        self.running: dict[int, Job] = {}
        self.shares: defaultdict[str, list[float]] = defaultdict(list)

    def advance(self, now: float) -> None:
        for job in self.running.values():
            job.share += (now - self.now) / len(self.running)
        self.now = now

    def note(self, record: LogRecord) -> None:
        """Follow an event of Snakemake."""
        match getattr(record, "event", None), vars(record):
            case LogEvent.RUN_INFO, {"stats": stats}:
                self.waiting = Counter(stats)
                self.total = self.waiting.pop("total")
            case LogEvent.PROGRESS, {"done": done, "total": total}:
                self.done, self.total = done, total
            case LogEvent.JOB_INFO, {"jobid": number, "rule_name": rule, "rule_msg": message}:
                self.waiting[rule] -= 1
                self.running[number] = Job(rule, " ".join((message or rule).split()), self.now)
            case LogEvent.JOB_FINISHED, {"job_id": number} if number in self.running:
                job = self.running.pop(number)
                self.shares[job.rule].append(job.share)
            case LogEvent.JOB_ERROR, {"jobid": number}:
                self.running.pop(number, None)
                self.failed += 1

    def left(self) -> str:
        """Return the time left in words, from the times that the jobs of each rule have taken so far.

        The time is a lower bound where no job of a rule has ended, or none took as long as one still running. It is
        unknown where this bound is less than a tenth of the time so far.
        """
        seconds, complete = 0.0, True
        for rule, waiting in self.waiting.items():
            ended = self.shares[rule]
            running = [job.share for job in self.running.values() if job.rule == rule]
            if waiting > 0:
                seconds += waiting * mean(ended or [max(running, default=0)])
                complete &= bool(ended)
            for share in running:
                longer = [other for other in ended if other > share]
                seconds += mean(longer) - share if longer else 0
                complete &= bool(longer)
        if not complete and seconds <= (self.now - self.began) / 10:
            return "time left unknown"
        rough = f"{max(round(seconds, -1), 10):.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
        return f"{'' if complete else 'at least '}about {rough} left"


class LogHandler(LogHandlerBase):
    """A handler that draws at a terminal. Elsewhere and in a dry run, it prints Snakemake's lines (quiet: errors)."""

    writes_to_stream = True
    writes_to_file = has_filter = has_formatter = needs_rulegraph = False

    def __post_init__(self) -> None:
        settings = self.common_settings
        self.quiet = not {"ALL", "PROGRESS", "RULES"}.isdisjoint(kind.name for kind in settings.quiet or ())
        self.run = Run(time.monotonic())
        self.reading = threading.Lock()
        self.live: Live | None = None
        if not (self.quiet or settings.dryrun) and Console(stderr=True).is_interactive:
            console = Console(
                file=os.fdopen(os.dup(2), "w", errors="replace"), no_color=settings.nocolor or None, highlight=False
            )
            # A benchmark may be running, so this draws seldom.
            self.live = Live(
                console=console,
                get_renderable=self._draw,
                refresh_per_second=1,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self.live.start()
            # Lines that jobs write to the terminal must stand above the drawing, not in it.
            source, sink = os.pipe()
            os.dup2(sink, 2)
            os.close(sink)
            self.relay = threading.Thread(target=self._relay, args=(source, console), daemon=True)
            self.relay.start()

    def filter(self, record: LogRecord) -> bool:
        # The filter of a quiet Snakemake drops errors too.
        return record.levelno >= ERROR or (not self.quiet and bool(super().filter(record)))

    def emit(self, record: LogRecord) -> None:
        if self.live is None:
            print(self.format(record), file=sys.stdout if self.common_settings.stdout else sys.stderr, flush=True)
            return
        with self.reading:
            self.run.advance(time.monotonic())
            self.run.note(record)
        if record.levelno >= WARNING or record.getMessage().startswith("Nothing to be done"):
            style = "red" if record.levelno >= ERROR else "yellow" if record.levelno >= WARNING else ""
            self.live.console.print(Text(self.format(record), style), soft_wrap=True)
        elif hasattr(record, "event"):
            self.live.refresh()

    def close(self) -> None:
        if self.live and self.live.is_started:
            os.dup2(self.live.console.file.fileno(), 2)
            self.relay.join(timeout=1)
            self.live.stop()
            if self.run.total:
                done = self.run.done if self.run.done == self.run.total else f"{self.run.done} of {self.run.total}"
                failed = f", {self.run.failed} failed" if self.run.failed else ""
                self.live.console.print(f"{done} jobs in {clock(time.monotonic() - self.run.began)}{failed}")
        super().close()

    @staticmethod
    def _relay(source: int, console: Console) -> None:
        with os.fdopen(source, errors="replace") as lines:
            for line in lines:
                console.print(Text.from_ansi(line.rstrip("\n")), soft_wrap=True)

    def _draw(self) -> RenderableType:
        run = self.run
        if not run.total:
            return Text("Finding out what is to be done", "dim")
        whole, jobs = Table.grid(padding=(0, 2)), Table.grid(padding=(0, 2))
        with self.reading:
            run.advance(time.monotonic())
            whole.add_row(
                ProgressBar(run.total, run.done, width=20, complete_style="red" if run.failed else "green"),
                f"{run.done} of {run.total} jobs",
                f"{100 * run.done // run.total} %",
                clock(run.now - run.began),
                f"{run.failed} failed" if run.failed else run.left() if run.done < run.total else "",
            )
            jobs.add_column(width=7, justify="right")
            jobs.add_column(no_wrap=True, overflow="ellipsis")
            for job in run.running.values():
                jobs.add_row(clock(run.now - job.began), Text(job.message))
        return Group(whole, jobs)


def clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}" if minutes >= 60 else f"{minutes}:{second:02}"
