"""What made a result is recorded, and what no longer matches is named; nothing else is."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake.iocontainers import OutputFiles

from tocompress.errors import StudyError
from tocompress.paths import Paths
from tocompress.provenance import record, verify

REPOSITORY = Path(__file__).parents[2]
SETTINGS = {"technique": {"method": "quantize", "bits": 8}}


class Parameters(dict[str, str]):
    """As Snakemake gives them: named, and iterated over by value."""

    def __iter__(self) -> Any:
        return iter(self.values())


def made(output: str, *inputs: str, rule: str = "quantize", content: str | None = None) -> Path:
    """Make a file of a study, and the record of the job that did."""
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text(content or output)
    place = f"results/study/provenance/{rule}/{Path(output).stem}.json"
    job = SimpleNamespace(
        rule=rule,
        wildcards={"variant": Path(output).stem},
        params=Parameters(settings=json.dumps(SETTINGS), code="code", environment="numpy==2.3.1"),
        input=list(inputs),
        output=outputs(output, place),
    )
    record.write_record(job, datetime.now(UTC))
    return Path(place)


def outputs(result: str, place: str) -> OutputFiles:
    """Return the outputs that a rule declares: a result, and the record of its job."""
    return OutputFiles(fromdict={"result": result, "record": place})


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Records of a checkpoint's weights, of their quantization, and of its export."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "compress.py", raising=False)
    Path("zoo.tar.gz").write_text("a checkpoint")
    return [
        made("results/study/weights/fp32", "zoo.tar.gz", rule="acquire"),
        made("results/study/weights/q8", "results/study/weights/fp32"),
        made("results/study/artifacts/q8", "results/study/weights/q8", rule="export"),
    ]


def found(*targets: str) -> verify.Findings:
    return verify.verify("results/study", "results/downloads", targets)


def problems(*targets: str) -> list[str]:
    return list(map(str, found(*targets).problems))


def test_a_record_says_what_the_job_was_given_and_made(chain: list[Path]) -> None:
    told = json.loads(chain[1].read_text())
    assert (told["rule"], told["script"], told["wildcards"]) == ("quantize", "compress.py", {"variant": "q8"})
    assert told["settings"] == SETTINGS
    assert told["code"] == "code"
    assert told["versions"] == {"numpy": "2.3.1"}
    assert set(told["inputs"]) == {"results/study/weights/fp32"}
    path = "results/study/weights/q8"
    assert told["outputs"] == {path: record.look(path).model_dump()}
    assert told["started"] <= told["ended"]


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
        output=outputs("results/study/weights/q8", str(chain[1])),
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
    assert record.commit(tmp_path) == commit
    file.write_text("two")
    assert record.commit(tmp_path) == f"{commit}-dirty"
    assert index.read_bytes() == before
    (tmp_path / "inside").mkdir()
    assert record.commit(tmp_path / "inside") is None


def test_where_no_clone_is_the_commit_is_told_by_who_sent_the_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCOMPRESS_COMMIT", "0" * 40)
    assert record.commit(tmp_path) == "0" * 40
    monkeypatch.setenv("TOCOMPRESS_COMMIT", "")
    assert record.commit(tmp_path) is None


def test_a_copy_of_a_file_in_a_storage_has_the_name_of_the_file(
    chain: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCOMPRESS_COPIES", ".snakemake/storage/s3/results")
    place = made(".snakemake/storage/s3/results/results/study/weights/q6", "zoo.tar.gz")
    told = json.loads(place.read_text())
    assert (set(told["inputs"]), set(told["outputs"])) == ({"zoo.tar.gz"}, {"results/study/weights/q6"})


def test_trials_share_the_records_of_the_files_that_they_share() -> None:
    paths = Paths("results/study", trial="search/vgg_16/3")
    weights = "results/study/provenance/weights/{model}/{variant}.safetensors.json"
    assert paths.record(paths.weights) == weights
    assert paths.record(paths.study) == "results/study/search/vgg_16/3/provenance/study.parquet.json"


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
        assert problems(*targets) == [f"results/study/{result}: is gone"]
        Path("kept").rename(Path("results/study", result))


def test_a_file_that_another_rule_has_made_again_is_compared_with_its_last_record(chain: list[Path]) -> None:
    made("results/study/weights/q8", "results/study/weights/fp32", rule="prune", content="pruned")
    (problem,) = problems()
    assert problem.startswith("results/study/artifacts/q8: was made from another")
    made("results/study/artifacts/q8", "results/study/weights/q8", rule="export")
    assert problems() == []


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
        (tmp_path / name).symlink_to(REPOSITORY / name)

    def snakemake(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "snakemake", "--cores", "1"]
        return subprocess.run([*command, *arguments], cwd=tmp_path, capture_output=True, text=True)

    folder = Path("results/default/weights/vgg_16")
    assert snakemake(str(folder / "q8.safetensors")).returncode == 0
    verified = snakemake("verify")
    assert verified.returncode == 0
    assert "3 results of 2 jobs: all as recorded" in verified.stderr

    weights = tmp_path / folder / "q8.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    (tmp_path / folder / "fp32.safetensors").unlink()
    tampered = snakemake("verify")
    assert tampered.returncode != 0
    lines = tampered.stderr.splitlines()
    assert f"{folder}/fp32.safetensors: gone; its recorded digest stands in for it" in lines
    assert any(line.startswith(f"{folder}/q8.safetensors: is not what 'compress' made (") for line in lines)
    assert any(line.startswith("Error: 1 of 3 results no longer match their records") for line in lines)
