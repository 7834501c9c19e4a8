"""A network in another format is called by its name, and not taken for a damaged checkpoint."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from crafted import checkpoint_v2, entry, tar, write, zipped
from safetensors.numpy import save

from tocompress.checkpoints.acquire import acquire
from tocompress.errors import StudyError
from tocompress.settings.model import Checkpoint, ImageModel

MODEL = ImageModel(
    network="vgg_16", build="own", data="set", checkpoint=Checkpoint(url=""), width=0.05, input_size=32, classes=4
)
HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(100)
KERAS, PYTORCH = zipped([("metadata.json", b"{}"), ("model.weights.h5", HDF5)]), zipped([("x/data.pkl", b"")])
TENSORS = save({"w": np.ones(3, np.float32)})
TFLITE = b"\x1c\0\0\0TFL3" + bytes(100)
ARRAYS = io.BytesIO()
np.savez(ARRAYS, w=np.ones(3))
OBJECTS = checkpoint_v2({"_CHECKPOINTABLE_OBJECT_GRAPH": entry(kind=7), "v/.ATTRIBUTES/VARIABLE_VALUE": entry()})
SAVED = {
    "saved_model.pb": b"\x08\x01",
    "fingerprint.pb": b"",
    **{f"variables/{name.replace('model.ckpt', 'variables')}": content for name, content in OBJECTS.items()},
}

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
    "SavedModel": ("saved", SAVED, "a SavedModel"),
    "SavedModel without variables": ("saved", {"saved_model.pb": b"\x08\x01"}, "a SavedModel"),
    "weights of Keras 2": ("folder", OBJECTS, "a SavedModel or a checkpoint of Keras objects"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_another_format_is_called_by_its_name(case: str, tmp_path: Path) -> None:
    name, content, kind = FOREIGN[case]
    files = content if isinstance(content, dict) else {"": content}
    for file, data in files.items():
        path = tmp_path / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    with pytest.raises(StudyError) as raised:
        acquire("mine", MODEL, tmp_path / "w.safetensors", checkpoint=[tmp_path / name])
    message = str(raised.value)
    assert (
        message.startswith(f"{tmp_path / name}")
        and f": is {kind}" in message
        and "not a TensorFlow checkpoint" in message
    )
    assert not (tmp_path / "w.safetensors").exists()


def test_damage_to_a_checkpoint_is_not_taken_for_another_format(tmp_path: Path) -> None:
    files = checkpoint_v2({"w": entry()})
    write(tmp_path / "folder", files | {"model.ckpt.index": files["model.ckpt.index"][:-20], "frozen.pb": b"graph"})
    with pytest.raises(
        StudyError, match=r"model\.ckpt\.index: no table of TensorFlow's ends here: .*get all of it again$"
    ):
        acquire("mine", MODEL, tmp_path / "w.safetensors", checkpoint=[tmp_path / "folder"])
