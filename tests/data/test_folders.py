"""A user's own pictures: folders of classes and CSVs, splits, every format, and preprocessing."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tocompress.data import pictures as images
from tocompress.data.folders import listing_digest, pictures
from tocompress.data.photographs import PictureFiles, decoded, evaluation_input
from tocompress.data.preprocessing import prepared
from tocompress.errors import StudyError
from tocompress.schemas.study import PICTURES
from tocompress.settings.data import Folders, Preprocessing
from tocompress.settings.model import FileModel, ImageModel
from tocompress.tables import write_table

PLAIN = Preprocessing(scale=(0, 255))
RED, GREY = (200, 40, 90), 120


@pytest.fixture(autouse=True)
def environment():
    """What is asked of TensorFlow for this process ends with a test."""
    with mock.patch.dict(os.environ):
        yield


def png(colour: Any = RED, size: tuple[int, int] = (8, 6)) -> bytes:
    return encoded(Image.new("RGB", size, colour), "PNG")


def encoded(image: Image.Image, kind: str, **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def folders(root: Path, **classes: int) -> str:
    """A folder with so many pictures of each class, each of another colour."""
    for number, (name, count) in enumerate(classes.items()):
        (root / name).mkdir(parents=True)
        for index in range(count):
            (root / name / f"{index:03}.png").write_bytes(png((index, number, 0)))
    return str(root)


def settings(**values: Any) -> Folders:
    return Folders(kind="folders", **values)


def refusal(data: Folders, split: Any = "train") -> str:
    with pytest.raises(StudyError) as error:
        pictures(data, split)
    assert "\n" not in str(error.value)
    return str(error.value)


# Splits


def test_folders_name_the_classes_in_the_order_of_their_names(tmp_path):
    root = folders(tmp_path / "train", rose=4, **{"10": 4}, Daisy=4)
    table = pictures(settings(train=root, calibration=0.25), "train")
    assert table.groupby("label")["class_name"].first().tolist() == ["10", "Daisy", "rose"]
    assert table["classes"].eq(3).all() and table["example"].tolist() == list(range(9))
    assert all(Path(file).stat().st_size == size for file, size in zip(table["file"], table["size"], strict=True))


def test_a_share_is_drawn_of_each_class_and_the_splits_share_no_picture(tmp_path):
    root = folders(tmp_path / "all", a=20, b=10, c=5)
    data = settings(train=root, test=0.2, calibration=0.25)
    splits = {split: pictures(data, split) for split in ("train", "calibration", "test")}
    counts = {split: table["class_name"].value_counts().to_dict() for split, table in splits.items()}
    assert counts["test"] == {"a": 4, "b": 2, "c": 1}
    assert counts["calibration"] == {"a": 4, "b": 2, "c": 1}
    assert counts["train"] == {"a": 12, "b": 6, "c": 3}
    assert pd.concat(splits.values())["file"].nunique() == 35
    pd.testing.assert_frame_equal(pictures(data, "test", threads=3), splits["test"])
    other = pictures(data.model_copy(update={"seed": 2}), "test")
    assert other["file"].tolist() != splits["test"]["file"].tolist()


def test_a_split_ignores_the_settings_of_the_others(tmp_path):
    own = settings(train="a", test="b", calibration=0.2, preprocessing=PLAIN)
    assert own.of_split("train") == own.model_copy(update={"test": "c"}).of_split("train")
    assert own.of_split("test") == own.model_copy(update={"seed": 7, "calibration": 0.3}).of_split("test")
    share = settings(train="a", test=0.2)
    for split in ("train", "calibration", "test"):
        assert share.of_split(split) != share.model_copy(update={"test": 0.3}).of_split(split)
        assert share.of_split(split) != share.model_copy(update={"seed": 7}).of_split(split)
    assert Folders.model_validate_json(own.of_split("test")).of_split("test") == own.of_split("test")


def test_the_order_of_the_model_comes_from_a_list_or_a_file(tmp_path):
    root = folders(tmp_path / "train", a=4, b=4)
    (tmp_path / "names.txt").write_text("\ufeffb\na\n\n", encoding="utf-8")
    for classes in (("b", "a"), str(tmp_path / "names.txt")):
        table = pictures(settings(train=root, calibration=0.25, classes=classes), "train")
        assert dict(zip(table["class_name"], table["label"], strict=True)) == {"b": 0, "a": 1}


def test_a_test_folder_has_the_classes_of_the_training_folder(tmp_path):
    train, test = folders(tmp_path / "train", a=4, b=4), folders(tmp_path / "test", b=1, a=2)
    assert pictures(settings(train=train, test=test), "test")["label"].tolist() == [0, 0, 1]
    assert pictures(settings(test=test), "test")["label"].tolist() == [0, 0, 1]


def test_a_csv_names_files_from_its_folder_and_its_numbers_are_in_order(tmp_path):
    root = folders(tmp_path / "pictures", a=3, b=3)
    rows = "\n".join(
        f'"pictures/{name}/{index:03}.png", {label},x' for name, label in (("a", 10), ("b", 9)) for index in range(3)
    )
    (tmp_path / "labels.csv").write_text(f"file, label,ignored\n{rows}\n", encoding="utf-8")
    table = pictures(settings(train=str(tmp_path / "labels.csv"), test=root, calibration=0.3), "train")
    assert table.groupby("label")["class_name"].first().tolist() == ["9", "10"]
    assert table["file"].str.startswith(str(tmp_path / "pictures")).all() and len(table) == 4


def test_hidden_files_are_no_pictures_and_loops_end(tmp_path):
    root = folders(tmp_path / "train", a=4, b=4)
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "LICENSE.txt", ".git/x"):
        (tmp_path / "train" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "train" / name).write_text("no picture")
        if name != "LICENSE.txt":
            (tmp_path / "train/a" / name).parent.mkdir(exist_ok=True)
            (tmp_path / "train/a" / name).write_text("no picture")
    (tmp_path / "train/a/deeper").mkdir()
    (tmp_path / "train/a/deeper/1.png").write_bytes(png())
    (tmp_path / "train/a/deeper/loop").symlink_to(tmp_path / "train/a")
    (tmp_path / "train/a/up").symlink_to(tmp_path / "train")
    table = pictures(settings(train=root, calibration=0.25), "train")
    assert table["class_name"].value_counts().to_dict() == {"a": 4, "b": 3}


def test_the_listing_changes_with_every_picture_and_only_then(tmp_path):
    root, test = folders(tmp_path / "train", a=4, b=4), folders(tmp_path / "test", a=1, b=1)
    data = settings(train=root, test=test)
    listings = [(listing_digest(data, "train"), listing_digest(data, "test"))]

    def changed() -> list[bool]:
        listings.append((listing_digest(data, "train"), listing_digest(data, "test")))
        return [before != after for before, after in zip(*listings[-2:], strict=True)]

    assert changed() == [False, False]
    (tmp_path / "train/a/.DS_Store").touch()
    assert changed() == [False, False]
    (tmp_path / "train/a/new.png").write_bytes(png())
    assert changed() == [True, False]
    os.utime(tmp_path / "train/a/new.png", ns=(1, 1))
    assert changed() == [True, False]
    (tmp_path / "train/a/new.png").unlink()
    assert changed() == [True, False]
    (tmp_path / "train/b").rename(tmp_path / "train/c")
    assert changed() == [True, True]


def test_a_picture_of_another_content_changes_the_table(tmp_path):
    data = settings(train=folders(tmp_path / "train", a=4, b=4))
    before = pictures(settings(test=data.train), "test")
    (tmp_path / "train/a/000.png").write_bytes(png((1, 1, 1)))
    after = pictures(settings(test=data.train), "test")
    assert (before["digest"] != after["digest"]).tolist() == [True] + 7 * [False]


# Bad input


def test_unreadable_files_are_named_and_counted(tmp_path, capsys):
    root = folders(tmp_path / "train", a=10, b=10)
    (tmp_path / "train/a/cut.jpg").write_bytes(encoded(Image.effect_noise((90, 90), 50), "JPEG")[:-900])
    (tmp_path / "train/a/notes.txt").write_text("no picture")
    (tmp_path / "train/b/gone.png").symlink_to(tmp_path / "nowhere")
    message = refusal(settings(test=root), "test")
    assert "3 of 23 files are no readable pictures: " in message
    assert all(name in message for name in ("a/cut.jpg", "a/notes.txt", "b/gone.png"))
    assert "2 of" not in refusal(settings(test=root, unreadable=0.1), "test")
    assert len(pictures(settings(test=root, unreadable=0.14), "test")) == 20
    assert "left out: " in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF"])
def test_a_file_that_is_cut_short_is_not_readable(kind):
    content = encoded(Image.effect_noise((64, 64), 80).convert("RGB"), kind)
    with pytest.raises(StudyError, match="not a whole JPEG"):
        decoded(content[: len(content) // 2], 3)


def test_each_fault_has_its_line(tmp_path):
    train = folders(tmp_path / "train", a=4, b=4)
    others = folders(tmp_path / "others", a=4, tulip=4)
    fewer = folders(tmp_path / "fewer", a=4)
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat/1.png").write_bytes(png())
    folders(tmp_path / "empty", a=4, b=0)
    (tmp_path / "names.txt").write_text("a\nb\na\n")
    assert "empty/b: holds no pictures" in refusal(settings(train=str(tmp_path / "empty")))
    assert "others: 'tulip' is none of the classes of" in refusal(settings(train=train, test=others), "test")
    assert "fewer: shows no 'b', a class of" in refusal(settings(train=train, test=fewer), "test")
    assert "train: 'b' is none of the classes of data's `classes` (a, c)" in refusal(
        settings(train=train, classes=("a", "c"))
    )
    assert "flat: holds no folders of classes; a folder with" in refusal(settings(train=str(tmp_path / "flat")))
    assert "fewer: has one class ('a')" in refusal(settings(train=fewer))
    assert "names.txt: 'a' is given twice" in refusal(settings(train=train, classes=str(tmp_path / "names.txt")))
    assert "`calibration` 0.1 takes 0 of 4 pictures of 'a'" in refusal(settings(train=train))
    assert "`test` 0.9 takes 4 of 4 pictures of 'a'" in refusal(settings(train=train, test=0.9))
    assert "No such file or directory" in refusal(settings(train=str(tmp_path / "absent")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,class\n1.png,a\n", "row 1: has no `label`; a folder with"),
        ("", "has no rows"),
        ("file,label\n", "has no rows"),
        ("file,label\n1.png,a\n3.png,b\n", "row 2: there is no file"),
        ("file,label\n1.png,a\n2.png,b\n./1.png,b\n", "row 3: ./1.png is 'b', but a row before says 'a'"),
        ("file,label\n1.png,a\n2.png\n", "row 2: has no `label`"),
        (b"\xff\xfe\x00", "not readable as a CSV"),
    ],
)
def test_a_csv_that_is_wrong_is_refused(tmp_path, text, message):
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(png())
    (tmp_path / "labels.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert message in refusal(settings(test=str(tmp_path / "labels.csv")), "test")


# What a network takes


def turned(orientation: int) -> bytes:
    """Left half black and right half white, with a note to turn it before it is shown."""
    image = Image.new("RGB", (64, 32))
    image.paste((255, 255, 255), (32, 0, 64, 32))
    note = Image.Exif()
    note[0x0112] = orientation
    return encoded(image, "JPEG", exif=note, quality=95)


def transparent(mode: str) -> bytes:
    """A picture that is half transparent."""
    return encoded(
        Image.new("RGBA", (8, 6), (*RED, 128) if mode == "RGBA" else (GREY,) * 3 + (128,)).convert(mode), "PNG"
    )


def deep() -> bytes:
    return encoded(Image.fromarray(np.full((6, 8), GREY * 257, np.uint16)), "PNG")


@pytest.mark.parametrize(
    ("content", "colour"),
    [
        (encoded(Image.new("RGB", (16, 16), RED), "JPEG", quality=95), RED),
        (encoded(Image.new("CMYK", (16, 16), (55, 215, 165, 0)), "JPEG", quality=95), RED),
        (encoded(Image.new("RGB", (16, 16), RED), "WEBP", lossless=True), RED),
        (encoded(Image.new("RGB", (16, 16), RED), "BMP"), RED),
        (encoded(Image.new("RGB", (16, 16), RED), "GIF"), RED),
        (encoded(Image.new("RGB", (16, 16), RED).quantize(4), "PNG"), RED),
        (encoded(Image.new("L", (16, 16), GREY), "JPEG"), (GREY,) * 3),
        (encoded(Image.new("1", (16, 16), 1), "PNG"), (255,) * 3),
        (deep(), (GREY,) * 3),
        (transparent("RGBA"), (100, 20, 45)),
        (transparent("LA"), (60, 60, 60)),
        (encoded(Image.new("P", (8, 8), 0), "GIF", transparency=0), (0, 0, 0)),
    ],
    ids=["jpeg", "cmyk", "webp", "bmp", "gif", "palette", "grey", "bit", "deep", "alpha", "grey alpha", "transparent"],
)
def test_every_format_becomes_red_green_and_blue(content, colour):
    pixels = np.asarray(decoded(content, 3), int)
    assert pixels.shape[2] == 3
    np.testing.assert_allclose(pixels, np.broadcast_to(colour, pixels.shape), atol=3)
    assert decoded(content, 1).mode == "L"


def test_the_first_frame_of_a_gif_counts():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decoded(content, 3).getpixel((0, 0)) == (255, 0, 0)


def test_a_picture_is_upright():
    picture = decoded(turned(6), 3)
    assert picture.size == (32, 64)
    assert np.asarray(picture)[8].mean() < 5 and np.asarray(picture)[56].mean() > 250


def columns(width: int, height: int) -> Image.Image:
    """Red tells the column, from 0 to 250, and green the row."""
    x, y = np.meshgrid(np.linspace(0, 250, width), np.linspace(0, 250, height))
    return Image.fromarray(np.stack([x, y, 0 * x], axis=-1).astype(np.uint8))


@pytest.mark.parametrize(("resize", "span"), [("crop", 125), ("stretch", 250)])
def test_a_wide_picture_is_cropped_or_stretched(resize, span):
    pixels = prepared(columns(400, 200), (50, 50, 3), Preprocessing(resize=resize, scale=(0, 255)))
    assert pixels.shape == (50, 50, 3) and pixels.dtype == np.float32
    assert np.ptp(pixels[..., 0]) == pytest.approx(span * 49 / 50, abs=4)
    assert np.ptp(pixels[..., 1]) == pytest.approx(250 * 49 / 50, abs=4)
    assert pixels[..., 0].mean() == pytest.approx(125, abs=2)


def test_a_picture_of_the_very_size_is_left_as_it_is():
    picture = columns(40, 30)
    for resize in ("crop", "stretch", "pad"):
        pixels = prepared(picture, (30, 40, 3), Preprocessing(resize=resize, scale=(0, 255)))
        np.testing.assert_array_equal(pixels, np.asarray(picture))


def test_a_padded_picture_has_black_bars():
    pixels = prepared(Image.new("RGB", (400, 200), "white"), (20, 40, 3), Preprocessing(resize="pad", scale=(-1, 1)))
    assert (pixels == 1).all()
    pixels = prepared(Image.new("RGB", (200, 400), "white"), (20, 40, 3), Preprocessing(resize="pad", scale=(-1, 1)))
    assert (pixels[:, 15:25] == 1).all() and (pixels[:, :15] == -1).all() and (pixels[:, 25:] == -1).all()


def test_pixels_are_scaled_and_centred_in_the_order_of_the_channels():
    picture = Image.new("RGB", (4, 4), (0, 51, 255))
    torch = Preprocessing(scale=(0, 1), mean=(0.1, 0.2, 0.5), deviation=(0.5, 0.25, 2))
    np.testing.assert_allclose(prepared(picture, (4, 4, 3), torch)[0, 0], [-0.2, 0, 0.25], atol=1e-6)
    caffe = Preprocessing(scale=(0, 255), mean=(1, 2, 3), order="bgr")
    np.testing.assert_array_equal(prepared(picture, (4, 4, 3), caffe)[0, 0], [254, 49, -3])
    grey = Preprocessing(scale=(-1, 1))
    np.testing.assert_array_equal(prepared(Image.new("L", (4, 4), 255), (2, 3, 1), grey), np.ones((2, 3, 1)))


def some(tmp_path: Path, picture: Image.Image, count: int, how: Preprocessing | None) -> PictureFiles:
    picture.save(tmp_path / "one.png")
    return PictureFiles(np.array([str(tmp_path / "one.png")] * count, object), how)


def test_training_crops_cover_half_of_a_picture_and_are_not_mirrored(tmp_path):
    found = some(tmp_path, columns(400, 100), 200, Preprocessing(resize="stretch", scale=(0, 255)))
    pixels = found.augmented((20, 20, 3), None, np.random.default_rng(1))
    width, height = (np.ptp(pixels[..., channel], axis=(1, 2)) / 250 * 20 / 19 for channel in (0, 1))
    assert 0.49 < (width * height).min() < 0.6 and (width * height).max() > 0.85
    assert 0.72 < (width / height).min() < 0.8 and 1.2 < (width / height).max() < 1.37
    assert (pixels[:, 0, -1, 0] > pixels[:, 0, 0, 0]).all()
    again = found.augmented((20, 20, 3), None, np.random.default_rng(1))
    np.testing.assert_array_equal(pixels, again)


def test_a_picture_of_one_pixel_can_be_learned_from(tmp_path):
    found = some(tmp_path, Image.new("RGB", (1, 1), RED), 20, PLAIN)
    assert (found.augmented((4, 4, 3), None, np.random.default_rng(1)) == RED).all()


def test_threads_change_no_bit_and_rows_are_chosen(tmp_path):
    files = []
    for number in range(5):
        columns(20 + number, 30).save(tmp_path / f"{number}.png")
        files.append(str(tmp_path / f"{number}.png"))
    found = PictureFiles(np.array(files, object), PLAIN)
    whole = found.network_input((8, 8, 3), None)
    np.testing.assert_array_equal(found.network_input((8, 8, 3), None, threads=3), whole)
    for rows in (slice(1, 3), np.array([3, 0]), np.array([True, False, False, True, False])):
        np.testing.assert_array_equal(found[rows].network_input((8, 8, 3), None), whole[rows])


def test_without_preprocessing_pictures_are_prepared_as_slim_does(tmp_path):
    tf = pytest.importorskip("tensorflow")
    picture = columns(60, 40)
    for kind in ("inception", "vgg"):
        inputs = some(tmp_path, picture, 1, None).network_input((32, 32, 3), kind)
        with tf.Graph().as_default() as graph:
            result = evaluation_input(tf.constant(np.asarray(picture)), 32, kind)
        with tf.compat.v1.Session(graph=graph) as session:
            np.testing.assert_array_equal(inputs[0], session.run(result))
    with pytest.raises(StudyError, match="needs `preprocessing`"):
        some(tmp_path, picture, 1, None).network_input((32, 32, 3), None)


def test_a_picture_that_is_gone_is_named(tmp_path):
    found = some(tmp_path, columns(20, 20), 1, PLAIN)
    (tmp_path / "one.png").write_bytes(b"no picture")
    with pytest.raises(StudyError, match=r"one\.png: not a whole JPEG"):
        found.network_input((8, 8, 3), None)
    (tmp_path / "one.png").unlink()
    with pytest.raises(StudyError, match=r"one\.png: not readable .*; has it moved"):
        found.network_input((8, 8, 3), None)


def test_a_model_has_an_output_for_each_class(tmp_path):
    data = settings(test=folders(tmp_path / "test", a=1, b=2, c=1), preprocessing=PLAIN)
    write_table(tmp_path / "test.parquet", PICTURES, pictures(data, "test"))
    model = ImageModel(network="vgg_16", build="initial", data="x", input_size=32, classes=3)
    found, labels = images.read_pictures(tmp_path / "test.parquet", model, data)
    assert labels.tolist() == [0, 1, 1, 2] and labels.dtype == np.int32
    assert images.network_input(found, model).shape == (4, 32, 32, 3)
    with pytest.raises(StudyError, match=r"shows 3 classes \(a, b, c\), but the model has 5 outputs; "):
        images.read_pictures(tmp_path / "test.parquet", model.model_copy(update={"classes": 5}), data)


def test_pixels_are_not_scaled_twice(tmp_path):
    data = settings(test=folders(tmp_path / "test", a=1, b=1), preprocessing=PLAIN)
    write_table(tmp_path / "test.parquet", PICTURES, pictures(data, "test"))
    facts = {"shape": (8, 8, 3), "classes": 2, "graph": "", "takes_pixels": True}
    model = FileModel(network="keras", file="", data="x", **facts)
    kept = data.model_copy(update={"preprocessing": Preprocessing(scale=(0, 255))})
    assert len(images.read_pictures(tmp_path / "test.parquet", model, kept)[0]) == 2
    scaled = data.model_copy(update={"preprocessing": Preprocessing(scale=(-1, 1))})
    with pytest.raises(StudyError, match="scales them itself"):
        images.read_pictures(tmp_path / "test.parquet", model, scaled)
    without = model.model_copy(update={"takes_pixels": False})
    assert len(images.read_pictures(tmp_path / "test.parquet", without, scaled)[0]) == 2


def test_a_picture_is_not_in_training_and_test_set(tmp_path):
    path = folders(tmp_path / "train", a=3, b=3)
    other = folders(tmp_path / "test", a=1, b=1)
    assert len(pictures(settings(train=path, test=other), "test")) == 2
    (tmp_path / "test/a/linked.png").symlink_to(tmp_path / "train/a/000.png")
    with pytest.raises(StudyError, match=r"1 of 3 test pictures are also in .*train, such as .*linked\.png"):
        pictures(settings(train=path, test=other), "test")
