"""Compare the artifacts of Keras' own networks with their files, and their integers with their floats.

python benchmarks/own_models.py [NETWORK ...]

Each network is trained for some minutes on glyphs of a few classes, saved as .keras and imported. Printed are the
accuracy, the largest difference of each runtime's fp32 from the file's own outputs in deviations of these, and the
share of the test pictures for which q8 and i8 decide as fp32 in the same runtime.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from tocompress.checkpoints.own import import_model
from tocompress.compression.quantization.grid import compress
from tocompress.data.glyphs import render
from tocompress.runtimes.litert import body as litert_body
from tocompress.runtimes.litert import export as litert_export
from tocompress.runtimes.litert import session as litert_session
from tocompress.runtimes.litert.ranges import extremes
from tocompress.runtimes.tensorflow import body as tensorflow_body
from tocompress.runtimes.tensorflow import export as tensorflow_export
from tocompress.runtimes.tensorflow import session as tensorflow_session
from tocompress.runtimes.tensorflow.graph import write_graph
from tocompress.schemas.study import EXTREMES, PLACES
from tocompress.settings.technique import Quantize
from tocompress.tables import write_table
from tocompress.weights import read_weights, write_weights

CLASSES, TRAINED, TESTED, CALIBRATED = 5, 40_000, 20_000, 100  # glyphs of all 100 classes are rendered
EPOCHS, ENOUGH = 15, 0.97  # training ends early with this accuracy
APPLICATIONS = keras.applications
NETWORKS: dict[str, tuple[Callable[..., keras.Model], int, dict[str, float]]] = {
    "MobileNetV2": (APPLICATIONS.MobileNetV2, 32, {"alpha": 0.35}),
    "MobileNetV3Small": (APPLICATIONS.MobileNetV3Small, 32, {"alpha": 0.35}),
    "EfficientNetB0": (APPLICATIONS.EfficientNetB0, 32, {}),
    "ResNet50V2": (APPLICATIONS.ResNet50V2, 32, {}),
    "DenseNet121": (APPLICATIONS.DenseNet121, 32, {}),
    "NASNetMobile": (APPLICATIONS.NASNetMobile, 32, {}),
    "Xception": (APPLICATIONS.Xception, 71, {}),
}
Q8 = Quantize(method="quantize", bits=8)
I8 = Quantize(method="quantize", bits=8, granularity="channel", activations=8)


def main() -> None:
    for name in sys.argv[1:] or NETWORKS:
        start = time.monotonic()
        found = ", ".join(f"{what} {value:.3g}" for what, value in compared(name).items())
        print(f"{name}: {found}, {time.monotonic() - start:.0f} s", flush=True)


def glyphs(split: str, number: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return glyphs of the first classes, uint8 [N, size, size, 3], and their labels."""
    images, labels = render(split, number, size=size, seed=7)
    return images[labels < CLASSES], labels[labels < CLASSES]


def trained(name: str, file: Path) -> keras.Model:
    """Return the network after training, which `file` holds too."""
    build, size, options = NETWORKS[name]
    keras.utils.set_random_seed(1)
    inner = build(input_shape=(size, size, 3), include_top=False, weights=None, pooling="avg", **options)
    for layer in inner.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9
    own = name in ("MobileNetV3Small", "EfficientNetB0")  # which scale pixels themselves
    scaling = [] if own else [keras.layers.Rescaling(1 / 127.5, -1)]
    head = keras.layers.Dense(CLASSES, activation="softmax")
    model = keras.Sequential([keras.Input((size, size, 3)), *scaling, inner, head])
    images, labels = glyphs("train", TRAINED, size)
    held_out = glyphs("calibration", TESTED // 4, size)
    model.compile(
        keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False
    )
    for _ in range(EPOCHS):
        model.fit(images, labels, batch_size=32, epochs=1, verbose=0)
        if model.evaluate(*held_out, verbose=0)[1] >= ENOUGH:
            break
    model.save(file)
    return model


def compared(name: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        model = trained(name, folder / "model.keras")
        size = NETWORKS[name][1]
        tested, labels = glyphs("test", TESTED, size)
        inputs = tested.astype(np.float32)
        expected = model.predict(inputs, verbose=0)
        calibration = glyphs("calibration", TESTED // 4, size)[0][:CALIBRATED].astype(np.float32)
        run = exported(folder, calibration)
        logits = {key: outputs(key[0], artifact, inputs) for key, artifact in run.items()}
    found = {"top-1": float((expected.argmax(1) == labels).mean())}
    for (runtime, variant), values in logits.items():
        if variant == "fp32":
            probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(values))
            found[f"{runtime} fp32 off by"] = float(np.abs(probabilities - expected).max() / expected.std())
        else:
            same = values.argmax(1) == logits[runtime, "fp32"].argmax(1)
            found[f"{runtime} {variant} agrees"] = float(same.mean())
    return found


def exported(folder: Path, calibration: np.ndarray) -> dict[tuple[str, str], Path]:
    """Return the artifacts of a file by runtime and variant."""
    fp32 = folder / "fp32.safetensors"
    import_model("own", folder / "model.keras", fp32)
    weights, metadata = read_weights(fp32)
    shapes = {key: tensor.shape for key, tensor in weights.items()}
    body = tensorflow_body.trace(metadata, shapes)
    structure = tensorflow_body.multiply_accumulates(metadata, shapes)
    write_graph(folder / "body.pb", body)
    flatbuffer, places = litert_body.trace(metadata, body)
    (folder / "body.tflite").write_bytes(flatbuffer)
    write_table(folder / "places.parquet", PLACES, places)
    artifacts: dict[tuple[str, str], Path] = {}
    for variant, technique in (("fp32", None), ("q8", Q8), ("i8", I8)):
        path = folder / f"{variant}.safetensors"
        if technique is not None:
            write_weights(path, compress(weights, technique)[0], metadata)
        in_litert = (folder / "body.tflite", folder / "places.parquet", path)
        artifact = artifacts["litert", variant] = folder / f"{variant}.tflite"
        if technique is I8:
            floats = folder / "floats.tflite"
            litert_export.write_artifact(*in_litert, floats, structure)
            table = extremes(floats, calibration[:, None])
            write_table(folder / "extremes.parquet", EXTREMES, table.assign(model="own", variant=variant))
            options = {"extremes": folder / "extremes.parquet", "activations": 8, "range_quantile": 0.95}
            litert_export.write_artifact(*in_litert, artifact, structure, **options)
        else:
            litert_export.write_artifact(*in_litert, artifact, structure)
            graph = artifacts["tensorflow", variant] = folder / f"{variant}.pb"
            tensorflow_export.write_artifact(folder / "body.pb", path, graph, structure)
    return artifacts


def outputs(runtime: str, artifact: Path, inputs: np.ndarray) -> np.ndarray:
    session = {"tensorflow": tensorflow_session, "litert": litert_session}[runtime]
    with session.loaded(artifact, 1) as run:
        return np.concatenate([run({"input": inputs[place : place + 50]}) for place in range(0, len(inputs), 50)])


if __name__ == "__main__":
    main()
