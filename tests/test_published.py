"""Someone's own checkpoint and photographs, and WMT's sentences, by config alone, as a user runs them."""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest
import yaml

pytestmark = pytest.mark.long

REPOSITORY = Path(__file__).parents[1]
TOP1, TOP5, TOLERANCE = 0.495, 0.750, 0.015  # of an independent implementation, with another resize


def run(folder: Path, overlay: dict, *targets: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Snakemake in a folder of its own, with the overlay over the default config."""
    for name in ("config", "workflow", "zoo"):
        if not (folder / name).exists():
            (folder / name).symlink_to(REPOSITORY / name)
    shutil.copy(REPOSITORY / "config.yaml", folder)
    (folder / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", str(REPOSITORY / "Snakefile")]
    profile = ["--workflow-profile", str(REPOSITORY / "profiles/default")]
    return subprocess.run(
        [*command, *profile, *targets, "--configfile", "overlay.yaml"],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "workflow"), "no_proxy": "127.0.0.1"} | environment,
        check=False,
    )


def test_mobilenet_of_another_width_and_size_scores_as_published(shared: Path, tmp_path: Path) -> None:
    real = shared / "real"
    overlay = {
        "study": {
            "name": "own",
            "models": ["mobilenet"],
            "variants": {"default": ["q8"]},
            "devices": [],
            "figures": ["table1_models"],
        },
        "models": {
            "mobilenet": {
                "network": "mobilenet_v1",
                "build": "own",
                "width": 0.25,
                "input_size": 128,
                "classes": 1001,
                "data": "photographs",
                "checkpoint": str(real / "mobilenet_v1_0.25_128/mobilenet_v1_0.25_128.ckpt"),
            }
        },
        "data": {
            "photographs": {"kind": "imagenet", "images": str(real / "images"), "labels": str(real / "labels.csv")}
        },
        "evaluation": {"prediction": {"shards": 2, "batch_size": 32}},
    }
    done = run(tmp_path, overlay)
    assert done.returncode == 0, done.stdout + done.stderr
    study = pd.read_parquet(tmp_path / "results/own/study.parquet")
    for runtime, variant in itertools.product(("tensorflow", "litert"), ("fp32", "q8")):
        scores = study[(study["runtime"] == runtime) & (study["variant"] == variant)].set_index("metric")
        assert scores.loc["top1", "n"] == 200
        assert scores.loc["top1", "value"] == pytest.approx(TOP1, abs=TOLERANCE)
        assert scores.loc["top5", "value"] == pytest.approx(TOP5, abs=TOLERANCE)
    assert "Nothing to be done" in (again := run(tmp_path, overlay)).stdout + again.stderr


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An address on this machine, and the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(SimpleHTTPRequestHandler, directory=folder)
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}", folder
    http.shutdown()
    thread.join()
    http.server_close()


def test_a_published_translation_model_is_fetched_and_translates_as_there(
    shared: Path, server: tuple[str, Path], tmp_path: Path
) -> None:
    """The archives hold what MLPerf's do, under the names that they have there."""
    address, served = server
    golden, folder = shared / "golden/gnmt", tmp_path / "study"
    folder.mkdir()
    with zipfile.ZipFile(served / "gnmt_model.zip", "w") as model:
        for file in golden.glob("translate.ckpt*"):
            model.write(file, f"ende_gnmt_model_4_layer/{file.name}")
    names = {"src.de": "test.bpe.de", "ref.en": "test.bpe.en", "vocab.bpe.de": "vocab.de", "vocab.bpe.en": "vocab.en"}
    with zipfile.ZipFile(served / "data.zip", "w") as data:
        for original, name in names.items():
            data.write(golden / original, f"nmt/data/{name}")
    wmt = {
        "kind": "wmt",
        "archive": {"url": f"{address}/data.zip"},
        "languages": ["de", "en"],
        "text": "subwords",
        "source": "test.bpe.de",
        "reference": "test.bpe.en",
        "source_vocabulary": "vocab.de",
        "target_vocabulary": "vocab.en",
        "md5": {"test.bpe.de": hashlib.md5((golden / "src.de").read_bytes()).hexdigest()},
    }
    checkpoint = {"url": f"{address}/missing.zip", "mirrors": [f"{address}/gnmt_model.zip"], "sha256": None}
    sizes = {"width": 64 / 1024, "source_vocabulary": None, "target_vocabulary": None}
    overlay = {
        "study": {"name": "nmt", "models": ["translator"], "variants": {"default": ["q16"]}, "devices": []},
        "models": {
            "translator": {"network": "gnmt", "build": "published", "data": "wmt", "checkpoint": checkpoint, **sizes}
        },
        "data": {"wmt": wmt},
    }
    metrics = "results/nmt/metrics/tensorflow/translator/q16.parquet"

    offline = run(folder, overlay, metrics, TOCOMPRESS_OFFLINE="1")
    assert offline.returncode != 0
    assert "missing.zip: not opened, as TOCOMPRESS_OFFLINE is set" in offline.stdout + offline.stderr

    done = run(folder, overlay, metrics)
    assert done.returncode == 0, done.stdout + done.stderr
    results = folder / "results/nmt"
    predictions = pd.read_parquet(results / "predictions/tensorflow/translator/fp32.parquet")
    assert [text.strip() for text in predictions["hypothesis"]] == [
        line.strip() for line in (golden / "output_greedy").read_text().splitlines()
    ]
    assert set(pd.read_parquet(folder / metrics)["metric"]) == {"bleu", "bleu_tokenized"}
    (record,) = (folder / "results/downloads").rglob("missing.zip.sha256")
    assert record.read_text().split()[0] == hashlib.sha256((served / "gnmt_model.zip").read_bytes()).hexdigest()

    (served / "gnmt_model.zip").write_bytes((served / "data.zip").read_bytes())
    record.with_suffix("").unlink()
    changed = run(folder, overlay, str(record.with_suffix("").relative_to(folder)))
    assert changed.returncode != 0
    assert "delete" in changed.stdout + changed.stderr and str(record.name) in changed.stdout + changed.stderr
