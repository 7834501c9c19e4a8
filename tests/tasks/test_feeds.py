from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tocompress.data.glyphs import write_split as write_images
from tocompress.data.sets import read_images
from tocompress.data.subwords import END_ID, Segmentation, Vocabulary, learn
from tocompress.errors import StudyError
from tocompress.measurement.inputs import write_inputs
from tocompress.schemas import study as schemas
from tocompress.settings.data import Glyphs, NumberPhrases
from tocompress.settings.jobs import InputsJob
from tocompress.settings.model import Checkpoint, ImageModel, TranslationModel
from tocompress.tables import write_table
from tocompress.tasks.classification.inputs import image_feeds
from tocompress.tasks.feeds import batches
from tocompress.tasks.translation.inputs import read_subwords, sentence_feeds

SENTENCES = ["at ten", "ten", "at ten past ten", "past ten at ten past ten past nine", "nine past"]
REFERENCES = ["um zehn", "zehn", "um zehn nach zehn", "nach zehn um zehn nach zehn nach neun", "neun nach"]
TRAINED = {"build": "own", "checkpoint": Checkpoint(url="file:x", sha256="0" * 64)}
GLYPHS = Glyphs(kind="glyphs", size=32, test=20)
IMAGE_MODEL = ImageModel(build="initial", network="mobilenet_v1", data="glyphs", input_size=40, classes=100)


@pytest.fixture
def data(tmp_path):
    codes = learn(SENTENCES + REFERENCES, 8)
    segmentation = Segmentation(codes)
    (tmp_path / "codes").write_text(codes)
    Vocabulary.of(SENTENCES, segmentation).write(tmp_path / "source")
    Vocabulary.of(REFERENCES, segmentation).write(tmp_path / "target")
    files = {"codes": "codes", "source_vocabulary": "source", "target_vocabulary": "target"}
    return NumberPhrases(kind="number_phrases", **{key: str(tmp_path / name) for key, name in files.items()})


@pytest.fixture
def split(tmp_path):
    path = tmp_path / "test.parquet"
    table = pd.DataFrame({"source": SENTENCES, "reference": REFERENCES}).assign(
        template="", example=range(5), plain_reference=None
    )
    write_table(path, schemas.SENTENCES, table)
    return path


def translation_model(data, extra=0, **options):
    source, target = (len(Vocabulary.read(Path(file))) for file in (data.source_vocabulary, data.target_vocabulary))
    return TranslationModel(
        network="gnmt", data="phrases", source_vocabulary=source + extra, target_vocabulary=target, **options
    )


def read(path):
    """input_id -> placeholder -> array."""
    inputs = {}
    with np.load(path, allow_pickle=False) as arrays:
        for key, array in arrays.items():
            name, placeholder = key.split("/")
            inputs.setdefault(name, {})[placeholder] = array
    return inputs


def test_images_are_fed_as_the_network_was_trained():
    images = np.zeros((3, 32, 32, 3), np.uint8)
    assert image_feeds(images, IMAGE_MODEL)["input"].shape == (3, 40, 40, 3)
    np.testing.assert_array_equal(image_feeds(images, IMAGE_MODEL)["input"], np.float32(-1))
    vgg = IMAGE_MODEL.model_copy(update={"network": "vgg_16"})
    np.testing.assert_allclose(image_feeds(images, vgg)["input"][0, 0, 0], [-123.68, -116.78, -103.94], rtol=1e-6)


def test_sentences_are_fed_padded_with_their_lengths_and_a_limit(data):
    subwords = read_subwords(translation_model(data, **TRAINED), data)
    feeds = sentence_feeds(SENTENCES[:3], subwords)
    ids = [subwords.source_ids(sentence) for sentence in SENTENCES[:3]]
    assert feeds["source_length"].tolist() == [len(row) for row in ids]
    for row, expected in zip(feeds["source"], ids, strict=True):
        assert row[: len(expected)].tolist() == expected
        assert set(row[len(expected) :]) <= {END_ID}
    assert feeds["maximum_length"] == 2 * len(ids[2])
    assert {name: (array.dtype, array.ndim) for name, array in feeds.items()} == {
        "source": (np.int32, 2),
        "source_length": (np.int32, 1),
        "maximum_length": (np.int32, 0),
        "forced": (bool, 0),
    }
    assert not feeds["forced"]


def test_a_translation_is_what_its_ids_spell_up_to_the_first_end(data):
    subwords = read_subwords(translation_model(data, **TRAINED), data)
    ids = subwords.target_ids("nach zehn")
    assert subwords.translation([*ids, END_ID, *ids]) == "nach zehn"


def test_a_vocabulary_of_another_size_than_the_models_is_named_with_both_sizes(data):
    size = len(Vocabulary.read(Path(data.source_vocabulary)))
    for extra in (1, -1):
        problem = rf"source: holds {size} subwords, the model has {size + extra}; .* another training run"
        with pytest.raises(StudyError, match=problem):
            read_subwords(translation_model(data, extra, **TRAINED), data)


def test_an_untrained_model_may_have_more_subwords_but_not_fewer(data):
    read_subwords(translation_model(data, 1, build="initial"), data)
    with pytest.raises(StudyError, match=r"source: holds .* raise the model's source_vocabulary"):
        read_subwords(translation_model(data, -1, build="initial"), data)


