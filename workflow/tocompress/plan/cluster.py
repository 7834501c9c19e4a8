"""Cluster: before a job runs, refuse a session that no known node can hold."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from typing import Any

from tocompress.errors import StudyError
from tocompress.plan.base import Stage, stop
from tocompress.settings.device import LocalDevice


class Cluster(Stage):
    """The check of a run whose jobs are sent to the nodes of a cluster."""

    def check_cluster(self, jobs: Iterable[Any]) -> None:
        """End the program with one line where one of Snakemake's jobs measures a machine that nobody chose."""
        try:
            for job in jobs:
                self._check(job.rule.name, job.wildcards)
        except StudyError as error:
            stop(error)

    def _check(self, rule: str, wildcards: Any) -> None:
        match rule:
            case "benchmark":
                self._check_partition(wildcards.device)
            case "check_device":
                self._check_reached_from_head(wildcards.device, "check_device")
            case "search":
                self._check_reached_from_head(self.study.search[wildcards.model].device, "search")

    def _check_partition(self, name: str) -> None:
        device = self.study.devices[name]
        if not isinstance(device, LocalDevice):
            return
        known = partitions()
        there = f"sinfo knows {', '.join(sorted(known))}" if known else "`sinfo -o %R` lists them"
        if device.partition is None:
            raise StudyError(f"devices.{name}.partition: is missing; on a cluster name one of alike nodes ({there})")
        if known and device.partition not in known:
            raise StudyError(f"devices.{name}.partition: there is no '{device.partition}' ({there})")

    def _check_reached_from_head(self, name: str, rule: str) -> None:
        if isinstance(self.study.device(name), LocalDevice):
            raise StudyError(
                f"devices.{name}: '{rule}' would measure the head of this run; on a node of the device, run the command"
                " without the cluster's profile, as in `srun --exclusive -p PARTITION snakemake --cores all ...`"
            )


@cache
def partitions() -> frozenset[str]:
    """Return the names of Slurm's partitions, or none where Slurm does not tell them."""
    if not shutil.which("sinfo"):
        return frozenset()
    told = subprocess.run(["sinfo", "-h", "-o", "%R"], capture_output=True, text=True, check=False)
    return frozenset(told.stdout.split())
