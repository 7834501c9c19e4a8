"""Which jobs a config asks for, and which targets it has."""

from __future__ import annotations

import re
from collections import Counter

import pytest
import yaml
from dry_runs import REPOSITORY, Workflow, with_imagenet
from snakemake.api import DAGApi
from snakemake.exceptions import MissingRuleException, WorkflowError

#: A study of everything that ends in a report.
REPORTED = {"aggregate": 1, "claims": 1, "figure": 13, "report": 1, "all": 1}
SEARCH = {
    **{"device": "host", "runtime": "litert", "requirements": {"top1": {"lose at most": 2}}},
    **{"space": {"bits": [8]}, "budget": "20 minutes"},
}
_PUBLISHED_VARIANTS = 8 * 4 + 2 * 11 + 9
#: Of the zoo: all but q16, and no i8 of gnmt.
_IN_LITERT = 10 * 7 + 6 + 3 + 2 * 4 + 20
_DEFAULT = REPORTED | {
    "acquire": 13,
    "images": 3,
    "sentences": 3,
    # q16, q8, q6, q4, i8 and dyn8 of the zoo, but no i8 of gnmt, which no runtime executes, and i8_minmax of three, and
    # f16, i6, i4 and p30-i8 of two. The two models of full size have no q4, and one of them no q16.
    "compress": 11 * 6 - 1 + 3 + 2 * 4 + 5 + 4,
    "quantize": 11,
    "rank": 3 + 2,
    "prune": 3 * 6 + 2,
    "trace": 13 + 20,
    "export": 11 * 6 + 4 + 3 + 20,
    "trace_litert": 13 + 20,
    "calibrate": 12 + 3 + 2 * 3,
    "export_litert": _IN_LITERT + 2 * 5,
    "inputs": 5,
    "benchmark": 5,
    "predict": 11 * 6 + 20 + _IN_LITERT,
    "score": 11 * 6 + 20 + _IN_LITERT,
}
#: The jobs of every config that is shipped, in the order of the command line, and of which target.
JOBS: dict[tuple[str, ...], dict[str, int]] = {
    ("config.yaml",): _DEFAULT,
    ("config/devices/tx2.yaml",): {
        ("benchmark_board" if rule == "benchmark" else rule): n for rule, n in _DEFAULT.items()
    },
    ("config/smoke.yaml",): REPORTED
    | {
        "acquire": 2,
        "images": 3,
        "sentences": 1,
        "compress": 3,
        "rank": 1,
        "prune": 1,
        "trace": 2 + 1,
        "export": 5,
        "trace_litert": 2 + 1,
        "calibrate": 1,
        "export_litert": 6,
        "inputs": 2,
        "benchmark": 2,
        "predict": 5 + 6,
        "score": 5 + 6,
    },
    ("config/fullsize.yaml",): REPORTED
    | {
        "acquire": 11,
        "images": 1,
        "sentences": 1,
        "compress": 11 * 3,
        "prune": 2 * 3 + 2,
        "trace": 11 + 8,
        "export": 11 * 4 + 8,
        "inputs": 11,
        "benchmark": 11,
    },
    ("config/pruning_full.yaml",): REPORTED
    | {
        "acquire": 2,
        "images": 1,
        "prune": 4,
        "trace": 6,
        "export": 6,
        "trace_litert": 6,
        "export_litert": 6,
        "inputs": 2,
        "benchmark": 2,
        "figure": 4,
    },
    ("config/zoo_sensitivity.yaml",): REPORTED
    | {
        "acquire": 11,
        "images": 2,
        "sentences": 2,
        "compress": 11 * 14,
        "quantize": 11 * 6,
        "trace": 11,
        "export": 11 * 21,
        "predict": 11 * 21,
        "score": 11 * 21,
        "figure": 1,
    },
    ("config/zoo.yaml", "zoo"): {"images": 2, "sentences": 2, "train": 11, "zoo": 1},
    ("config/paper.yaml",): REPORTED
    | {
        "download": 10 + 2,
        "extract": 4,
        "photographs": 3,
        "corpus": 1,
        "acquire": 11,
        "compress": 11 * 3,
        "rank": 2 * 2,
        "prune": 2 * 7 + 5,
        "trace": 11 + 19,
        "export": _PUBLISHED_VARIANTS,
        "inputs": 11,
        "benchmark_board": 11,
        "predict_shard": 8 * _PUBLISHED_VARIANTS,
        "gather": _PUBLISHED_VARIANTS,
        "score": _PUBLISHED_VARIANTS,
    },
}


