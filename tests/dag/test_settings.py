"""What a job is given of the config is what its script takes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from dry_runs import REPOSITORY
from pydantic import TypeAdapter
from snakemake.utils import update_config

from tocompress.plan import Plan, plan
from tocompress.settings.data import DataSettings
from tocompress.settings.jobs import InputsJob, PredictJob, PruneJob, RankJob, ScoreJob, SensitivityJob, TrainJob
from tocompress.settings.model import ModelSettings


@pytest.fixture(params=["everything", "default", "paper", "fullsize"])
def study(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(REPOSITORY)
    if request.param == "everything":
        return plan(yaml.safe_load(Path(__file__).with_name("study.yaml").read_text()))
    config = yaml.safe_load(Path("config.yaml").read_text())
    if request.param != "default":
        update_config(config, yaml.safe_load(Path(f"config/{request.param}.yaml").read_text()))
    return plan(config)


def test_splits_are_given_what_makes_or_reads_them(study: Plan) -> None:
    adapter = TypeAdapter(DataSettings)
    for name, data in study.study.data.items():
        for split in ("train", "calibration", "test"):
            given = study.split["settings"](SimpleNamespace(dataset=name, split=split))
            assert adapter.validate_json(given).kind == data.kind


def test_models_are_given_what_they_are_made_and_used_with(study: Plan) -> None:
    jobs = {InputsJob: study.inputs, PredictJob: study.predict, ScoreJob: study.score, RankJob: study.rank}
    for name in study.study.study.models:
        wildcards = SimpleNamespace(model=name, runtime="tensorflow")
        made = TypeAdapter(ModelSettings).validate_json(study.acquire["settings"](wildcards))
        assert made.trained == study.study.models[name].trained
        for job, given in {**jobs, SensitivityJob: study.sensitivity}.items():
            job.model_validate_json(given["settings"](wildcards))
        if name in study.study.zoo:
            TrainJob.model_validate_json(study.train["settings"](wildcards))
        for variant in filter(study.study.pruned_parent, study.study.variants(name)):
            if variant == study.study.pruned_parent(variant):
                PruneJob.model_validate_json(study.prune["settings"](SimpleNamespace(model=name, variant=variant)))
