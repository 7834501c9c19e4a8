"""A checkpoint is known by its prefix, by any of its files, and by the file `checkpoint` that TensorFlow writes."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

from tocompress.archives import unpack
from tocompress.checkpoints.prefix import files_of, prefix_of
from tocompress.checkpoints.tensorflow_checkpoint import find, read
from tocompress.errors import StudyError

ZEROS = np.zeros(3, np.float32)
LAYOUTS = {"V2": (2, False), "V2 sharded": (2, True), "V1": (1, False), "V1 sharded": (1, True)}


@pytest.fixture(scope="module", params=LAYOUTS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that was saved in steps 100 and 200, moved since; `w` is of the step."""
    import tensorflow as tf

    version, sharded = LAYOUTS[request.param]
    made = tmp_path_factory.mktemp("training") / "made [here]"
    made.mkdir()
    config = tf.compat.v1.ConfigProto(device_count={"CPU": 2}, allow_soft_placement=True)
    with tf.Graph().as_default(), tf.compat.v1.Session(config=config) as session:
        variables = []
        for name, device in {"w": "/cpu:0", "v": "/cpu:1"}.items():
            with tf.device(device):
                variables.append(tf.compat.v1.get_variable(name, initializer=ZEROS, use_resource=False))
        saver = tf.compat.v1.train.Saver(variables, sharded=sharded, write_version=version)
        for step in (100, 200):
            session.run([variable.assign(3 * [float(step)]) for variable in variables])
            saver.save(session, str(made / "model.ckpt"), global_step=step)
    return made.rename(made.with_name("moved [there]"))


def step_of(prefix: Path) -> int:
    tensors = read(prefix, {"w": (3,), "v": (3,)})
    (step,) = {*tensors["w"].tolist(), *tensors["v"].tolist()}
    return int(step)


def test_any_of_its_files_stands_for_the_checkpoint(folder: Path) -> None:
    given = [folder / "model.ckpt-100", *folder.glob("model.ckpt-100*")]
    assert len(given) >= 3
    for path in given:
        assert prefix_of(path) == find(path) == folder / "model.ckpt-100"
        assert step_of(find(path)) == 100
    assert set(files_of(folder / "model.ckpt-100")) <= set(folder.glob("model.ckpt-100*"))
    assert not any(file.suffix == ".meta" for file in files_of(folder / "model.ckpt-100"))


def test_the_file_checkpoint_stands_for_the_last_one_also_where_the_folder_has_moved(folder: Path) -> None:
    assert prefix_of(folder / "checkpoint") == folder / "model.ckpt-200"
    assert step_of(find(folder / "checkpoint")) == 200


def test_a_file_names_the_checkpoint_inside_an_archive(folder: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(folder, "train")
    unpack(tmp_path / "a.tar", tmp_path / "unpacked")
    names = {"checkpoint": 200, "model.ckpt-200": 200} | {file.name: 100 for file in folder.glob("model.ckpt-100*")}
    assert {name: step_of(find(tmp_path / "unpacked", name)) for name in names} == names
    with pytest.raises(StudyError, match=r"exactly one checkpoint; .*train/model\.ckpt-100, train/model\.ckpt-200$"):
        find(tmp_path / "unpacked")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ('model_checkpoint_path: "model.ckpt-2"', "model.ckpt-2"),
        ("model_checkpoint_path: 'sub/m\\303\\274de.ckpt'", "sub/müde.ckpt"),
        ('all_model_checkpoint_paths: "model.ckpt-9"\nmodel_checkpoint_path:  "/gone/model.ckpt-2"', "model.ckpt-2"),
    ],
)
def test_the_file_checkpoint_names_it_as_a_text_of_protocol_buffers(said: str, found: str, tmp_path: Path) -> None:
    for name in ("model.ckpt-2.index", "sub/müde.ckpt.index"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "checkpoint").write_text(said)
    assert prefix_of(tmp_path / "checkpoint") == tmp_path / found


def test_a_file_that_is_left_of_a_checkpoint_names_the_prefix(tmp_path: Path) -> None:
    for name in ("model.ckpt-200.data-00000-of-00001", "model.ckpt-200.meta"):
        (tmp_path / name).write_bytes(np.float32([1, 2]).tobytes())
        with pytest.raises(StudyError, match=r"model\.ckpt-200: of its files, 'model\.ckpt-200\.index' is not there"):
            prefix_of(tmp_path / name)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-200"\n')
    with pytest.raises(StudyError, match=r"checkpoint: names the checkpoint 'model\.ckpt-200', which is not there"):
        prefix_of(tmp_path / "checkpoint")
