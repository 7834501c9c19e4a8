"""The shape of the DAG, and what a change makes due again. Nothing is computed: outputs are touched, then dry-run."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.api import ConfigSettings, DAGApi, DAGSettings, OutputSettings, ResourceSettings, SnakemakeApi
from snakemake.exceptions import MissingRuleException, WorkflowError
from snakemake.logging import logger
from snakemake.settings.enums import Quietness, RerunTrigger
from snakemake_interface_logger_plugins.common import LogEvent

from tocompress.provenance import digests

REPOSITORY = Path(__file__).parents[1]
PROFILE = yaml.safe_load((REPOSITORY / "profiles/default/profile.yaml").read_text())
TRIGGERS = frozenset(RerunTrigger.parse_choice(name) for name in PROFILE["rerun-triggers"])
SHOWN = {"report", "all"}  # what says how a study was configured
PLOTTING = {"figure", "report", "all"}
AGGREGATING = PLOTTING | {"aggregate", "claims"}


class Announced(logging.Handler):
    """The jobs that Snakemake announces."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "event", None) == LogEvent.JOB_INFO:
            self.records.append(record)

    @property
    def rules(self) -> Counter[str]:
        return Counter(record.rule_name for record in self.records)

    def of(self, rule: str) -> set[str]:
        """The wildcards of a rule's jobs, joined by slashes."""
        jobs = [record for record in self.records if record.rule_name == rule]
        return {"/".join(map(str, record.wildcards.values())) for record in jobs}


class Workflow:
    """The repository's workflow, run in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copy(REPOSITORY / "config.yaml", folder)
        for name in ("config", "zoo", "workflow"):
            (folder / name).symlink_to(REPOSITORY / name)

    def run(
        self, executor: str, overlays: tuple[str, ...], config: dict[str, Any], targets: tuple[str, ...]
    ) -> Announced:
        announced = Announced()
        with SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, dryrun=executor == "dryrun")) as api:
            workflow = api.workflow(
                resource_settings=ResourceSettings(cores=2),
                config_settings=ConfigSettings(
                    config=config, configfiles=[self.folder / "config" / name for name in overlays]
                ),
                snakefile=REPOSITORY / "Snakefile",
                workdir=self.folder,
            )
            dag = workflow.dag(
                dag_settings=DAGSettings(targets=set(targets), rerun_triggers=TRIGGERS, forceall=executor == "touch")
            )
            logger.addHandler(announced)
            try:
                dag.execute_workflow(executor=executor)
            finally:
                logger.removeHandler(announced)
        return announced

    def due(self, *overlays: str, config: dict[str, Any] | None = None, targets: tuple[str, ...] = ()) -> Announced:
        """What a dry run announces."""
        return self.run("dryrun", overlays, config or {}, targets)

    def finish(self, *overlays: str) -> None:
        """Make it look as if the study had run: empty outputs, and Snakemake's record of how they were made."""
        for record in self.due(*overlays).records:
            for output in record.output:
                path = self.folder / output.removesuffix(" (update)")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        self.run("touch", overlays, {}, ())


