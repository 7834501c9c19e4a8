"""ImageNet in every layout that is accepted, from a few pictures of noise."""

from __future__ import annotations

import csv
import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tocompress.data import imagenet_labels
from tocompress.data.imagenet import choose, missing_photographs, photographs
from tocompress.data.imagenet_labels import synset_labels
from tocompress.errors import StudyError
from tocompress.schemas.study import PHOTOGRAPHS
from tocompress.settings.data import ImageNet
from tocompress.tables import read_table, write_table

SYNSETS = ("n15075141", "n01440764", "n02105855", "n01443537", "n01440764", "n07753592", "n02105855")
NAMES = tuple(f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, len(SYNSETS) + 1))


def _encoded(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (9 + number, 12, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


IMAGES = {name: _encoded(number) for number, name in enumerate(NAMES)}
LABELS = {name: sorted(synset_labels()).index(synset) for name, synset in zip(NAMES, SYNSETS, strict=True)}
KNOWN = {(IMAGES[name], LABELS[name]) for name in NAMES}


def settings(images: Path | str = "images", **others: object) -> ImageNet:
    texts = {key: str(value) if isinstance(value, Path) else value for key, value in others.items()}
    return ImageNet(kind="imagenet", images=str(images), **texts)


def read(table: pd.DataFrame) -> list[tuple[bytes, int]]:
    places = zip(table["file"], table["offset"], table["size"], table["label"], strict=True)
    return [(Path(file).read_bytes()[offset : offset + size], label) for file, offset, size, label in places]


def tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def shuffled_tar(folder: Path) -> Path:
    return tar(folder / "ILSVRC2012_img_val.tar", {name: IMAGES[name] for name in reversed(NAMES)})


def flat(folder: Path) -> Path:
    (folder / "flat").mkdir()
    for name, content in IMAGES.items():
        (folder / "flat" / name).write_bytes(content)
    (folder / "flat" / ".hidden.JPEG").write_bytes(b"")
    (folder / "flat" / "list.txt").write_text("no image")
    return folder / "flat"


def folders(folder: Path) -> Path:
    for name, synset in zip(NAMES, SYNSETS, strict=True):
        path = folder / "folders" / synset / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(IMAGES[name])
    return folder / "folders"


def nested(folder: Path) -> Path:
    inner = {}
    for synset in SYNSETS:
        of_synset = {name: IMAGES[name] for name, other in zip(NAMES, SYNSETS, strict=True) if other == synset}
        inner[f"{synset}.tar"] = tar(folder / "inner.tar", of_synset).read_bytes()
    return tar(folder / "ILSVRC2012_img_train.tar", inner)


def records(folder: Path, split: str = "validation", **changed: object) -> Path:
    tf = pytest.importorskip("tensorflow")
    (folder / "records").mkdir(exist_ok=True)
    for shard in range(2):
        with tf.io.TFRecordWriter(str(folder / "records" / f"{split}-{shard:05d}-of-00002")) as writer:
            for name, synset in list(zip(NAMES, SYNSETS, strict=True))[shard::2]:
                example = tf.train.Example()
                values = {
                    "image/encoded": IMAGES[name],
                    "image/class/label": LABELS[name] + 1,
                    "image/class/synset": synset.encode(),
                    "image/object/bbox/xmin": None,  # TF-Slim leaves these lists empty
                    "image/height": 500,
                    "image/object/bbox/score": 0.5,
                } | changed
                for key, value in values.items():
                    feature = example.features.feature[key]
                    if isinstance(value, bytes):
                        feature.bytes_list.value.append(value)
                    elif isinstance(value, int):
                        feature.int64_list.value.append(value)
                    else:
                        feature.float_list.value.extend([] if value is None else [value, value])
                writer.write(example.SerializeToString())
    return folder / "records"


def devkit_files() -> dict[str, bytes]:
    """Numbers of synsets that are not in sorted order, and one that has children."""
    leaves = sorted(set(SYNSETS), reverse=True)
    rows = [(number, synset, 0) for number, synset in enumerate(leaves, 1)] + [(len(leaves) + 1, "n00001740", 3)]
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("num_children", "O")]
    meta = io.BytesIO()
    scipy.io.savemat(meta, {"synsets": np.array(rows, kind)})
    truth = "".join(f"{leaves.index(synset) + 1}\n" for synset in SYNSETS)
    return {"data/meta.mat": meta.getvalue(), "data/ILSVRC2012_validation_ground_truth.txt": truth.encode()}


def devkit(folder: Path) -> Path:
    files = {f"ILSVRC2012_devkit_t12/{name}": content for name, content in devkit_files().items()}
    return tar(folder / "ILSVRC2012_devkit_t12.tar.gz", files, "w:gz")


def devkit_folder(folder: Path) -> Path:
    for name, content in devkit_files().items():
        (folder / "devkit" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "devkit" / name).write_bytes(content)
    return folder / "devkit"


def text(folder: Path, content: str) -> Path:
    (folder / "labels.txt").write_text(content)
    return folder / "labels.txt"


def synset_lines(folder: Path) -> Path:
    return text(folder, "\n".join(SYNSETS) + "\n")


def caffe(folder: Path) -> Path:
    return text(folder, "".join(f"{name} {LABELS[name]}\n" for name in reversed(NAMES)))


def csv_of_synsets(folder: Path) -> Path:
    return text(folder, "file,synset,more\n" + "".join(f"{n},{s},1\n" for n, s in zip(NAMES, SYNSETS, strict=True)))


def csv_of_labels(folder: Path) -> Path:
    return text(folder, "\ufefflabel,file\n" + "".join(f"{label},val/{name}\n" for name, label in LABELS.items()))


@pytest.mark.parametrize("images", [shuffled_tar, flat])
@pytest.mark.parametrize("labels", [devkit, devkit_folder, synset_lines, caffe, csv_of_synsets, csv_of_labels])
def test_images_and_labels_are_found_in_each_pair_of_layouts(tmp_path, images, labels):
    table = photographs(settings(images(tmp_path), labels=labels(tmp_path)), "test")
    assert read(table) == [(IMAGES[name], LABELS[name]) for name in NAMES]


@pytest.mark.parametrize("layout", [folders, records])
def test_images_are_found_where_their_layout_labels_them(tmp_path, layout):
    table = photographs(settings(layout(tmp_path)), "test")
    assert len(table) == len(NAMES) and set(read(table)) == KNOWN


@pytest.mark.parametrize("layout", [folders, nested, lambda folder: records(folder, "train")])
def test_training_images_are_split_in_two(tmp_path, layout):
    of = settings(training=layout(tmp_path), calibration=2)
    train, calibration = (read(photographs(of, split)) for split in ("train", "calibration"))
    assert (len(train), len(calibration)) == (5, 2)
    assert set(train) | set(calibration) == KNOWN


def test_the_table_has_its_schema(tmp_path):
    write_table(tmp_path / "test.parquet", PHOTOGRAPHS, photographs(settings(folders(tmp_path), test=3), "test"))
    assert read_table(tmp_path / "test.parquet", PHOTOGRAPHS)["example"].tolist() == [0, 1, 2]


def test_a_share_of_the_test_images_is_spread_evenly(tmp_path):
    table = photographs(settings(flat(tmp_path), labels=caffe(tmp_path), test=3), "test")
    assert [Path(file).name for file in table["file"]] == [NAMES[0], NAMES[2], NAMES[4]]


# Of several folders, in which names repeat; the third is alone with its name.
PATHS = ("tench/1.JPEG", "goldfish/1.JPEG", "tench/2.JPEG")
CONTENTS = dict(zip(PATHS, IMAGES.values(), strict=False))
RIGHT = {(CONTENTS[path], label) for path, label in zip(PATHS, (0, 1, 0), strict=True)}


def in_folders(folder: Path, images: dict[str, bytes]) -> Path:
    for path, content in images.items():
        (folder / "many" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "many" / path).write_bytes(content)
    return folder / "many"


def in_a_tar(folder: Path, images: dict[str, bytes]) -> Path:
    return tar(folder / "many.tar", images)


def within(folder: str, images: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{path}": content for path, content in images.items()}


@pytest.mark.parametrize("make", [in_folders, in_a_tar])
@pytest.mark.parametrize("images", [CONTENTS, within("val", CONTENTS), within(".", CONTENTS)], ids=["", "deeper", "."])
@pytest.mark.parametrize("before", ["", "./", "/data/val/", "tench/../"])
def test_images_of_one_name_are_told_apart_by_their_folders(tmp_path, make, images, before):
    labels = text(tmp_path, "".join(f"{before}{path} {int('gold' in path)}\n" for path in PATHS))
    assert set(read(photographs(settings(make(tmp_path, images), labels=labels), "test"))) == RIGHT


@pytest.mark.parametrize("make", [in_folders, in_a_tar])
@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ("1.JPEG 0\n2.JPEG 1\n", r"labels\.txt: 1\.JPEG may be goldfish/1\.JPEG or tench/1\.JPEG; .*paths"),
        ("1.JPEG 0\n1.JPEG 1\n", r"labels\.txt, row 2: 1\.JPEG has a label already"),
        ("tench/1.JPEG 0\n./tench/1.JPEG 0\n", r"labels\.txt, row 2: tench/1\.JPEG has a label already"),
        ("tench/1.JPEG 0\n2.JPEG 0\n", "lacks the label of 1 of the 3 images, among them goldfish/1"),
        ("tench/1.JPEG 0\na/1.JPEG 0\n2.JPEG 0\n", "lacks the label of 1 of the 3 images, among them goldfish/1"),
        ("tench/1.JPEG 0\na/goldfish/1.JPEG 1\nb/goldfish/1.JPEG 1\n", "may both be goldfish/1.JPEG"),
        ("n01440764\n" * 3, r"many[.tar]*: goldfish/1\.JPEG and tench/1\.JPEG have one name.*give a CSV"),
    ],
)
def test_a_name_that_may_be_several_images_is_refused(tmp_path, make, labels, problem):
    with pytest.raises(StudyError, match=problem):
        photographs(settings(make(tmp_path, CONTENTS), labels=text(tmp_path, labels)), "test")


