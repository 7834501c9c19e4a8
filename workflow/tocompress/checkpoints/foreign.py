"""Name other formats of networks that are given as TensorFlow checkpoints, so nobody looks for damage."""

from __future__ import annotations

from collections.abc import Container
from fnmatch import fnmatch
from pathlib import Path

from tocompress.errors import StudyError

#: Formats by the name of a file, or of a file in a folder or archive. The first pattern that fits any file counts.
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
#: Formats by the start of a file: (offset, bytes).
_STARTS = {
    (0, b"\x89HDF\r\n\x1a\n"): "an HDF5 file, as Keras writes it",
    (4, b"TFL3"): "a LiteRT (TensorFlow Lite) model",
    (8, b'{"'): "a safetensors file",
    (0, b"\x80\x02"): "a pickle, as PyTorch writes it",
    (0, b"\x93NUMPY"): "a file of NumPy arrays",
}
_LONGEST_START = 16  # bytes


#: The variable that holds the graph of objects in checkpoints of Keras and tf.train.Checkpoint.
_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"


def refuse_foreign(path: Path) -> None:
    """Raise StudyError that names the format of a file or folder, if it is known and no TensorFlow checkpoint."""
    if kind := foreign_format(path):
        raise _refusal(path, kind)


def refuse_objects(prefix: Path, variables: Container[str]) -> None:
    """Raise StudyError if the variables belong to a checkpoint of Keras or TensorFlow 2."""
    if _OBJECTS in variables:
        raise _refusal(prefix, "a SavedModel or a checkpoint of Keras objects")


def foreign_format(path: Path) -> str | None:
    """Return the format of a file or folder of another kind, in words, or None if it is not known."""
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
