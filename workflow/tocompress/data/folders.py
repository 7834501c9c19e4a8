"""Find a user's own pictures and divide them into splits. They are in a folder for each class, or listed in a CSV."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from tocompress.data.csv_rows import csv_rows
from tocompress.data.photographs import decoded
from tocompress.errors import StudyError
from tocompress.schemas.study import PICTURES
from tocompress.settings.data import Folders, Split

_LAYOUTS = "a folder with a folder for each class, or a CSV with the columns `file` and `label`, is needed"
_BY_SYSTEMS = ("thumbs.db", "desktop.ini")  # files that Windows adds to folders of pictures
_MOST_NAMED = 5  # files or classes
_DIGITS = 16


class Picture(NamedTuple):
    """A file that has to be a picture. It has a class, a size (bytes) and a last change (ns)."""

    name: str
    file: str
    class_name: str
    size: int
    modified: int


def pictures(settings: Folders, split: Split, threads: int = 1) -> pd.DataFrame:
    """Return a split as a table of the schema `pictures`, sorted by class and name. Every file is decoded once.

    Raise StudyError for absent files and for classes that do not fit. Raise it for shares that leave a class without
    pictures, and for too many unreadable files.
    """
    source = _source(settings, split)
    classes, place = class_names(settings)
    found = listed(source)
    _check_classes(found, source, classes, place)
    if split == "test" and isinstance(settings.test, str) and settings.train is not None:
        _check_apart(found, listed(settings.train), source, settings.train)
    chosen = _of_split(found, source, settings, split)
    digests = _digests(chosen, source, settings.unreadable, threads)
    readable = [(picture, digest) for picture, digest in zip(chosen, digests, strict=True) if digest]
    shown = {picture.class_name for picture, _ in readable}
    if lacking := [name for name in classes if name not in shown]:
        raise StudyError(f"{source}: no picture of '{lacking[0]}' for {split} is readable; get its files again")
    print(f"{len(readable)} pictures of {len(classes)} classes for {split}", flush=True)
    labels = {name: label for label, name in enumerate(classes)}
    rows = [
        (picture.file, picture.size, digest, labels[picture.class_name], picture.class_name)
        for picture, digest in readable
    ]
    table = pd.DataFrame(rows, columns=["file", "size", "digest", "label", "class_name"])
    return table.assign(example=table.index, classes=len(classes))[PICTURES.names]


def listing_digest(settings: Folders, split: Split) -> str:
    """Return the digest of the names, sizes and times of a split's pictures, and of its classes.

    It changes when a picture is added, removed, renamed or written. Raise StudyError for absent files.
    """
    listing = [*class_names(settings)[0], *listed(_source(settings, split))]
    return hashlib.sha256(repr([tuple(entry) for entry in listing]).encode()).hexdigest()


def class_names(settings: Folders) -> tuple[list[str], str]:
    """Return the names of the classes by label, and the place that names them."""
    if isinstance(settings.classes, tuple):
        return list(settings.classes), "data's `classes`"
    place = settings.classes or settings.train or str(settings.test)
    names = _names_in_file(settings.classes) if settings.classes else _names_in_source(place)
    if twice := [name for name in names if names.count(name) > 1]:
        raise StudyError(f"{place}: '{twice[0]}' is given twice; name each class once")
    if len(names) < 2:
        raise StudyError(f"{place}: has one class ('{names[0]}'); at least two are needed")
    return names, place


def listed(source: str) -> list[Picture]:
    """Return the pictures of a folder or CSV, sorted by class and name."""
    try:
        found = _in_folders(source) if Path(source).is_dir() else _in_csv(source)
    except OSError as error:
        raise StudyError(f"{error.filename or source}: not readable ({error.strerror}); {_LAYOUTS}") from error
    for picture in found:
        try:
            picture.file.encode()
        except UnicodeEncodeError as error:
            raise StudyError(f"{picture.file}: its name is not UTF-8; rename it") from error
    return sorted(found, key=lambda picture: (picture.class_name, picture.name))


def _source(settings: Folders, split: Split) -> str:
    """Return the folder or CSV that a split is in."""
    source = settings.test if split == "test" and isinstance(settings.test, str) else settings.train
    if source is None:
        raise StudyError(f"data's `train` names no pictures, but there shall be a split for {split}; {_LAYOUTS}")
    return source


def _names_in_file(path: str) -> list[str]:
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: not a text ({error}); data's `classes` takes a file of a name a line") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise StudyError(f"{path}: names no classes; data's `classes` takes a file of a name a line")
    return names


def _names_in_source(source: str) -> list[str]:
    """Return the names of the classes of a folder or CSV. Labels that are all numbers are sorted as numbers."""
    if Path(source).is_dir():
        return _class_folders(source)
    names = sorted({label for _, label in _rows(source)})
    return sorted(names, key=int) if all(name.isdecimal() for name in names) else names


def _class_folders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir() and not _is_ignored(entry.name))
    except OSError as error:
        raise StudyError(f"{folder}: not readable ({error.strerror}); {_LAYOUTS}") from error
    if not names:
        raise StudyError(f"{folder}: holds no folders of classes; {_LAYOUTS}")
    return names


def _in_folders(folder: str) -> list[Picture]:
    found = []
    for class_name in _class_folders(folder):
        within = _files(folder, class_name)
        if not within:
            raise StudyError(f"{os.path.join(folder, class_name)}: holds no pictures; add some, or remove the folder")
        found += within
    return found


def _files(folder: str, class_name: str) -> list[Picture]:
    """Return the files in a class's folder and its subfolders. Each folder counts once: links may make a loop."""
    found, within, seen = [], [class_name], {os.path.realpath(folder)}
    while within:
        parent = within.pop()
        if (place := os.path.realpath(os.path.join(folder, parent))) in seen:
            continue
        seen.add(place)
        with os.scandir(os.path.join(folder, parent)) as entries:
            for entry in entries:
                name = posixpath.join(parent, entry.name)
                if _is_ignored(entry.name):
                    continue
                if entry.is_dir():
                    within.append(name)
                else:
                    found.append(Picture(name, os.path.join(folder, name), class_name, *_state(entry.path)))
    return found