def test_a_devkit_may_begin_with_a_mark_of_utf_8(tmp_path):
    truth = devkit_folder(tmp_path) / "data/ILSVRC2012_validation_ground_truth.txt"
    truth.write_bytes(b"\xef\xbb\xbf" + truth.read_bytes().replace(b"\n", b"\r\n"))
    table = photographs(settings(flat(tmp_path), labels=tmp_path / "devkit"), "test")
    assert read(table) == [(IMAGES[name], LABELS[name]) for name in NAMES]


def test_a_link_that_leads_back_brings_no_image_twice(tmp_path):
    folder = in_folders(tmp_path, CONTENTS)
    (folder / "all").symlink_to(folder, target_is_directory=True)
    labels = text(tmp_path, "".join(f"{path} {int('gold' in path)}\n" for path in PATHS))
    assert set(read(photographs(settings(folder, labels=labels), "test"))) == RIGHT


def test_labels_in_the_order_of_names_fit_images_in_folders(tmp_path):
    """ImageNet's validation images in folders of any names, of which the devkit says nothing."""
    images = {f"{9 - number}/{name}": IMAGES[name] for number, name in enumerate(NAMES)}
    table = photographs(settings(in_a_tar(tmp_path, images), labels=devkit(tmp_path)), "test")
    assert read(table) == [(IMAGES[name], LABELS[name]) for name in NAMES]