@pytest.mark.parametrize(("config", "jobs"), JOBS.items(), ids=["-".join(config) for config in JOBS])
def test_a_shipped_config_has_its_jobs(workflow: Workflow, config: tuple[str, ...], jobs: dict[str, int]) -> None:
    with_imagenet(workflow)
    file, *targets = config
    overlays = () if file == "config.yaml" else (file.removeprefix("config/"),)
    assert workflow.due(*overlays, targets=tuple(targets)).rules == Counter(jobs)


def test_every_shipped_config_is_there() -> None:
    files = (REPOSITORY / "config.yaml", *REPOSITORY.glob("config/**/*.yaml"))
    studies = {str(file.relative_to(REPOSITORY)) for file in files if "study" in yaml.safe_load(file.read_text())}
    assert studies == {file for file, *_ in JOBS}


def test_overlays_add_up(workflow: Workflow) -> None:
    assert workflow.due("smoke.yaml", "devices/tx2.yaml").of("benchmark_board") == {"tx2/gnmt", "tx2/mobilenet_v1"}


def test_one_figure_needs_everything_but_other_figures(workflow: Workflow) -> None:
    target = "results/default/figures/fig13_quantization.png"
    rules = workflow.due(targets=(target,)).rules
    assert rules["figure"] == 1
    assert rules["benchmark"] == 5
    assert not rules["report"]


def test_one_artifact_needs_its_model_only(workflow: Workflow) -> None:
    due = workflow.due(targets=("results/default/artifacts/tensorflow/vgg_16/q8.pb",))
    assert due.rules == {"acquire": 1, "trace": 1, "compress": 1, "export": 1}


@pytest.mark.parametrize(
    ("variant", "more"),
    [
        ("fp32", {}),
        ("q8", {"compress": 1}),
        ("f16", {"compress": 1}),
        ("dyn8", {"compress": 1}),
        ("i8", {"compress": 1, "images": 1, "calibrate": 1}),
    ],
)
def test_an_artifact_of_litert_needs_calibration_images_where_activations_have_fixed_ranges(
    workflow: Workflow, variant: str, more: dict[str, int]
) -> None:
    due = workflow.due(targets=(f"results/default/artifacts/litert/vgg_16/{variant}.tflite",))
    assert due.rules == {"acquire": 1, "trace": 1, "trace_litert": 1, "export_litert": 1} | more
    assert due.of("images") == ({"glyphs/calibration"} if variant == "i8" else set())


def test_a_pruned_variant_in_integers_is_calibrated_on_its_own_graph(workflow: Workflow) -> None:
    due = workflow.due(targets=("results/default/artifacts/litert/vgg_16/p30-i8.tflite",))
    assert (due.of("trace_litert"), due.of("calibrate")) == ({"vgg_16/p30"}, {"vgg_16/p30-i8"})


def test_a_runtime_that_cannot_execute_a_variant_is_given_none(workflow: Workflow) -> None:
    exported = workflow.due().of("export"), workflow.due().of("export_litert")
    assert {"vgg_16/q16"} == {"vgg_16/q16", "vgg_16/i8", "vgg_16/f16"} & exported[0]
    assert {"vgg_16/i8", "vgg_16/f16"} == {"vgg_16/q16", "vgg_16/i8", "vgg_16/f16"} & exported[1]
    assert "gnmt/i8" not in exported[0] | exported[1] and "gnmt/dyn8" in exported[1]


