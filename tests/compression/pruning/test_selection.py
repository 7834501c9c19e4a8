"""What is removed: the lowest, in the number asked for, within floors and multiples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocompress.compression.pruning.channels import Channels
from tocompress.compression.pruning.selection import select
from tocompress.errors import StudyError

SHARES = st.floats(0.01, 0.6)
RANKINGS = st.sampled_from(["global", "layerwise"])


def groups_of(*sizes):
    """Channels of groups of these sizes, their ids interleaved."""
    shuffled = np.random.default_rng(0).permutation(sum(sizes)).astype(np.int32)
    parts = np.split(shuffled, np.cumsum(sizes)[:-1])
    return Channels(variables={}, producers={}, groups={f"group{i}": np.sort(part) for i, part in enumerate(parts)})


@st.composite
def scored_channels(draw, smallest=1):
    channels = groups_of(*draw(st.lists(st.integers(smallest, 40), min_size=1, max_size=6)))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    ties = draw(st.booleans())
    return channels, random.integers(0, 4, channels.count).astype(float) if ties else random.random(channels.count)


def test_global_and_layerwise_by_hand():
    channels = Channels({}, {}, {"a": np.int32([0, 1, 2, 3]), "b": np.int32([4, 5, 6, 7])})
    importance = np.float64([1, 2, 3, 4, 5, 6, 7, 8])
    assert np.flatnonzero(~select(importance, channels, 0.5, "global", 1, 1)).tolist() == [0, 1, 2, 4]
    assert np.flatnonzero(~select(importance, channels, 0.5, "layerwise", 1, 1)).tolist() == [0, 1, 4, 5]
    assert np.flatnonzero(~select(np.zeros(8), channels, 0.5, "global", 1, 1)).tolist() == [0, 1, 2, 4]
    assert np.flatnonzero(~select(importance, channels, 0.4, "global", 1, 2)).tolist() == [0, 1]


@settings(max_examples=50, deadline=None)
@given(scored=scored_channels(), share=SHARES)
def test_where_nothing_binds_exactly_the_lowest_go(scored, share):
    channels, importance = scored
    one = Channels({}, {}, {"all": np.arange(channels.count, dtype=np.int32)})
    goal = round(share * channels.count)
    if goal < channels.count:
        keep = select(importance, one, share, "global", 1, 1)
        assert np.flatnonzero(~keep).tolist() == sorted(np.argsort(importance, kind="stable")[:goal])


@settings(max_examples=50, deadline=None)
@given(scored=scored_channels(smallest=6), share=SHARES, floor=st.integers(1, 2))
def test_globally_the_share_is_met_in_spite_of_floors(scored, share, floor):
    channels, importance = scored
    keep = select(importance, channels, share, "global", floor, 1)
    assert (~keep).sum() == round(share * channels.count)
    # What went instead is lower than all that stays, but for what a floor retains.
    staying = [np.sort(importance[ids[keep[ids]]]) for ids in channels.groups.values()]
    lowest = min((kept[0] for kept in staying if len(kept) > floor), default=np.inf)
    assert importance[~keep].max(initial=-np.inf) <= lowest


@settings(max_examples=50, deadline=None)
@given(scored=scored_channels(smallest=6), shares=st.tuples(SHARES, SHARES), ranking=RANKINGS)
def test_a_larger_share_removes_what_a_smaller_one_does(scored, shares, ranking):
    channels, importance = scored
    fewer, more = (~select(importance, channels, share, ranking, 2, 1) for share in sorted(shares))
    assert more[fewer].all()


@settings(max_examples=50, deadline=None)
@given(scored=scored_channels(), share=SHARES, ranking=RANKINGS, floor=st.integers(1, 12), round_to=st.integers(1, 8))
def test_floors_and_multiples_hold_and_never_remove_more(scored, share, ranking, floor, round_to):
    channels, importance = scored
    try:
        keep = select(importance, channels, share, ranking, floor, round_to)
    except StudyError as error:
        assert "at most" in str(error)
        return
    kept = {name: int(keep[ids].sum()) for name, ids in channels.groups.items()}
    for name, ids in channels.groups.items():
        assert kept[name] == len(ids) or (kept[name] >= floor and kept[name] % round_to == 0)
        least_that_stays = np.sort(importance[ids])[len(ids) - kept[name]]
        assert importance[ids[~keep[ids]]].max(initial=-np.inf) <= least_that_stays
        if ranking == "layerwise":
            assert len(ids) - kept[name] <= round(share * len(ids))
    if ranking == "global":
        assert round(share * channels.count) - round_to < (~keep).sum() <= round(share * channels.count)


@pytest.mark.parametrize("share", [0, 1, -0.1, 15, float("nan")])
def test_a_share_outside_0_and_1_is_refused(share):
    with pytest.raises(StudyError, match="not between 0 and 1"):
        select(np.zeros(8), groups_of(8), share, "global", 1, 1)


def test_a_share_beyond_the_floors_says_how_much_may_go():
    with pytest.raises(StudyError, match=r"0.9 of 20 is too much, at most 12 \(0.600\)"):
        select(np.zeros(20), groups_of(16, 4), 0.9, "global", 4, 1)


def test_the_importance_of_another_network_is_refused():
    with pytest.raises(StudyError, match="importance of 3 channels for a network with 4"):
        select(np.zeros(3), groups_of(2, 2), 0.5, "global", 1, 1)


def test_a_diverged_network_is_refused():
    with pytest.raises(StudyError, match="NaN"):
        select(np.float64([1, np.nan]), groups_of(2), 0.5, "global", 1, 1)