@pytest.mark.parametrize("again", ["a.JPEG", "./a.JPEG", "/a.JPEG", "b/../a.JPEG"])
def test_a_file_that_is_in_an_archive_twice_is_refused(tmp_path, again):
    with tarfile.open(tmp_path / "val.tar", "w") as archive:
        for name in ("a.JPEG", again):
            archive.addfile(tarfile.TarInfo(name))
    with pytest.raises(StudyError, match=r"val\.tar: a\.JPEG is in it twice"):
        photographs(settings(tmp_path / "val.tar", labels=text(tmp_path, "a.JPEG 0\n")), "test")


@pytest.mark.parametrize(
    "table",
    [
        "file,label\n{0},0,\n{1},1,\n",
        "file,label\n{0},0,,,\n{1},1,,,\n",
        "file,label,\n{0},0\n{1},1\n",
        "label,file\r\n0,{0},\r\n1,{1},\r\n",
        '\ufefflabel, file\n0,"{0}"\n\n1,{1}\n',
    ],
)
def test_rows_that_end_in_a_comma_are_read_by_the_header(tmp_path, table):
    names = NAMES[1], "a\u2028b\x85c\x1cd,e.JPEG"
    for name in names:
        (tmp_path / "flat" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "flat" / name).write_bytes(IMAGES[NAMES[0]])
    (tmp_path / "labels.csv").write_bytes(table.format(names[0], f'"{names[1]}"').encode())
    found = photographs(settings(tmp_path / "flat", labels=tmp_path / "labels.csv"), "test")
    assert found["label"].tolist() == [0, 1]


