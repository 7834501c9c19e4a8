"""Checkpoints are read by exact variable name, and what is wrong with one is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from published import write_v1

from tocompress.archives import unpack
from tocompress.checkpoints.tensorflow_checkpoint import archive, files_of, find, read, write
from tocompress.errors import StudyError

TENSORS = {
    "net/conv/weights": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "net/conv/biases": np.float32([1.5, -2, 0, 4]),
    "global_step": np.int64(7),
}
SHAPES = {"net/conv/weights": (2, 3, 4), "net/conv/biases": (4,)}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "model.ckpt"
    write(path, TENSORS)
    return path


KINDS = ("float32", "float64", "int8", "uint8", "int16", "int32", "int64")
KINDS_OF_V2 = (*KINDS, "float16", "bfloat16", "uint16", "uint32", "uint64")


@pytest.mark.parametrize(("save", "kinds"), [(write, KINDS_OF_V2), (write_v1, KINDS)], ids=["V2", "V1"])
def test_every_number_is_the_one_that_was_saved(
    save: Callable[..., None], kinds: tuple[str, ...], tmp_path: Path
) -> None:
    import tensorflow as tf

    tensors = {kind: tf.cast(np.arange(24).reshape(2, 3, 4), kind).numpy() for kind in kinds}
    tensors["scalar"] = np.array(2.5, np.float32)
    # Of more variables than a process may have files open, and with names that begin alike.
    tensors |= {f"net/block_{number}/weights": np.float32([[number, -1]]) for number in range(1500)}
    (tmp_path / "made [here]").mkdir()
    save(tmp_path / "made [here]/model.ckpt", tensors)
    found = read(find(tmp_path), {name: tensor.shape for name, tensor in tensors.items()})
    assert [*found] == [*tensors]
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor, strict=True)


def test_a_variable_in_slices_is_read_whole_or_refused(tmp_path: Path) -> None:
    import tensorflow as tf

    halves = [np.ones((2, 2), np.float32), np.zeros((2, 2), np.float32)]
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "model.ckpt"),
        tensor_names=["whole", "whole", "half"],
        shape_and_slices=["4 2 0,2:-", "4 2 2,2:-", "4 2 0,2:-"],
        tensors=[*halves, halves[0]],
    )
    np.testing.assert_array_equal(read(find(tmp_path), {"whole": (4, 2)})["whole"], np.concatenate(halves))
    with pytest.raises(StudyError, match=r"model\.ckpt: "):
        read(find(tmp_path), {"half": (4, 2)})


def test_equal_tensors_give_an_equal_archive_that_unpacks_to_the_checkpoint(prefix: Path, tmp_path: Path) -> None:
    again = tmp_path / "again" / "model.ckpt"
    write(again, dict(reversed(TENSORS.items())))
    archive(prefix, tmp_path / "one.tar.gz")
    archive(again, tmp_path / "two.tar.gz")
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()
    unpack(tmp_path / "one.tar.gz", tmp_path / "unpacked")
    np.testing.assert_array_equal(
        read(find(tmp_path / "unpacked"), SHAPES)["net/conv/biases"], TENSORS["net/conv/biases"]
    )


def test_a_missing_variable_is_named_with_its_nearest(prefix: Path) -> None:
    message = r"model\.ckpt: lacks 1 of 3.*'net/conv/weight' \(2, 3, 4\).*'net/conv/weights' \(2, 3, 4\)"
    with pytest.raises(StudyError, match=message):
        read(prefix, {**SHAPES, "net/conv/weight": (2, 3, 4)})


def test_a_misshapen_variable_is_named_with_both_shapes(prefix: Path) -> None:
    with pytest.raises(StudyError, match=r"'net/conv/biases' has the shape \(4,\), expected \(5,\)"):
        read(prefix, {**SHAPES, "net/conv/biases": (5,)})


def test_a_checkpoint_is_found_by_folder_name_or_prefix(prefix: Path, tmp_path: Path) -> None:
    assert find(tmp_path) == find(prefix) == find(prefix.with_name("model.ckpt.index")) == prefix
    for file in files_of(prefix):
        shutil.copy(file, tmp_path / file.name.replace("model", "second"))
    assert find(tmp_path, "model.ckpt") == prefix
    with pytest.raises(StudyError, match=r"exactly one checkpoint; .*folder/model\.ckpt, second\.ckpt"):
        find(tmp_path)
    with pytest.raises(StudyError, match=r"named 'third'; .*folder/model\.ckpt, second\.ckpt"):
        find(tmp_path, "third")
    with pytest.raises(StudyError, match=r"no file, folder or checkpoint prefix .*nowhere"):
        find(tmp_path / "nowhere")


def listed_shapes(file: Path) -> dict[str, tuple[int, ...]]:
    lines = [line.split("\t") for line in file.read_text().splitlines()]
    return {name: tuple(json.loads(shape)) for name, shape, _ in lines if shape != "shape"}


def test_slims_mobilenet_has_every_published_variable(shared: Path) -> None:
    published = listed_shapes(shared / "golden/variables/mobilenet_v1.tsv")
    quarter = {
        name: tuple(size // 4 if size >= 32 and size != 1001 else size for size in shape)
        for name, shape in published.items()
    }
    tensors = read(find(shared / "real/mobilenet_v1_0.25_128"), quarter)
    assert len(tensors) == 137
    assert all(np.isfinite(tensor).all() for tensor in tensors.values())
    with pytest.raises(StudyError, match=r"has the shape \(3, 3, 3, 8\), expected \(3, 3, 3, 32\)"):
        read(find(shared / "real/mobilenet_v1_0.25_128"), published)


def test_the_nmt_checkpoint_has_every_listed_variable(shared: Path) -> None:
    shapes = listed_shapes(shared / "golden/gnmt/variables.tsv")
    tensors = read(find(shared / "golden/gnmt"), shapes)
    assert {name: tensor.shape for name, tensor in tensors.items()} == shapes
    assert tensors["Variable"].dtype == np.int32