def test_a_chain_is_made_link_by_link(workflow: Workflow) -> None:
    due = workflow.due(targets=("results/default/weights/vgg_16/q8-p05.safetensors",))
    assert due.rules == {"acquire": 1, "compress": 1, "images": 2, "rank": 1, "prune": 1}
    assert due.of("rank") == {"vgg_16/q8"}
    other_way = workflow.due(targets=("results/default/weights/vgg_16/p05-q8.safetensors",))
    assert (other_way.of("prune"), other_way.of("compress")) == ({"vgg_16/p05"}, {"vgg_16/p05-q8"})


def test_initial_weights_are_pruned_without_data(workflow: Workflow) -> None:
    due = workflow.due(targets=("results/default/weights/resnet_v1_50_full/p50_l1.safetensors",))
    assert due.rules == {"acquire": 1, "prune": 1}


def test_a_study_of_accuracy_alone_benchmarks_nothing(workflow: Workflow) -> None:
    rules = workflow.due("zoo_sensitivity.yaml").rules
    assert rules["predict"] == 11 * 21
    assert rules["figure"] == 1
    assert not rules["benchmark"] + rules["inputs"]


def test_the_full_reproduction_measures_a_board_as_strictly_as_its_own_config() -> None:
    paper, board = (
        yaml.safe_load((REPOSITORY / "config" / name).read_text()) for name in ("paper.yaml", "devices/tx2.yaml")
    )
    assert paper["benchmark"] == board["benchmark"]


def test_what_needs_no_photographs_is_made_without_them(workflow: Workflow) -> None:
    due = workflow.due("paper.yaml", targets=("results/paper/artifacts/tensorflow/vgg_16/q8.pb",))
    assert due.rules == {"download": 1, "acquire": 1, "compress": 1, "trace": 1, "export": 1}


def test_a_local_checkpoint_is_the_input_of_its_model(workflow: Workflow) -> None:
    for name in ("model.ckpt.index", "model.ckpt.data-00000-of-00001"):
        (workflow.folder / name).touch()
    own = {"build": "own", "width": 0.5, "input_size": 64, "classes": 100, "checkpoint": "model.ckpt"}
    config = {"models": {"mine": {"network": "mobilenet_v1", "data": "glyphs", **own}}, "study": {"models": ["mine"]}}
    due = workflow.due(config=config, targets=("results/default/weights/mine/q8.safetensors",))
    assert due.rules == {"acquire": 1, "compress": 1}
    (acquire,) = [record for record in due.records if record.rule_name == "acquire"]
    assert sorted(map(str, acquire.input)) == ["model.ckpt.data-00000-of-00001", "model.ckpt.index"]


def test_a_scan_of_layers_is_made_on_request_from_weights_and_calibration_set_alone(workflow: Workflow) -> None:
    due = workflow.due(targets=("results/default/figures/sensitivity_vgg_16.png",))
    assert due.rules == {"acquire": 1, "images": 1, "sensitivity": 1, "sensitivity_figure": 1}
    assert due.of("images") == {"glyphs/calibration"}
    assert not workflow.due().rules["sensitivity"]


def test_a_scan_of_kernels_is_drawn_with_the_bits_that_a_budget_gives(workflow: Workflow) -> None:
    target = "results/default/figures/quantization_sensitivity_vgg_16.png"
    scanned = {"acquire": 1, "images": 1, "quantization_sensitivity": 1, "quantization_sensitivity_figure": 1}
    assert workflow.due(targets=(target,)).rules == scanned
    mixed = {"mixed": {"method": "quantize", "bits": {"budget": 4.5}}}
    config = {"techniques": mixed, "study": {"variants": {"vgg_16": ["q8", "mixed"]}}}
    due = workflow.due(config=config, targets=(target,))
    assert due.rules == scanned | {"quantize": 1}
    assert due.of("quantize") == {"vgg_16/mixed"}