@given(st.integers(1, 60), st.integers(1, 60), st.none() | st.integers(1, 60), st.integers(0, 9))
def test_splits_are_disjoint_ordered_and_of_their_size(total, calibration, train, seed):
    of = settings(training="here", calibration=calibration, train=train, seed=seed)
    if calibration + (train or 1) > total:
        with pytest.raises(StudyError, match=f"here: holds {total} images"):
            choose(of, "train", total)
        return
    held_out, rest = choose(of, "calibration", total), choose(of, "train", total)
    assert (len(held_out), len(rest)) == (calibration, train or total - calibration)
    assert len({*held_out, *rest}) == len(held_out) + len(rest) and {*held_out, *rest} <= set(range(total))
    assert (np.diff(held_out) > 0).all() and (np.diff(rest) > 0).all()


def test_what_is_held_out_does_not_depend_on_how_many_are_trained_on():
    drawn = [choose(settings(calibration=5, train=train), "calibration", 50) for train in (None, 1, 45)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    np.testing.assert_array_equal(drawn[0], drawn[2])


def test_synsets_are_the_1000_in_sorted_order():
    content = Path(imagenet_labels.__file__).with_name("imagenet_synsets.txt").read_bytes()
    assert hashlib.md5(content).hexdigest() == "5ef135d00f8768c0f62853cd9dbc563d"  # as TF-Slim ships it
    assert list(synset_labels()) == sorted(synset_labels()) and len(synset_labels()) == 1000


def test_synsets_agree_with_labels_of_real_photographs(shared):
    with (shared / "real" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [synset_labels()[row["synset"]] for row in rows] == [int(row["class_index"]) for row in rows]


def bad_inputs() -> Iterator[tuple[str, object, object, str]]:
    """A name, the images and the labels, each made in a folder, and what the error tells."""

    def with_labels(content: str) -> object:
        return lambda folder: text(folder, content)

    def cut(folder: Path) -> Path:
        path = shuffled_tar(folder)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 1024 * 512])
        return path

    def damaged(folder: Path) -> Path:
        path = shuffled_tar(folder)
        content = bytearray(path.read_bytes())
        content[content.index(NAMES[2].encode())] ^= 1
        path.write_bytes(content)
        return path

    def compressed(folder: Path) -> Path:
        return tar(folder / "val.tar", IMAGES, "w:gz")

    def no_shard(folder: Path) -> Path:
        (records(folder) / "validation-00001-of-00002").unlink()
        return folder / "records"

    def cut_records(folder: Path) -> Path:
        path = records(folder) / "validation-00001-of-00002"
        path.write_bytes(path.read_bytes()[:-9])
        return folder / "records"

    def noise(folder: Path) -> Path:
        (records(folder) / "validation-00001-of-00002").write_bytes(np.random.default_rng(1).bytes(500))
        return folder / "records"

    def unknown_folder(folder: Path) -> Path:
        (folders(folder) / "n99999999").mkdir()
        return folder / "folders"

    def empty(folder: Path) -> Path:
        (folder / "empty").mkdir()
        return folder / "empty"

    def no_devkit(folder: Path) -> Path:
        return tar(folder / "kit.tar.gz", {"a/data/meta.mat": b"text"}, "w:gz")

    def bad_meta(folder: Path) -> Path:
        (devkit_folder(folder) / "data" / "meta.mat").write_bytes(b"no Matlab" * 50)
        return folder / "devkit"

    def absent(folder: Path) -> Path:
        return folder / "absent"

    yield "absent", absent, None, r"absent: no such.*img_val\.tar \(md5 29b22"
    yield "empty", empty, None, "empty: holds no images"
    yield "unlabelled", flat, None, "flat: .*give data's `labels`"
    yield "compressed", compressed, caffe, r"val\.tar: .*compressed"
    yield "cut", cut, caffe, r"img_val\.tar: .*(cut short|unexpected end)"
    yield "damaged", damaged, caffe, r"img_val\.tar: cut short or damaged after 4 files"
    yield "unknown folder", unknown_folder, None, "folders: 'n99999999' is none of"
    yield "no shard", no_shard, None, "records: validation-00001-of-00002 is missing"
    yield "cut records", cut_records, None, "validation-00001-of-00002: record 2 .*ends within"
    yield "noise", noise, None, "validation-00001-of-00002: record 0"
    yield "label 0", lambda folder: records(folder, **{"image/class/label": 0}), None, "label is 0; 1..1000"
    yield "other label", lambda folder: records(folder, **{"image/class/label": 7}), None, "label is 7, but n"
    yield "no image", lambda folder: records(folder, **{"image/encoded": None}), None, "record 0 .*image/encoded"
    yield "absent labels", flat, absent, "absent: not readable"
    yield "no devkit", flat, no_devkit, r"kit\.tar\.gz: not ImageNet's devkit"
    yield "bad meta", flat, bad_meta, "devkit: not ImageNet's devkit"
    yield "few labels", flat, with_labels("n01440764\n" * 6), r"holds 7 images, .* 6 labels; .*md5 29b22"
    yield "label of one missing", flat, with_labels(f"{NAMES[0]} 3\n"), r"labels\.txt: lacks the label of 6 of the 7"
    yield "label too high", flat, with_labels(f"{NAMES[0]} 1000\n"), r"labels\.txt, row 1: label '1000'; 0\.\.999"
    yield "unknown synset", flat, with_labels("n01440764\nn01440765\n"), r"labels\.txt, line 2: 'n01440765'"
    yield "disagreement", flat, with_labels("file,synset,label\na,n01440764,1\n"), "row 1: label 1, but n01440764 is 0"
    yield "no column", flat, with_labels("name,synset\na,n01440764\n"), "row 1: no `file`"
    yield "a comma too many", flat, with_labels("label,file,note\n1,a,b.JPEG,2\n"), "row 1: 4 cells under 3 columns"
    yield "two columns", flat, with_labels("file,label,label\na.JPEG,1,2\n"), "has two columns 'label'"
    yield "an open quote", flat, with_labels('file,label\n"a.JPEG,1\n'), "line 2: not a row of a CSV"
    yield "prose", flat, with_labels("these are no labels"), "neither synsets"


