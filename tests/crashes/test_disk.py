"""A disk that is full or not to be written to: one line says so, nothing is lost, and the same command goes on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_study import SmallStudy

WEIGHTS = tuple(f"results/crashes/weights/{file}.safetensors" for file in ("mobilenet_v1/fp32", "mobilenet_v1/q8"))


def mounting(script: str) -> tuple[str, ...]:
    """What runs a command after a script that mounts something, for the two alone."""
    return ("unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", f'{script}; "$@"', "sh")


@pytest.fixture(scope="module", autouse=True)
def can_mount() -> None:
    if not shutil.which("unshare") or subprocess.run([*mounting("mount -t tmpfs tmpfs /mnt"), "true"]).returncode:
        pytest.skip("needs `unshare` and user namespaces, to mount a small disk")


@pytest.fixture
def study(tmp_path: Path) -> Iterator[SmallStudy]:
    study = SmallStudy(tmp_path)
    study.results.mkdir()
    yield study
    study.stop()


def errors(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("Error: ")]


@pytest.mark.long
def test_a_full_disk_is_one_line_and_goes_on_when_there_is_room(study: SmallStudy) -> None:
    first, kept = study.run(WEIGHTS[0]), study.folder / "kept"
    assert first.end() == 0, first.text
    # How much the first job takes differs between machines, so the disk is made to leave no room for the second one.
    room = 64 + sum(-(-file.stat().st_size // 4096) * 4 + 4 for file in study.results.rglob("*"))
    full = study.run(
        *WEIGHTS,
        prefix=mounting(
            f"cp -a results whole; mount -t tmpfs -o size={room}k tmpfs results; cp -a whole/. results;"
            " trap 'cp -a results kept' 0"
        ),
    )
    assert full.end() != 0
    assert errors(full.text) == [
        f"Error: {WEIGHTS[1]}: cannot be written: No space left on device; the same command goes on once that is mended"
    ], full.text
    assert "Traceback" not in full.text
    files = [file for file in kept.rglob("*") if file.is_file()]
    tables = {str(file.relative_to(kept)) for file in files if not {"logs", "provenance"} & {*file.parts}}
    assert tables == {WEIGHTS[0].removeprefix("results/")}
    shutil.rmtree(study.results)
    kept.rename(study.results)
    last = study.run(*WEIGHTS)
    assert last.end() == 0, last.text
    assert not any("Acquiring" in message for message in last.begun), "what was whole is not made again"


def test_results_that_cannot_be_written_are_one_line(study: SmallStudy) -> None:
    run = study.run(*WEIGHTS, prefix=mounting("mount --bind results results; mount -o remount,ro,bind results"))
    assert run.end() == 1
    assert errors(run.text) == [
        f"Error: {study.results}: cannot be written to; it is where all that a run makes goes"
    ], run.text
    assert "Traceback" not in run.text and not run.begun
