"""Files of the format of 2016 are read as TensorFlow reads them, without copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from published import write_v1

from tocompress.checkpoints import checkpoint_v1, tensorflow_checkpoint
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


def test_every_float_is_the_one_that_tensorflow_reads(tmp_path: Path) -> None:
    write_v1(tmp_path / "model.ckpt", {**TENSORS, "global_step": np.array(7, np.int64)})
    found = checkpoint_v1.floats(tmp_path / "model.ckpt")
    reader = tf.train.load_checkpoint(str(tmp_path / "model.ckpt"))
    assert found is not None and found.keys() == TENSORS.keys()
    for name, array in found.items():
        np.testing.assert_array_equal(array, reader.get_tensor(name))
        assert not array.flags.owndata


def test_a_variable_in_slices_is_left_to_tensorflow_which_says_that_it_takes_none(tmp_path: Path) -> None:
    path = tmp_path / "sliced.ckpt"
    halves = [TENSORS["net/large"][:500], TENSORS["net/large"][500:]]
    slices = ["1000 70 0,500:-", "1000 70 500,500:-"]
    tf.raw_ops.SaveSlices(filename=str(path), tensor_names=["a", "a"], shapes_and_slices=slices, data=halves)
    assert checkpoint_v1.floats(path) is None
    with pytest.raises(StudyError, match=r"sliced\.ckpt: .*Sliced checkpoints are not supported"):
        tensorflow_checkpoint.read(path, {"a": (1000, 70)})


@pytest.mark.parametrize("content", [b"x" * 100, b"x", b""])
def test_what_is_no_such_file_is_left_to_tensorflow(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other").write_bytes(content)
    assert checkpoint_v1.floats(tmp_path / "other") is None


def test_a_file_that_is_cut_or_changed_gives_no_wrong_value(tmp_path: Path) -> None:
    path, tensors = tmp_path / "model.ckpt", {name: TENSORS[name] for name in ("net/mean_rgb", "net/layer_1/weights")}
    write_v1(path, tensors)
    whole = path.read_bytes()
    read = []
    for place in range(0, len(whole), 3):
        for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]):
            path.write_bytes(damaged)
            read.append(checkpoint_v1.floats(path))
            for name, array in (read[-1] or {}).items():
                np.testing.assert_array_equal(array, tensors[name])
    assert sum(found is None for found in read) > 0.9 * len(read)
