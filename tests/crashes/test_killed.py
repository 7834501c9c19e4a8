"""A run that is killed at any moment goes on with the same command, as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial

import pytest
from small_study import Run, SmallStudy, assert_equal

#: Retraining, and what it takes; no benchmark.
PRUNED = ("results/crashes/weights/mobilenet_v1/p50.safetensors", "results/crashes/weights/gnmt/fp32.safetensors")


def begun(message: str) -> Callable[[SmallStudy], bool]:
    """Return whether a job has begun in the last run of a study."""
    return lambda study: any(message in each for each in study.runs[-1].begun)


#: What each kill waits for. Then it comes within a second, and without a condition within 12.
KILLED = (
    *(None, begun("Pruning mobilenet_v1 to p50"), SmallStudy.an_epoch_is_done),
    *(None, begun("Measuring"), None, begun("Aggregating")),
)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> SmallStudy:
    """The whole study, run at once."""
    study = SmallStudy(tmp_path_factory.mktemp("undisturbed"))
    assert study.run().end() == 0, study.runs[-1].text
    return study


def kill(run: Run) -> None:
    assert run.process.poll() is None, run.text
    left = run.kill()
    assert not left, f"{left} outlived Snakemake"


def assert_nothing_twice(study: SmallStudy) -> None:
    """No job that had finished has begun again."""
    done: set[str] = set()
    for run in study.runs:
        assert not done.intersection(run.begun), run.text
        done.update(run.finished)


def test_a_run_killed_twice_goes_on_with_the_same_command(study: SmallStudy) -> None:
    first = study.start(*PRUNED)
    first.until(partial(begun("Acquiring"), study))
    kill(first)
    second = study.start(*PRUNED)
    second.until(study.an_epoch_is_done)
    kill(second)
    last = study.run(*PRUNED)
    assert last.end() == 0, last.text
    assert "epoch 1/2" not in (study.results / "crashes/logs/prune/mobilenet_v1/p50.log").read_text()
    assert_nothing_twice(study)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_run_killed_at_any_moment_goes_on_with_the_same_command(study: SmallStudy, undisturbed: SmallStudy) -> None:
    moments = random.Random(1)
    for condition in KILLED:
        run = study.start()
        if condition:
            run.until(partial(condition, study))
        time.sleep(moments.uniform(0, 1 if condition else 12))
        kill(run)
    last = study.run()
    assert last.end() == 0, last.text
    assert_nothing_twice(study)
    assert_equal(study, undisturbed)


@pytest.mark.long
def test_a_run_that_is_stopped_twice_goes_on_with_the_same_command(study: SmallStudy) -> None:
    log = study.results / "crashes/logs/prune/mobilenet_v1/p50.log"
    # Ctrl-C is sent to all. A signal by hand is sent to Snakemake, which lets its jobs end.
    for stop, number in ((os.killpg, signal.SIGINT), (os.kill, signal.SIGTERM)):
        log.unlink(missing_ok=True)
        run = study.start(*PRUNED)
        # Before that, Python is starting, and tells of a Ctrl-C in its own way.
        run.until(log.exists)
        stop(run.process.pid, number)
        assert run.end() != 0
        assert "Traceback" not in run.text, run.text
    last = study.run(*PRUNED)
    assert last.end() == 0, last.text
    assert_nothing_twice(study)
    assert not [file for file in study.files() if ".partial" in file or ".resume" in file]
