"""Photographs: TF-Slim's preprocessing, checked against values that TF-Slim gave, and reading in place."""

from __future__ import annotations

import io
import os
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tocompress.data.photographs import Photographs, evaluation_input, read_photographs
from tocompress.data.preprocessing import RGB_MEANS, Kind
from tocompress.errors import StudyError
from tocompress.schemas.study import PHOTOGRAPHS
from tocompress.tables import write_table

SIZES = [(40, 60), (61, 33), (300, 270), (33, 33)]  # width, height


@pytest.fixture(scope="module", autouse=True)
def tensorflow():
    """TensorFlow; what is asked of it for this process ends with these tests."""
    with mock.patch.dict(os.environ):
        yield pytest.importorskip("tensorflow")


def encoded(image: Image.Image, kind: str = "JPEG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8))


def kept(path: Path, *images: bytes) -> Photographs:
    """The images one after another in one file, after what is none of them."""
    path.write_bytes(b"before" + b"".join(images))
    sizes = np.array([len(image) for image in images])
    return Photographs(pd.DataFrame({"file": str(path), "offset": 6 + np.cumsum(sizes) - sizes, "size": sizes}))


@pytest.fixture
def photographs(tmp_path: Path) -> Photographs:
    return kept(tmp_path / "archive", *(encoded(noise(*size)) for size in SIZES))


@pytest.mark.parametrize(("size", "kind"), [(224, "inception"), (299, "inception"), (224, "vgg")])
def test_evaluation_input_is_that_of_slim_bit_by_bit(tensorflow, shared, size: int, kind: Kind):
    golden = np.load(shared / "golden" / "preprocessing.npz")
    with tensorflow.Graph().as_default() as graph:
        image = tensorflow.compat.v1.placeholder("uint8", [None, None, 3])
        result = evaluation_input(image, size, kind)
    with tensorflow.compat.v1.Session(graph=graph) as session:
        for number in (0, 1, 4):
            made = session.run(result, {image: golden[f"image_{number}"]})
            assert made.shape == (size, size, 3)
            np.testing.assert_array_equal(made[::5, ::5], golden[f"{kind}{size}_{number}"])


@pytest.mark.parametrize("kind", ["inception", "vgg"])
def test_threads_change_no_bit(photographs, kind: Kind):
    one, three = (photographs.network_input((32, 32, 3), kind, threads) for threads in (1, 3))
    np.testing.assert_array_equal(one, three)
    assert (one.shape, one.dtype) == ((4, 32, 32, 3), np.float32)


def test_rows_are_taken_by_slice_index_and_mask(photographs):
    whole = photographs.network_input((32, 32, 3), "inception")
    for rows in (slice(1, 3), np.array([3, 0, 3]), np.array([True, False, False, True])):
        part = photographs[rows]
        assert len(part) == len(whole[rows])
        np.testing.assert_array_equal(part.network_input((32, 32, 3), "inception"), whole[rows])


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_become_red_green_and_blue(tmp_path, mode):
    plain = Image.new("RGB", (40, 40), (200, 200, 200)).convert(mode)
    pixels = kept(tmp_path / "odd", encoded(plain)).network_input((16, 16, 3), "inception")
    np.testing.assert_allclose(pixels, 200 / 127.5 - 1, atol=0.02)


def test_a_png_called_jpeg_is_read(tmp_path):
    picture = kept(tmp_path / "n02105855_2933.JPEG", encoded(Image.new("RGB", (300, 280), (10, 20, 30)), "PNG"))
    for pixels in (
        picture.network_input((224, 224, 3), "vgg"),
        picture.augmented((224, 224, 3), "vgg", np.random.default_rng(1)),
    ):
        np.testing.assert_array_equal(pixels, np.broadcast_to(np.float32([10, 20, 30]) - RGB_MEANS, (1, 224, 224, 3)))


def use(photographs: Photographs, how: str) -> np.ndarray:
    if how == "evaluation":
        return photographs.network_input((32, 32, 3), "inception", 2)
    return photographs.augmented((32, 32, 3), "inception", np.random.default_rng(1))


@pytest.mark.parametrize("how", ["evaluation", "training"])
@pytest.mark.parametrize(
    "content", [b"", b"no image at all", encoded(noise(300, 200))[:9000]], ids=["empty", "text", "cut short"]
)
def test_what_is_no_whole_image_is_named_with_its_place(tmp_path, how, content):
    photographs = kept(tmp_path / "val.tar", encoded(noise(40, 40)), content)
    place = rf"val\.tar at byte {photographs.index['offset'][1]}: "
    with pytest.raises(StudyError, match=place) as error:
        use(photographs, how)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("how", ["evaluation", "training"])
def test_files_that_changed_since_they_were_indexed_are_named(photographs, tmp_path, how):
    (tmp_path / "archive").write_bytes((tmp_path / "archive").read_bytes()[:-5])
    with pytest.raises(StudyError, match=r"archive at byte \d+: \d+ of \d+ bytes"):
        use(photographs, how)
    (tmp_path / "archive").unlink()
    with pytest.raises(StudyError, match=r"archive at byte 6: .*No such file"):
        use(photographs, how)


@pytest.mark.parametrize("kind", ["inception", "vgg"])
def test_training_input_is_random_but_for_its_seed(photographs, kind: Kind):
    first, again, other = (photographs.augmented((32, 32, 3), kind, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any(axis=(1, 2, 3)).all()
    assert (first.shape, first.dtype) == ((4, 32, 32, 3), np.float32)


def gradients(tmp_path: Path) -> Photographs:
    """300 times a picture whose red tells the column and whose green tells the row, of 400 x 300."""
    columns, rows = np.meshgrid(np.linspace(0, 250, 400), np.linspace(0, 250, 300))
    pixels = np.stack([columns, rows, 0 * rows], axis=-1).astype(np.uint8)
    one = kept(tmp_path / "gradient", encoded(Image.fromarray(pixels), "PNG"))
    return one[np.zeros(300, int)]


def extent(pixels: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The share of width and of height that each crop of the gradients covers, and whether it is mirrored."""
    width = (pixels[:, 0, -1, 0] - pixels[:, 0, 0, 0]) / 250 * size / (size - 1)
    height = (pixels[:, -1, 0, 1] - pixels[:, 0, 0, 1]) / 250 * size / (size - 1)
    return np.abs(width), height, width < 0


def test_inception_trains_on_crops_of_any_area_and_of_some_aspects(tmp_path):
    pixels = gradients(tmp_path).augmented((32, 32, 3), "inception", np.random.default_rng(3))
    width, height, mirrored = extent((pixels + 1) * 127.5, 32)
    aspect, area = width * 400 / (height * 300), width * height
    assert 0.7 < aspect.min() < 0.85 and 1.18 < aspect.max() < 1.4
    assert 0.04 < area.min() < 0.1 and 0.85 < area.max() < 1.02
    assert 0.4 < mirrored.mean() < 0.6


def test_vgg_trains_on_crops_of_any_scale(tmp_path):
    pixels = gradients(tmp_path).augmented((224, 224, 3), "vgg", np.random.default_rng(4)) + RGB_MEANS
    width, height, mirrored = extent(pixels, 224)
    np.testing.assert_allclose(width * 400, height * 300, atol=4)
    assert 0.42 < height.min() < 0.46 and 0.84 < height.max() < 0.89  # 224 of 512 to 256 pixels
    assert 0.4 < mirrored.mean() < 0.6


def test_vgg_crops_no_more_than_its_shorter_side(photographs):
    for make in (photographs.network_input, lambda *of: photographs.augmented(*of, np.random.default_rng(1))):
        with pytest.raises(StudyError, match=r"input_size 299: .* 256"):
            make((299, 299, 3), "vgg")


def test_a_table_gives_photographs_and_labels(tmp_path, photographs):
    table = photographs.index.assign(example=range(4), label=[5, 0, 999, 7])
    write_table(tmp_path / "test.parquet", PHOTOGRAPHS, table[PHOTOGRAPHS.names])
    found, labels = read_photographs(tmp_path / "test.parquet")
    np.testing.assert_array_equal(
        found.network_input((32, 32, 3), "vgg"), photographs.network_input((32, 32, 3), "vgg")
    )
    assert labels.tolist() == [5, 0, 999, 7] and labels.dtype == np.int32
