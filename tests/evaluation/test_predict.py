import os
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from small_models import small_model

from tocompress.data.preprocessing import preprocess
from tocompress.data.subwords import Segmentation, Vocabulary, learn
from tocompress.errors import StudyError
from tocompress.evaluation.predict import predict
from tocompress.models.gnmt import PROJECTION_KERNEL
from tocompress.runtimes.deployed import deployed
from tocompress.runtimes.tensorflow.export import export
from tocompress.runtimes.tensorflow.graph import write_graph
from tocompress.runtimes.tensorflow.session import loaded
from tocompress.schemas import study as schemas
from tocompress.schemas.study import IMAGE_PREDICTIONS, SENTENCE_PREDICTIONS
from tocompress.settings.data import Glyphs, NumberPhrases, Wmt
from tocompress.settings.evaluation import Prediction
from tocompress.settings.jobs import PredictJob
from tocompress.settings.model import Checkpoint, ImageModel, TranslationModel
from tocompress.tables import read_table, write_table
from tocompress.tasks.classification import predictions as classification
from tocompress.tasks.classification.predictions import best_classes
from tocompress.tasks.translation import predictions as translation
from tocompress.tasks.translation.inputs import read_subwords

CHECKPOINT = Checkpoint(url="file:x", sha256="0" * 64)
SENTENCES = ["at ten", "ten", "at ten past ten", "past ten at ten past ten", "nine past"]


def image_model(classes):
    return ImageModel(
        build="own", network="mobilenet_v1", data="glyphs", input_size=32, classes=classes, checkpoint=CHECKPOINT
    )


def predict_images(artifact, images, labels, model, batch_size, shard="1-of-1"):
    test = Path(artifact).with_name("test.npz")
    np.savez(test, images=images, labels=labels)
    return run_over(classification, artifact, test, model, Glyphs(kind="glyphs"), shard, batch_size=batch_size)


def predict_sentences(artifact, sentences, model, data, batch_size, shard="1-of-1"):
    test = Path(artifact).with_name("test.parquet")
    write_table(test, schemas.SENTENCES, sentences)
    return run_over(translation, artifact, test, model, data, shard, sentences=batch_size)


def run_over(task, artifact, test, model, data, shard, **sizes):
    job = PredictJob(runtime="tensorflow", model=model, data=data, prediction=Prediction(**sizes))
    with loaded(artifact, 1) as run:
        return task.predict(run, artifact, test, job, 1, shard)


@pytest.fixture(scope="module")
def tensorflow():
    """TensorFlow; what prediction asks of it for this process ends with these tests."""
    with mock.patch.dict(os.environ):
        yield pytest.importorskip("tensorflow")


@pytest.fixture
def freeze(tensorflow, tmp_path):
    """Write the graph that a function of TensorFlow builds, and give its path."""

    def write(build):
        with tensorflow.Graph().as_default() as graph:
            build(tensorflow.compat.v1.placeholder)
        path = tmp_path / "artifact.pb"
        path.write_bytes(graph.as_graph_def().SerializeToString())
        return path

    return write


@pytest.fixture
def dense(tensorflow, freeze):
    """A dense layer over flattened pixels, of given weights."""

    def write(weights, bias):
        def build(placeholder):
            pixels = tensorflow.reshape(placeholder("float32", [None, 32, 32, 3], "input"), [-1, 32 * 32 * 3])
            tensorflow.add(pixels @ weights, bias, name="output")

        return freeze(build)

    return write


@pytest.fixture
def examples():
    random = np.random.default_rng(0)
    return random.integers(0, 256, (11, 32, 32, 3)).astype(np.uint8), random.integers(0, 7, 11).astype(np.int32)


def test_predictions_of_a_graph_are_numpys(dense, examples, tmp_path):
    images, labels = examples
    random = np.random.default_rng(1)
    weights, bias = (random.normal(0, 0.05, shape).astype(np.float32) for shape in ((32 * 32 * 3, 7), 7))
    table = predict_images(dense(weights, bias), images, labels, image_model(7), batch_size=4)

    logits = (preprocess(images, (32, 32, 3), "inception").reshape(11, -1) @ weights + bias).astype(np.float64)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    best = np.argsort(-logits, axis=1)[:, :5]
    assert table["example"].tolist() == np.repeat(np.arange(11), 5).tolist()
    assert table["rank"].tolist() == [1, 2, 3, 4, 5] * 11
    np.testing.assert_array_equal(table["label"], np.repeat(labels, 5))
    np.testing.assert_array_equal(table["predicted"], best.ravel())
    np.testing.assert_allclose(table["score"], np.take_along_axis(probabilities, best, axis=1).ravel(), rtol=1e-4)

    write_table(tmp_path / "predictions.parquet", IMAGE_PREDICTIONS, table)
    assert read_table(tmp_path / "predictions.parquet", IMAGE_PREDICTIONS).equals(table)


