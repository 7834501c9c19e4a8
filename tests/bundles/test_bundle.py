"""A bundle answers as the study's artifact does, where only its runtime is installed, and tells what is known of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from tocompress.data.glyphs import CLASSES
from tocompress.files import digest, replace_folder_on_success

REPOSITORY = Path(__file__).parents[2]
STUDY = {
    "study": {
        "name": "taken",
        "models": ["mobilenet_v1", "gnmt"],
        "variants": {"mobilenet_v1": ["i8"], "gnmt": ["q8"]},
        "devices": [],
        "figures": ["table1_models"],
    },
    "data": {"glyphs": {"calibration": 100, "test": 24}, "number_phrases": {"test": 12}},
}
CLASSIFIERS = ("litert/mobilenet_v1/fp32", "litert/mobilenet_v1/i8", "tensorflow/mobilenet_v1/fp32")
TRANSLATORS = ("litert/gnmt/q8", "tensorflow/gnmt/q8")

#: Runs a program once a file, in a process in which all but the runtime and what it needs cannot be imported.
ALONE = """
import runpy, sys

missing, program, *files = sys.argv[1:]
sys.modules.update(dict.fromkeys(missing.split()))
for file in files:
    sys.argv[1:] = [file]
    runpy.run_path(program, run_name="__main__")
"""
MISSING = "tocompress keras snakemake pandas scipy pyarrow pydantic safetensors subword_nmt sacremoses sacrebleu"


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", str(REPOSITORY / "Snakefile")]
    profile = ["--workflow-profile", str(REPOSITORY / "profiles/default")]
    options = [*arguments, "--configfile", "taken.yaml"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "workflow")}
    return subprocess.run(
        [*command, *profile, *options], cwd=folder, capture_output=True, text=True, env=environment, check=False
    )


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the study has not run."""
    folder = tmp_path_factory.mktemp("bundles")
    for name in ("config.yaml", "config", "workflow", "zoo"):
        (folder / name).symlink_to(REPOSITORY / name)
    (folder / "taken.yaml").write_text(yaml.safe_dump(STUDY))
    return folder


@pytest.fixture(scope="module")
def folder(empty: Path) -> Path:
    """A folder in which all bundles were made."""
    run = snakemake(empty, *(f"results/taken/bundles/{bundle}" for bundle in (*CLASSIFIERS, *TRANSLATORS)))
    assert run.returncode == 0, run.stdout + run.stderr
    return empty / "results/taken"


