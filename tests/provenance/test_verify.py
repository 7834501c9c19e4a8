"""What made a result is recorded, and what no longer matches is named; nothing else is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from tocompress.errors import StudyError
from tocompress.provenance import record, verify
from tocompress.provenance.digests import versions
from tocompress.settings.study import load

REPOSITORY = Path(__file__).parents[2]
SETTINGS = {"technique": {"method": "quantize", "bits": 8}}


class Parameters(dict[str, str]):
    """As Snakemake gives them: named, and iterated over by value."""

    def __iter__(self) -> Any:
        return iter(self.values())


def made(
    output: str, *inputs: str, rule: str = "quantize", settings: Any = SETTINGS, content: str | None = None
) -> Path:
    """Make a file of a study, and the record of the job that did."""
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text(content or output)
    log = f"results/study/logs/{rule}/{Path(output).stem}.log"
    job = SimpleNamespace(
        rule=rule,
        wildcards={"variant": Path(output).stem},
        params=Parameters(settings=json.dumps(settings), code="code", environment="environment"),
        input=list(inputs),
        output=[output],
        log=[log],
    )
    record.write_record(job, datetime.now(UTC))
    return record.place(log)


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Records of a checkpoint's weights, of their quantization, and of its export."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "quantize.py", raising=False)
    Path("zoo.tar.gz").write_text("a checkpoint")
    return [
        made("results/study/weights/fp32", "zoo.tar.gz", rule="acquire"),
        made("results/study/weights/q8", "results/study/weights/fp32"),
        made("results/study/artifacts/q8", "results/study/weights/q8", rule="export"),
    ]


def found(**changed: Any) -> verify.Findings:
    """The findings where all jobs would be made as they were, but for what `changed` says."""
    parameters = {"settings": json.dumps(SETTINGS), "code": "code", "environment": "environment"} | changed
    rules = dict.fromkeys(("acquire", "quantize", "prune", "export"), parameters)
    now = verify.current(rules, lambda wildcards: wildcards["variant"] != "unselected", "results/study")
    return verify.verify("results/study", "results/downloads", now)


def problems(**changed: Any) -> list[str]:
    return list(map(str, found(**changed).problems))


def test_a_record_says_what_the_job_was_given_and_made(chain: list[Path]) -> None:
    told = json.loads(chain[1].read_text())
    assert (told["rule"], told["script"], told["wildcards"]) == ("quantize", "quantize.py", {"variant": "q8"})
    assert told["settings"] == SETTINGS
    assert (told["code"], told["environment"]) == ("code", "environment")
    assert told["versions"] == versions("quantize.py") and told["versions"]["numpy"]
    assert set(told["inputs"]) == {"results/study/weights/fp32"}
    path = "results/study/weights/q8"
    assert told["outputs"][path] == record.look(path).model_dump()
    assert told["started"] <= told["ended"]


def test_the_versions_of_a_measurement_hold_those_of_the_agent_that_runs_the_graphs() -> None:
    assert {"tensorflow", "tensorflow-cpu"} & set(versions("benchmark.py"))


def test_a_record_that_cannot_be_written_leaves_the_last_one(
    chain: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = chain[1].read_bytes()

    def full(path: Path, text: str) -> None:
        path.write_bytes(text[:100].encode())
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", full)
    job = SimpleNamespace(
        rule="quantize",
        wildcards={},
        params=Parameters(),
        input=[],
        output=["results/study/weights/q8"],
        log=["results/study/logs/quantize/q8.log"],
    )
    with pytest.raises(StudyError, match=r"provenance/quantize/q8\.json: cannot be written"):
        record.write_record(job, datetime.now(UTC))
    assert chain[1].read_bytes() == before
    assert list(chain[1].parent.iterdir()) == [chain[1]]


def test_the_commit_is_that_of_this_repository_and_looking_at_it_changes_nothing(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    file, index = tmp_path / "file", tmp_path / ".git/index"
    git("init")
    file.write_text("one")
    git("add", "file")
    git("commit", "-m", "one")
    commit, before = git("rev-parse", "HEAD"), index.read_bytes()
    file.touch()
    assert record._commit(tmp_path) == commit
    file.write_text("two")
    assert record._commit(tmp_path) == f"{commit}-dirty"
    assert index.read_bytes() == before
    (tmp_path / "inside").mkdir()
    assert record._commit(tmp_path / "inside") is None


def test_an_intact_study_is_as_recorded(chain: list[Path]) -> None:
    findings = found()
    assert (findings.problems, findings.remarks, findings.jobs, findings.results) == ([], [], 3, 3)


def test_a_result_that_was_edited_is_named_and_so_is_what_was_made_of_it(chain: list[Path]) -> None:
    Path("results/study/weights/q8").write_text("edited, and longer than it was")
    edited, follows = problems()
    assert edited.startswith("results/study/weights/q8: is not what 'quantize' made (24 bytes then, 30 now)")
    assert follows.startswith("results/study/artifacts/q8: was made from another results/study/weights/q8")
    assert found().doubtful == 2


def test_another_content_of_the_same_size_is_named(chain: list[Path]) -> None:
    Path("results/study/artifacts/q8").write_text("results/study/artifacts/q6")
    (problem,) = problems()
    assert "results/study/artifacts/q8: is not what 'export' made (sha256 " in problem


def test_another_checkpoint_is_named(chain: list[Path]) -> None:
    Path("zoo.tar.gz").write_text("b checkpoint")
    (problem,) = problems()
    assert problem.startswith("results/study/weights/fp32: was made from another zoo.tar.gz")


def test_a_recorded_digest_stands_in_for_a_file_that_is_gone(chain: list[Path]) -> None:
    weights = Path("results/study/weights/q8")
    whole = record.look(weights).sha256
    weights.unlink()
    assert problems() == []
    assert found().remarks == ["results/study/weights/q8: gone; its recorded digest stands in for it"]

    chain[1].write_text(chain[1].read_text().replace(str(whole), "0" * 64))
    (problem,) = problems()
    assert problem.startswith("results/study/artifacts/q8: was made from another results/study/weights/q8")


def test_a_file_from_elsewhere_that_is_gone_is_told(chain: list[Path]) -> None:
    Path("zoo.tar.gz").unlink()
    assert problems() == []
    assert found().remarks == ["zoo.tar.gz: gone; what was made of it is not compared with it"]


def test_what_nothing_was_made_of_and_what_the_study_is_for_is_missed(chain: list[Path]) -> None:
    for result, targets in (("artifacts/q8", ()), ("weights/q8", ("results/study/weights/q8",))):
        Path("results/study", result).rename("kept")
        findings = verify.verify("results/study", "results/downloads", {}, targets)
        assert list(map(str, findings.problems)) == [f"results/study/{result}: is gone"]
        Path("kept").rename(Path("results/study", result))


def test_another_setting_is_named_with_both_values(chain: list[Path]) -> None:
    other = json.dumps({"technique": {"method": "quantize", "bits": 6}})
    named = problems(settings=lambda wildcards: other if wildcards.variant == "q8" else json.dumps(SETTINGS))
    assert named == [
        f"results/study/{folder}/q8: technique.bits: made with 8, the config says 6"
        for folder in ("artifacts", "weights")
    ]


def test_settings_that_differ_throughout_are_one_line_that_can_be_read(chain: list[Path]) -> None:
    now = json.dumps({"technique": {"a": 1, "b": "long" * 100, "method": "prune"}})
    line = problems(settings=now)[0]
    assert line.endswith("; and 1 more") and len(line) < 400


def test_other_code_is_named(chain: list[Path]) -> None:
    assert "was made by other code of workflow/scripts/quantize.py" in problems(code="other")[0]


def test_another_version_of_a_library_is_named(chain: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    then = versions("quantize.py")
    monkeypatch.setattr(verify, "versions", lambda script: {**then, "numpy": "9.9", "scipy": "1.0"})
    expected = f"was made with numpy {then['numpy']}, now 9.9; scipy absent, now 1.0"
    assert problems(environment="other")[0].endswith(expected)


def test_what_the_config_does_not_define_or_select_any_more_is_told_apart(chain: list[Path]) -> None:
    def unknown(wildcards: Any) -> str:
        return {"q8": "code"}[wildcards.variant]

    made("results/study/weights/unselected", settings="other")
    findings = found(code=unknown)
    assert findings.problems == []
    assert findings.remarks == [
        f"results/study/weights/{variant}: this study does not select it; only its files were compared"
        for variant in ("fp32", "unselected")
    ]


def test_a_file_that_another_rule_has_made_again_is_compared_with_its_last_record(chain: list[Path]) -> None:
    made("results/study/weights/q8", "results/study/weights/fp32", rule="prune", content="pruned")
    (problem,) = problems()
    assert problem.startswith("results/study/artifacts/q8: was made from another")
    made("results/study/artifacts/q8", "results/study/weights/q8", rule="export")
    assert problems() == []


@pytest.mark.parametrize(
    ("wildcards", "selected"),
    [
        ({}, True),
        ({"model": "mobilenet_v1"}, True),
        ({"model": "vgg_16"}, False),
        ({"model": "mobilenet_v1", "variant": "fp32"}, True),
        ({"model": "mobilenet_v1", "variant": "p50-q8"}, True),
        ({"model": "mobilenet_v1", "structure": "p50"}, True),
        ({"model": "mobilenet_v1", "variant": "q8"}, False),
        ({"model": "gnmt", "device": "host"}, False),
        ({"model": "mobilenet_v1", "device": "host"}, True),
        ({"dataset": "number_phrases", "split": "test"}, True),
        ({"dataset": "imagenet", "split": "test"}, False),
        ({"figure": "fig13_quantization"}, False),
        ({"address": "host/file.tar.gz"}, True),
    ],
)
def test_a_study_asks_for_what_it_selects_and_for_what_that_is_made_of(
    wildcards: dict[str, str], selected: bool
) -> None:
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    config["study"] |= {
        "models": ["mobilenet_v1", "gnmt"],
        "variants": {"default": ["p50-q8"]},
        "benchmarked": ["mobilenet_v1"],
        "devices": ["host"],
        "figures": [],
    }
    assert verify.selects(load(config), wildcards) == selected


def test_a_result_without_a_record_is_named(chain: list[Path]) -> None:
    Path("results/study/study.parquet").write_text("from elsewhere")
    for kept in ("logs/figure/x.log", "benchmarks/tx2/vgg_16/2026/latency.parquet", "weights/.q8.partial"):
        Path("results/study", kept).parent.mkdir(parents=True, exist_ok=True)
        Path("results/study", kept).touch()
    assert problems() == ["results/study/study.parquet: no record says what made it"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"rule": "quantize"}', b"\xff\x00"])
def test_a_damaged_record_is_named_and_the_others_count(chain: list[Path], content: bytes) -> None:
    chain[0].write_bytes(content)
    damaged, unrecorded = problems()
    assert damaged.startswith("results/study/provenance/acquire/fp32.json: is no record of a job")
    assert "\n" not in damaged
    assert unrecorded == "results/study/weights/fp32: no record says what made it"


def test_a_study_without_results_is_not_called_intact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match="results/study: holds no results yet"):
        found()


def test_snakemake_verifies_what_it_has_made(tmp_path: Path) -> None:
    for name in ("Snakefile", "config.yaml", "rules", "workflow", "profiles", "config", "zoo", "envs"):
        source, target = REPOSITORY / name, tmp_path / name
        if name in ("config", "zoo", "envs"):
            target.symlink_to(source)
        elif source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)

    def snakemake(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "snakemake", "--cores", "1"]
        return subprocess.run([*command, *arguments], cwd=tmp_path, capture_output=True, text=True)

    folder = Path("results/default/weights/vgg_16")
    assert snakemake(str(folder / "q8.safetensors")).returncode == 0
    verified = snakemake("verify")
    assert verified.returncode == 0
    assert "3 results of 2 jobs: all as recorded, and as they would be made now" in verified.stderr

    weights = tmp_path / folder / "q8.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    (tmp_path / folder / "fp32.safetensors").unlink()
    module = tmp_path / "workflow/tocompress/checkpoints/acquire.py"
    module.write_text(module.read_text() + "\nCHANGED = True\n")
    tampered = snakemake("verify", "--config", 'techniques={"q8": {"method": "quantize", "bits": 7}}')
    assert tampered.returncode != 0
    assert f"{folder}/q8.safetensors: is not what 'quantize' made (" in tampered.stderr
    for line in (
        f"{folder}/fp32.safetensors: gone; its recorded digest stands in for it",
        f"{folder}/fp32.safetensors: was made by other code of workflow/scripts/acquire.py, or of what that imports",
        "results/default/compression/vgg_16/q8.parquet and 1 more: bits: made with 8, the config says 7",
        "Error: 3 of 3 results no longer match; delete those that were edited or damaged, then `snakemake -n` tells"
        " what is due",
    ):
        assert line in tampered.stderr.splitlines()
