"""The plan of config/paper.yaml on a cluster: jobs, core hours, disk and wall time of each stage, as a table.

PYTHONPATH=workflow:tests/dag python benchmarks/plan_of_paper.py [cores]

A dry run with stand-ins for ImageNet counts the jobs. Their times follow from the rates below.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from dry_runs import REPOSITORY, Workflow, with_imagenet
from snakemake.utils import update_config

from tocompress.plan.resources import megabytes
from tocompress.settings.study import Study, load
from tocompress.settings.technique import Prune
from tocompress.vocabulary.variants import BASELINE

#: Billions of multiply-adds of an image, as published with the networks, and of a sentence of 25 subwords.
WORK = {
    **{"inception_v1": 1.5, "inception_v2": 2.0, "inception_v3": 5.7, "inception_v4": 12.3, "mobilenet_v1": 0.57},
    **{"resnet_v1_50": 3.9, "resnet_v1_101": 7.6, "resnet_v1_152": 11.3, "vgg_16": 15.5, "vgg_19": 19.6, "gnmt": 5.3},
}
#: Measured: billions of multiply-adds a second of a core (VGG-16: 0.78 s an image), and seconds of jobs.
CORE, OVERHEAD, SECONDS_PER_MB = 20.0, 10.0, {"export": 0.07, "acquire": 0.03, "compress": 0.01, "trace": 0.01}
#: Computed: billions of multiply-adds a second of a GPU that trains at a quarter of 20 TFLOP/s in 32 bits.
GPU, GPUS = 2_500.0, 4
IMAGES, SENTENCES, TRAINING, RANKED = 50_000, 3_003, 1_281_167, 768
#: Of the forward and the backward pass.
STEP = 3

#: The rules of each stage, the processors that they use, and the basis of their times.
STAGES = {
    "files": (("download", "extract", "photographs", "corpus"), "the head and a node", "computed: 148 GB at 100 MB/s"),
    "acquire": (("acquire",), "cores", "measured: VGG-16 in 15 s"),
    "compress": (("compress", "rank"), "cores", "measured: GNMT in 5 s; ranking computed from the rate of a core"),
    "prune and retrain": (("prune",), "GPUs", "computed from a GPU of 20 TFLOP/s, a quarter used"),
    "export": (("trace", "export", "inputs"), "cores", "measured: VGG-16 in 37 s"),
    "evaluate": (("predict_shard",), "cores", "computed from VGG-16, measured: 0.78 s an image"),
    "scores": (("gather", "score"), "cores", "measured: 2 s, and the start of a job"),
    "benchmark": (("benchmark_board",), "the board", "limit of the config: 4 hours, without power"),
    "aggregate, plot": (("aggregate", "claims", "figure", "report"), "cores", "measured: 1 to 5 s, and the start"),
}


@dataclass
class Total:
    jobs: int = 0
    seconds: list[float] = field(default_factory=list)
    megabytes: float = 0


def main(cores: int) -> None:
    """Print the table."""
    study = paper()
    totals: defaultdict[str, Total] = defaultdict(Total)
    stages = {rule: name for name, (rules, _, _) in STAGES.items() for rule in rules}
    for record in due():
        if record.rule_name in stages:
            total = totals[stages[record.rule_name]]
            total.jobs += 1
            total.seconds.append(seconds(study, record.rule_name, record.wildcards))
            total.megabytes += written(study, record.rule_name, record.wildcards)
    print("| stage | jobs | hours | disk | wall time | basis of the time |\n|---|---|---|---|---|---|")
    for name, (_, on, basis) in STAGES.items():
        total = totals[name]
        wall = max(max(total.seconds), sum(total.seconds) / {"cores": cores, "GPUs": GPUS}.get(on, 1))
        hours = f"{sum(total.seconds) / 3600:.1f} of {on}"
        disk = f"{total.megabytes / 1000:.1f} GB" if total.megabytes else ""
        print(f"| {name} | {total.jobs} | {hours} | {disk} | {_time(wall)} | {basis} |")


def _time(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"


def paper() -> Study:
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    update_config(config, yaml.safe_load((REPOSITORY / "config/paper.yaml").read_text()))
    return load(config)


def due() -> list[Any]:
    """Return the jobs of a dry run in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return with_imagenet(Workflow(Path(folder))).due("paper.yaml").records


def seconds(study: Study, rule: str, job: dict[str, str]) -> float:
    """Return the time of a job on the processor of its stage."""
    if rule in STAGES["files"][0]:
        return 148_000 / 100 / 20
    if rule == "benchmark_board":
        return study.benchmark.maximum_seconds
    started = OVERHEAD + SECONDS_PER_MB.get(rule, 0) * (megabytes(study.models[job["model"]]) if "model" in job else 0)
    if rule == "predict_shard":
        return started + examples(job) * WORK[job["model"]] / study.evaluation.prediction.shards / CORE
    if rule == "rank":
        return started + STEP * RANKED * WORK[job["model"]] / CORE
    retraining = study.retraining.get(job.get("model", ""))
    if rule == "prune" and retraining and job["model"] != "gnmt":
        passes = STEP * retraining.epochs * len(retraining.learning_rates) * TRAINING
        return started + passes * WORK[job["model"]] / GPU
    return started


def examples(job: dict[str, str]) -> int:
    return SENTENCES if job["model"] == "gnmt" else IMAGES


def written(study: Study, rule: str, job: dict[str, str]) -> float:
    """Return the MB that a job writes: weights or an artifact, or its downloads."""
    if rule == "download":
        return 3_000 / 12
    if rule not in ("acquire", "compress", "prune", "export"):
        return 0
    return megabytes(study.models[job["model"]]) * share(study, job.get("variant", BASELINE))


def share(study: Study, variant: str) -> float:
    """Return the size of a variant as a share of the uncompressed model's, by its bits and its filters."""
    size = 1.0
    for technique in study.techniques_in(variant):
        if isinstance(technique, Prune):
            size *= (1 - technique.share) ** 2
        else:
            size *= (technique.uniform_bits or 32) / 32
    return size


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
