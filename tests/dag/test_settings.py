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
from tocompress.settings.jobs import (
    BenchmarkJob,
    BundleJob,
    CalibrationJob,
    CheckModelJob,
    CompareJob,
    Condition,
    ExportJob,
    InputsJob,
    PredictJob,
    PruneJob,
    QuantizationSensitivityFigureJob,
    QuantizationSensitivityJob,
    RankJob,
    ScoreJob,
    SearchFigureJob,
    SensitivityJob,
    TrainJob,
)
from tocompress.settings.model import KerasModel, ModelSettings
from tocompress.vocabulary.arithmetic import FLOAT
from tocompress.vocabulary.runtimes import SUFFIXES
from tocompress.vocabulary.variants import Variant


@pytest.fixture(params=["everything", "default", "paper", "fullsize"])
def study(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(REPOSITORY)
    if request.param == "everything":
        everything = yaml.safe_load(Path(__file__).with_name("study.yaml").read_text())
        everything["models"]["own_network"]["file"] = __file__  # any file that is there
        return plan(everything)
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
        if not isinstance(study.study.models[name], KerasModel):
            made = TypeAdapter(ModelSettings).validate_json(study.acquire["settings"](wildcards))
            assert made.trained == study.study.models[name].trained
        CheckModelJob.model_validate_json(study.check_model["settings"](wildcards))
        jobs |= {
            SensitivityJob: study.sensitivity,
            QuantizationSensitivityJob: study.quantization_sensitivity,
            QuantizationSensitivityFigureJob: study.quantization_sensitivity_figure,
            SearchFigureJob: study.search_figure,
        }
        for job, given in jobs.items():
            job.model_validate_json(given["settings"](wildcards))
        if name in study.study.zoo:
            TrainJob.model_validate_json(study.train["settings"](wildcards))
        for variant in filter(study.study.pruned_parent, study.study.variants(name)):
            if variant == study.study.pruned_parent(variant):
                PruneJob.model_validate_json(study.prune["settings"](SimpleNamespace(model=name, variant=variant)))


def test_a_session_is_given_the_artifacts_of_its_conditions_in_their_order(study: Plan) -> None:
    for device in study.study.study.devices:
        for model in study.study.benchmarked:
            wildcards = SimpleNamespace(device=device, model=model)
            job = BenchmarkJob.model_validate_json(study.benchmark["settings"](wildcards))
            artifacts = dict.fromkeys((runtime, variant) for runtime, variant, _ in job.conditions)
            assert study.artifacts(wildcards) == [
                study.paths.artifact(runtime).format(model=model, variant=variant) for runtime, variant in artifacts
            ]
            assert [Path(path).suffix for path in study.artifacts(wildcards)] == [
                f".{SUFFIXES[runtime]}" for runtime, _ in artifacts
            ]
            first = {runtime: next(one for one in job.conditions if one[0] == runtime) for runtime, _ in artifacts}
            assert first == {runtime: Condition(runtime, "fp32", FLOAT) for runtime in study.study.runtimes_on(device)}


def test_an_artifact_of_litert_is_given_how_it_computes(study: Plan) -> None:
    for model, variant in study.executed("litert"):
        wildcards = SimpleNamespace(model=model, variant=variant)
        job = ExportJob.model_validate_json(study.export_litert["settings"](wildcards))
        chosen = [technique for technique in study.study.techniques_in(variant) if technique.method == "quantize"]
        assert [job.activations] == ([technique.activations for technique in chosen] or [None])
        assert bool(study.extremes(wildcards)) == (job.activations == 8)
        if job.activations == 8:
            assert [job.range_quantile] == [technique.range_quantile for technique in chosen]
            assert CalibrationJob.model_validate_json(study.calibrate["settings"](wildcards)).calibration.examples


def test_a_bundle_is_given_its_model_its_techniques_and_its_command(study: Plan) -> None:
    for runtime in study.study.study.runtimes:
        for model, variant in study.executed(runtime):
            wildcards = SimpleNamespace(model=model, variant=variant, runtime=runtime)
            job = BundleJob.model_validate_json(study.bundle["settings"](wildcards))
            assert set(job.techniques) == set(Variant.parse(variant).techniques)
            assert job.command == f"snakemake --cores all {study.paths.root}/bundles/{runtime}/{model}/{variant}"


def test_a_comparison_is_given_the_rails_of_devices_and_the_languages_of_data(study: Plan) -> None:
    job = CompareJob.model_validate_json(study.compare["settings"](SimpleNamespace(other="another")))
    assert (job.here, job.there) == (study.study.study.name, "another")
    assert set(job.rails) == set(study.study.measured)
    assert set(job.languages) == {study.study.models[model].data for model in study.study.study.models}


def test_pruning_takes_the_uncompressed_model_and_the_calibration_set_only_where_it_needs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(REPOSITORY)
    config = yaml.safe_load(Path("config.yaml").read_text())
    chain, cut = (SimpleNamespace(model="vgg_16", variant=variant) for variant in ("q8-p05", "p05_cut"))
    plain = plan(config)
    assert (plain.teacher(chain), plain.pruning_set(cut)) == ([], [])
    config["retraining"]["vgg_16"]["teacher"] = 0.5
    config["techniques"]["p05_cut"]["statistics"] = "recalibrated"
    taught = plan(config)
    assert taught.teacher(chain) == ["results/default/weights/vgg_16/fp32.safetensors"]
    assert taught.pruning_set(cut) == ["results/default/data/glyphs/calibration.npz"]
    job = PruneJob.model_validate_json(taught.prune["settings"](cut))
    assert (job.retraining, job.recalibration.examples) == (None, config.get("calibration", {}).get("learning", 512))
