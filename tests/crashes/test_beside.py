"""Two runs in a folder, and a clock that was set back between two."""

from __future__ import annotations

import os
import time

import pytest
from small_study import SmallStudy

FIRST = ("results/crashes/data/glyphs/test.npz", "results/crashes/weights/mobilenet_v1/q8.safetensors")


def test_a_second_run_is_refused_in_one_line_and_harms_nothing(study: SmallStudy) -> None:
    first = study.start(*FIRST)
    first.until(lambda: any("Acquiring" in message for message in first.begun))
    dry, second = study.start("--dry-run", *FIRST), study.start(*FIRST)
    assert dry.end() == 0, dry.text
    assert second.end() == 1
    # As a job of a cluster: it belongs to the run.
    job = study.run("results/crashes/data/glyphs/train.npz", "--mode", "remote", "--executor", "local", "--nolock")
    assert job.end() == 0, job.text
    (error,) = [line for line in second.text.splitlines() if "Error" in line or "Exception" in line]
    assert error.startswith(f"Error: another run is at work in this folder (process {first.process.pid} on ")
    assert not second.begun
    assert first.end() == 0, first.text
    assert "Nothing to be done" in study.run(*FIRST).text


@pytest.mark.parametrize("profile", [(), ("--workflow-profile", "none")], ids=["default profile", "no profile"])
def test_a_killed_run_leaves_no_lock_whatever_the_profile(study: SmallStudy, profile: tuple[str, ...]) -> None:
    first = study.start(*profile, *FIRST[:1])
    first.until(lambda: bool(first.begun))
    first.kill()
    # As it is where the run is killed before it takes our lock.
    (study.folder / ".snakemake/locks").mkdir(exist_ok=True)
    (study.folder / ".snakemake/locks/0.output.lock").write_text(f"{study.folder}/{FIRST[0]}\n{FIRST[0]}\n")
    last = study.run(*profile, *FIRST[:1])
    assert last.end() == 0, last.text
    assert not list((study.folder / ".snakemake/scripts").iterdir())


@pytest.mark.long
def test_a_clock_that_was_set_back_is_no_matter(study: SmallStudy) -> None:
    assert study.run(FIRST[1]).end() == 0
    hour_later = time.time() + 3600
    for place in (study.results, study.folder / ".snakemake"):
        for file in place.rglob("*"):
            os.utime(file, (hour_later, hour_later))
    more = ("results/crashes/artifacts/tensorflow/mobilenet_v1/q8.pb", *FIRST)
    last = study.run(*more)
    assert last.end() == 0, last.text
    assert not any("Acquiring" in message or "Quantizing" in message for message in last.begun)
    assert "Nothing to be done" in study.run(*more).text
