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

from tocompress.errors import StudyError
from tocompress.provenance import record, verify
from tocompress.provenance.digests import versions

REPOSITORY = Path(__file__).parents[2]
SETTINGS = {"technique": {"method": "quantize", "bits": 8}}


class Parameters(dict[str, str]):
    """As Snakemake gives them: named, and iterated over by value."""

    def __iter__(self) -> Any:
        return iter(self.values())


def made(output: str, *inputs: str, rule: str = "quantize", settings: Any = SETTINGS) -> Path:
    """Make a file of a study, and the record of the job that did."""
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text(output)
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
    now = verify.current(dict.fromkeys(("acquire", "quantize", "export"), parameters), "results/study")
    return verify.verify("results/study", "results/downloads", now)


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


def test_an_intact_study_is_as_recorded(chain: list[Path]) -> None:
    findings = found()
    assert (findings.problems, findings.remarks, findings.jobs, findings.results) == ([], [], 3, 3)


def test_a_result_that_was_edited_is_named_and_so_is_what_was_made_of_it(chain: list[Path]) -> None:
    Path("results/study/weights/q8").write_text("edited, and longer than it was")
    edited, follows = found().problems
    assert edited.startswith("results/study/weights/q8: is not what 'quantize' made (24 bytes then, 30 now)")
    assert follows.startswith("results/study/artifacts/q8: was made from another results/study/weights/q8")


def test_another_content_of_the_same_size_is_named(chain: list[Path]) -> None:
    Path("results/study/artifacts/q8").write_text("results/study/artifacts/q6")
    (problem,) = found().problems
    assert "results/study/artifacts/q8: is not what 'export' made (sha256 " in problem


def test_another_checkpoint_is_named(chain: list[Path]) -> None:
    Path("zoo.tar.gz").write_text("b checkpoint")
    (problem,) = found().problems
    assert problem.startswith("results/study/weights/fp32: was made from another zoo.tar.gz")


def test_a_recorded_digest_stands_in_for_a_file_that_is_gone(chain: list[Path]) -> None:
    Path("results/study/weights/q8").unlink()
    findings = found()
    assert findings.problems == []
    assert findings.remarks[0].startswith("results/study/weights/q8: gone")

    made("results/study/weights/q8", "results/study/weights/fp32")
    Path(chain[1]).write_text(chain[1].read_text().replace(record.look("results/study/weights/q8").sha256, "0" * 64))
    Path("results/study/weights/q8").unlink()
    (problem,) = found().problems
    assert problem.startswith("results/study/artifacts/q8: was made from another results/study/weights/q8")


def test_another_setting_is_named_with_both_values(chain: list[Path]) -> None:
    other = json.dumps({"technique": {"method": "quantize", "bits": 6}})
    problems = found(settings=lambda wildcards: other if wildcards.variant == "q8" else json.dumps(SETTINGS)).problems
    assert problems == [
        f"results/study/{folder}/q8: technique.bits: made with 8, the config says 6"
        for folder in ("artifacts", "weights")
    ]


def test_other_code_is_named(chain: list[Path]) -> None:
    assert "was made by other code of workflow/scripts/quantize.py" in found(code="other").problems[0]


def test_another_version_of_a_library_is_named(chain: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    numpy = versions("quantize.py")["numpy"]
    monkeypatch.setattr(verify, "versions", lambda script: versions(script) | {"numpy": "9.9"})
    assert found(environment="other").problems[0].endswith(f"was made with numpy {numpy}, now 9.9")


def test_what_the_config_does_not_know_any_more_is_told_apart(chain: list[Path]) -> None:
    def unknown(wildcards: Any) -> str:
        raise KeyError(wildcards.variant)

    findings = found(code=unknown)
    assert findings.problems == []
    assert len(findings.remarks) == 3 and "not of this study any more" in findings.remarks[0]


def test_a_result_without_a_record_is_named(chain: list[Path]) -> None:
    Path("results/study/study.parquet").write_text("from elsewhere")
    for kept in ("logs/figure/x.log", "benchmarks/tx2/vgg_16/2026/latency.parquet", "weights/.q8.partial"):
        Path("results/study", kept).parent.mkdir(parents=True, exist_ok=True)
        Path("results/study", kept).touch()
    assert found().problems == ["results/study/study.parquet: no record says what made it"]


def test_a_damaged_record_is_refused_in_one_line(chain: list[Path]) -> None:
    chain[0].write_text("{")
    with pytest.raises(StudyError, match=r"provenance/acquire/fp32.json: is no record of a job") as refused:
        found()
    assert "\n" not in str(refused.value)


def test_snakemake_verifies_what_it_has_made(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes((REPOSITORY / "config.yaml").read_bytes())
    for name in ("config", "workflow", "zoo"):
        (tmp_path / name).symlink_to(REPOSITORY / name)

    def snakemake(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "snakemake", "--cores", "1", "--snakefile", str(REPOSITORY / "Snakefile")]
        profile = ["--workflow-profile", str(REPOSITORY / "profiles/default")]
        return subprocess.run([*command, *profile, *arguments], cwd=tmp_path, capture_output=True, text=True)

    weights = tmp_path / "results/default/weights/vgg_16/q8.safetensors"
    assert snakemake(str(weights.relative_to(tmp_path))).returncode == 0
    verified = snakemake("verify")
    assert verified.returncode == 0
    assert "3 results of 2 jobs: all as recorded, and as they would be made now" in verified.stderr

    other = snakemake("verify", "--config", 'techniques={"q8": {"method": "quantize", "bits": 7}}')
    assert other.returncode != 0
    assert "bits: made with 8, the config says 7" in other.stderr

    weights.write_bytes(weights.read_bytes()[:-1])
    edited = snakemake("verify")
    assert edited.returncode != 0
    assert "weights/vgg_16/q8.safetensors: is not what 'quantize' made" in edited.stderr