@pytest.fixture
def workflow(tmp_path: Path) -> Workflow:
    return Workflow(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """A study that has run; tests only look at what would be due."""
    workflow = Workflow(tmp_path_factory.mktemp("finished"))
    workflow.finish()
    return workflow


def edit(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Make it look as if a file of the library had been edited."""
    original, edited = digests._module_digest, digests.LIBRARY / module
    assert edited.is_file()
    monkeypatch.setattr(digests, "_module_digest", lambda file: "edited" if file == edited else original(file))


def test_the_default_study_has_its_jobs(workflow: Workflow) -> None:
    assert workflow.due().rules == {
        "acquire": 13,
        "images": 3,
        "sentences": 3,
        "quantize": 9 * 2 + 4 * 3,
        "rank": 3 + 2,
        "prune": 3 * 5 + 2,
        "trace": 13 + 17,
        "export": 9 * 3 + 4 * 4 + 17,
        "inputs": 5,
        "benchmark": 5,
        "predict": 8 * 3 + 3 * 4 + 17,
        "score": 8 * 3 + 3 * 4 + 17,
        "aggregate": 1,
        "claims": 1,
        "figure": 12,
        "report": 1,
        "all": 1,
    }


def test_one_figure_needs_everything_but_other_figures(workflow: Workflow) -> None:
    target = "results/default/figures/fig13_quantization.png"
    rules = workflow.due(targets=(target,)).rules
    assert rules["figure"] == 1
    assert rules["benchmark"] == 5
    assert not rules["report"]


def test_one_artifact_needs_its_model_only(workflow: Workflow) -> None:
    due = workflow.due(targets=("results/default/artifacts/vgg_16/q8.pb",))
    assert due.rules == {"acquire": 1, "trace": 1, "quantize": 1, "export": 1}


def test_a_chain_is_made_link_by_link(workflow: Workflow) -> None:
    due = workflow.due(targets=("results/default/weights/vgg_16/q8-p05.safetensors",))
    assert due.rules == {"acquire": 1, "quantize": 1, "images": 2, "rank": 1, "prune": 1}
    assert due.of("rank") == {"vgg_16/q8"}
    other_way = workflow.due(targets=("results/default/weights/vgg_16/p05-q8.safetensors",))
    assert (other_way.of("prune"), other_way.of("quantize")) == ({"vgg_16/p05"}, {"vgg_16/p05-q8"})


def test_initial_weights_are_pruned_without_data(workflow: Workflow) -> None:
    due = workflow.due(targets=("results/default/weights/resnet_v1_50_full/p50_l1.safetensors",))
    assert due.rules == {"acquire": 1, "prune": 1}


def test_the_other_configs_are_valid(workflow: Workflow) -> None:
    assert workflow.due("smoke.yaml").rules["benchmark"] == 2
    assert workflow.due("zoo.yaml", targets=("zoo",)).rules["train"] == 11
    assert workflow.due("pruning_full.yaml").rules["prune"] == 4
    assert workflow.due("fullsize.yaml").rules["benchmark"] == 11
    assert workflow.due("devices/tx2.yaml").rules["benchmark"] == 5
    assert workflow.due("smoke.yaml", "devices/tx2.yaml").of("benchmark") == {"tx2/gnmt", "tx2/mobilenet_v1"}


def with_imagenet(workflow: Workflow) -> Workflow:
    """A folder with ImageNet's three files in their place, larger than what Snakemake takes a checksum of."""
    (workflow.folder / "imagenet").mkdir()
    for name in ("ILSVRC2012_img_val.tar", "ILSVRC2012_devkit_t12.tar.gz", "ILSVRC2012_img_train.tar"):
        (workflow.folder / "imagenet" / name).write_bytes(bytes(3_000_000))
    return workflow


@pytest.fixture
def paper(workflow: Workflow) -> Workflow:
    return with_imagenet(workflow)


@pytest.fixture(scope="module")
def finished_paper(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """The full reproduction, as if it had run; tests leave it as it is."""
    workflow = with_imagenet(Workflow(tmp_path_factory.mktemp("paper")))
    workflow.finish("paper.yaml")
    assert not workflow.due("paper.yaml").rules
    return workflow


def test_the_full_reproduction_has_its_jobs(paper: Workflow) -> None:
    variants = 8 * 4 + 2 * 10 + 9
    assert paper.due("paper.yaml").rules == {
        "download": 10 + 2,
        "extract": 4,
        "photographs": 3,
        "corpus": 1,
        "acquire": 11,
        "quantize": 11 * 3,
        "rank": 2 * 2,
        "prune": 2 * 6 + 5,
        "trace": 11 + 17,
        "export": variants,
        "inputs": 11,
        "benchmark": 11,
        "predict_shard": 8 * variants,
        "gather": variants,
        "score": variants,
        "aggregate": 1,
        "claims": 1,
        "figure": 12,
        "report": 1,
        "all": 1,
    }


def test_the_full_reproduction_measures_a_board_as_strictly_as_its_own_config() -> None:
    paper, board = (
        yaml.safe_load((REPOSITORY / "config" / name).read_text()) for name in ("paper.yaml", "devices/tx2.yaml")
    )
    assert paper["benchmark"] == board["benchmark"]


def test_large_files_of_a_finished_model_may_be_deleted(workflow: Workflow) -> None:
    workflow.finish("fullsize.yaml")
    for file in (workflow.folder / "results/fullsize").rglob("*"):
        if file.suffix in (".pb", ".safetensors"):
            file.unlink()
    assert not workflow.due("fullsize.yaml").rules


def test_another_mirror_fetches_nothing_again(finished_paper: Workflow) -> None:
    mirror = {"models": {"vgg_16": {"checkpoint": {"mirrors": ["https://example.org/vgg_16.tar.gz"]}}}}
    assert set(finished_paper.due("paper.yaml", config=mirror).rules) <= SHOWN


def test_a_digest_in_the_config_fetches_nothing_again(
    finished_paper: Workflow, capfd: pytest.CaptureFixture[str]
) -> None:
    (record,) = (finished_paper.folder / "results/downloads").rglob("vgg_16*.sha256")
    record.write_text("1" * 64 + "  vgg_16.tar.gz\n")
    archive = {"data": {"newstest2014": {"archive": {"sha256": "2" * 64}}}}
    for record in (finished_paper.folder / "results/downloads").rglob("gnmt_inference_data.zip.sha256"):
        record.write_text("2" * 64 + "  gnmt_inference_data.zip\n")
    pinned = {"models": {"vgg_16": {"checkpoint": {"sha256": "1" * 64}}}, **archive}
    assert set(finished_paper.due("paper.yaml", config=pinned).rules) <= SHOWN

    other = {"models": {"vgg_16": {"checkpoint": {"sha256": "3" * 64}}}}
    with pytest.raises((SystemExit, WorkflowError)):
        finished_paper.due("paper.yaml", config=other)
    assert f"models.vgg_16.checkpoint.sha256: is {'3' * 64}, but what was downloaded has" in capfd.readouterr().err


def test_photographs_of_another_age_make_nothing_due(finished_paper: Workflow) -> None:
    images = finished_paper.folder / "imagenet/ILSVRC2012_img_val.tar"
    os.utime(images)
    assert not finished_paper.due("paper.yaml").rules


def test_a_batch_of_images_is_none_of_sentences(finished_paper: Workflow) -> None:
    due = finished_paper.due("paper.yaml", config={"evaluation": {"prediction": {"sentences": 16}}})
    assert {job.split("/")[0] for job in due.of("predict_shard")} == {"gnmt"}


def test_photographs_that_are_not_there_end_the_run_in_one_line(
    workflow: Workflow, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((SystemExit, WorkflowError)):
        workflow.due("paper.yaml")
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("Error: ")]
    assert "data.imagenet" in line
    assert "29b22e2961454d5413ddabcf34fc5622" in line
    assert "https://image-net.org" in line


def test_what_has_been_read_is_kept_where_its_files_are_gone(
    finished_paper: Workflow, capfd: pytest.CaptureFixture[str]
) -> None:
    photographs = finished_paper.folder / "imagenet"
    photographs.rename(photographs.with_name("elsewhere"))
    try:
        assert not finished_paper.due("paper.yaml").rules
    finally:
        photographs.with_name("elsewhere").rename(photographs)
    assert "data/imagenet/test.parquet is taken as it is" in capfd.readouterr().err


def test_sentences_that_are_not_there_end_the_run_in_one_line(
    paper: Workflow, capfd: pytest.CaptureFixture[str]
) -> None:
    training = {"data": {"newstest2014": {"training": ["train.en", "train.de"]}}}
    with pytest.raises((SystemExit, WorkflowError)):
        paper.due("paper.yaml", config=training, targets=("results/paper/data/newstest2014/train.parquet",))
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("Error: ")]
    assert "data.newstest2014: there is no file 'train.en'" in line


def test_what_needs_no_photographs_is_made_without_them(workflow: Workflow) -> None:
    due = workflow.due("paper.yaml", targets=("results/paper/artifacts/vgg_16/q8.pb",))
    assert due.rules == {"download": 1, "acquire": 1, "quantize": 1, "trace": 1, "export": 1}


def test_a_local_checkpoint_is_the_input_of_its_model(workflow: Workflow) -> None:
    for name in ("model.ckpt.index", "model.ckpt.data-00000-of-00001"):
        (workflow.folder / name).touch()
    own = {"build": "own", "width": 0.5, "input_size": 64, "classes": 10, "checkpoint": "model.ckpt"}
    config = {"models": {"mine": {"network": "mobilenet_v1", "data": "glyphs", **own}}, "study": {"models": ["mine"]}}
    due = workflow.due(config=config, targets=("results/default/weights/mine/q8.safetensors",))
    assert due.rules == {"acquire": 1, "quantize": 1}
    (acquire,) = [record for record in due.records if record.rule_name == "acquire"]
    assert sorted(map(str, acquire.input)) == ["model.ckpt.data-00000-of-00001", "model.ckpt.index"]


def test_a_check_of_a_device_is_made_whenever_it_is_asked_for_and_by_nothing_else(workflow: Workflow) -> None:
    target = "results/devices/host/check.txt"
    assert workflow.due(targets=(target,)).rules == {"check_device": 1}
    (workflow.folder / target).parent.mkdir(parents=True)
    (workflow.folder / target).touch()
    workflow.run("touch", (), {}, (target,))
    assert workflow.due(targets=(target,)).rules == {"check_device": 1}
    assert not workflow.due().rules["check_device"]


def test_a_board_measures_one_thing_at_a_time(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = []
    original = DAGApi.execute_workflow

    def execute(dag: DAGApi, executor: str) -> None:
        original(dag, executor=executor)
        limits.append(dag.workflow_api._workflow_store.global_resources["board"].value)

    monkeypatch.setattr(DAGApi, "execute_workflow", execute)
    assert workflow.due("devices/tx2.yaml").rules["benchmark"] == 5
    assert limits == [1]


def test_boards_are_cleaned_on_request(workflow: Workflow) -> None:
    assert workflow.due("devices/tx2.yaml", targets=("clean_devices",)).rules == {"clean_devices": 1}


def test_a_study_of_accuracy_alone_benchmarks_nothing(workflow: Workflow) -> None:
    rules = workflow.due("zoo_sensitivity.yaml").rules
    assert rules["predict"] == 11 * 15
    assert rules["figure"] == 1
    assert not rules["benchmark"] + rules["inputs"]


def test_a_scan_of_layers_is_made_on_request_from_weights_and_calibration_set_alone(workflow: Workflow) -> None:
    due = workflow.due(targets=("results/default/figures/sensitivity_vgg_16.png",))
    assert due.rules == {"acquire": 1, "images": 1, "sensitivity": 1, "sensitivity_figure": 1}
    assert due.of("images") == {"glyphs/calibration"}
    assert not workflow.due().rules["sensitivity"]


def test_a_scan_of_initial_weights_is_refused_in_one_line(
    workflow: Workflow, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        workflow.due(targets=("results/default/figures/sensitivity_mobilenet_v1_full.png",))
    assert re.search(r"^Error: sensitivity: 'mobilenet_v1_full' has initial weights;.*$", capfd.readouterr().err, re.M)


@pytest.mark.parametrize("target", ["artifacts/vgg_17/q8.pb", "weights/vgg_16/q7.safetensors", "figures/fig99.png"])
def test_what_the_config_does_not_define_is_no_target(workflow: Workflow, target: str) -> None:
    with pytest.raises(MissingRuleException):
        workflow.due(targets=(f"results/default/{target}",))


def test_nothing_is_due_after_a_run(finished: Workflow) -> None:
    assert not finished.due().rules


def test_new_time_stamps_make_nothing_due(workflow: Workflow) -> None:
    workflow.finish("smoke.yaml")
    for path in sorted((workflow.folder / "results").rglob("*")):
        os.utime(path)
    assert not workflow.due("smoke.yaml").rules


def test_studies_alternate_without_touching_each_other(workflow: Workflow) -> None:
    workflow.finish("smoke.yaml")
    workflow.finish()
    assert not workflow.due("smoke.yaml").rules
    assert not workflow.due().rules


def test_a_plot_setting_makes_only_plots_due(finished: Workflow) -> None:
    due = finished.due(config={"plot": {"dpi": 300}})
    assert set(due.rules) == PLOTTING
    assert due.rules["figure"] == 12


def test_the_seed_of_the_bootstrap_runs_no_network(finished: Workflow) -> None:
    due = finished.due(config={"evaluation": {"scores": {"seed": 2}}})
    assert set(due.rules) == AGGREGATING | {"score"}


def test_a_benchmark_setting_measures_again_but_predicts_nothing(finished: Workflow) -> None:
    due = finished.due(config={"benchmark": {"processes": 6}})
    assert set(due.rules) == AGGREGATING | {"benchmark"}


def test_an_edited_quantizer_makes_compression_and_what_follows_due(
    finished: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(monkeypatch, "compression/quantization.py")
    due = finished.due()
    assert due.of("quantize") >= {"vgg_19/q8", "gnmt/q6"}
    assert not due.rules["acquire"]
    assert not [job for job in due.of("export") | due.of("predict") if job.endswith("fp32")]


def test_another_threshold_prunes_again_but_ranks_nothing(finished: Workflow) -> None:
    due = finished.due(config={"techniques": {"p50": {"share": 0.4}}})
    assert due.of("prune") == {"vgg_16/p50", "resnet_v1_50/p50", "gnmt/p50"}
    assert due.of("trace") == due.of("export") == due.of("predict") == due.of("prune")
    assert not due.rules["rank"] + due.rules["quantize"]


def test_another_retraining_makes_the_pruned_variants_of_its_model_due(finished: Workflow) -> None:
    due = finished.due(config={"retraining": {"vgg_16": {"examples": 100}}})
    assert due.of("prune") == {f"vgg_16/{variant}" for variant in ("p05", "p15", "p30", "p50", "p75", "q8-p05")}
    assert due.of("benchmark") == {"host/vgg_16"}
    assert not due.rules["rank"] + due.rules["images"]


@pytest.mark.parametrize(
    ("module", "models", "benchmarked"),
    [("models/vgg.py", {"vgg_16", "vgg_19"}, {"host/vgg_16"}), ("models/gnmt.py", {"gnmt"}, {"host/gnmt"})],
)
def test_an_edited_network_leaves_the_others_alone(
    finished: Workflow, monkeypatch: pytest.MonkeyPatch, module: str, models: set[str], benchmarked: set[str]
) -> None:
    edit(monkeypatch, module)
    due = finished.due()
    assert due.of("acquire") == models
    assert {f"{model}/fp32" for model in models} <= due.of("trace")
    assert {job.split("/")[0] for job in due.of("trace") | due.of("rank") | due.of("prune")} == models
    assert {job.split("/")[0] for job in due.of("quantize") | due.of("export") | due.of("predict")} == models
    assert due.of("benchmark") == benchmarked


def test_an_edited_figure_is_drawn_alone(finished: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(monkeypatch, "reporting/figures/fig27_memory.py")
    due = finished.due()
    assert set(due.rules) == PLOTTING
    assert due.of("figure") == {"fig27_memory"}


def test_an_edited_rule_of_verdicts_judges_the_claims_alone(
    finished: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(monkeypatch, "reporting/claims.py")
    assert set(finished.due().rules) == {"claims", "report", "all"}


def test_an_edited_agent_measures_again(finished: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(monkeypatch, "devices/agent.py")
    assert set(finished.due().rules) == AGGREGATING | {"benchmark"}
