"""Find ILSVRC2012's photographs in any of the usual layouts, without unpacking.

A layout becomes a table of name, file, offset, size (bytes) and, if known, label. Images are then read in place from
archives and record files. The name of an image is its path within the folder or archive.
"""

from __future__ import annotations

import mmap
import os
import posixpath
import re
import struct
import tarfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pandas as pd

from tocompress.data.imagenet_labels import (
    ACCEPTED,
    DEVKIT,
    label_of,
    labels_by_path,
    normal_path,
    read_labels,
    synset_labels,
)
from tocompress.errors import StudyError, about
from tocompress.protobuf_wire import fields, varint
from tocompress.schemas.study import PHOTOGRAPHS
from tocompress.settings.data import ImageNet, Split

_SYNSET = re.compile(r"n\d{8}")
_SHARD = re.compile(r"(train|validation)-(\d{5})-of-(\d{5})")
_SUFFIXES = (".jpeg", ".jpg", ".png")

_VALIDATION_SET = "ILSVRC2012_img_val.tar (md5 29b22e2961454d5413ddabcf34fc5622)"
_TRAINING_SET = "ILSVRC2012_img_train.tar (md5 1d675b47d978889d74fa0da5fadfb00e)"
_SOURCE = "https://image-net.org/download-images, after registering"
_LAYOUTS = "a folder of folders named by synset, or a folder of TF-Slim's TFRecords"


class _Wanted(NamedTuple):
    """The names of one of the two sets of photographs."""

    key: str  # in the config
    shards: str  # TF-Slim's name
    accepted: str


_TEST = _Wanted("images", "validation", f"{_VALIDATION_SET}, a folder of images, {_LAYOUTS}")
_TRAINING = _Wanted("training", "train", f"{_TRAINING_SET}, {_LAYOUTS}")

_Member = tuple[str, int, int]  # path, offset, size

# TFRecords: a length of 8 bytes and its checksum of 4, the record, its checksum.
_BEFORE_RECORD, _AFTER_RECORD = 12, 4


class _Image(NamedTuple):
    name: str
    file: str
    offset: int
    size: int
    label: int | None


def photographs(settings: ImageNet, split: Split) -> pd.DataFrame:
    """Return the place and label of each photograph of a split: a table of the schema `photographs`.

    Rows are in the order of the files. Raise StudyError for absent or damaged files, for labels that are missing or do
    not fit, and for counts above the number of images.
    """
    found = _labelled_test_images(settings) if split == "test" else _training_images(settings)
    chosen = found.iloc[choose(settings, split, len(found))].reset_index(drop=True)
    return chosen.assign(example=chosen.index)[PHOTOGRAPHS.names]


def missing_photographs(settings: ImageNet) -> str:
    """Return the message for absent `images`, `labels` or `training`."""
    places = {"images": _VALIDATION_SET, "labels": DEVKIT, "training": _TRAINING_SET}
    missing = [
        f"`{key}` {file} ({published})"
        for key, published in places.items()
        if (file := getattr(settings, key)) is not None and not Path(file).exists()
    ]
    return f"missing: {', '.join(missing)}; get the archives from {_SOURCE}, or name what you have: docs/published.md"


def choose(settings: ImageNet, split: Split, total: int) -> np.ndarray:
    """Return the rows of a split, in order, among the `total` images of its set."""
    if split == "test":
        count = settings.test or total
        if count > total:
            raise StudyError(f"{settings.images}: holds {total} images, data's `test` wants {count}")
        return np.arange(count) * total // count
    if settings.calibration + (settings.train or 1) > total:
        wanted = f"data's `calibration` {settings.calibration} and `train` {settings.train or 'some'} want more"
        raise StudyError(f"{settings.training}: holds {total} images, {wanted}")
    drawn = np.random.default_rng(settings.seed).permutation(total)
    held_out, rest = np.split(drawn, [settings.calibration])
    return np.sort(held_out if split == "calibration" else rest[: settings.train])


