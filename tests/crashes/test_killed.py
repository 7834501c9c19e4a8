"""A run that is killed at any moment goes on with the same command, as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest
from small_study import Run, SmallStudy, assert_equal

#: Retraining, and what it takes; no benchmark.
PRUNED = ("results/crashes/weights/mobilenet_v1/p50.safetensors", "results/crashes/weights/gnmt/fp32.safetensors")
KILLS = 12
#: Kills that hit what takes long, or comes last; the others come at any moment.
WHILE = {3: "Pruning mobilenet_v1 to p50", 4: "Pruning mobilenet_v1 to p50", 9: "Measuring", 10: "Measuring"}
WHILE[KILLS - 1] = "Aggregating"


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


def test_a_run_killed_twice_goes_on_with_the_same_command(
    study: SmallStudy, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = study.start(*PRUNED)
    first.until(lambda: any("Acquiring" in message for message in first.begun))
    kill(first)
    second = study.start(*PRUNED)
    second.until(lambda: any(study.results.rglob("state.npz")))
    kill(second)
    last = study.run(*PRUNED)
    assert last.end() == 0, last.text
    assert "epoch 1/2" not in (study.results / "crashes/logs/prune/mobilenet_v1/p50.log").read_text()
    assert_nothing_twice(study)
    at_once = SmallStudy(tmp_path_factory.mktemp("at_once"))
    assert at_once.run(*PRUNED).end() == 0
    assert_equal(study, at_once)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_run_killed_at_any_moment_goes_on_with_the_same_command(study: SmallStudy, undisturbed: SmallStudy) -> None:
    moments = random.Random(1)
    for number in range(KILLS):
        run = study.start()
        if number in WHILE:
            run.until(lambda run=run, job=WHILE[number]: any(job in message for message in run.begun))
        time.sleep(moments.uniform(0, 4 if number in WHILE else 12))
        kill(run)
    last = study.run()
    assert last.end() == 0, last.text
    assert_nothing_twice(study)
    assert_equal(study, undisturbed)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.long
def test_a_run_that_is_stopped_goes_on_with_the_same_command(study: SmallStudy, number: signal.Signals) -> None:
    first = study.start(*PRUNED)
    # Before that, Python is starting, and tells of a Ctrl-C in its own way.
    first.until((study.results / "crashes/logs/prune/mobilenet_v1/p50.log").exists)
    # Ctrl-C is sent to all, a signal by hand to Snakemake.
    stop = os.killpg if number == signal.SIGINT else os.kill
    stop(first.process.pid, number)
    assert first.end() != 0
    assert "Traceback" not in first.text, first.text
    last = study.run(*PRUNED)
    assert last.end() == 0, last.text
    assert_nothing_twice(study)
    assert not [file for file in study.files() if ".partial" in file or ".resume" in file]
