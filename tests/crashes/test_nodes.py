"""A job on a node outlives its head, and ends before another run begins."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from small_study import Run, SmallStudy

PRUNED = "results/crashes/weights/mobilenet_v1/p50.safetensors"
#: A Snakemake as a cluster starts it on a node.
ON_A_NODE = ("--mode", "remote", "--executor", "local", "--nolock", "--force")


def killed_head(study: SmallStudy) -> str:
    """Return the line of a head that was killed."""
    code = "from tocompress import head; head.begin(elsewhere=True); print(flush=True); import time; time.sleep(60)"
    library = {"PYTHONPATH": str(study.folder / "workflow")}
    head = subprocess.Popen(
        [sys.executable, "-c", code], cwd=study.folder, env=os.environ | library, stdout=subprocess.PIPE
    )
    assert head.stdout and head.stdout.readline()
    head.kill()
    head.communicate()
    return (study.folder / ".snakemake/run.lock").read_text().strip()


def on_a_node(study: SmallStudy, head: str) -> Run:
    return study.start(*ON_A_NODE, PRUNED, prefix=("env", f"TOCOMPRESS_HEAD={head}"))


@pytest.mark.long
def test_a_job_of_a_killed_head_ends_and_the_next_run_goes_on_from_there(study: SmallStudy) -> None:
    assert study.run(PRUNED, "--until", "acquire", "images").end() == 0
    head = killed_head(study)
    job = on_a_node(study, head)
    job.until(study.an_epoch_is_done)
    script = next(process for process in job.descendants() if "prune.py" in " ".join(process.cmdline()))
    script.suspend()
    last = study.start(PRUNED)
    assert job.end() == -9, job.text
    # The last sign of life of the job keeps the next run waiting.
    last.until(lambda: "Waiting for the jobs of a run that was killed to end" in last.text)
    assert not last.begun
    script.resume()
    assert last.end() == 0, last.text
    assert last.begun == ["Pruning mobilenet_v1 to p50"]
    assert "epoch 1/2" not in (study.results / "crashes/logs/prune/mobilenet_v1/p50.log").read_text()
    # What waited in the queue comes too late. It removes nothing.
    made = (study.folder / PRUNED).stat()
    late = on_a_node(study, head)
    assert late.end() == 1 and not late.begun, late.text
    assert (study.folder / PRUNED).stat() == made
    assert "Nothing to be done" in study.run(PRUNED).text and "Waiting" not in study.runs[-1].text