def test_ties_go_to_the_lower_class_and_few_classes_have_few_ranks():
    table = best_classes(np.array([[1.0, 2.0, 2.0]]), np.array([2]), first=40)
    assert table["predicted"].tolist() == [1, 2, 0]
    assert table["example"].tolist() == [40] * 3


def test_an_artifact_that_gives_nan_is_named(dense, examples):
    artifact = dense(np.zeros((32 * 32 * 3, 7), np.float32), np.full(7, np.nan, np.float32))
    with pytest.raises(StudyError, match=r"artifact\.pb: gives logits that are not finite for example 0;"):
        predict_images(artifact, *examples, image_model(7), batch_size=4)
    images, labels = examples
    images = images.copy()
    images[:, 0, 0, 0], images[6, 0, 0, 0] = 0, 255  # becomes -1 and 1
    weights = np.zeros((32 * 32 * 3, 7), np.float32)
    weights[0, 3] = 3e38
    artifact = dense(weights, np.full(7, 3e38, np.float32))
    with pytest.raises(StudyError, match=r"artifact\.pb: gives logits that are not finite for example 6;"):
        predict_images(artifact, images, labels, image_model(7), batch_size=4)


def test_a_label_beyond_the_models_classes_is_an_error(dense, examples):
    artifact = dense(np.zeros((32 * 32 * 3, 5), np.float32), np.zeros(5, np.float32))
    with pytest.raises(StudyError, match="label 6, the model 5 classes"):
        predict_images(artifact, *examples, image_model(5), batch_size=4)


def test_a_file_that_is_no_artifact_is_named(tensorflow, freeze, examples, tmp_path):
    graph_of_others = freeze(lambda placeholder: placeholder("float32", [None], "x"))
    (tmp_path / "text.pb").write_text("this is text")
    for artifact in (graph_of_others, tmp_path / "text.pb", tmp_path / "absent.pb"):
        with pytest.raises(StudyError, match=rf"{artifact.name}: not (a TensorFlow|one of this study's frozen) graph"):
            predict_images(artifact, *examples, image_model(7), batch_size=4)


@pytest.fixture
def echo(tensorflow, freeze):
    """Says the source twice, with </s> in between, as far as the limit allows."""

    def build(placeholder):
        source, _ = placeholder("int32", [None, None], "source"), placeholder("int32", [None], "source_length")
        limit, forced = placeholder("int32", [], "maximum_length"), placeholder("bool", [], "forced")
        end = tensorflow.fill([tensorflow.shape(source)[0], 1], 2)
        said = tensorflow.concat([source, end, source], axis=1)[:, :limit]
        tensorflow.where(forced, tensorflow.zeros_like(said), said, name="output")

    return freeze(build)


@pytest.fixture
def subwords(tmp_path):
    """Files of codes and of the vocabulary that source and target share."""
    segmentation = Segmentation(learn(SENTENCES, 4))
    (tmp_path / "codes").write_text(learn(SENTENCES, 4))
    Vocabulary.of(SENTENCES, segmentation).write(tmp_path / "vocabulary")
    vocabularies = dict.fromkeys(("source_vocabulary", "target_vocabulary"), str(tmp_path / "vocabulary"))
    return {"codes": str(tmp_path / "codes"), **vocabularies}


TRANSLATOR = TranslationModel(build="own", network="gnmt", data="d", checkpoint=CHECKPOINT)


def pairs(sources, references):
    return pd.DataFrame(
        {"example": range(5), "source": sources, "reference": references, "template": "", "plain_reference": None}
    )


def test_translations_are_cut_joined_and_limited_by_batch(echo, subwords, tmp_path):
    data = NumberPhrases(kind="number_phrases", **subwords)
    table = predict_sentences(echo, pairs(SENTENCES, "Referenz"), TRANSLATOR, data, batch_size=2)
    assert table["hypothesis"].tolist() == SENTENCES
    assert table["example"].tolist() == list(range(5))
    write_table(tmp_path / "predictions.parquet", SENTENCE_PREDICTIONS, table)


@pytest.mark.parametrize("token", [-1, 1000])
def test_a_token_of_no_subword_is_named_with_its_example(token, tensorflow, freeze, subwords):
    def build(placeholder):
        source = placeholder("int32", [None, None], "source")
        for kind, shape, name in (
            ("int32", [None], "source_length"),
            ("int32", [], "maximum_length"),
            ("bool", [], "forced"),
        ):
            placeholder(kind, shape, name)
        last = tensorflow.reduce_all(tensorflow.equal(source[:, :1], ids["nine"]), axis=1, keepdims=True)
        tensorflow.where(last & (source >= 0), token * tensorflow.ones_like(source), source, name="output")

    data = NumberPhrases(kind="number_phrases", **subwords)
    words = read_subwords(TRANSLATOR, data)
    ids = {"nine": words.source_ids("nine past")[0]}
    with pytest.raises(StudyError, match=rf"artifact\.pb: gives the token {token} for example 4, but there are"):
        predict_sentences(freeze(build), pairs(SENTENCES, "Referenz"), TRANSLATOR, data, batch_size=2)


