"""A LiteRT model runs batches as a TensorFlow graph does, and names in a line what is wrong with it or its feeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from converted import Converted
from small_models import small_model

from tocompress.errors import StudyError
from tocompress.models import gnmt
from tocompress.runtimes.litert.flatbuffer import read, write
from tocompress.runtimes.litert.session import loaded


def written(converted: Converted, path: Path, **changed: np.ndarray) -> Path:
    weights = dict(converted.model.weights) | changed
    path.write_bytes(converted.artifact(converted.deployed(weights)))
    return path


@pytest.fixture(scope="module")
def classifier() -> Converted:
    return Converted(small_model("mobilenet_v1"))


@pytest.fixture(scope="module", params=[1, 3])
def translator(request: pytest.FixtureRequest) -> Converted:
    return Converted(small_model("gnmt"), beam_width=request.param)


def test_images_of_a_batch_run_one_after_another(classifier: Converted, tmp_path: Path) -> None:
    images = np.random.default_rng(0).normal(size=(5, 64, 64, 3)).astype(np.float32)
    with loaded(written(classifier, tmp_path / "a.tflite"), 1) as run:
        together = run({"input": images})
        apart = [run({"input": image[np.newaxis]}) for image in images]
    np.testing.assert_array_equal(together, np.concatenate(apart))
    assert np.unique(together, axis=0).shape == (5, 10)


def test_a_sentence_ends_where_it_would_alone(translator: Converted, tmp_path: Path) -> None:
    feeds = dict(translator.model.feeds)
    with loaded(written(translator, tmp_path / "a.tflite"), 1) as run:
        together = run(feeds)
        alone = run({name: array[1:] if array.ndim else array for name, array in feeds.items()})
    assert together.shape[0] == 2
    np.testing.assert_array_equal(together[1, : alone.shape[1]], alone[0])
    assert (together[1, alone.shape[1] :] == gnmt.END).all()


def test_logits_that_are_not_finite_end_a_translation(translator: Converted, tmp_path: Path) -> None:
    name = gnmt.PROJECTION_KERNEL
    enormous = written(translator, tmp_path / "a.tflite", **{name: translator.model.weights[name] * np.float32(1e38)})
    with loaded(enormous, 1) as run, pytest.raises(StudyError, match=r"a\.tflite: gives logits that are not finite"):
        run(dict(translator.model.feeds))


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "not nothing;"),
        ({"input": np.zeros((1, 64, 64, 3))}, r"float32 \[1, 64, 64, 3\] as input.* not float64"),
        ({"input": np.zeros((1, 32, 32, 3), np.float32)}, r"not float32 \[1, 32, 32, 3\]"),
        ({"input": np.zeros((64, 64, 3), np.float32)}, r"not float32 \[64, 64, 3\]"),
    ],
)
def test_feeds_that_do_not_fit_are_described(
    classifier: Converted, feeds: dict[str, np.ndarray], message: str, tmp_path: Path
) -> None:
    path = written(classifier, tmp_path / "a.tflite")
    with loaded(path, 1) as run, pytest.raises(StudyError, match=rf"a\.tflite: takes .*{message}"):
        run(feeds)


def test_unknown_tokens_are_an_error(tmp_path: Path) -> None:
    converted = Converted(small_model("gnmt"))
    with (
        loaded(written(converted, tmp_path / "a.tflite"), 1) as run,
        pytest.raises(StudyError, match=r"a\.tflite: does not run .*out of bounds"),
    ):
        run(dict(converted.model.feeds) | {"source": np.full((2, 7), 1000, np.int32)})


def test_a_model_that_the_runtime_does_not_load_is_named(classifier: Converted, tmp_path: Path) -> None:
    model = read(classifier.artifact(classifier.deployed(dict(classifier.model.weights))))
    model.operatorCodes[0].version = 99
    (tmp_path / "a.tflite").write_bytes(write(model))
    with (
        pytest.raises(StudyError, match=r"a\.tflite: LiteRT does not load it .*version.*99"),
        loaded(tmp_path / "a.tflite", 1),
    ):
        pass
