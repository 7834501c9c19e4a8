"""Files of the format of 2016 are read as TensorFlow reads them, without copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from published import write_v1

from tocompress.checkpoints.tensorflow_checkpoint import read, shapes
from tocompress.errors import StudyError

tf = pytest.importorskip("tensorflow")

RANDOM = np.random.default_rng(0)
TENSORS = {
    **{
        f"net/layer_{number}/weights": RANDOM.normal(size=(3, 3, 4, number)).astype(np.float32)
        for number in range(1, 60)
    },
    "net/large": RANDOM.normal(size=(1000, 70)).astype(np.float32),
    "net/scalar": np.array(2.5, np.float32),
    "net/mean_rgb": np.array([1, 2, 3], np.float32),
}
SHAPES = {name: tensor.shape for name, tensor in TENSORS.items()}


def test_every_float_is_the_one_that_tensorflow_reads(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    write_v1(path, {**TENSORS, "global_step": np.array(7, np.int64)})
    reader = tf.train.load_checkpoint(str(path))
    assert shapes(path) == {name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items()}
    for name, array in read(path, SHAPES).items():
        np.testing.assert_array_equal(array, reader.get_tensor(name))
        assert not array.flags.owndata
    with pytest.raises(StudyError, match=r"model\.ckpt: 'global_step': of TensorFlow's type 9, not float32"):
        read(path, {"global_step": ()})


def test_a_variable_in_slices_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sliced.ckpt"
    halves = [TENSORS["net/large"][:500], TENSORS["net/large"][500:]]
    slices = ["1000 70 0,500:-", "1000 70 500,500:-"]
    tf.raw_ops.SaveSlices(filename=str(path), tensor_names=["a", "a"], shapes_and_slices=slices, data=halves)
    with pytest.raises(StudyError, match=r"sliced\.ckpt: 'a': in 2 slices, not in one; "):
        read(path, {"a": (1000, 70)})


@pytest.mark.parametrize("content", [b"x" * 100, b"x", b""])
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(StudyError, match=r"other: .*; not a readable TensorFlow checkpoint, get all of it again$"):
        shapes(tmp_path / "other")


def test_a_file_that_is_cut_or_changed_gives_no_wrong_value(tmp_path: Path) -> None:
    path, names = tmp_path / "model.ckpt", ("net/mean_rgb", "net/layer_1/weights")
    write_v1(path, {name: TENSORS[name] for name in names})
    whole, places, refused = path.read_bytes(), 0, 0
    for place in range(0, len(whole), 3):
        for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]):
            path.write_bytes(damaged)
            places += 1
            try:
                for name, array in read(path, {name: SHAPES[name] for name in names}).items():
                    np.testing.assert_array_equal(array, TENSORS[name])
            except StudyError:
                refused += 1
    assert refused > 0.9 * places
