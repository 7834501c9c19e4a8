"""Make a split of a dataset from its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, overload

import numpy as np
import pandas as pd

from tocompress.data import glyphs, number_phrases
from tocompress.data.sets import Images
from tocompress.schemas.data import SENTENCES
from tocompress.settings.data import Glyphs, NumberPhrases
from tocompress.tables import replace_on_success, write_table

Split = Literal["train", "calibration", "test"]


@overload
def make(settings: Glyphs, split: Split) -> Images: ...
@overload
def make(settings: NumberPhrases, split: Split) -> pd.DataFrame: ...
def make(settings: Glyphs | NumberPhrases, split: Split) -> Images | pd.DataFrame:
    """The examples of a split: images with labels, or a table of the schema `sentences`."""
    number: int = getattr(settings, split)
    if isinstance(settings, Glyphs):
        return glyphs.render(split, number, size=settings.size, seed=settings.seed)
    phrases = number_phrases.phrases(split, number, seed=settings.seed)
    rows = [(index, phrase.source, phrase.reference, phrase.template) for index, phrase in enumerate(phrases)]
    return pd.DataFrame(rows, columns=["example", "source", "reference", "template"])


def write_split(path: str | Path, settings: Glyphs | NumberPhrases, split: Split) -> None:
    """Make a split and write it to `path`, whole or not at all."""
    if isinstance(settings, NumberPhrases):
        write_table(path, SENTENCES, make(settings, split))
        return
    images, labels = make(settings, split)
    with replace_on_success(path) as temporary, temporary.open("wb") as file:
        np.savez(file, images=images, labels=labels)