def test_a_search_is_drawn_on_request(workflow: Workflow) -> None:
    due = workflow.due(config={"search": {"vgg_16": SEARCH}}, targets=("results/default/figures/search_vgg_16.png",))
    assert due.rules["search_figure"] == due.rules["search"] == due.rules["quantization_sensitivity"] == 1
    assert due.of("search_figure") == {"vgg_16"}


def test_a_package_is_made_on_request_and_its_choice_of_artifacts_makes_nothing_else_due(finished: Workflow) -> None:
    target = "results/default/package.zip"
    assert finished.due(targets=(target,)).rules == {"package": 1}
    assert not finished.due(config={"publish": {"artifacts": []}}).rules


def test_a_comparison_runs_this_study_and_never_the_other(workflow: Workflow) -> None:
    other = workflow.folder / "results/default"
    for name in ("study.parquet", "benchmarks/host/gnmt/latency.parquet", "artifacts/litert/gnmt/fp32.body.parquet"):
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).touch()
    due = workflow.due("smoke.yaml", targets=("results/smoke/compare/default.html",))
    assert due.rules["compare"] == due.rules["aggregate"] == 1
    (compare,) = [record for record in due.records if record.rule_name == "compare"]
    files = [str(file).removesuffix(" (before update)") for file in compare.input]
    theirs = {file for file in files if file.startswith("results/default/")}
    assert theirs == {f"results/default/{name}" for name in ("study.parquet", "benchmarks/host/gnmt/latency.parquet")}


@pytest.mark.parametrize("other", ["default", "smoke"])
def test_a_comparison_without_another_study_is_refused_in_one_line(
    workflow: Workflow, capfd: pytest.CaptureFixture[str], other: str
) -> None:
    with pytest.raises(SystemExit):
        workflow.due("smoke.yaml", targets=(f"results/smoke/compare/{other}.html",))
    assert re.search(rf"^Error: compare: .*{other}.*$", capfd.readouterr().err, re.MULTILINE)


def test_a_check_of_a_device_is_made_whenever_it_is_asked_for_and_by_nothing_else(workflow: Workflow) -> None:
    target = "results/devices/host/check.txt"
    assert workflow.due(targets=(target,)).rules == {"check_device": 1}
    (workflow.folder / target).parent.mkdir(parents=True)
    (workflow.folder / target).touch()
    workflow.run("touch", (), {}, (target,))
    assert workflow.due(targets=(target,)).rules == {"check_device": 1}
    assert not workflow.due().rules["check_device"]


BOARDS = {
    "devices": {
        "tx2": {"transport": "ssh", "host": "tx2", "threads": 4},
        "tx2_slow": {"transport": "ssh", "host": "somebody@tx2", "threads": 1},
        "orin": {"transport": "ssh", "host": "orin", "threads": 6},
        "nano": {"transport": "ssh", "host": "tx2", "threads": 1, "ssh_config": "of_another_desk"},
    },
    "study": {"devices": ["tx2", "tx2_slow", "orin", "nano", "host"]},
}


