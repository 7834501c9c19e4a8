"""Tables in a page are compact, complete and harmless."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from tocompress.reporting.report.embedding import embedded


def read(table: pd.DataFrame) -> dict[str, list[object]]:
    """The texts and numbers by column."""
    columns = json.loads(embedded(table))["columns"]
    return {
        column["title"]: [
            cell if column["kind"] == "number" else column["words"][cell] if cell >= 0 else None
            for cell in column["cells"]
        ]
        for column in columns
    }


def test_words_numbers_and_flags_survive_and_empty_columns_do_not():
    table = pd.DataFrame(
        {
            "model": ["a", "b", None], "n": pd.array([1, None, 3], dtype="Int64"), "empty": [None] * 3,
            "share": [0.123456789, np.nan, np.inf], "done": pd.array([True, False, None], dtype="boolean"),
        }
    )  # fmt: skip
    assert read(table) == {
        "model": ["a", "b", None], "n": [1, None, 3], "share": [0.123457, None, None], "done": ["yes", "no", None]
    }  # fmt: skip


def test_bounds_and_unit_stand_with_their_value(small_study):
    value = next(column for column in json.loads(embedded(small_study))["columns"] if column["title"] == "value")
    units = [value["unit"]["words"][cell] for cell in value["unit"]["cells"]]
    assert units == small_study["unit"].tolist()
    np.testing.assert_allclose(np.array(value["low"], float), small_study["low"].astype(float), rtol=1e-5)
    assert not {"low", "high", "unit", "ratio low"} & set(read(small_study))


def test_a_name_cannot_end_the_script():
    text = embedded(pd.DataFrame({"model": ["</script><script>alert(1)"]}))
    assert "<" not in text
    assert json.loads(text)["columns"][0]["words"] == ["</script><script>alert(1)"]


def test_changes_of_accuracies_are_in_points():
    table = pd.DataFrame(
        {
            "unit": ["fraction", "score", "byte"], "change": [-0.01, 0.5, None],
            "change_low": [-0.02, 0.1, None], "change_high": [0.0, 0.9, None],
        }
    )  # fmt: skip
    column = json.loads(embedded(table))["columns"][-1]
    assert (column["title"], column["cells"], column["low"]) == ("change (points)", [-1, 0.5, None], [-2, 0.1, None])


def test_ten_thousand_rows_take_little_more_than_a_megabyte(study):
    many = pd.concat([study] * (10_000 // len(study) + 1)).iloc[:10_000]
    assert len(embedded(many)) < 1_200_000