def _labelled_test_images(settings: ImageNet) -> pd.DataFrame:
    found = _find(settings.images, _TEST)
    if "label" in found:
        return found
    if settings.labels is None:
        raise StudyError(f"{settings.images}: does not tell what its images show; give data's `labels`: {ACCEPTED}")
    labels, names = read_labels(settings.labels), found["name"].tolist()
    if isinstance(labels, list):
        _check_order(names, labels, settings)
        return found.assign(label=labels)
    with about(settings.labels):
        return found.assign(label=labels_by_path(names, labels))


def _check_order(names: list[str], labels: list[int], settings: ImageNet) -> None:
    """Raise StudyError unless labels in the order of the images' names fit: as many, and no name twice."""
    if len(labels) != len(names):
        counts = f"{len(names)} images, but {settings.labels} {len(labels)} labels"
        raise StudyError(f"{settings.images}: holds {counts}; ImageNet has 50,000: compare {_VALIDATION_SET}, {DEVKIT}")
    for before, name in pairwise(names):
        if posixpath.basename(before) == posixpath.basename(name):
            raise StudyError(
                f"{settings.images}: {before} and {name} have one name, but {settings.labels} holds labels in the order"
                " of names; give a CSV of `file` (their paths) and `label`"
            )


def _training_images(settings: ImageNet) -> pd.DataFrame:
    if settings.training is None:
        raise StudyError(
            f"data's `training` is null, but a model is to be retrained: give {_TRAINING.accepted}; from {_SOURCE}"
        )
    found = _find(settings.training, _TRAINING)
    if "label" not in found:
        raise StudyError(f"{settings.training}: does not tell what its images show; give {_TRAINING.accepted}")
    return found


def _find(path: str, wanted: _Wanted) -> pd.DataFrame:
    """Return the table of all images in a file or folder."""
    if Path(path).is_dir():
        groups = _folder(path, wanted)
    elif Path(path).is_file():
        groups = _archive(path)
    else:
        raise StudyError(f"{path}: no such file or folder; data's `{wanted.key}` takes {wanted.accepted}")
    tables, total = [], 0
    try:
        for number, images in enumerate(groups, 1):
            tables.append(pd.DataFrame(images, columns=_Image._fields))
            total += len(images)
            if number % 100 == 0:
                print(f"found {total:,} images in {number} parts of {path}", flush=True)
    except OSError as error:
        raise StudyError(f"{error.filename or path}: not readable ({error.strerror}); it is needed whole") from error
    if not total:
        raise StudyError(f"{path}: holds no images; data's `{wanted.key}` takes {wanted.accepted}")
    found = pd.concat([table for table in tables if len(table)], ignore_index=True)
    return found.drop(columns="label") if found["label"].isna().all() else found


def _folder(path: str, wanted: _Wanted) -> Iterator[list[_Image]]:
    names = sorted(os.listdir(path))
    if shards := [match for name in names if (match := _SHARD.fullmatch(name)) and match[1] == wanted.shards]:
        _check_shards(path, shards)
        yield from (_records(os.path.join(path, shard[0])) for shard in shards)
    elif synsets := [name for name in names if _SYNSET.fullmatch(name)]:
        yield from (_files(os.path.join(path, synset), label_of(synset, path)) for synset in synsets)
    else:
        yield _files(path, None)


def _check_shards(path: str, shards: list[re.Match[str]]) -> None:
    count = int(shards[0][3])
    expected = [f"{shards[0][1]}-{number:05d}-of-{count:05d}" for number in range(count)]
    if odd := sorted(set(expected) ^ {shard[0] for shard in shards}):
        raise StudyError(f"{path}: {odd[0]} is missing or from another set; all {count} TFRecords of one are needed")


def _files(folder: str, label: int | None) -> list[_Image]:
    """Return the images in a folder and its subfolders. Each folder counts once, however many links lead to it."""
    images, within, seen = [], [""], set()
    while within:
        parent = within.pop()
        if (place := os.path.realpath(os.path.join(folder, parent))) in seen:
            continue
        seen.add(place)
        with os.scandir(os.path.join(folder, parent)) as entries:
            for entry in entries:
                path = os.path.join(parent, entry.name)
                if entry.is_dir() and not entry.name.startswith("."):
                    within.append(path)
                elif _is_image(path):
                    images.append(_Image(path, os.path.join(folder, path), 0, entry.stat().st_size, label))
    return sorted(images, key=_by_name)


