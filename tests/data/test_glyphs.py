"""Glyphs: the same pictures everywhere, balanced, apart from split to split, and telling their class."""

from __future__ import annotations

import numpy as np
import pytest

from tocompress.data import glyphs
from tocompress.data.glyphs import CLASSES, render


def test_there_are_a_hundred_classes() -> None:
    assert len(CLASSES) == len(set(CLASSES)) == 100


def test_every_class_has_glyphs_in_many_fonts_and_shares_none_with_another_class() -> None:
    masks = [{mask.tobytes() for mask in fonts} for fonts in glyphs._masks(32)]
    assert min(len(fonts) for fonts in glyphs._masks(32)) >= 12
    assert len(set().union(*masks)) == sum(len(fonts) for fonts in masks)
    assert all(any(mask) for fonts in masks for mask in fonts)


def test_a_picture_does_not_depend_on_how_many_are_rendered() -> None:
    images, labels = render("train", 230, seed=5)
    first_images, first_labels = render("train", 130, seed=5)
    np.testing.assert_array_equal(images[:130], first_images)
    np.testing.assert_array_equal(labels[:130], first_labels)


def test_no_picture_occurs_twice_in_or_between_splits_and_seeds() -> None:
    sets = [render(split, 200, seed=seed)[0] for split in ("train", "calibration", "test") for seed in (1, 2)]
    assert len({image.tobytes() for images in sets for image in images}) == 6 * 200


def test_each_hundred_holds_every_class_once_in_an_order_of_its_own() -> None:
    _, labels = render("test", 200, seed=1)
    np.testing.assert_array_equal(np.sort(labels.reshape(2, 100), axis=1), np.tile(np.arange(100), (2, 1)))
    assert not np.array_equal(labels[:100], labels[100:])
    assert not np.array_equal(labels[:100], render("train", 100, seed=1)[1])


@pytest.mark.parametrize("size", [24, 48])
def test_pictures_have_the_size_and_types_asked_for(size: int) -> None:
    images, labels = render("train", 7, size=size, seed=1)
    assert images.shape == (7, size, size, 3) and images.dtype == np.uint8
    assert labels.shape == (7,) and labels.dtype == np.int32


def test_no_pictures_are_no_error() -> None:
    images, labels = render("train", 0, seed=1)
    assert images.shape == (0, 32, 32, 3) and labels.shape == (0,)


def test_pictures_use_the_range_without_being_washed_out_or_saturated() -> None:
    images, _ = render("train", 300, seed=1)
    assert images.std(axis=(1, 2, 3)).min() > 5
    assert 90 < images.mean() < 170
    assert np.mean((images == 0) | (images == 255)) < 0.2


def test_pictures_tell_their_class_but_not_to_a_template_matcher() -> None:
    """Nearest class mean, blind to colour, does many times better than chance and far worse than perfect."""

    def ink(images: np.ndarray) -> np.ndarray:
        grey = images.mean(axis=3).reshape(len(images), -1)
        grey -= np.median(grey, axis=1, keepdims=True)
        unit: np.ndarray = np.abs(grey) / np.linalg.norm(grey, axis=1, keepdims=True)
        return unit

    images, labels = render("train", 1000, seed=1)
    means = np.stack([ink(images[labels == label]).mean(axis=0) for label in range(100)])
    images, labels = render("test", 500, seed=1)
    found = (ink(images) @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T).argmax(axis=1)
    assert 0.1 < np.mean(found == labels) < 0.9
