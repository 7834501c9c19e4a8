"""Photographs and graphs, which TensorFlow reads: odd ones are read rightly, wrong ones refused in one line."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cases import Jobs, Step
from PIL import Image

from tocompress.data.photographs import Photographs
from tocompress.errors import StudyError
from tocompress.runtimes.tensorflow.graph import OUTPUT, add_constant
from tocompress.runtimes.tensorflow.protocol_buffers import DT_FLOAT, GraphDef
from tocompress.schemas.study import PHOTOGRAPHS
from tocompress.tables import write_table
from tocompress.weights import ModelMetadata, write_weights

MODEL = {"network": "inception_v1", "build": "own", "data": "set", "checkpoint": "x", "input_size": 32, "classes": 1000}
INPUTS = Step(
    "inputs.py",
    {"test": "test.parquet", "facts": []},
    {"inputs": "inputs.npz"},
    json.dumps({"model": MODEL, "data": {"kind": "imagenet", "images": ""}, "count": 1, "batches": [1]}),
)
PREDICT = Step(
    "predict.py",
    {"artifact": "fp32.pb", "test": "test.npz", "facts": []},
    {"predictions": "fp32.parquet"},
    json.dumps(
        {"model": MODEL | {"classes": 100}, "data": {"kind": "glyphs"}, "prediction": {}, "runtime": "tensorflow"}
    ),
)
TRACE = Step(
    "trace.py",
    {"weights": "fp32.safetensors"},
    {"body": "body.pb", "structure": "structure.parquet"},
    '{"beam_width": 1}',
)


def encoded(image: Image.Image, kind: str, **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def colours(width: int = 64, height: int = 48) -> Image.Image:
    """Red from left to right, green from top to bottom."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, 0 * x + 100], axis=-1).astype(np.uint8))


def turned() -> bytes:
    """With a note to turn it a quarter before it is shown, which TF-Slim does not."""
    orientation = Image.Exif()
    orientation[0x0112] = 6
    return encoded(colours(), "JPEG", quality=95, exif=orientation)


def sized(jpeg: bytes, width: int, height: int) -> bytes:
    """A JPEG that says it has so many pixels."""
    start = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:start] + struct.pack(">HH", height, width) + jpeg[start + 4 :]


def png(width: int, height: int, depth: int, kind: int, data: bytes) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def deep(kind: int) -> bytes:
    """16 bits a channel: `kind` 0 is grey, 2 has colours."""
    pixels = np.asarray(colours().convert("L") if kind == 0 else colours()).astype(">u2") * 257
    return png(64, 48, 16, kind, b"".join(b"\0" + row.tobytes() for row in pixels))


ODD = {
    "grey JPEG": encoded(colours().convert("L"), "JPEG", quality=95),
    "CMYK JPEG": encoded(colours().convert("CMYK"), "JPEG", quality=95),
    "progressive JPEG": encoded(colours(), "JPEG", quality=95, progressive=True),
    "PNG": encoded(colours(), "PNG"),
    "PNG with transparency": encoded(colours().convert("RGBA"), "PNG"),
    "PNG with a palette": encoded(colours().quantize(256), "PNG"),
    "grey PNG": encoded(colours().convert("L"), "PNG"),
    "PNG of 16 bits": deep(2),
    "grey PNG of 16 bits": deep(0),
    "JPEG to be turned": turned(),
    "1 x 1 JPEG": encoded(Image.new("RGB", (1, 1), (100, 100, 100)), "JPEG"),
    "GIF": encoded(colours(), "GIF"),
}
WRONG = {
    "zero bytes": b"",
    "a text": b"not an image\n",
    "half a JPEG": encoded(colours(400, 300), "JPEG")[:3000],
    "half a PNG": encoded(colours(400, 300).effect_spread(30), "PNG")[:3000],
    "a JPEG of 4 thousand million pixels": sized(encoded(colours(), "JPEG"), 65500, 65500),
    "a PNG of 4 thousand million pixels": png(65000, 65000, 8, 2, bytes(1000)),
    "a PNG of no pixels": png(0, 0, 8, 2, b""),
    "a BMP": encoded(colours(), "BMP"),
    "a TIFF": encoded(colours(), "TIFF"),
}


def kept(folder: Path, image: bytes) -> Photographs:
    (folder / "a.JPEG").write_bytes(image)
    table = pd.DataFrame({"example": [0], "file": ["a.JPEG"], "offset": [0], "size": [len(image)], "label": [1]})
    write_table(folder / "test.parquet", PHOTOGRAPHS, table)
    return Photographs(table.assign(file=str(folder / "a.JPEG")))


