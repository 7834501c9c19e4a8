"""ImageNet's 1000 synsets, and the files in which people keep the labels of its validation images."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import scipy.io
from scipy.io.matlab import MatReadError

from tocompress.archives import extract, is_archive
from tocompress.errors import StudyError

DEVKIT = "ILSVRC2012_devkit_t12.tar.gz (md5 fa75699e90414af021442c21a62c3abf)"
ACCEPTED = f"{DEVKIT} or its folder, a text of a synset or of name and label a line, a CSV of file and synset or label"

_TRUTH, _META = "data/ILSVRC2012_validation_ground_truth.txt", "data/meta.mat"


@cache
def synset_labels() -> dict[str, int]:
    """Synset -> label: its place, 0..999, among the sorted synsets."""
    text = Path(__file__).with_name("imagenet_synsets.txt").read_text(encoding="ascii")
    return {synset: label for label, synset in enumerate(text.split())}


def label_of(synset: str, where: object) -> int:
    """The label of a synset; a StudyError that says `where` it stands if it is none of the 1000."""
    try:
        return synset_labels()[synset]
    except KeyError:
        raise StudyError(f"{where}: {synset!r} is none of ILSVRC2012's 1000 synsets; they are like n01440764") from None


def read_labels(path: str) -> list[int] | dict[str, int]:
    """The labels in a file of any accepted kind; a StudyError where it is absent, of another kind, or wrong.

    The devkit and a text of synsets give a list in the order of the images' names, other files labels by name.
    """
    if Path(path).is_dir():
        return _devkit(Path(path), path)
    if not _is_archive(path):
        return _text(path)
    with TemporaryDirectory() as folder:
        _extract(path, Path(folder))
        return _devkit(Path(folder), path)


def _is_archive(path: str) -> bool:
    try:
        return is_archive(Path(path))
    except OSError as error:
        raise StudyError(f"{path}: not readable ({error}); `labels` takes {ACCEPTED}") from error


def _extract(path: str, folder: Path) -> None:
    """Write the files of the devkit that are needed to `folder`."""
    try:
        for name in (_TRUTH, _META):
            extract(Path(path), name, folder / name)
    except StudyError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise StudyError(f"{path}: not ImageNet's devkit ({reason}); `labels` takes {ACCEPTED}") from error


def _devkit(folder: Path, path: str) -> list[int]:
    """Labels in the order of the images: the devkit numbers synsets in an order of its own, which meta.mat tells.

    `path` is what the config names.
    """
    try:
        rows = np.atleast_1d(scipy.io.loadmat(folder / _META, squeeze_me=True)["synsets"])
        synsets = {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in rows if int(row["num_children"]) == 0}
        truth = (folder / _TRUTH).read_bytes().split()
        return [label_of(synsets[int(number)], f"{path}, {_META}") for number in truth]
    except (OSError, EOFError, MatReadError, zlib.error, KeyError, ValueError, TypeError) as error:
        wanted = f"{_TRUTH} and {_META} are needed in it"
        raise StudyError(f"{path}: not ImageNet's devkit ({error}); {wanted}, as in {DEVKIT}") from error


def _text(path: str) -> list[int] | dict[str, int]:
    """Labels in the order of the images, or by name."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: not a text ({error}); `labels` takes {ACCEPTED}") from error
    lines = text.strip().splitlines()
    first = lines[0] if lines else ""
    if "," in first:
        return _table(path, csv.DictReader(lines))
    if len(first.split()) == 1:
        return [label_of(line.strip(), f"{path}, line {number}") for number, line in enumerate(lines, 1)]
    if len(first.split()) == 2:
        pairs = (line.split() for line in lines)
        return _table(path, [dict(zip(("file", "label"), pair, strict=False)) for pair in pairs])
    raise StudyError(f"{path}: neither synsets, nor names and labels; `labels` takes {ACCEPTED}")


def _table(path: str, rows: Iterable[Mapping[str, str]]) -> dict[str, int]:
    """Labels by name, of rows with a `file` and a `synset` or `label`."""
    labels = {}
    for number, row in enumerate(rows, 1):
        where = f"{path}, row {number}"
        synset, label = ((row.get(column) or "").strip() for column in ("synset", "label"))
        if not row.get("file") or not (synset or label):
            raise StudyError(f"{where}: no `file`, or neither `synset` nor `label`; both are needed")
        name = Path(row["file"]).name
        labels[name] = label_of(synset, where) if synset else _checked(label, where)
        if label and labels[name] != _checked(label, where):
            raise StudyError(f"{where}: label {label}, but {synset} is {labels[name]} among the sorted synsets")
    return labels


def _checked(label: str, where: str) -> int:
    if not (label.isdecimal() and int(label) < len(synset_labels())):
        raise StudyError(f"{where}: label {label!r}; 0..999 in the order of sorted synsets is needed")
    return int(label)
