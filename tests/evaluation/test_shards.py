"""Shares of a test set are disjoint, whole, and of whole batches."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from tocompress.evaluation.shards import gather
from tocompress.schemas.study import SENTENCE_PREDICTIONS
from tocompress.tables import read_table, write_table
from tocompress.tasks.shards import shard_of


@given(st.integers(0, 200), st.integers(1, 8))
def test_shares_follow_each_other_and_differ_by_one_batch_at_most(batches: int, number: int) -> None:
    every = [slice(32 * index, 32 * (index + 1)) for index in range(batches)]
    shares = [shard_of(every, f"{share}-of-{number}") for share in range(1, number + 1)]
    assert [batch for share in shares for batch in share] == every
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_shares_are_gathered_in_the_order_of_the_examples(tmp_path: Path) -> None:
    whole = pd.DataFrame({"example": range(5), "reference": list("abcde"), "plain_reference": None, "hypothesis": "x"})
    for name, part in {"whole": whole, "2": whole[3:], "empty": whole[:0], "1": whole[:3]}.items():
        write_table(tmp_path / name, SENTENCE_PREDICTIONS, part)
    gather(tmp_path / "gathered", [tmp_path / name for name in ("2", "empty", "1")])
    assert read_table(tmp_path / "gathered", SENTENCE_PREDICTIONS).equals(
        read_table(tmp_path / "whole", SENTENCE_PREDICTIONS)
    )
