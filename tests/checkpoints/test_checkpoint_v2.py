"""Files of the format since 2017 are read as TensorFlow reads them, without copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tocompress.checkpoints.tensorflow_checkpoint import read, shapes, write
from tocompress.errors import StudyError

tf = pytest.importorskip("tensorflow")

KINDS = ("float32", "float64", "float16", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
TENSORS = {
    **{f"net/{kind}": np.arange(24).reshape(2, 3, 4).astype(kind) for kind in KINDS},
    # Of more variables than a process may have files open, and with names that begin alike.
    **{f"net/block_{number}/weights": np.float32([[number, -1]]) for number in range(1500)},
    "net/scalar": np.float32(2.5),
}


def test_every_number_is_the_one_that_tensorflow_reads(tmp_path: Path) -> None:
    write(tmp_path / "model.ckpt", TENSORS)
    reader = tf.train.load_checkpoint(str(tmp_path / "model.ckpt"))
    found = shapes(tmp_path / "model.ckpt")
    assert found == {name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items()}
    for name, array in read(tmp_path / "model.ckpt", found).items():
        np.testing.assert_array_equal(array, reader.get_tensor(name), strict=True)
        assert not array.flags.owndata


def test_several_data_files_are_one_checkpoint(tmp_path: Path) -> None:
    parts = {"one": np.float32([1, 2]), "two": np.float32([[3]])}
    for name, tensor in parts.items():
        write(tmp_path / name, {name: tensor})
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=[str(tmp_path / name) for name in parts], destination_prefix=str(tmp_path / "both")
    )
    assert len(list(tmp_path.glob("both.data-*-of-00002"))) == 2
    for name, array in read(tmp_path / "both", {name: tensor.shape for name, tensor in parts.items()}).items():
        np.testing.assert_array_equal(array, parts[name])


def test_a_variable_in_slices_or_of_texts_is_refused(tmp_path: Path) -> None:
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "odd"),
        tensor_names=["sliced", "text"],
        shape_and_slices=["4 2 0,2:-", ""],
        tensors=[np.zeros((2, 2), np.float32), np.array([b"a"])],
    )
    with pytest.raises(StudyError, match="'sliced': in slices, not whole; "):
        read(tmp_path / "odd", {"sliced": (4, 2)})
    with pytest.raises(StudyError, match="'text': of TensorFlow's type 7, none of real numbers; "):
        read(tmp_path / "odd", {"text": (1,)})