def _is_ignored(name: str) -> bool:
    return name.startswith(".") or name.lower() in _BY_SYSTEMS


def _state(file: str) -> tuple[int, int]:
    """Return size and last change of a file. A link that leads nowhere has none, and will not be readable."""
    try:
        state = os.stat(file)
    except OSError:
        return 0, 0
    return state.st_size, state.st_mtime_ns


def _in_csv(path: str) -> list[Picture]:
    found: dict[str, Picture] = {}
    for row, (name, label) in enumerate(_rows(path), 1):
        file = os.path.join(os.path.dirname(path), name)
        if "\0" in name or not os.path.isfile(file):
            raise StudyError(f"{path}, row {row}: there is no file '{file}'; paths begin in the folder of the CSV")
        picture = found.setdefault(os.path.normpath(file), Picture(name, file, label, *_state(file)))
        if picture.class_name != label:
            also = f"but a row before says '{picture.class_name}'; keep one"
            raise StudyError(f"{path}, row {row}: {name} is '{label}', {also}")
    return list(found.values())


def _rows(path: str) -> list[tuple[str, str]]:
    """Return file and label of each row of a CSV. Other columns are ignored."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig").strip()
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: not readable as a CSV ({error}); {_LAYOUTS}") from error
    rows = []
    for number, row in enumerate(csv_rows(path, text), 1):
        file, label = (row.get(column, "").strip() for column in ("file", "label"))
        if not (file and label):
            raise StudyError(f"{path}, row {number}: has no `{'label' if file else 'file'}`; {_LAYOUTS}")
        rows.append((file, label))
    if not rows:
        raise StudyError(f"{path}: has no rows; {_LAYOUTS}")
    return rows


def _check_classes(found: Sequence[Picture], source: str, classes: Sequence[str], place: str) -> None:
    """Raise StudyError unless pictures show exactly these classes."""
    shown = {picture.class_name for picture in found}
    named = ", ".join(classes[:_MOST_NAMED]) + (", ..." if len(classes) > _MOST_NAMED else "")
    if unknown := sorted(shown - set(classes)):
        raise StudyError(f"{source}: '{unknown[0]}' is none of the classes of {place} ({named}); remove or add it")
    if lacking := [name for name in classes if name not in shown]:
        raise StudyError(f"{source}: shows no '{lacking[0]}', a class of {place} ({named}); add pictures, or remove it")


def _check_apart(test: Sequence[Picture], train: Sequence[Picture], source: str, training: str) -> None:
    """Raise StudyError where a picture of the test set is one to learn from."""
    learned = {os.path.realpath(picture.file) for picture in train}
    if both := [picture.file for picture in test if os.path.realpath(picture.file) in learned]:
        raise StudyError(
            f"{source}: {len(both)} of {len(test)} test pictures are also in {training}, such as {both[0]}; accuracy"
            " is judged on pictures that nothing was learned from"
        )


def _of_split(found: list[Picture], source: str, settings: Folders, split: Split) -> list[Picture]:
    """Return the pictures of a split, in their order. A test set that is a share is drawn before the others."""
    if isinstance(settings.test, float):
        test, found = _drawn(found, source, "test", settings.test, [settings.seed, 0])
        if split == "test":
            return test
    if split == "test":
        return found
    calibration, train = _drawn(found, source, "calibration", settings.calibration, [settings.seed, 1])
    return calibration if split == "calibration" else train


def _drawn(
    found: list[Picture], source: str, key: str, share: float, seed: list[int]
) -> tuple[list[Picture], list[Picture]]:
    """Return a share of the pictures of each class, drawn at random, and the rest."""
    rows_of: dict[str, list[int]] = {}
    for row, picture in enumerate(found):
        rows_of.setdefault(picture.class_name, []).append(row)
    random = np.random.default_rng(seed)
    is_drawn = np.zeros(len(found), bool)
    for name, rows in rows_of.items():
        count = int(share * len(rows) + 0.5)
        if not 0 < count < len(rows):
            raise StudyError(
                f"{source}: `{key}` {share:g} takes {count} of {len(rows)} pictures of '{name}'; each class needs some"
                " for each set: add pictures, or change the share"
            )
        is_drawn[random.permutation(rows)[:count]] = True
    drawn = [picture for picture, taken in zip(found, is_drawn, strict=True) if taken]
    return drawn, [picture for picture, taken in zip(found, is_drawn, strict=True) if not taken]


def _digests(chosen: list[Picture], source: str, tolerated: float, threads: int) -> list[str | None]:
    """Return the digest of each file, or None where it is not readable as a picture."""

    def read(picture: Picture) -> tuple[str | None, str]:
        try:
            encoded = Path(picture.file).read_bytes()
            decoded(encoded, channels=3)
        except OSError as error:
            return None, str(error.strerror)
        except StudyError as error:
            return None, str(error)
        return hashlib.sha256(encoded).hexdigest()[:_DIGITS], ""

    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(read, chosen))
    wrong = [picture.file for picture, (digest, _) in zip(chosen, results, strict=True) if digest is None]
    if len(wrong) > tolerated * len(chosen):
        named = ", ".join(wrong[:_MOST_NAMED]) + (", ..." if len(wrong) > _MOST_NAMED else "")
        raise StudyError(
            f"{source}: {len(wrong)} of {len(chosen)} files are no readable pictures: {named}; remove them, or raise"
            f" data's `unreadable`, the share that is left out (it is {tolerated:g})"
        )
    for picture, (digest, reason) in zip(chosen, results, strict=True):
        if digest is None:
            print(f"left out: {picture.file}: {reason}", flush=True)
    return [digest for digest, _ in results]
