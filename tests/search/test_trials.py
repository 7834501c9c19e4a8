"""The studies that a search runs."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace

import yaml

from tocompress.paths import Paths
from tocompress.plan.search import Search
from tocompress.search.trials import Trial
from tocompress.settings.study import Study, load

CONFIG = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text(encoding="utf-8"))
SEARCH = {
    **{"device": "host@15W", "runtime": "litert", "requirements": {"top1": {"lose at most": 2}}},
    **{"space": {"bits": [8]}, "budget": "20 minutes"},
}


def test_a_search_in_one_power_mode_measures_the_device_in_this_mode_alone() -> None:
    config = copy.deepcopy(CONFIG) | {"search": {"vgg_16": SEARCH}}
    config["devices"]["host"]["modes"] = ["15W", "MAXN"]
    settings = Search(load(config), Paths("results/default"))._search_job(SimpleNamespace(model="vgg_16"))
    trial = Trial(Study.model_validate_json(settings), {})
    assert trial.study.devices["host"].modes == ("15W",)
    assert trial.device == "host@15W"
    assert trial.session("latency").endswith("/benchmarks/host@15W/vgg_16/latency.parquet")
