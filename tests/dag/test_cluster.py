"""A run on a cluster measures machines that its config names, and nothing is submitted for another."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from dry_runs import REPOSITORY

from tocompress.plan import Plan, cluster, plan

CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
SEARCH = {
    **{"device": "host", "runtime": "litert", "requirements": {"top1": {"lose at most": 2}}},
    **{"space": {"bits": [8]}, "budget": "20 minutes"},
}


def planned(partition: str | None = None, on_cluster: bool = True) -> Plan:
    devices = CONFIG["devices"] | {"host": CONFIG["devices"]["host"] | {"partition": partition}}
    config = CONFIG | {"devices": devices, "search": {"vgg_16": SEARCH}}
    return plan(config, on_cluster=lambda: on_cluster)


def job(rule: str, **wildcards: str) -> Any:
    return SimpleNamespace(rule=SimpleNamespace(name=rule), wildcards=SimpleNamespace(**wildcards))


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "partitions", lambda: frozenset({"milan", "rome"}))


@pytest.mark.parametrize(
    ("partition", "job", "key"),
    [
        (None, job("benchmark", device="host"), "devices.host.partition: is missing"),
        ("genoa", job("benchmark", device="host"), "devices.host.partition: there is no 'genoa'"),
        ("rome", job("check_device", device="host"), "devices.host: 'check_device'"),
        ("rome", job("search", model="vgg_16"), "devices.host: 'search'"),
    ],
)
def test_a_session_on_a_machine_that_nobody_named_is_refused_in_one_line(
    partition: str | None, job: Any, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        planned(partition).check_cluster([job])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Error: {key}")


def test_named_nodes_boards_and_other_jobs_are_fine() -> None:
    boards = [job("benchmark_board", device="tx2"), job("check_device", device="tx2")]
    planned("rome").check_cluster([job("benchmark", device="host"), job("prune", model="vgg_16"), *boards])


def test_partitions_that_slurm_does_not_tell_are_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "partitions", lambda: frozenset())
    planned("genoa").check_cluster([job("benchmark", device="host")])


@pytest.mark.parametrize("on_cluster", [False, True])
def test_a_session_takes_this_machine_or_a_node_alone(on_cluster: bool) -> None:
    study, host = planned("rome", on_cluster), SimpleNamespace(device="host")
    asked = {name: function(host) for name, function in study.node.items()}
    threads = study.benchmark_threads(host)
    if on_cluster:
        assert (threads, asked) == (
            CONFIG["devices"]["host"]["threads"],
            {"slurm_partition": "rome", "slurm_extra": "--exclusive"},
        )
    else:
        assert threads >= 10_000
        assert asked == {"slurm_partition": None, "slurm_extra": None}