@pytest.mark.parametrize(("images", "labels", "problem"), [pytest.param(*rest, id=i) for i, *rest in bad_inputs()])
def test_bad_input_is_named_in_one_line(tmp_path, images, labels, problem):
    with pytest.raises(StudyError, match=problem) as error:
        photographs(settings(images(tmp_path), labels=labels and labels(tmp_path)), "test")
    assert "\n" not in str(error.value)


def test_training_images_are_asked_for_where_there_are_none():
    with pytest.raises(StudyError, match=r"`training` is null.*img_train\.tar \(md5 1d675b.*https://image-net"):
        photographs(settings(), "train")


def test_training_images_must_be_labelled_by_their_layout(tmp_path):
    with pytest.raises(StudyError, match="flat: does not tell"):
        photographs(settings(training=flat(tmp_path)), "calibration")


def test_an_inner_archive_that_is_cut_short_is_named(tmp_path):
    path = nested(tmp_path)
    content = bytearray(path.read_bytes())
    content[content.index(NAMES[5].encode())] ^= 1
    path.write_bytes(content)
    with pytest.raises(StudyError, match=r"img_train\.tar, n07753592\.tar: cut short or damaged"):
        photographs(settings(training=path), "train")


def test_all_that_is_missing_is_named_at_once_with_where_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").touch()
    places = {key: str(tmp_path / key) for key in ("images", "training")}
    told = missing_photographs(ImageNet(kind="imagenet", labels=str(tmp_path / "labels.csv"), **places))
    assert "`images`" in told and "29b22e2961454d5413ddabcf34fc5622" in told
    assert "`training`" in told and "1d675b47d978889d74fa0da5fadfb00e" in told
    assert "`labels`" not in told and "https://image-net.org" in told
