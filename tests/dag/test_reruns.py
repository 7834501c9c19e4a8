"""What has run is not run again, and after a change only what it reaches; by rules: docs/invalidation.md."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from statistics import median

import pytest
import yaml
from dry_runs import REPOSITORY, Workflow, edit, with_imagenet
from snakemake.exceptions import WorkflowError

SHOWN = {"report", "all"}  # what says how a study was configured
PLOTTING = {"figure", "report", "all"}
AGGREGATING = PLOTTING | {"aggregate", "claims"}


@pytest.fixture(scope="module")
def finished_paper(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """The full reproduction, as if it had run; tests leave it as it is."""
    workflow = with_imagenet(Workflow(tmp_path_factory.mktemp("paper")))
    workflow.finish("paper.yaml")
    assert not workflow.due("paper.yaml").rules
    return workflow


def test_large_files_of_a_finished_model_may_be_deleted(workflow: Workflow) -> None:
    workflow.finish("fullsize.yaml")
    for file in (workflow.folder / "results/fullsize").rglob("*"):
        if file.suffix in (".pb", ".safetensors"):
            file.unlink()
    assert not workflow.due("fullsize.yaml").rules


def test_a_report_shows_a_finished_search_as_it_is_and_makes_none_due(workflow: Workflow) -> None:
    search = {"requirements": {"size": {"at most": "1 MB"}}, "space": {"bits": [8]}, "budget": 60}
    of_model = {"vgg_16": {"device": "host", "runtime": "litert", **search}}
    config = workflow.folder / "config.yaml"
    config.write_text(config.read_text() + yaml.safe_dump({"search": of_model}))
    workflow.finish("smoke.yaml")
    assert not workflow.due("smoke.yaml").rules
    folder = workflow.folder / "results/smoke/search/vgg_16"
    folder.mkdir(parents=True)
    for name in ("answer.json", "candidates.parquet"):
        (folder / name).write_text("found")
    assert set(workflow.due("smoke.yaml").rules) == SHOWN
    workflow.finish("smoke.yaml")
    config.write_text(config.read_text().replace("1 MB", "2 MB"))  # the search would be due, were it asked for
    assert not workflow.due("smoke.yaml").rules
    (folder / "answer.json").write_text("found again")
    assert set(workflow.due("smoke.yaml").rules) == SHOWN


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


def test_nothing_is_due_after_a_run(finished: Workflow) -> None:
    assert not finished.due().rules


def test_the_notes_of_snakemake_on_results_are_small(finished: Workflow) -> None:
    sizes = [file.stat().st_size for file in (finished.folder / ".snakemake/metadata").rglob("*") if file.is_file()]
    assert median(sizes) < 5_000


def test_new_time_stamps_make_nothing_due(workflow: Workflow) -> None:
    workflow.finish("smoke.yaml")
    for path in sorted((workflow.folder / "results").rglob("*")):
        os.utime(path)
    assert not workflow.due("smoke.yaml").rules


def test_results_copied_into_another_clone_are_not_made_again(workflow: Workflow, tmp_path: Path) -> None:
    workflow.finish("smoke.yaml", large=True)
    other = tmp_path / "other"
    shutil.copytree(REPOSITORY / "config", other / "config", copy_function=shutil.copyfile)
    shutil.copytree(REPOSITORY / "zoo", other / "zoo", copy_function=shutil.copyfile)
    (other / "workflow").symlink_to(REPOSITORY / "workflow")
    results = [file for file in (workflow.folder / "results").rglob("*") if file.is_file()]
    for file in sorted(results, key=lambda file: file.stat().st_mtime_ns, reverse=True):  # what was last, first
        copy = other / file.relative_to(workflow.folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        time.sleep(0.001)
    shutil.copytree(workflow.folder / ".snakemake/metadata", other / ".snakemake/metadata")
    clone = Workflow(other)
    assert not clone.due("smoke.yaml").rules

    (other / "results/smoke/weights/gnmt/q8.safetensors").write_bytes(b"another")
    assert clone.due("smoke.yaml").of("export") == {"gnmt/q8"}


def test_studies_alternate_without_touching_each_other(workflow: Workflow) -> None:
    workflow.finish("smoke.yaml")
    workflow.finish()
    assert not workflow.due("smoke.yaml").rules
    assert not workflow.due().rules


def test_a_plot_setting_makes_only_plots_due(finished: Workflow) -> None:
    due = finished.due(config={"plot": {"dpi": 300}})
    assert set(due.rules) == PLOTTING
    assert due.rules["figure"] == 13


def test_the_seed_of_the_bootstrap_runs_no_network(finished: Workflow) -> None:
    due = finished.due(config={"evaluation": {"scores": {"seed": 2}}})
    assert set(due.rules) == AGGREGATING | {"score"}


def test_a_benchmark_setting_measures_again_but_predicts_nothing(finished: Workflow) -> None:
    due = finished.due(config={"benchmark": {"generations": 7}})
    assert set(due.rules) == AGGREGATING | {"benchmark"}


def test_an_edited_quantizer_makes_compression_and_what_follows_due(
    finished: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(monkeypatch, "tocompress/compression/quantization/grid.py")
    due = finished.due()
    assert due.of("compress") >= {"vgg_19/q8", "gnmt/q6"}
    assert not due.rules["acquire"]
    assert not [job for job in due.of("export") | due.of("predict") if job.endswith("fp32")]


def test_another_threshold_prunes_again_but_ranks_nothing(finished: Workflow) -> None:
    due = finished.due(config={"techniques": {"p50": {"share": 0.4}}})
    assert due.of("prune") == {"vgg_16/p50", "resnet_v1_50/p50", "gnmt/p50"}
    assert due.of("trace") == due.of("export") == due.of("predict") == due.of("prune")
    assert not due.rules["rank"] + due.rules["compress"]


def test_another_retraining_makes_the_pruned_variants_of_its_model_due(finished: Workflow) -> None:
    due = finished.due(config={"retraining": {"vgg_16": {"examples": 100}}})
    assert due.of("prune") == {f"vgg_16/{variant}" for variant in ("p00", "p05", "p15", "p30", "p50", "p75", "q8-p05")}
    assert due.of("benchmark") == {"host/vgg_16"}
    assert not due.rules["rank"] + due.rules["images"]


@pytest.mark.parametrize(
    ("module", "models", "benchmarked"),
    [("models/vgg.py", {"vgg_16", "vgg_19"}, {"host/vgg_16"}), ("models/gnmt.py", {"gnmt"}, {"host/gnmt"})],
)
def test_an_edited_network_leaves_the_others_alone(
    finished: Workflow, monkeypatch: pytest.MonkeyPatch, module: str, models: set[str], benchmarked: set[str]
) -> None:
    edit(monkeypatch, f"tocompress/{module}")
    due = finished.due()
    assert due.of("acquire") == models
    assert {f"{model}/fp32" for model in models} <= due.of("trace")
    assert {job.split("/")[0] for job in due.of("trace") | due.of("rank") | due.of("prune")} == models
    assert {job.split("/")[0] for job in due.of("compress") | due.of("export") | due.of("predict")} == models
    assert due.of("benchmark") == benchmarked


def test_an_edited_figure_is_drawn_alone(finished: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(monkeypatch, "tocompress/reporting/figures/fig27_memory.py")
    due = finished.due()
    assert set(due.rules) == PLOTTING
    assert due.of("figure") == {"fig27_memory"}


def test_an_edited_rule_of_verdicts_judges_the_claims_alone(
    finished: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(monkeypatch, "tocompress/reporting/claims.py")
    assert set(finished.due().rules) == {"claims", "report", "all"}