def answers(bundle: Path, *files: Path) -> list[str]:
    """The lines that a bundle's program prints, where nothing but its runtime is installed."""
    other = "ai_edge_litert" if bundle.parts[-3] == "tensorflow" else "tensorflow"
    command = [sys.executable, "-I", "-c", ALONE, f"{MISSING} {other}", str(bundle / "run.py"), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=bundle.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def predictions(folder: Path, bundle: str) -> pd.DataFrame:
    return pd.read_parquet(folder / f"predictions/{bundle}.parquet")


@pytest.mark.long
@pytest.mark.parametrize("bundle", CLASSIFIERS)
def test_pictures_get_the_classes_that_the_study_predicts(bundle: str, folder: Path, tmp_path: Path) -> None:
    images = np.load(folder / "data/glyphs/test.npz")["images"]
    files = [tmp_path / f"{number}.png" for number in range(len(images))]
    for file, image in zip(files, images, strict=True):
        Image.fromarray(image).save(file)
    expected = predictions(folder, bundle).sort_values(["example", "rank"])
    rows = [line.split(maxsplit=2) for line in answers(folder / "bundles" / bundle, *files)]
    assert len(rows) == len(expected) == 5 * 24
    assert [int(number) for _, number, _ in rows[::5]] == expected["predicted"].tolist()[::5]
    assert [name for *_, name in rows[::5]] == [CLASSES[label] for label in expected["predicted"][::5]]
    np.testing.assert_allclose([float(score) for score, *_ in rows], expected["score"], atol=1e-3)


@pytest.mark.long
@pytest.mark.parametrize("bundle", TRANSLATORS)
def test_sentences_are_translated_as_the_study_does(bundle: str, folder: Path, tmp_path: Path) -> None:
    sentences = pd.read_parquet(folder / "data/number_phrases/test.parquet")["source"]
    (tmp_path / "sentences.txt").write_text("\n".join(sentences) + "\n", encoding="utf-8")
    expected = predictions(folder, bundle).sort_values("example")["hypothesis"].tolist()
    assert answers(folder / "bundles" / bundle, tmp_path / "sentences.txt") == expected


@pytest.mark.long
@pytest.mark.parametrize("bundle", ["litert/mobilenet_v1/i8", "tensorflow/gnmt/q8"])
def test_a_card_holds_the_files_and_every_value_of_the_study(bundle: str, folder: Path) -> None:
    runtime, model, variant = bundle.split("/")
    card = json.loads((folder / "bundles" / bundle / "card.json").read_text(encoding="utf-8"))
    suffix = card["artifact"]["file"].rpartition(".")[2]
    for path in (folder / "bundles" / bundle / card["artifact"]["file"], folder / f"artifacts/{bundle}.{suffix}"):
        assert digest(path) == card["artifact"]["sha256"]
    assert digest(folder / f"weights/{model}/{variant}.safetensors") == card["weights"]["sha256"]
    study = pd.read_parquet(folder / "study.parquet")
    rows = study[(study["model"] == model) & (study["variant"] == variant) & (study["runtime"] == runtime)]
    told = {row["metric"]: row for row in card["metrics"]}
    assert told.keys() >= set(rows["metric"])
    assert {row["metric"]: row["value"] for row in card["metrics"] if "value" in row} == dict(
        rows.loc[rows["value"].notna(), ["metric", "value"]].itertuples(index=False)
    )
    assert told["latency"]["reason"]
    assert card["command"] == f"snakemake --cores all results/taken/bundles/{bundle}"


@pytest.mark.long
def test_files_of_a_bundle_are_verified(folder: Path) -> None:
    study = folder.parents[1]
    assert snakemake(study, "verify").returncode == 0
    card = folder / "bundles" / TRANSLATORS[0] / "card.md"
    written = card.read_bytes()
    card.write_text("edited")
    run = snakemake(study, "verify")
    card.write_bytes(written)
    assert run.returncode != 0
    assert f"{TRANSLATORS[0]}/card.md: is not what 'bundle' made" in (folder / "logs/verify.log").read_text()


@pytest.mark.long
@pytest.mark.parametrize("content", [None, b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(40)])
@pytest.mark.parametrize("bundle", [CLASSIFIERS[0], TRANSLATORS[0]])
def test_a_file_that_is_not_there_or_is_of_another_kind_gets_one_line(
    bundle: str, content: bytes | None, folder: Path, tmp_path: Path
) -> None:
    if bundle in TRANSLATORS and content in (b"", b"no picture"):
        return  # is a text
    if content is not None:
        (tmp_path / "given").write_bytes(content)
    command = [sys.executable, "-I", str(folder / "bundles" / bundle / "run.py"), str(tmp_path / "given")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: {tmp_path / 'given'}: ")


@pytest.mark.parametrize(
    ("bundle", "line"),
    [
        ("tensorflow/mobilenet_v1/i8", "Error: export: 'i8' of 'mobilenet_v1': tensorflow computes in floats"),
        ("litert/mobilenet_v1/q6", "Error: bundle: 'q6' of 'mobilenet_v1': the study does not select it"),
    ],
)
def test_a_variant_without_artifact_or_values_gets_one_line(bundle: str, line: str, empty: Path) -> None:
    run = snakemake(empty, "--dry-run", f"results/taken/bundles/{bundle}")
    assert run.returncode != 0
    (found,) = [said for said in (run.stdout + run.stderr).splitlines() if said.startswith("Error: ")]
    assert found.startswith(line)


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "q8"
    (tmp_path / ".q8.partial/left").mkdir(parents=True)  # by a killed process
    for content in ("first", "second"):
        with replace_folder_on_success(folder) as temporary:
            (temporary / content).write_text(content)
    with pytest.raises(OSError), replace_folder_on_success(folder) as temporary:
        (temporary / "third").write_text("third")
        raise OSError
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*")] == [Path("q8"), Path("q8/second")]
