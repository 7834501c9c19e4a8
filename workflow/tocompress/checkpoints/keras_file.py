"""Read a user's Keras model: a .keras file, an .h5 file of Keras 2 or 3, or a SavedModel. No code of it is run."""

from __future__ import annotations

import errno
import json
import shutil
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from tocompress.checkpoints.foreign import foreign_format
from tocompress.errors import StudyError, about

if TYPE_CHECKING:
    import h5py  # type: ignore[import-untyped]
    import keras

    from tocompress.checkpoints.architecture import Notes

_FORMATS = "name a .keras file, an .h5 file with the whole model, or the folder of a SavedModel"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_WEIGHTS = "model.weights.h5"
#: What packing saves at most. More is a file made to fill the disk or the memory.
_LARGEST_RATIO, _SMALL = 200, 2**28


@dataclass(frozen=True)
class Loaded:
    """A model with the weights of its file, not compiled, and sentences about it for people."""

    model: keras.Model
    notes: tuple[str, ...]


def read(path: Path) -> Loaded:
    """Return the model of a file or folder. Raise StudyError if it is no image classifier, or holds code."""
    with about(path):
        if not path.exists():
            raise StudyError(f"no such file or folder; {_FORMATS}")
        if path.is_dir():
            if not (path / "saved_model.pb").is_file():
                raise StudyError(f"is {foreign_format(path) or 'a folder without a saved_model.pb'}; {_FORMATS}")
            from tocompress.checkpoints.saved_model import read as read_saved_model

            model, notes = read_saved_model(path)
        else:
            model, notes = _read_file(path)
        _check_classifier(model)
        model.trainable = True
        return Loaded(model, notes)


def _read_file(path: Path) -> tuple[Any, tuple[str, ...]]:
    with path.open("rb") as file:
        start = file.read(len(_HDF5))
    if start == _HDF5:
        return _read_h5(path)
    if zipfile.is_zipfile(path):
        return _read_zip(path)
    if path.suffix == ".keras":
        raise StudyError("is damaged or only a part: not a readable zip file, as Keras writes it; get all of it again")
    raise StudyError(f"is {foreign_format(path) or 'in no format of Keras'}; {_FORMATS}")


def _read_zip(path: Path) -> tuple[Any, tuple[str, ...]]:
    from tocompress.checkpoints import architecture

    with _readable(), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if "config.json" not in names:
            raise StudyError(f"is {foreign_format(path) or 'a zip file'} without config.json; {_FORMATS}")
        description = _json(_member(archive, "config.json").read())
        metadata = _json(_member(archive, "metadata.json").read()) if "metadata.json" in names else {}
        notes = architecture.Notes()
        old = str(metadata.get("keras_version", "3")).split(".")[0] in ("1", "2")
        model = architecture.build(description, notes, old=old)
        if _WEIGHTS not in names:
            raise StudyError(f"holds no {_WEIGHTS}; save the whole model with model.save")
        with TemporaryDirectory() as folder:
            weights = Path(folder) / _WEIGHTS
            with _member(archive, _WEIGHTS) as source, weights.open("wb") as target:
                shutil.copyfileobj(source, target)
            with _open_h5(weights):
                pass
            _check_order(description, model, notes)
            _load_weights(model, weights)
    return model, notes.sentences()


def _load_weights(model: Any, weights: Path) -> None:
    """Set the weights of the model. Raise StudyError if one is missing, of which Keras only warns."""
    from tocompress.checkpoints.architecture import short

    variables = [variable for variable in model.weights if variable.dtype == "float32"]
    for variable in variables:
        variable.assign(np.full(variable.shape, np.nan, np.float32))
    try:
        with warnings.catch_warnings(action="ignore"):
            model.load_weights(weights)
    except Exception as error:  # Keras raises any kind for weights that do not fit
        raise StudyError(f"the weights do not fit the layers: {short(error)}") from error
    for variable in variables:
        if np.isnan(variable).all():
            raise StudyError(f"{variable.path}: has no numbers in the file; save the model again")


def _member(archive: zipfile.ZipFile, name: str) -> Any:
    """Return an opened member of a zip file, unless it would unpack to far more than it is."""
    size = archive.getinfo(name)
    if size.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others unpack at once, to any size
        raise StudyError(f"{name} is packed in a way that Keras does not use; save the model again")
    if size.file_size > max(_SMALL, _LARGEST_RATIO * size.compress_size):
        raise StudyError(f"{name} would unpack to {size.file_size} bytes; not a file that Keras wrote")
    return archive.open(name)


def _json(text: bytes | str) -> Any:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise StudyError("its description is no JSON object; not an architecture of Keras")
    return value


def _check_order(description: Any, model: Any, notes: Notes) -> None:
    """Raise StudyError if layers with weights come in another order than in the file, which counts them."""
    config = description["config"]
    records = config if isinstance(config, list) else config["layers"]
    layers = {notes.renamed.get(layer.name, layer.name): layer for layer in model.layers if layer.weights}
    stored = {record.get("name") or record["config"].get("name"): record for record in records}
    if [name for name in stored if name in layers] != list(layers):
        raise StudyError(f"{model.name}: its layers are in an unknown order; save the model again with Keras 3")
    for name, layer in layers.items():
        if hasattr(layer, "layers"):
            _check_order(stored[name], layer, notes)


def _read_h5(path: Path) -> tuple[Any, tuple[str, ...]]:
    from tocompress.checkpoints import architecture

    with _readable(), _open_h5(path) as file:
        text = file.attrs.get("model_config")
        if text is None:
            raise StudyError("holds weights only; save the whole model with model.save")
        notes = architecture.Notes()
        old = str(file.attrs.get("keras_version", "2")).split(".")[0] in ("1", "2")
        model = architecture.build(_json(text), notes, old=old)
        _load_h5(file.get("model_weights"), model, notes)
    return model, notes.sentences()