def _by_name(found: _Image | _Member) -> tuple[str, str]:
    """Return the key that sorts by name and then by folder, because labels without names have this order."""
    return posixpath.basename(found[0]), found[0]


def _is_image(path: str) -> bool:
    name = posixpath.basename(path)
    return name.lower().endswith(_SUFFIXES) and not name.startswith(".")


def _archive(path: str) -> Iterator[list[_Image]]:
    """Yield the images of a tar, or of each inner tar. Inner tars are named by synset."""
    with open(path, "rb") as file:
        members = _members(file, path, 0, os.fstat(file.fileno()).st_size)
        inner = [member for member in members if member[0].endswith(".tar")]
        if not inner:
            yield _images(path, members, None)
        for name, offset, size in inner:
            synset = posixpath.basename(name).removesuffix(".tar")
            label = label_of(synset, path)
            yield _images(path, _members(file, f"{path}, {name}", offset, size), label)


def _images(path: str, members: list[_Member], label: int | None) -> list[_Image]:
    return [_Image(name, path, offset, size, label) for name, offset, size in members if _is_image(name)]


def _members(file: IO[bytes], where: str, start: int, size: int) -> list[_Member]:
    """Return the files of the tar in `size` bytes from `start`, sorted by name."""
    file.seek(start)
    try:
        with tarfile.TarFile(fileobj=file) as archive:
            members = [
                (normal_path(member.name), member.offset_data, member.size) for member in archive if member.isreg()
            ]
    except tarfile.TarError as error:
        raise StudyError(f"{where}: not a tar archive, or a compressed one ({error}); a plain one is needed") from error
    # A damaged header ends a tar without an error. An intact tar ends in a block of zeros.
    file.seek(archive.offset)
    if archive.offset >= start + size or file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise StudyError(f"{where}: cut short or damaged after {len(members)} files; get the archive again")
    members.sort(key=_by_name)
    for (path, *_), (following, *_) in pairwise(members):
        if path == following:
            raise StudyError(f"{where}: {path} is in it twice; pack it again, with each file once")
    return members


def _records(path: str) -> list[_Image]:
    """Return the images of a file of TFRecords. Each record is an Example as TF-Slim writes it."""
    images: list[_Image] = []
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            start = 0
            while start < len(data):
                (length,) = struct.unpack_from("<Q", data, start)
                start += _BEFORE_RECORD
                images.append(_example(data, start, start + length, path))
                start += length + _AFTER_RECORD
    except (ValueError, LookupError, struct.error) as error:
        what = f"record {len(images)} is not one of TF-Slim's, or damaged ({error})"
        raise StudyError(
            f"{path}: {what}; uncompressed ones with image/encoded and image/class/label are needed"
        ) from error
    return images


def _example(data: mmap.mmap, start: int, end: int, path: str) -> _Image:
    if end + _AFTER_RECORD > len(data):
        raise ValueError("the file ends within it")
    features = _features(data, start, end)
    offset, stop = features["image/encoded"]
    number = varint(data, features["image/class/label"][0])[0]
    where = f"{path} at byte {start}"
    if not 1 <= number <= len(synset_labels()):
        raise StudyError(f"{where}: image/class/label is {number}; 1..1000 in the order of sorted synsets is needed")
    if place := features.get("image/class/synset"):
        synset = data[slice(*place)].decode()
        if label_of(synset, where) != number - 1:
            raise StudyError(f"{where}: image/class/label is {number}, but {synset} is {label_of(synset, where) + 1}")
    return _Image("", path, offset, stop - offset, number - 1)


def _features(data: mmap.mmap, start: int, end: int) -> dict[str, tuple[int, int]]:
    """Return feature name -> (start, end) of its first value. Only the frames are read, not the images."""
    places = {}
    for _, *features in fields(data, start, end):
        for _, *entry in fields(data, *features):
            halves = {number: (begin, stop) for number, begin, stop in fields(data, *entry)}
            values = (value for _, *kind in fields(data, *halves[2]) for _, *value in fields(data, *kind))
            if first := next(values, None):
                places[data[slice(*halves[1])].decode()] = (first[0], first[1])
    return places
