"""Scores of channels as a table that another job reads."""

import numpy as np

from tocompress.compression.channels import Channels
from tocompress.compression.ranking import ranked
from tocompress.schemas.pruning import IMPORTANCE
from tocompress.tables import read_table, write_table


def test_scores_come_back_in_the_order_of_channels(tmp_path):
    channels = Channels({}, {}, {"late": np.int32([1, 3]), "early": np.int32([0, 2, 4])})
    scores = np.float64([0.5, 0.1, 0.4, 0.2, 0.3])
    write_table(tmp_path / "importance.parquet", IMPORTANCE, ranked(scores, channels))
    table = read_table(tmp_path / "importance.parquet", IMPORTANCE)
    assert table["importance"].to_list() == scores.tolist()
    assert table["group"].to_list() == ["early", "late", "early", "late", "early"]
