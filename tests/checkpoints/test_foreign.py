"""A network in another format is called by its name, and not taken for a damaged checkpoint."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from crafted import CHECKPOINT, INDEX, tar, write, zipped
from safetensors.numpy import save as save_tensors

from tocompress.checkpoints.acquire import imported
from tocompress.checkpoints.tensorflow_checkpoint import write as save
from tocompress.errors import StudyError
from tocompress.settings.model import Checkpoint, ImageModel

MODEL = ImageModel(
    network="vgg_16", build="own", data="set", checkpoint=Checkpoint(url=""), width=0.05, input_size=32, classes=4
)
HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(100)
KERAS, PYTORCH = zipped([("metadata.json", b"{}"), ("model.weights.h5", HDF5)]), zipped([("x/data.pkl", b"")])
TENSORS = save_tensors({"w": np.ones(3, np.float32)})
TFLITE = b"\x1c\0\0\0TFL3" + bytes(100)
ARRAYS = io.BytesIO()
np.savez(ARRAYS, w=np.ones(3))

#: Name, content (of a file, or of those in a folder), and its format.
FOREIGN: dict[str, tuple[str, bytes | dict[str, bytes], str]] = {
    "keras": ("model.keras", KERAS, "a Keras model"),
    "keras under another name": ("model.zip", KERAS, "a Keras model"),
    "h5": ("model.h5", HDF5, "an HDF5 file"),
    "h5 under another name": ("weights", HDF5, "an HDF5 file"),
    "frozen graph": ("frozen.pb", b"\x0a\x05node!", "a TensorFlow graph"),
    "tflite": ("model.tflite", TFLITE, "a LiteRT (TensorFlow Lite) model"),
    "tflite under another name": ("model.bin", TFLITE, "a LiteRT (TensorFlow Lite) model"),
    "onnx": ("model.ONNX", b"\x08\x07\x12\x07pytorch", "an ONNX model"),
    "pt": ("model.pt", PYTORCH, "a PyTorch file"),
    "pth of old": ("model.pth", pickle.dumps({}, 2), "a PyTorch file"),
    "pickle under another name": ("model.bin", pickle.dumps({}, 2), "a pickle"),
    "safetensors": ("model.safetensors", TENSORS, "a safetensors file"),
    "safetensors under another name": ("model.ckpt", TENSORS, "a safetensors file"),
    "npz": ("model.npz", ARRAYS.getvalue(), "a file of NumPy arrays"),
    "archive of h5": ("model.tar.gz", tar(("a/model.h5", HDF5)), "an HDF5 file"),
    "SavedModel without variables": ("saved", {"saved_model.pb": b"\x08\x01"}, "a SavedModel"),
}


def refusal(path: Path) -> str:
    with pytest.raises(StudyError) as raised:
        imported(MODEL, [path], path.with_name(".unpacked"))
    return str(raised.value)


@pytest.mark.parametrize("case", FOREIGN)
def test_another_format_is_called_by_its_name(case: str, tmp_path: Path) -> None:
    name, content, kind = FOREIGN[case]
    if isinstance(content, dict):
        write(tmp_path / name, content)
    else:
        (tmp_path / name).write_bytes(content)
    message = refusal(tmp_path / name)
    assert message.startswith(f"{tmp_path / name}") and f": is {kind}" in message


def test_a_checkpoint_of_objects_is_called_by_its_name(tmp_path: Path) -> None:
    """SavedModels and weights of Keras 2 are in TensorFlow's format, but under names of Keras."""
    objects = {"_CHECKPOINTABLE_OBJECT_GRAPH": np.array(b""), "v/.ATTRIBUTES/VARIABLE_VALUE": np.ones(3, np.float32)}
    save(tmp_path / "saved/variables/variables", objects)
    write(tmp_path / "saved", {"saved_model.pb": b"\x08\x01", "fingerprint.pb": b""})
    assert ": is a SavedModel or a checkpoint of Keras objects" in refusal(tmp_path / "saved")


def test_damage_to_a_checkpoint_is_not_taken_for_another_format(tmp_path: Path) -> None:
    write(tmp_path / "folder", CHECKPOINT | {INDEX: CHECKPOINT[INDEX][:-20], "frozen.pb": b"graph"})
    message = refusal(tmp_path / "folder")
    assert message.startswith(f"{tmp_path}/folder/model.ckpt: ") and ": is " not in message