@contextmanager
def _open_h5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file. Raise StudyError if it reads from other files, or holds less than it declares."""
    import h5py

    with _readable(), h5py.File(path, "r") as file:

        def fault_of_link(name: str, link: Any) -> str | None:
            elsewhere = isinstance(link, (h5py.ExternalLink, h5py.SoftLink))
            return f"{name} is a link to another place, which Keras never writes" if elsewhere else None

        def fault_of_item(name: str, item: Any) -> str | None:
            if not isinstance(item, h5py.Dataset):
                return None
            if item.external or item.is_virtual:
                return f"{name} is read from another file, which Keras never writes"
            if item.nbytes > max(_SMALL, _LARGEST_RATIO * item.id.get_storage_size()):
                return f"{name} would unpack to {item.nbytes} bytes; not a file that Keras wrote"
            return None

        if fault := file.visititems_links(fault_of_link) or file.visititems(fault_of_item):
            raise StudyError(fault)
        yield file


@contextmanager
def _readable() -> Iterator[None]:
    """Turn the errors of other libraries about a damaged file into a StudyError."""
    try:
        yield
    except StudyError:
        raise
    except Exception as error:  # of any kind: a damaged file leads anywhere
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        from tocompress.checkpoints.architecture import short

        raise StudyError(f"is damaged ({short(error)}); get all of it again") from error


def _load_h5(group: Any, model: Any, notes: Notes) -> None:
    """Set the weights of the model. They are in a group a layer, in Keras 2's order within a nested model."""
    import keras

    if group is None:
        raise StudyError("holds no weights; save the whole model with model.save")
    for layer in model.layers:
        variables = [*layer.trainable_weights, *layer.non_trainable_weights]
        if not variables:
            continue
        name = notes.renamed.get(layer.name, layer.name)
        stored = group.get(name)
        if stored is None:
            raise StudyError(f"{name}: its weights are missing")
        names = _texts(stored, "weight_names")
        values = [np.asarray(stored[each]) for each in names]
        if len(values) != len(variables):
            raise StudyError(f"{name}: has {len(variables)} weights, but the file holds {len(values)}")
        for variable, value in zip(_by_name(layer, names, notes) or variables, values, strict=True):
            if tuple(variable.shape) != value.shape:
                raise StudyError(
                    f"{name}: its weight {variable.name} has the shape {tuple(variable.shape)}, but {value.shape} in"
                    " the file"
                )
            variable.assign(value)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()


def _texts(group: Any, name: str) -> list[str]:
    """Return a list of texts, which Keras splits into numbered attributes if it is long."""
    parts = [group.attrs[name]] if name in group.attrs else []
    while f"{name}{len(parts)}" in group.attrs:
        parts.append(group.attrs[f"{name}{len(parts)}"])
    return [text.decode() if isinstance(text, bytes) else str(text) for part in parts for text in part]


def _by_name(layer: Any, names: list[str], notes: Notes) -> list[Any] | None:
    """Return the variables in the order of their names in the file, or None if the names do not tell."""
    variables: dict[str, Any] = {}
    for inner in layer._flatten_layers():
        if hasattr(inner, "layers"):
            continue
        for variable in inner.weights:
            variables[f"{notes.renamed.get(inner.name, inner.name)}/{_leaf(variable.name)}"] = variable
    found = []
    for name in names:
        parts = _leaf(name.partition(":")[0]).split("/")
        keys = ["/".join(parts[first:]) for first in range(len(parts))]
        found.append(next((key for key in keys if key in variables), None))
    if None in found or len(set(found)) != len(names) or len(variables) != len(names):
        return None
    return [variables[key] for key in found if key]


def _leaf(name: str) -> str:
    """Return the name of a variable. Keras 2 has another name for a depthwise kernel."""
    return name.replace("depthwise_kernel", "kernel")


def _check_classifier(model: Any) -> None:
    """Raise StudyError if the model does not map one picture to the numbers of several classes."""
    import keras

    for ends, what in ((model.inputs, "inputs"), (model.outputs, "outputs")):
        if len(ends) != 1:
            raise StudyError(f"has {len(ends)} {what}; an image classifier has one input and one output")
    shape, output = model.inputs[0].shape, model.outputs[0].shape
    if len(shape) != 4:
        raise StudyError(f"takes an input of the shape {_words(shape)}; a picture has height, width and channels")
    if None in shape[1:]:
        raise StudyError(
            f"takes an input of the shape {_words(shape)}; its size must be fixed: build the model with"
            " keras.Input((height, width, 3)) and save it again"
        )
    if shape[3] not in (1, 3):
        channels_first = shape[1] in (1, 3)
        raise StudyError(
            f"takes an input of the shape {_words(shape)}, with"
            + (" its channels first; build it with channels last" if channels_first else f" {shape[3]} channels")
            + ("" if channels_first else "; pictures have 3 channels, or 1 if they are grey")
        )
    for layer in model._flatten_layers():
        if (
            isinstance(layer, keras.layers.BatchNormalization)
            and layer.axis % layer.input_spec.ndim + 1 != layer.input_spec.ndim
        ):
            raise StudyError(f"{layer.name}: normalizes axis {layer.axis}; build the model with channels last")
    if len(output) != 2 or output[1] is None:
        raise StudyError(f"gives an output of the shape {_words(output)}; a classifier gives one number a class")
    if output[1] < 2:
        raise StudyError("gives one output; a classifier of two classes needs two outputs with softmax")


def _words(shape: Any) -> str:
    return "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"
