"""Other formats of networks, which are taken for a TensorFlow checkpoint: named, so that nobody looks for damage."""

from __future__ import annotations

from collections.abc import Container
from fnmatch import fnmatch
from pathlib import Path

from tocompress.errors import StudyError

#: By the name of a file, or of one in a folder or archive: the first that fits, however few files fit it.
_NAMES = {
    "saved_model.pb*": "a SavedModel",
    "*.keras": "a Keras model",
    "model.weights.h5": "a Keras model",
    "data.pkl": "a PyTorch file",
    "*.h5": "an HDF5 file, as Keras writes it",
    "*.hdf5": "an HDF5 file, as Keras writes it",
    "*.pb": "a TensorFlow graph",
    "*.pbtxt": "a TensorFlow graph as text",
    "*.tflite": "a LiteRT (TensorFlow Lite) model",
    "*.onnx": "an ONNX model",
    "*.safetensors": "a safetensors file",
    "*.pt": "a PyTorch file",
    "*.pth": "a PyTorch file",
    "*.npz": "a file of NumPy arrays",
    "*.npy": "a file of NumPy arrays",
}
#: By how a file starts, at which byte.
_STARTS = {
    (0, b"\x89HDF\r\n\x1a\n"): "an HDF5 file, as Keras writes it",
    (4, b"TFL3"): "a LiteRT (TensorFlow Lite) model",
    (8, b'{"'): "a safetensors file",
    (0, b"\x80\x02"): "a pickle, as PyTorch writes it",
    (0, b"\x93NUMPY"): "a file of NumPy arrays",
}
_LONGEST_START = 16  # bytes


#: Holds the objects whose variables Keras and tf.train.Checkpoint keep, which are named by their place among these.
_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"


def refuse_foreign(path: Path) -> None:
    """Raise a StudyError that names the format of a file or folder that is no TensorFlow checkpoint, if it is known."""
    if kind := foreign_format(path):
        raise _refusal(path, kind)


def refuse_objects(prefix: Path, variables: Container[str]) -> None:
    """Raise a StudyError where a checkpoint of such variables is one of Keras or TensorFlow 2."""
    if _OBJECTS in variables:
        raise _refusal(prefix, "a SavedModel or a checkpoint of Keras objects")


def foreign_format(path: Path) -> str | None:
    """The format of a file or folder that is no TensorFlow checkpoint, in words; None where it is not known."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for pattern, kind in _NAMES.items():
        if any(fnmatch(file.name.lower(), pattern) for file in files):
            return kind
    return next(filter(None, map(_by_start, files)), None)


def _by_start(file: Path) -> str | None:
    with file.open("rb") as opened:
        start = opened.read(_LONGEST_START)
    return next((kind for (at, bytes_), kind in _STARTS.items() if start.startswith(bytes_, at)), None)


def _refusal(path: Path, kind: str) -> StudyError:
    return StudyError(
        f"{path}: is {kind}, not a TensorFlow checkpoint with the variables of TF-Slim or tensorflow/nmt; name one that"
        " is: its prefix, its folder, or an archive of it"
    )
