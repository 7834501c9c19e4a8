"""Make a split of a set of sentence pairs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tocompress.data import number_phrases
from tocompress.schemas.study import SENTENCES
from tocompress.settings.data import NumberPhrases, Split
from tocompress.tables import write_table


def write_split(path: str | Path, settings: NumberPhrases, split: Split) -> None:
    """Make a split and write it to the Parquet file `path`, whole or not at all."""
    phrases = number_phrases.phrases(split, getattr(settings, split), seed=settings.seed)
    rows = [(index, phrase.source, phrase.reference, phrase.template, None) for index, phrase in enumerate(phrases)]
    write_table(path, SENTENCES, pd.DataFrame(rows, columns=SENTENCES.names))