@pytest.mark.parametrize("shape", [[-1], [-1, 1, 1]])
def test_what_are_no_tokens_of_the_batch_is_named(shape, tensorflow, freeze, subwords):
    def build(placeholder):
        source = placeholder("int32", [None, None], "source")
        for kind, size, name in (
            ("int32", [None], "source_length"),
            ("int32", [], "maximum_length"),
            ("bool", [], "forced"),
        ):
            placeholder(kind, size, name)
        tensorflow.reshape(source, shape, name="output")

    data = NumberPhrases(kind="number_phrases", **subwords)
    with pytest.raises(StudyError, match=r"artifact\.pb: gives int32 .*, not token ids of 2 sentences"):
        predict_sentences(freeze(build), pairs(SENTENCES, "Referenz"), TRANSLATOR, data, batch_size=2)


@pytest.mark.parametrize("beam_width", [1, 3])
def test_a_translator_whose_logits_are_not_finite_is_named(beam_width, tensorflow, tmp_path):
    model = small_model("gnmt")
    body = model.body(beam_width)
    enormous = dict(model.weights)
    enormous[PROJECTION_KERNEL] = np.full_like(enormous[PROJECTION_KERNEL], 3e38)
    for name, weights in {"right": model.weights, "wrong": enormous}.items():
        write_graph(tmp_path / f"{name}.pb", export(body, deployed(weights, None)))
    with loaded(tmp_path / "right.pb", 1) as run:
        assert run(model.feeds).shape[0] == 2
    with (
        loaded(tmp_path / "wrong.pb", 1) as run,
        pytest.raises(StudyError, match=r"wrong\.pb: gives logits that are not finite; export and compress it again$"),
    ):
        run(model.feeds)


def asked(model, data):
    return PredictJob(runtime="tensorflow", model=model, data=data, prediction=Prediction(batch_size=4, sentences=2))


def test_a_file_of_images_is_predicted_by_its_share(dense, examples, tmp_path):
    images, labels = examples
    np.savez(tmp_path / "test.npz", images=images, labels=labels)
    artifact = dense(np.random.default_rng(1).normal(0, 0.05, (32 * 32 * 3, 7)).astype(np.float32), np.zeros(7, "f4"))
    settings = asked(image_model(7), Glyphs(kind="glyphs"))
    predict(tmp_path / "predictions.parquet", artifact, tmp_path / "test.npz", settings, threads=1, shard="2-of-2")
    table = read_table(tmp_path / "predictions.parquet", IMAGE_PREDICTIONS)
    whole = predict_images(artifact, images, labels, image_model(7), batch_size=4)
    last = table["example"].min()
    assert 0 < last < 11
    pd.testing.assert_frame_equal(table, whole[whole["example"] >= last].reset_index(drop=True))


def test_a_file_of_sentences_is_translated(echo, subwords, tmp_path):
    sentences = pairs(SENTENCES, "Referenz").assign(plain_reference="Referenz")
    write_table(tmp_path / "test.parquet", schemas.SENTENCES, sentences)
    settings = asked(TRANSLATOR, NumberPhrases(kind="number_phrases", **subwords))
    predict(tmp_path / "predictions.parquet", echo, tmp_path / "test.parquet", settings, threads=1)
    table = read_table(tmp_path / "predictions.parquet", SENTENCE_PREDICTIONS)
    assert table["hypothesis"].tolist() == SENTENCES


def test_a_model_is_not_run_over_data_of_another_task(subwords):
    phrases = NumberPhrases(kind="number_phrases", **subwords)
    for model, data in ((TRANSLATOR, Glyphs(kind="glyphs")), (image_model(7), phrases)):
        with pytest.raises(ValidationError, match=rf"{model.network}.*'{data.kind}'"):
            asked(model, data)


def test_shares_of_translations_make_the_whole(echo, subwords):
    data, sentences = NumberPhrases(kind="number_phrases", **subwords), pairs(SENTENCES, "Referenz")
    shares = [
        predict_sentences(echo, sentences, TRANSLATOR, data, batch_size=2, shard=f"{number}-of-2") for number in (1, 2)
    ]
    assert [len(share) for share in shares] == [2, 3]
    whole = predict_sentences(echo, sentences, TRANSLATOR, data, batch_size=2)
    assert pd.concat(shares, ignore_index=True).equals(whole)


def test_subwords_are_translated_as_they_are_and_judged_as_tokens(echo, subwords):
    segmentation = Segmentation(learn(SENTENCES, 4))
    split = [" ".join(segmentation.encode(sentence)) for sentence in SENTENCES]
    assert split != SENTENCES
    data = Wmt(kind="wmt", source="s", reference="r", text="subwords", **subwords | {"codes": None})
    table = predict_sentences(echo, pairs(split, split), TRANSLATOR, data, batch_size=2)
    assert table["hypothesis"].tolist() == table["reference"].tolist() == SENTENCES
