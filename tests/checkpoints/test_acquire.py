"""Weights come from checkpoints in the published formats, and give the logits and translations of the originals."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml
from published import published, variables_of

from tocompress.checkpoints.acquire import acquire, imported, initial
from tocompress.checkpoints.tensorflow_checkpoint import archive, files_of, write
from tocompress.data.subwords import Vocabulary, decode, pad
from tocompress.errors import StudyError
from tocompress.models.registry import NETWORKS
from tocompress.runtimes.deployed import deployed
from tocompress.runtimes.tensorflow.body import trace
from tocompress.runtimes.tensorflow.export import export
from tocompress.runtimes.tensorflow.graph import write_graph
from tocompress.runtimes.tensorflow.session import loaded
from tocompress.settings.model import Checkpoint, ImageModel, TranslationModel
from tocompress.settings.study import load
from tocompress.weights import read_metadata, read_shapes, read_weights

REPOSITORY = Path(__file__).parents[2]
QUICK = ("mobilenet_v1", "inception_v1", "resnet_v1_50")
CNNS = [
    pytest.param(network, id=name, marks=[] if name in QUICK else pytest.mark.long)
    for name, network in NETWORKS.items()
    if network.kind == "cnn"
]
# Of the logits' standard deviation: what an independent implementation with the same weights may differ by.
TOLERANCE = {"resnet_v1_101": 1.5e-3, "resnet_v1_152": 3e-3}
USUAL_TOLERANCE = 3e-4


def model_of(network: str, **changes: object) -> ImageModel:
    facts = NETWORKS[network]
    settings = {"input_size": facts.input_size, "classes": facts.classes, "checkpoint": Checkpoint(url="")} | changes
    return ImageModel(build="published", network=network, data="imagenet", **settings)


def artifact_of(weights: Path, folder: Path, beam_width: int = 1) -> Path:
    artifact = folder / "artifact.pb"
    tensors, metadata = read_weights(weights)
    body = trace(metadata, read_shapes(weights), beam_width)
    write_graph(artifact, export(body, deployed(tensors, NETWORKS[metadata.network].batch_norm_epsilon)))
    return artifact


@pytest.mark.parametrize("network", CNNS)
def test_a_published_checkpoint_gives_slims_logits(network, shared: Path, rule: ModuleType, tmp_path: Path) -> None:
    name, weights = network.name, tmp_path / "weights.safetensors"
    archive = published(name, tmp_path, variables_of(name, shared), lambda *key: rule.weight(name, *key, 1))
    acquire(name, model_of(name), weights, checkpoint=[archive])
    archive.unlink()
    image = rule.preprocessed(rule.image(network.input_size, 1), network.preprocessing)
    with loaded(artifact_of(weights, tmp_path), threads=2) as run:
        logits = run({"input": image})[0]
    expected = np.load(shared / "golden" / f"{name}-1.npz")["logits"]
    tolerance = TOLERANCE.get(name, USUAL_TOLERANCE) * expected.std()
    np.testing.assert_allclose(logits, expected, rtol=0, atol=tolerance)
    assert logits.argmax() == expected.argmax()


@pytest.mark.parametrize(("beam_width", "output"), [(1, "output_greedy"), (10, "output_beam_search")])
def test_a_checkpoint_of_tensorflow_nmt_translates_as_there(
    beam_width: int, output: str, shared: Path, tmp_path: Path
) -> None:
    golden = shared / "golden/gnmt"
    files = sorted(golden.glob("translate.ckpt*"))
    vocabularies = [golden / "vocab.bpe.de", golden / "vocab.bpe.en"]
    model = TranslationModel(
        build="published", network="gnmt", width=64 / 1024, data="wmt", checkpoint=Checkpoint(url="")
    )
    weights = tmp_path / "weights.safetensors"
    acquire("gnmt", model, weights, checkpoint=files, vocabularies=vocabularies)
    assert read_metadata(weights).source_vocabulary == 203

    source, target = map(Vocabulary.read, vocabularies)
    sentences = [line.split() for line in (golden / "src.de").read_text().splitlines()]
    ids, length = pad([source.to_ids(sentence) for sentence in sentences])
    feeds = {"source": ids, "source_length": length, "maximum_length": np.int32(2 * ids.shape[1]), "forced": False}
    with loaded(artifact_of(weights, tmp_path, beam_width), threads=2) as run:
        translations = [decode(target.to_tokens(row)) for row in run(feeds)]
    assert translations == [line.strip() for line in (golden / output).read_text().splitlines()]


def test_a_vocabulary_of_another_training_run_is_refused_with_the_reason(shared: Path, tmp_path: Path) -> None:
    golden = shared / "golden/gnmt"
    model = TranslationModel(
        build="published",
        network="gnmt",
        width=64 / 1024,
        data="wmt",
        checkpoint=Checkpoint(url=""),
        source_vocabulary=203,
        target_vocabulary=204,
    )
    with pytest.raises(StudyError, match=r"trained with 203 target subwords, but .* 204: .* another training run"):
        imported(model, sorted(golden.glob("translate.ckpt*")), tmp_path / "unpacked")


@pytest.fixture
def small(shared: Path) -> tuple[ImageModel, list[Path]]:
    """A MobileNet of a quarter of the width, and the files of its checkpoint."""
    folder = shared / "real/mobilenet_v1_0.25_128"
    model = model_of("mobilenet_v1", width=0.25, input_size=128)
    return model, sorted(folder.glob("*.ckpt.*"))


def test_files_a_folder_and_one_of_the_files_give_the_same_weights(small, tmp_path: Path) -> None:
    model, files = small
    folder = tmp_path / "folder"
    folder.mkdir()
    for file in files:
        shutil.copy(file, folder)
    first, *others = (imported(model, given, tmp_path / "unpacked") for given in (files, [folder], files[-1:]))
    for other in others:
        assert [*first] == [*other]
        assert all(np.array_equal(first[name], other[name]) for name in first)


def test_a_checkpoint_of_another_width_is_refused(small, tmp_path: Path) -> None:
    model, files = small
    with pytest.raises(StudyError, match=r"'MobilenetV1/.*' has the shape .*, expected"):
        imported(model.model_copy(update={"width": 0.5}), files, tmp_path / "unpacked")


def test_a_file_of_another_digest_is_refused(small, tmp_path: Path) -> None:
    model, _ = small
    (tmp_path / "some.tar.gz").write_bytes(b"other")
    model = model.model_copy(update={"checkpoint": Checkpoint(url="", sha256="0" * 64)})
    with pytest.raises(StudyError, match=r"some\.tar\.gz: expected the sha256 0{64}, found"):
        imported(model, [tmp_path / "some.tar.gz"], tmp_path / "unpacked")


def test_an_archive_is_unpacked_beside_the_weights_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(yaml.safe_load((REPOSITORY / "config.yaml").read_text())).models["mobilenet_v1"]
    weights = tmp_path / "weights/fp32.safetensors"
    for left in (".fp32.unpacked.killed", ".fp32.unpacked/model"):
        (weights.parent / left).mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "too small"))
    acquire("mobilenet_v1", model, weights, checkpoint=[REPOSITORY / "zoo/mobilenet_v1.tar.gz"])
    assert list(weights.parent.iterdir()) == [weights]


@pytest.fixture(scope="module")
def narrow() -> tuple[ImageModel, dict[str, np.ndarray]]:
    """A very narrow MobileNet, and its variables."""
    model = model_of("mobilenet_v1", width=0.05, input_size=32, classes=4)
    return model, {name: np.asarray(values) for name, values in initial(model).items()}


#: A variable, another value for its first, and why it is refused.
IMPOSSIBLE = {
    "NaN": ("MobilenetV1/Logits/Conv2d_1c_1x1/biases", np.float32(np.nan), "holds NaN or infinity in 1 of 4 values"),
    "infinity": ("MobilenetV1/Conv2d_0/weights", np.float32(-np.inf), "holds NaN or infinity in 1 of "),
    "beyond float32": ("MobilenetV1/Conv2d_0/weights", np.float64(1e39), "holds NaN or infinity in 1 of "),
    "a negative variance": (
        "MobilenetV1/Conv2d_5_pointwise/BatchNorm/moving_variance",
        np.float32(-0.02),
        "holds the variance -0.02; a variance is 0 or more",
    ),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_values_that_no_network_has_are_refused_with_file_and_variable(narrow, case: str, tmp_path: Path) -> None:
    (model, variables), (name, value, reason) = narrow, IMPOSSIBLE[case]
    changed = variables[name].astype(value.dtype)
    changed.flat[0] = value
    prefix = tmp_path / "folder/model.ckpt-7"
    write(prefix, variables | {name: changed, "global_step": np.int64(7)})
    archive(prefix, tmp_path / "a.tar.gz")
    for files, place in {(*files_of(prefix),): prefix, (tmp_path / "a.tar.gz",): "a.tar.gz/model.ckpt-7"}.items():
        with pytest.raises(StudyError) as raised:
            imported(model, files, tmp_path / "unpacked")
        assert str(raised.value).startswith(f"{tmp_path / place}: {name}: {reason}")


def test_impossible_values_of_variables_that_the_network_does_not_have_are_ignored(narrow, tmp_path: Path) -> None:
    model, variables = narrow
    write(tmp_path / "model.ckpt", variables | {"MobilenetV1/Conv2d_0/weights/RMSProp": np.float32([np.nan])})
    found = imported(model, [tmp_path / "model.ckpt.data-00000-of-00001"], tmp_path / "unpacked")
    assert found.keys() == variables.keys()


GROWTH = """
import resource, subprocess, sys
from pathlib import Path
from tocompress.checkpoints.acquire import acquire
from tocompress.settings.model import Checkpoint, ImageModel
def peak(): return 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
settings = dict(build="published", data="imagenet", input_size=224, classes=1000, checkpoint=Checkpoint(url=""))
subprocess.run([sys.executable, "-c", "import keras"], check=True)
before = peak()
acquire("vgg_16", ImageModel(network="vgg_16", **settings), Path(sys.argv[2]), checkpoint=[Path(sys.argv[1])])
assert "tensorflow" not in sys.modules
print(peak() - before)
"""


@pytest.mark.long
def test_importing_takes_little_more_than_twice_the_checkpoints_memory(shared: Path, tmp_path: Path) -> None:
    """TensorFlow holds the largest tensor three times, three quarters of VGG-16."""
    archive = published(
        "vgg_16", tmp_path, variables_of("vgg_16", shared), lambda _, shape: np.zeros(shape, np.float32)
    )
    size = archive.stat().st_size
    command = [sys.executable, "-c", GROWTH, str(archive), str(tmp_path / "weights")]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "workflow")}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    grown = int(done.stdout.splitlines()[-1])
    assert len(read_weights(tmp_path / "weights")[0]) == 32
    assert 0 < grown < 2.5 * size, grown / size
