"""The file of a split of a dataset: images as .npz, sentences as Parquet."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from tocompress.errors import StudyError
from tocompress.schemas.study import SENTENCES
from tocompress.tables import read_table

#: The errors that numpy raises for a damaged archive, or for a file that is no archive.
_DAMAGE = (
    OSError, EOFError, BadZipFile, zlib.error, struct.error, LookupError, ValueError, TypeError, SyntaxError,
    RuntimeError, OverflowError, MemoryError,
)  # fmt: skip

#: Images uint8 [N, H, W, 3] and their labels int32 [N].
Images = tuple[np.ndarray, np.ndarray]


def read_images(path: str | Path) -> Images:
    """Return the images and labels of a split. Raise StudyError that names the file when it holds none."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            images, labels = arrays["images"], arrays["labels"]
    except _DAMAGE as error:
        raise StudyError(f"{path}: not a readable set of images ({error}); delete it and run again") from error
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise StudyError(f"{path}: images are {images.dtype} {images.shape}; uint8 [N, height, width, 3] is needed")
    if labels.dtype != np.int32 or labels.shape != images.shape[:1]:
        raise StudyError(f"{path}: labels are {labels.dtype} {labels.shape}; int32 [{len(images)}] is needed")
    return images, labels


def read_sentences(path: str | Path) -> pd.DataFrame:
    """Return the sentences of a split, a table of the schema `sentences`."""
    return read_table(path, SENTENCES)
