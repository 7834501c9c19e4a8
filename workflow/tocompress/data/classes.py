"""The names of the classes of pictures."""

from __future__ import annotations

import pandas as pd


def names_by_label(pictures: pd.DataFrame) -> list[str]:
    """Return the name of each class by its label, from a table of the schema `pictures`."""
    names: list[str] = pictures.drop_duplicates("label").sort_values("label")["class_name"].tolist()
    return names
