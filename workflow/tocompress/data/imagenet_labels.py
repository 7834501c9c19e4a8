"""ImageNet's 1000 synsets, and the files in which people keep the labels of its validation images."""

from __future__ import annotations

import posixpath
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import scipy.io
from scipy.io.matlab import MatReadError

from tocompress.archives import extract, is_archive
from tocompress.data.csv_rows import csv_rows
from tocompress.errors import StudyError

DEVKIT = "ILSVRC2012_devkit_t12.tar.gz (md5 fa75699e90414af021442c21a62c3abf)"
ACCEPTED = f"{DEVKIT} or its folder, a text of a synset or of name and label a line, a CSV of file and synset or label"

_TRUTH, _META = "data/ILSVRC2012_validation_ground_truth.txt", "data/meta.mat"
_AS_FOUND = "give the paths of the images as they are in their folder or archive"


@cache
def synset_labels() -> dict[str, int]:
    """Return synset -> label. The label is the place, 0..999, among the sorted synsets."""
    text = Path(__file__).with_name("imagenet_synsets.txt").read_text(encoding="ascii")
    return {synset: label for label, synset in enumerate(text.split())}


def label_of(synset: str, where: object) -> int:
    """Return the label of a synset. Raise StudyError that begins with `where` if it is none of the 1000."""
    try:
        return synset_labels()[synset]
    except KeyError:
        raise StudyError(f"{where}: {synset!r} is none of ILSVRC2012's 1000 synsets; they are like n01440764") from None


def read_labels(path: str) -> list[int] | dict[str, int]:
    """Return the labels in a file of any accepted kind. Raise StudyError where it is absent, of another kind, or wrong.

    The devkit and a text of synsets give a list in the order of the images' names. Other files give labels by path.
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
    """Write the needed files of the devkit to `folder`."""
    try:
        for name in (_TRUTH, _META):
            extract(Path(path), name, folder / name)
    except StudyError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise StudyError(f"{path}: not ImageNet's devkit ({reason}); `labels` takes {ACCEPTED}") from error


def _devkit(folder: Path, path: str) -> list[int]:
    """Return labels in the order of the images. The devkit numbers synsets in its own order, which meta.mat holds.

    `path` is the name in the config.
    """
    try:
        rows = np.atleast_1d(scipy.io.loadmat(folder / _META, squeeze_me=True)["synsets"])
        synsets = {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in rows if int(row["num_children"]) == 0}
        truth = (folder / _TRUTH).read_text(encoding="utf-8-sig").split()
        return [label_of(synsets[int(number)], f"{path}, {_META}") for number in truth]
    except (OSError, EOFError, MatReadError, zlib.error, KeyError, ValueError, TypeError) as error:
        wanted = f"{_TRUTH} and {_META} are needed in it"
        raise StudyError(f"{path}: not ImageNet's devkit ({error}); {wanted}, as in {DEVKIT}") from error


def labels_by_path(images: Sequence[str], labels: Mapping[str, int]) -> list[int]:
    """Return the label of each image, by path. Either path may lack the first folders of the other.

    Raise StudyError for an image without a label, for an image with two labels and for a label of two images.
    """
    ending: dict[str, list[str]] = {}
    for path in labels:
        for end in _ends(path):
            ending.setdefault(end, []).append(path)
    lacking = []
    image_of: dict[str, str] = {}
    for image in images:
        shorter = [end for end in _ends(image) if end in labels]
        path, *others = [image] if image in labels else [*ending.get(image, ()), *shorter] or [""]
        if not path:
            lacking.append(image)
        elif others:
            raise StudyError(f"{path} and {others[0]} may both be {image}; {_AS_FOUND}")
        elif (other := image_of.setdefault(path, image)) != image:
            raise StudyError(f"{path} may be {other} or {image}; {_AS_FOUND}")
    if lacking:
        raise StudyError(f"lacks the label of {len(lacking)} of the {len(images)} images, among them {lacking[0]}")
    return [labels[path] for path in image_of]


def normal_path(path: str) -> str:
    """Return the normal form of a path within a folder or an archive."""
    return posixpath.normpath(path).lstrip("/")


def _ends(path: str) -> Iterator[str]:
    """Return the path, the path without its first folder, without its first two, down to the bare name."""
    steps = path.split("/")
    return ("/".join(steps[first:]) for first in range(len(steps)))


def _text(path: str) -> list[int] | dict[str, int]:
    """Return labels in the order of the images, or by path."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig").strip()
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: not a text ({error}); `labels` takes {ACCEPTED}") from error
    lines = text.split("\n")
    if "," in lines[0]:
        return _table(path, csv_rows(path, text))
    if len(lines[0].split()) == 1:
        return [label_of(line.strip(), f"{path}, line {number}") for number, line in enumerate(lines, 1)]
    if len(lines[0].split()) == 2:
        pairs = (line.rsplit(maxsplit=1) for line in lines)
        return _table(path, (dict(zip(("file", "label"), pair, strict=False)) for pair in pairs))
    raise StudyError(f"{path}: neither synsets, nor names and labels; `labels` takes {ACCEPTED}")


def _table(path: str, rows: Iterable[Mapping[str, str]]) -> dict[str, int]:
    """Return labels by path, from rows with a `file` and a `synset` or `label`."""
    labels: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        where = f"{path}, row {number}"
        synset, label = (row.get(column, "").strip() for column in ("synset", "label"))
        if not row.get("file") or not (synset or label):
            raise StudyError(f"{where}: no `file`, or neither `synset` nor `label`; both are needed")
        name = normal_path(row["file"])
        if name in labels:
            raise StudyError(f"{where}: {name} has a label already; give each file once")
        labels[name] = label_of(synset, where) if synset else _checked(label, where)
        if label and labels[name] != _checked(label, where):
            raise StudyError(f"{where}: label {label}, but {synset} is {labels[name]} among the sorted synsets")
    return labels


def _checked(label: str, where: str) -> int:
    if not (label.isdecimal() and int(label) < len(synset_labels())):
        raise StudyError(f"{where}: label {label!r}; 0..999 in the order of sorted synsets is needed")
    return int(label)
