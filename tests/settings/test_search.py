"""Requirements are read in the units of their metrics, and a search that cannot be run gets one line."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tocompress.errors import StudyError
from tocompress.settings.search import Search
from tocompress.settings.study import Study, load

CONFIG = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text(encoding="utf-8"))
SEARCH: dict[str, Any] = {
    "device": "host",
    "runtime": "litert",
    "requirements": {
        "top1": {"lose at most": 1},
        "latency": {"at most": "20 ms"},
        "size": {"at most": "4 MB"},
    },
    "minimize": "latency",
    "space": {"bits": [4, 6, 8], "arithmetic": ["integer", "float"], "share": [0, 0.15, 0.3, 0.5], "groups": 4},
    "budget": "20 minutes",
}


def study(model: str = "resnet_v1_50", **others: Any) -> Study:
    return load(copy.deepcopy(CONFIG) | {"search": {model: SEARCH | others}})


def test_a_search_means_the_same_after_being_written() -> None:
    found = study()
    assert Study.model_validate_json(found.canonical()) == found
    assert found.search["resnet_v1_50"].limits == (
        ("top1", "lose at most", 0.01),
        ("latency", "at most", 20.0),
        ("size", "at most", 4e6),
    )


@pytest.mark.parametrize(
    ("metric", "kind", "given", "bound"),
    [
        ("latency", "at most", "0.02 s", 20.0),
        ("latency", "at most", "2e1ms", 20.0),
        ("latency", "at most", 20, 20.0),
        ("size", "at most", "4096 B", 4096.0),
        ("size", "at most", "1.5 kB", 1500.0),
        ("memory", "at most", "2 GB", 2e9),
        ("energy", "at most", "50 mJ", 0.05),
        ("power_mean", "at most", "3 W", 3.0),
        ("top1", "at least", "85 %", 0.85),
        ("top5", "at least", 85, 0.85),
        ("bleu", "lose at most", 1, 1.0),
        ("bleu", "at least", "25.5", 25.5),
    ],
)
def test_a_quantity_is_in_the_unit_of_its_metric(metric: str, kind: str, given: object, bound: float) -> None:
    search = Search.model_validate(SEARCH | {"requirements": {metric: {kind: given}}})
    assert search.limits == ((metric, kind, pytest.approx(bound)),)


@pytest.mark.parametrize(
    ("budget", "seconds"), [("20 minutes", 1200), ("1 minute", 60), ("90 s", 90), ("2 hours", 7200), (30, 30)]
)
def test_a_budget_is_in_seconds(budget: object, seconds: float) -> None:
    assert Search.model_validate(SEARCH | {"budget": budget}).budget == seconds


REQUIRED = "resnet_v1_50.requirements"


@pytest.mark.parametrize(
    ("model", "others", "message"),
    [
        ("resnet_v1_51", {}, "search: 'resnet_v1_51' is not defined; did you mean"),
        (
            "resnet_v1_50_full",
            {},
            "search.resnet_v1_50_full: initial weights have no accuracy to judge; name a",
        ),
        ("resnet_v1_50", {"device": "hots"}, "search.resnet_v1_50.device: 'hots' is not defined; did you mean 'host'?"),
        ("resnet_v1_50", {"runtime": "tflite"}, "search.resnet_v1_50.runtime: Input should be 'tensorflow' or 'lite"),
        (
            "resnet_v1_50",
            {"runtime": "tensorflow"},
            "search.resnet_v1_50.space.arithmetic: only litert computes in integers; take [float]",
        ),
        ("resnet_v1_50", {"minimize": "top1"}, "search.resnet_v1_50.minimize: Input should be 'latency', 'memory'"),
        ("resnet_v1_50", {"budget": "soon"}, "search.resnet_v1_50.budget: a time such as '20 minutes', '90 s' or"),
        ("resnet_v1_50", {"budget": "3 weeks"}, "search.resnet_v1_50.budget: a time such as '20 minutes', '90 s' or"),
        ("resnet_v1_50", {"budget": 0}, "search.resnet_v1_50.budget: Input should be greater than 0 (it is 0)"),
        ("resnet_v1_50", {"requirements": {}}, f"search.{REQUIRED}: Input should have at least 1 entry"),
        ("resnet_v1_50", {"requirements": ["size"]}, f"search.{REQUIRED}: Input should be a mapping"),
        ("resnet_v1_50", {"requirements": {"top1": 85}}, f"search.{REQUIRED}.top1: Input should be a mapping"),
        ("resnet_v1_50", {"requirements": {"tpo1": {}}}, f"search.{REQUIRED}.tpo1: Input should be 'top1', 'top5'"),
        ("resnet_v1_50", {"requirements": {"size": {}}}, f"search.{REQUIRED}.size: exactly one of 'at most', 'at le"),
        (
            "resnet_v1_50",
            {"requirements": {"top1": {"at least": 90, "lose at most": 1}}},
            f"search.{REQUIRED}.top1: exactly one of",
        ),
        (
            "resnet_v1_50",
            {"requirements": {"top1": {"at most": 90}}},
            "search.resnet_v1_50: requirements.top1: takes 'at least' or 'lose at most', not 'at most'",
        ),
        (
            "resnet_v1_50",
            {"requirements": {"size": {"at least": 90}}},
            "search.resnet_v1_50: requirements.size: takes 'at most', not 'at least'",
        ),
        (
            "resnet_v1_50",
            {"requirements": {"latency": {"at msot": 90}}},
            f"search.{REQUIRED}.latency.at msot: unknown key; did you mean 'at most'?",
        ),
        (
            "resnet_v1_50",
            {"requirements": {"latency": {"at most": "4 MB"}}},
            f"search.{REQUIRED}: latency.at most: '4 MB' is no such quantity; a number with one of the units ms, s is",
        ),
        (
            "resnet_v1_50",
            {"requirements": {"latency": {"at most": 0}}},
            f"search.{REQUIRED}.latency.at most: Input should be greater than 0 (it is 0)",
        ),
        (
            "resnet_v1_50",
            {"requirements": {"top1": {"at least": 101}}},
            f"search.{REQUIRED}.top1.at least: Input should be less than or equal to 100 (it is 101)",
        ),
        (
            "resnet_v1_50",
            {"requirements": {"bleu": {"lose at most": 1}}},
            f"search.{REQUIRED}.bleu: does not judge the task classification; take top1, top5",
        ),
        ("resnet_v1_50", {"space": {"bits": []}}, "search.resnet_v1_50.space.bits: Input should have at least 1 entry"),
        ("resnet_v1_50", {"space": {"bits": [17]}}, "search.resnet_v1_50.space.bits.0: 2 to 16 bits are possible, an"),
        ("resnet_v1_50", {"space": {"bits": [8, 8]}}, "search.resnet_v1_50.space.bits: '8' is given twice; name each"),
        ("resnet_v1_50", {"space": {"bits": [16]}}, "search.resnet_v1_50.space.bits: 16, but litert holds integer w"),
        (
            "resnet_v1_50",
            {"space": {"bits": [32], "arithmetic": ["integer"]}},
            "search.resnet_v1_50.space: bits: none of them is at most 8, which integer arithmetic needs",
        ),
        (
            "resnet_v1_50",
            {"space": {"bits": [3, 4, 5, 6, 7, 8], "groups": 7}},
            "search.resnet_v1_50.space: groups: 279,936 configurations, but at most 100,000 can be searched; take",
        ),
        (
            "vgg_19",
            {},
            "search.vgg_19.space.share is retrained, but 'retraining' does not say how: add 'retraining: {vgg_19",
        ),
    ],
)
def test_a_search_that_cannot_be_run_is_refused_in_one_line(model: str, others: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError) as refused:
        study(model, **others)
    assert str(refused.value).startswith(f"config: {message}")


def test_a_runtime_that_the_device_lacks_is_refused() -> None:
    config = copy.deepcopy(CONFIG) | {"search": {"vgg_16": SEARCH}}
    config["devices"]["host"]["runtimes"] = ["tensorflow"]
    with pytest.raises(StudyError, match=r"search\.vgg_16\.runtime: 'host' has tensorflow; name one of them"):
        load(config)
