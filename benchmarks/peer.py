"""Integer kernels of this project against those of ai-edge-quantizer's default recipe, on the same calibration images.

    PYTHONPATH=workflow python benchmarks/peer.py PYTHON [results/default [rounds]]

PYTHON has ai-edge-quantizer: `python -m venv peer && peer/bin/pip install ai-edge-quantizer==0.10.0`. The results are
those of a study that runs LiteRT. For each of the ten CNNs, it prints the accuracy in floats, then each quantizer's
loss in points, the share of equal classes, and this project's time relative to the peer's. One thread. Both take turns
in a random order, and the ratio is the mean over rounds with its 95 % interval. Accuracy should be at least as good,
and the time within 3 %. A time needs a quiet machine.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml
from ai_edge_litert.interpreter import Interpreter

from tocompress.compression.quantization.grid import compress
from tocompress.data.pictures import network_input, read_pictures
from tocompress.measurement.statistics import Interval, exponential, mean_interval
from tocompress.models.registry import NETWORKS
from tocompress.runtimes.litert.export import write_artifact
from tocompress.runtimes.litert.ranges import extremes
from tocompress.schemas.study import EXTREMES, STRUCTURE
from tocompress.settings.jobs import CalibrationJob
from tocompress.settings.study import Study, load
from tocompress.settings.technique import Quantize
from tocompress.tables import read_table, write_table
from tocompress.tasks.classification.inputs import calibration_images
from tocompress.weights import read_weights, write_weights

TECHNIQUE = Quantize(method="quantize", bits=8, activations=8)
SLICE = 0.1  # seconds that each runs in a round
BLOCK = 10  # runs at a time: the shortest takes 20 microseconds


def write_own(results: Path, name: str, images: list[np.ndarray], folder: Path) -> Path:
    """Write this project's artifact in integers."""
    artifacts = results / "artifacts" / "litert" / name
    weights, metadata = read_weights(results / "weights" / name / "fp32.safetensors")
    quantized, artifact = folder / "own.safetensors", folder / "own.tflite"
    write_weights(quantized, compress(weights, TECHNIQUE)[0], replace(metadata, variant="i8"))
    table = extremes(artifacts / "fp32.tflite", images).assign(model=name, variant="fp32")
    write_table(folder / "extremes.parquet", EXTREMES, table)
    write_artifact(
        artifacts / "fp32.body.tflite",
        artifacts / "fp32.places.parquet",
        quantized,
        artifact,
        read_table(results / "artifacts" / "tensorflow" / name / "fp32.body.parquet", STRUCTURE),
        extremes=folder / "extremes.parquet",
        activations=8,
        range_quantile=TECHNIQUE.range_quantile,
    )
    return artifact


def write_peers(python: str, floats: Path, images: list[np.ndarray], folder: Path) -> Path:
    """Write the peer's artifact."""
    np.save(folder / "calibration.npy", np.stack(images))
    artifact = folder / "peer.tflite"
    program = Path(__file__).with_name("peer_quantizer.py")
    command = [python, program, floats, folder / "calibration.npy", artifact]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return artifact


def interpreter(artifact: Path) -> Interpreter:
    """Return LiteRT with an artifact. It is not `session`, which cannot read the peer's, with weights after the end."""
    runtime = Interpreter(str(artifact), num_threads=1)
    runtime.allocate_tensors()
    return runtime


def classes(artifact: Path, images: np.ndarray) -> np.ndarray:
    runtime = interpreter(artifact)
    (source,), (result,) = runtime.get_input_details(), runtime.get_output_details()
    best = []
    for image in images:
        runtime.set_tensor(source["index"], image[None])
        runtime.invoke()
        best.append(runtime.get_tensor(result["index"]).argmax())
    return np.array(best)


def invocation(artifact: Path, image: np.ndarray) -> Callable[[], Any]:
    """Return what runs the artifact on an image, warm."""
    runtime = interpreter(artifact)
    runtime.set_tensor(runtime.get_input_details()[0]["index"], image)
    for _ in range(20):
        runtime.invoke()
    return runtime.invoke  # type: ignore[no-any-return]


def seconds(invoke: Callable[[], Any]) -> float:
    """Return the median time of a run, over runs of `SLICE` seconds, so that an interruption does not count."""
    times, end = [], time.perf_counter() + SLICE
    while (start := time.perf_counter()) < end:
        for _ in range(BLOCK):
            invoke()
        times.append((time.perf_counter() - start) / BLOCK)
    return float(np.median(times))


def ratio(own: Path, peer: Path, image: np.ndarray, rounds: int) -> tuple[Interval, float]:
    """Return the time of `own` relative to `peer`, and the median seconds of `own`."""
    random = np.random.default_rng(0)
    artifacts, times = (own, peer), np.empty((rounds, 2))
    for row in times:
        for place in random.permutation(2):
            # Loaded anew, at another place in memory: of two copies of one artifact, the one loaded first is slower.
            row[place] = seconds(invocation(artifacts[place], image))
    return exponential(mean_interval(np.log(times[:, 0] / times[:, 1]))), float(np.median(times[:, 0]))


def compare(python: str, results: Path, name: str, study: Study, rounds: int) -> None:
    model, data = study.models[name], study.data[study.models[name].data]
    job = CalibrationJob(model=model, data=data, calibration=study.calibration)
    splits = results / "data" / model.data
    images = [*calibration_images(splits / "calibration.npz", job)]
    pictures, labels = read_pictures(splits / "test.npz", model, data)  # type: ignore[arg-type]
    inputs = network_input(pictures, model)  # type: ignore[arg-type]
    floats = results / "artifacts" / "litert" / name / "fp32.tflite"
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        own = write_own(results, name, images, folder)
        peer = write_peers(python, floats, images, folder)
        found = [classes(artifact, inputs) for artifact in (floats, own, peer)]
        interval, taken = ratio(own, peer, inputs[:1], rounds)
    accuracy = [100 * (predicted == labels).mean() for predicted in found]
    bounds = "" if interval.low is None else f" [{interval.low:.3f}, {interval.high:.3f}]"
    print(
        f"{name:15}{accuracy[0]:8.2f}{accuracy[1] - accuracy[0]:+8.2f}{accuracy[2] - accuracy[0]:+8.2f}"
        f"{(found[1] == found[2]).mean():8.3f}{1e3 * taken:9.3f}{interval.value:8.3f}{bounds}",
        flush=True,
    )


def main(python: str, results: str = "results/default", rounds: str = "40") -> None:
    study = load(yaml.safe_load(Path("config.yaml").read_text()))
    print(f"{'':15}{'fp32 %':>8}{'own':>8}{'peer':>8}{'equal':>8}{'own ms':>9}{'ratio':>8}")
    for network in NETWORKS.values():
        if network.kind == "cnn":
            compare(python, Path(results), network.name, study, int(rounds))


if __name__ == "__main__":
    main(*sys.argv[1:])