def test_a_checkpoints_model_has_as_many_subwords_as_the_vocabulary_where_it_says_no_number(data):
    model = TranslationModel(network="gnmt", data="phrases", **TRAINED)
    assert read_subwords(model, data).source_ids("ten") == read_subwords(
        translation_model(data, **TRAINED), data
    ).source_ids("ten")


def test_a_missing_file_of_subwords_is_named(data):
    missing = data.model_copy(update={"codes": "absent/codes"})
    with pytest.raises(StudyError, match="absent/codes: not readable"):
        read_subwords(translation_model(data, **TRAINED), missing)


def test_benchmark_images_are_spread_over_the_set(tmp_path):
    write_images(tmp_path / "test.npz", GLYPHS, "test")
    write_inputs(
        tmp_path / "inputs.npz", InputsJob(model=IMAGE_MODEL, data=GLYPHS, count=3, batches=(1,)), tmp_path / "test.npz"
    )
    inputs = read(tmp_path / "inputs.npz")
    assert list(inputs) == ["i00", "i01", "i02"]
    images, _ = read_images(tmp_path / "test.npz")
    for feeds, index in zip(inputs.values(), (0, 9, 19), strict=True):
        np.testing.assert_array_equal(feeds["input"], image_feeds(images[[index]], IMAGE_MODEL)["input"])


def test_benchmark_sentences_are_spread_over_lengths_and_run_freely(tmp_path, data, split):
    model = translation_model(data, **TRAINED)
    write_inputs(tmp_path / "inputs.npz", InputsJob(model=model, data=data, count=3, batches=(1,)), split)
    inputs = read(tmp_path / "inputs.npz")
    lengths = [feeds["source_length"].item() for feeds in inputs.values()]
    every = sorted(len(read_subwords(model, data).source_ids(sentence)) for sentence in SENTENCES)
    assert list(inputs) == ["s00", "s01", "s02"]
    assert lengths == [every[0], every[2], every[4]]
    for feeds, length in zip(inputs.values(), lengths, strict=True):
        assert feeds["source"].shape == (1, length)
        assert feeds["maximum_length"] == 2 * length
        assert not feeds["forced"]


def test_an_untrained_model_is_forced_to_the_references_length(tmp_path, data, split):
    model = translation_model(data, build="initial")
    write_inputs(tmp_path / "inputs.npz", InputsJob(model=model, data=data, count=5, batches=(1,)), split)
    subwords = read_subwords(model, data)
    expected = sorted(len(subwords.target_ids(reference)) for reference in REFERENCES)
    inputs = read(tmp_path / "inputs.npz").values()
    assert sorted(feeds["maximum_length"].item() for feeds in inputs) == expected
    assert all(feeds["forced"] for feeds in inputs)


def test_batches_hold_every_example_and_the_last_begins_again():
    named = batches(np.array([4, 9, 19]), (1, 2, 8), "i")
    assert {name: examples.tolist() for name, examples in named.items()} == {
        "i00": [4], "i01": [9], "i02": [19],
        "i00x2": [4, 9], "i01x2": [19, 4],
        "i00x8": [4, 9, 19, 4, 9, 19, 4, 9],
    }  # fmt: skip


def test_a_batch_of_images_holds_those_of_one(tmp_path):
    write_images(tmp_path / "test.npz", GLYPHS, "test")
    job = InputsJob(model=IMAGE_MODEL, data=GLYPHS, count=3, batches=(1, 2))
    write_inputs(tmp_path / "inputs.npz", job, tmp_path / "test.npz")
    inputs = {name: feeds["input"] for name, feeds in read(tmp_path / "inputs.npz").items()}
    assert list(inputs) == ["i00", "i01", "i02", "i00x2", "i01x2"]
    np.testing.assert_array_equal(inputs["i00x2"], np.concatenate([inputs["i00"], inputs["i01"]]))
    np.testing.assert_array_equal(inputs["i01x2"], np.concatenate([inputs["i02"], inputs["i00"]]))


@pytest.mark.parametrize("options", [TRAINED, {"build": "initial"}], ids=["trained", "untrained"])
def test_a_batch_of_sentences_is_padded_and_as_long_as_its_longest(tmp_path, data, split, options):
    model = translation_model(data, **options)
    write_inputs(tmp_path / "inputs.npz", InputsJob(model=model, data=data, count=5, batches=(1, 2)), split)
    inputs = read(tmp_path / "inputs.npz")
    for name, parts in {"s00x2": ("s00", "s01"), "s01x2": ("s02", "s03"), "s02x2": ("s04", "s00")}.items():
        batch, alone = inputs[name], [inputs[part] for part in parts]
        lengths = [feeds["source_length"].item() for feeds in alone]
        assert batch["source_length"].tolist() == lengths
        assert batch["source"].shape == (2, max(lengths))
        assert batch["maximum_length"] == max(feeds["maximum_length"] for feeds in alone)
        assert batch["forced"] == (not model.trained)
        for row, feeds, length in zip(batch["source"], alone, lengths, strict=True):
            assert row[:length].tolist() == feeds["source"][0].tolist()
            assert set(row[length:]) <= {END_ID}


def test_more_inputs_than_examples_are_an_error(tmp_path, data, split):
    with pytest.raises(StudyError, match=r"test\.parquet: holds 5 examples, the benchmark wants 6"):
        write_inputs(
            tmp_path / "inputs.npz",
            InputsJob(model=translation_model(data, build="initial"), data=data, count=6, batches=(1,)),
            split,
        )
    assert not (tmp_path / "inputs.npz").exists()
