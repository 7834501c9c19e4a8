import numpy as np
import pytest

from tocompress.data.glyphs import render
from tocompress.data.glyphs import write_split as write_images
from tocompress.data.number_phrases import phrases
from tocompress.data.number_phrases import write_split as write_sentences
from tocompress.data.sets import read_images, read_sentences
from tocompress.errors import StudyError
from tocompress.settings.data import Glyphs, NumberPhrases

GLYPHS = Glyphs(kind="glyphs", size=24, train=7, calibration=3, test=5)
PHRASES = NumberPhrases(kind="number_phrases", test=6, codes="c", source_vocabulary="s", target_vocabulary="t")


def test_images_are_read_as_they_were_made(tmp_path):
    write_images(tmp_path / "test.npz", GLYPHS, "test")
    images, labels = read_images(tmp_path / "test.npz")
    made_images, made_labels = render("test", 5, size=24, seed=1)
    np.testing.assert_array_equal(images, made_images)
    np.testing.assert_array_equal(labels, made_labels)
    assert (images.shape, images.dtype, labels.dtype) == ((5, 24, 24, 3), np.uint8, np.int32)


def test_sentences_are_read_as_they_were_made(tmp_path):
    write_sentences(tmp_path / "test.parquet", PHRASES, "test")
    sentences = read_sentences(tmp_path / "test.parquet")
    assert sentences["source"].tolist() == [phrase.source for phrase in phrases("test", 6, seed=1)]
    assert sentences["example"].tolist() == [0, 1, 2, 3, 4, 5]
    assert (sentences[["source", "reference", "template"]].map(len) > 0).all(axis=None)


def test_each_split_has_its_own_size_and_examples(tmp_path):
    for split in ("train", "calibration", "test"):
        write_images(tmp_path / f"{split}.npz", GLYPHS, split)
    images = {split: read_images(tmp_path / f"{split}.npz")[0] for split in ("train", "calibration", "test")}
    assert {split: len(made) for split, made in images.items()} == {"train": 7, "calibration": 3, "test": 5}
    assert (images["calibration"] != images["test"][:3]).any()


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ({"images": np.zeros((2, 8, 8, 3), np.uint8)}, "labels"),
        ({"images": np.zeros((2, 8, 8, 3), np.float32), "labels": np.zeros(2, np.int32)}, "uint8"),
        ({"images": np.zeros((2, 8, 8), np.uint8), "labels": np.zeros(2, np.int32)}, "uint8"),
        ({"images": np.zeros((2, 8, 8, 3), np.uint8), "labels": np.zeros(3, np.int32)}, r"int32 \[2\]"),
        ({"images": np.array([{}], object), "labels": np.zeros(1, np.int32)}, "allow_pickle"),
    ],
)
def test_a_file_that_is_no_set_of_images_is_named(tmp_path, arrays, problem):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(StudyError, match=rf"bad\.npz: .*{problem}"):
        read_images(tmp_path / "bad.npz")


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut short", b"text"])
def test_a_missing_or_broken_file_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(StudyError, match=r"bad\.npz"):
        read_images(tmp_path / "bad.npz")
