"""A job that can travel to a node asks for memory, time and disk by the size of its model."""

from __future__ import annotations

from graphlib import TopologicalSorter
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from dry_runs import REPOSITORY, Workflow
from snakemake.api import OutputSettings, ResourceSettings, SnakemakeApi
from snakemake.settings.enums import Quietness
from snakemake.utils import update_config

from tocompress.plan import Plan, plan, resources


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(REPOSITORY)
    config = yaml.safe_load(Path("config.yaml").read_text())
    update_config(config, yaml.safe_load(Path("config/paper.yaml").read_text()))
    return plan(config)


def test_every_rule_of_a_node_asks_for_memory_time_and_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, dryrun=True)) as api:
        workflow = api.workflow(resource_settings=ResourceSettings(cores=1), snakefile=Path("Snakefile"))._workflow
        local = {*workflow._localrules, "all", "zoo"}  # the targets compute nothing
        asking = {rule.name: rule.resources for rule in workflow.rules if rule.name not in local}
    missing = {"mem_mb", "runtime", "disk_mb"}
    assert {name: missing - set(asked) for name, asked in asking.items() if missing - set(asked)} == {}


def test_a_larger_model_asks_for_more_and_a_second_attempt_for_twice_as_much(paper: Plan) -> None:
    asked = paper.resources("export")
    small, large = (SimpleNamespace(model=name) for name in ("mobilenet_v1", "vgg_16"))
    assert asked["mem_mb"](small, attempt=1) < 1500 < 3000 < asked["mem_mb"](large, attempt=1)
    assert asked["disk_mb"](large) > 3 * 553
    for name in ("mem_mb", "runtime"):
        assert asked[name](large, attempt=2) == 2 * asked[name](large, attempt=1)


def test_the_weights_are_as_large_as_their_parameters(paper: Plan) -> None:
    models = paper.study.models
    assert round(resources.megabytes(models["vgg_16"])) == 553
    assert round(resources.megabytes(models["vgg_16"].model_copy(update={"width": 0.5}))) == 138


def test_no_job_asks_for_more_than_a_day(paper: Plan) -> None:
    runtime = paper.resources("prune", paper.retraining)["runtime"]
    assert runtime(SimpleNamespace(model="vgg_16"), attempt=2) == 24 * 60


def test_other_resources_make_nothing_due(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow.finish("smoke.yaml")
    more = {rule: resources.Need(9000, 9, 900) for rule in resources.NEEDS}
    monkeypatch.setattr(resources, "NEEDS", more)
    assert not workflow.due("smoke.yaml").rules


def test_no_job_stands_between_two_of_a_group(workflow: Workflow) -> None:
    """As one job, a group would wait for itself."""
    groups = yaml.safe_load((REPOSITORY / "profiles/slurm/profile.yaml").read_text())["groups"]
    jobs = workflow.due().records
    makers = {output: groups.get(job.rule_name, job.jobid) for job in jobs for output in job.output}
    graph: dict[str | int, set[str | int]] = {}
    for job in jobs:
        group = groups.get(job.rule_name, job.jobid)
        graph.setdefault(group, set()).update(makers[file] for file in job.input if file in makers)
    for group, needed in graph.items():
        needed.discard(group)
    TopologicalSorter(graph).prepare()