def test_each_board_measures_one_thing_at_a_time(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: dict[str, int] = {}
    original = DAGApi.execute_workflow

    def execute(dag: DAGApi, executor: str) -> None:
        original(dag, executor=executor)
        resources = dag.workflow_api._workflow_store.global_resources
        limits.update({name: resources[name].value for name in resources if name.startswith("board_")})

    monkeypatch.setattr(DAGApi, "execute_workflow", execute)
    due = workflow.due("smoke.yaml", config=BOARDS)
    assert limits == {"board_tx2": 1, "board_orin": 1, "board_nano": 1}
    taken = {
        (job.rule_name, job.wildcards["device"]): {name: n for name, n in job.resources.items() if name in limits}
        for job in due.records
        if job.rule_name.startswith("benchmark")
    }
    assert taken == {
        ("benchmark_board", "tx2"): {"board_tx2": 1},
        ("benchmark_board", "tx2_slow"): {"board_tx2": 1},  # the same board
        ("benchmark_board", "orin"): {"board_orin": 1},
        ("benchmark_board", "nano"): {"board_nano": 1},
        ("benchmark", "host"): {},
    }


def test_a_device_with_power_modes_has_one_session_of_a_model_and_a_job_of_each_mode(workflow: Workflow) -> None:
    config = {"devices": {"tx2": {"modes": ["15W", "MAXN"], "clocks": "any"}}}
    due = workflow.due("smoke.yaml", "devices/tx2.yaml", config=config)
    assert due.of("benchmark_board") == {"tx2/gnmt", "tx2/mobilenet_v1"}
    assert due.of("mode") == {f"tx2@{mode}/{model}" for mode in ("15W", "MAXN") for model in ("gnmt", "mobilenet_v1")}
    (told,) = (record for record in due.records if record.rule_name == "aggregate")
    sessions = {file.split("/")[3] for file in told.input if file.endswith("/latency.parquet")}
    assert sessions == {"tx2@15W", "tx2@MAXN"}

    one = "results/smoke/benchmarks/tx2@15W/gnmt/latency.parquet"
    assert workflow.due("smoke.yaml", config=config, targets=(one,)).of("mode") == {"tx2@15W/gnmt"}
    with pytest.raises(MissingRuleException):
        workflow.due("smoke.yaml", config=config, targets=(one.replace("15W", "20W"),))


def test_boards_are_cleaned_on_request(workflow: Workflow) -> None:
    assert workflow.due("devices/tx2.yaml", targets=("clean_devices",)).rules == {"clean_devices": 1}


def test_photographs_that_are_not_there_end_the_run_in_one_line(
    workflow: Workflow, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((SystemExit, WorkflowError)):
        workflow.due("paper.yaml")
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("Error: ")]
    assert "data.imagenet" in line
    assert "29b22e2961454d5413ddabcf34fc5622" in line
    assert "https://image-net.org" in line


def test_sentences_that_are_not_there_end_the_run_in_one_line(
    paper: Workflow, capfd: pytest.CaptureFixture[str]
) -> None:
    training = {"data": {"newstest2014": {"training": ["train.en", "train.de"]}}}
    with pytest.raises((SystemExit, WorkflowError)):
        paper.due("paper.yaml", config=training, targets=("results/paper/data/newstest2014/train.parquet",))
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("Error: ")]
    assert "data.newstest2014: there is no file 'train.en'" in line


def test_a_scan_of_initial_weights_is_refused_in_one_line(
    workflow: Workflow, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        workflow.due(targets=("results/default/figures/sensitivity_mobilenet_v1_full.png",))
    assert re.search(r"^Error: sensitivity: 'mobilenet_v1_full' has initial weights;.*$", capfd.readouterr().err, re.M)


@pytest.mark.parametrize("target", ["tensorflow/vgg_16/i8.pb", "litert/vgg_16/q16.tflite", "litert/gnmt/i8.tflite"])
def test_a_variant_that_the_runtime_cannot_execute_is_refused_in_one_line(
    workflow: Workflow, capfd: pytest.CaptureFixture[str], target: str
) -> None:
    with pytest.raises(SystemExit):
        workflow.due(targets=(f"results/default/artifacts/{target}",))
    runtime, model, file = target.split("/")
    told = f"^Error: export: '{file.partition('.')[0]}' of '{model}': {runtime} .+$"
    assert re.search(told, capfd.readouterr().err, re.MULTILINE)


@pytest.mark.parametrize(
    "target",
    [
        "artifacts/tensorflow/vgg_17/q8.pb",
        "artifacts/litert/vgg_16/q8.extremes.parquet",
        "weights/vgg_16/q7.safetensors",
        "figures/fig99.png",
    ],
)
def test_what_the_config_does_not_define_is_no_target(workflow: Workflow, target: str) -> None:
    with pytest.raises(MissingRuleException):
        workflow.due(targets=(f"results/default/{target}",))