@pytest.mark.parametrize("name", ODD)
def test_an_odd_image_is_read_as_red_green_and_blue(name: str, tensorflow_jobs: Jobs, tmp_path: Path) -> None:
    kept(tmp_path, ODD[name])
    outcome = INPUTS.run(tensorflow_jobs, tmp_path)
    assert outcome.status == 0, outcome
    with np.load(tmp_path / "inputs.npz") as made:
        pixels = (made["i00/input"][0] + 1) * 127.5
    picture = colours().convert("L") if "grey" in name else colours()
    if "1 x 1" in name:
        picture = Image.new("L", (64, 48), 100)
    # The middle 7/8 of height and width, as TF-Slim crops it.
    expected = np.asarray(picture.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR, (4, 3, 60, 45)), float)
    assert np.abs(pixels - expected).mean() < 3


@pytest.mark.parametrize("name", ODD)
def test_training_sees_an_odd_image_in_the_same_colours(name: str, tmp_path: Path) -> None:
    crops = kept(tmp_path, ODD[name])[np.zeros(40, int)].augmented((32, 32, 3), "inception", np.random.default_rng(1))
    red, green, blue = ((crops + 1) * 127.5).mean(axis=(0, 1, 2))
    expected = (100, 100, 100) if "1 x 1" in name else (124, 124, 124) if "grey" in name else (128, 128, 100)
    np.testing.assert_allclose((red, green, blue), expected, atol=12)


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_image_is_refused_in_one_line(name: str, tensorflow_jobs: Jobs, tmp_path: Path) -> None:
    photographs = kept(tmp_path, WRONG[name])
    message = (
        "a.JPEG: 0 of 0 bytes are there" if name == "zero bytes" else "a.JPEG: not a whole JPEG or PNG; get the file"
    )
    assert INPUTS.refusal(tensorflow_jobs, tmp_path).startswith(message)
    with pytest.raises(StudyError, match=message):
        photographs.augmented((32, 32, 3), "inception", np.random.default_rng(1))


def graph(*nodes: tuple[str, str], value: float = 0.0) -> bytes:
    """`input` of 32 x 32 pixels and a constant of 1 x 100 floats, `logits`, and nodes (name, what they pass on)."""
    made = GraphDef()
    placeholder = made.node.add(name="input", op="Placeholder")
    placeholder.attr["dtype"].type = DT_FLOAT
    add_constant(made, "logits", np.full((1, 100), value, np.float32))
    for name, source in nodes:
        made.node.add(name=name, op="Identity", input=[source]).attr["T"].type = DT_FLOAT
    return made.SerializeToString()


GRAPHS = {
    "not one": (b"no graph", "fp32.pb: not a TensorFlow graph"),
    "cut short": (graph((OUTPUT, "logits"))[:90], "fp32.pb: not a TensorFlow graph"),
    "empty": (b"", "fp32.pb: not one of this study's frozen graphs"),
    "without an output": (graph(("result", "logits")), "fp32.pb: not one of this study's frozen graphs"),
    "with a hole": (graph((OUTPUT, "nothing")), "fp32.pb: not one of this study's frozen graphs"),
    "without an input": (graph((OUTPUT, "logits")).replace(b"input", b"image"), "fp32.pb: does not run"),
    "of logits that are no numbers": (
        graph((OUTPUT, "logits"), value=np.nan),
        "fp32.pb: gives logits that are not finite",
    ),
    "of images for logits": (graph((OUTPUT, "input")), "fp32.pb: gives logits (1, 32, 32, 3), not (1, 100)"),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_that_is_wrong_is_refused_in_one_line(name: str, tensorflow_jobs: Jobs, tmp_path: Path) -> None:
    content, message = GRAPHS[name]
    (tmp_path / "fp32.pb").write_bytes(content)
    np.savez(tmp_path / "test.npz", images=np.zeros((1, 32, 32, 3), np.uint8), labels=np.zeros(1, np.int32))
    assert PREDICT.refusal(tensorflow_jobs, tmp_path).startswith(message)


def test_labels_beyond_the_classes_of_a_model_are_refused_in_one_line(tensorflow_jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "fp32.pb").write_bytes(graph((OUTPUT, "logits")))
    np.savez(tmp_path / "test.npz", images=np.zeros((1, 32, 32, 3), np.uint8), labels=np.full(1, 100, np.int32))
    message = PREDICT.refusal(tensorflow_jobs, tmp_path)
    assert message == "fp32.pb: the test set has label 100, the model 100 classes"


@pytest.mark.parametrize(
    ("network", "missing"),
    [
        ("vgg_16", "vgg_16/conv1/conv1_1/weights"),
        ("gnmt", "embeddings/encoder/embedding_encoder"),
        ("vgg_61", "vgg_61"),
    ],
)
def test_weights_of_another_network_are_refused_in_one_line(
    network: str, missing: str, tensorflow_jobs: Jobs, tmp_path: Path
) -> None:
    metadata = ModelMetadata("tiny", network, "fp32", trained=True, width=0.1, shape=(32, 32, 3), classes=10)
    write_weights(tmp_path / "fp32.safetensors", {"fc/weights": np.zeros((2, 2), np.float32)}, metadata)
    message = TRACE.refusal(tensorflow_jobs, tmp_path)
    assert message.startswith("fp32.safetensors: ") and missing in message
