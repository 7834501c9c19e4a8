"""Tables in a page are compact, complete and harmless."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from tocompress.reporting.embedding import embedded


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


def test_ten_thousand_rows_take_a_megabyte_at_most(study):
    many = pd.concat([study] * (10_000 // len(study) + 1)).iloc[:10_000]
    assert len(embedded(many)) < 1_000_000
