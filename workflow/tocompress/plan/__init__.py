"""This package tells Snakemake the files and settings of each job. Each file of rules/ has one module here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tocompress.errors import StudyError
from tocompress.paths import Paths
from tocompress.plan.acquire import Acquire, check_files
from tocompress.plan.aggregate import Aggregate
from tocompress.plan.base import stop
from tocompress.plan.bundle import Bundle
from tocompress.plan.check_model import CheckModel
from tocompress.plan.cluster import Cluster
from tocompress.plan.compare import Compare
from tocompress.plan.compress import Compress
from tocompress.plan.devices import Devices
from tocompress.plan.evaluate import Evaluate
from tocompress.plan.export import Export
from tocompress.plan.plot import Plot
from tocompress.plan.publish import Publish
from tocompress.plan.resources import Resources
from tocompress.plan.search import Search
from tocompress.plan.sensitivity import Sensitivity
from tocompress.plan.zoo import Zoo
from tocompress.settings.base import check_keys
from tocompress.settings.study import load
from tocompress.vocabulary.figures import FIGURES
from tocompress.vocabulary.variants import BASELINE


class Plan(
    Acquire,
    Compress,
    Export,
    Resources,
    Evaluate,
    Compare,
    Aggregate,
    Plot,
    Sensitivity,
    Search,
    Zoo,
    Devices,
    Cluster,
    CheckModel,
    Bundle,
    Publish,
):
    """All stages of a study."""

    @property
    def wildcards(self) -> dict[str, str]:
        """Return a pattern of the values of each wildcard. A path with another value is no target."""
        variant = f"{BASELINE}|{self.variants_by(*self.study.techniques)}"
        return {
            "model": "|".join(self.study.models),
            "variant": variant,
            "structure": variant,
            "runtime": "|".join(self.study.study.runtimes),
            "device": "|".join(self.study.devices),
            "in_mode": self.in_mode,
            "dataset": "|".join(self.study.data),
            "split": "train|calibration|test",
            "figure": "|".join(FIGURES),
            "address": self.addresses,
            "member": ".+",
            "other": "[a-z][a-z0-9_]*",
        }


def plan(
    config: Mapping[str, Any],
    files: Iterable[str | Path] = (),
    on_cluster: Callable[[], bool] = lambda: False,
) -> Plan:
    """Return the plan of a config that was read from `files`. A wrong config ends the program with one line.

    `on_cluster` tells whether jobs run on the nodes of a cluster.
    """
    try:
        for file in files:
            if Path(file).is_file():
                check_keys(file)
        study = load(config)
        check_files(study)
    except StudyError as error:
        stop(error)
    paths = Paths(f"results/{study.study.name}", study.study.trial)
    return Plan(study, paths, on_cluster)
