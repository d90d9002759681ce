"""Two listeners made one and taken apart: what was put together comes out again, whatever it was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.active_days import KINDS, SONGS, Activity
from models.affinity import ForwardDecay
from models.listener import Listener, Rules, tag_of
from models.merge import joined, offsets_of, parted
from models.merge_activity import activity_of_both, activity_without
from models.traits.activity import DAY, DAYS

RULES = Rules(ForwardDecay(), max_artists=100, bot_clicks_per_hour=10)
weights = st.floats(-1e6, 1e6, allow_nan=False).filter(lambda weight: abs(weight) > 1e-3)
affinities = st.dictionaries(st.sampled_from("abcdefgh"), weights, max_size=6)


@st.composite
def activities(draw: st.DrawFn) -> Activity:
    numbers = sorted(draw(st.sets(st.integers(19_960, 20_000), max_size=6)))
    days = np.zeros(len(numbers), dtype=DAY)
    days["day"] = numbers
    for name in (*KINDS, "ms"):
        days[name] = [draw(st.integers(1, 100)) for _ in numbers]
    return Activity(days, 0, 666, np.full(24, draw(st.integers(0, 50)), np.uint16), {"Roma": 3})


def listeners(name: str) -> st.SearchStrategy[Listener]:
    return st.builds(
        Listener,
        st.just(name),
        st.just(1),
        clicks=st.integers(0, 1000),
        first_seen=st.floats(0, 1e9),
        last_seen=st.floats(0, 1e9),
        affinities=affinities,
        offsets=st.dictionaries(st.sampled_from(["0", "1", "2.1"]), st.integers(0, 1000), max_size=2),
        activity=activities(),
    )


@given(listeners("b"), listeners("a"))
def test_what_was_joined_is_taken_out_again(kept: Listener, other: Listener) -> None:
    both = joined(kept, other, RULES)
    assert both.clicks == kept.clicks + other.clicks
    left = parted(both, other)
    assert (left.clicks, left.offsets, left.joined) == (kept.clicks, kept.offsets, frozenset())
    for artist in kept.affinities.keys() | left.affinities.keys():
        of_both = max(abs(other.affinities.get(artist, 0.0)), 1.0)
        expected = kept.affinities.get(artist, 0.0)
        assert left.affinities.get(artist, 0.0) == pytest.approx(expected, rel=1e-6, abs=1e-6 * of_both)
    assert left.activity is not None
    assert kept.activity is not None
    for name in ("day", *KINDS, "ms"):
        assert left.activity.days[name].tolist() == kept.activity.days[name].tolist()
    assert left.activity.hours.tolist() == kept.activity.hours.tolist()
    assert offsets_of(both, other) == other.offsets


def test_offsets_of_two_ids_in_one_partition_stay_apart() -> None:
    both = joined(Listener("b", offsets={"0": 9}), Listener("a", offsets={"0": 4}), RULES)
    assert both.offsets == {f"0~{tag_of('a')}": 4, "0": 9}


def test_of_more_artists_than_are_kept_the_weakest_go() -> None:
    rules = Rules(ForwardDecay(), max_artists=2)
    kept, other = (
        Listener("b", affinities={"x": 1.0, "y": 5.0}),
        Listener("a", affinities={"z": 3.0, "x": 1.5}),
    )
    assert joined(kept, other, rules).affinities == {"y": 5.0, "z": 3.0}


def test_two_who_click_within_the_bound_of_bots_may_be_one_beyond_it() -> None:
    kept, other = (Listener(name, hour=7, hour_clicks=6) for name in "ba")
    assert joined(kept, other, RULES).bot
    assert not joined(kept, Listener("c", hour=6, hour_clicks=6), RULES).bot


def test_days_too_long_before_the_latest_of_either_go() -> None:
    old, new = (Activity(np.array([(day, 1, 0, 0, 0, 0, 0, 0, 0)], dtype=DAY)) for day in (100, 100 + DAYS))
    assert activity_of_both(old, new).days["day"].tolist() == [100 + DAYS]


def test_distinct_songs_of_the_latest_day_are_counted_once_where_both_know_which() -> None:
    one, other = (Activity(np.zeros(1, dtype=DAY), sketch) for sketch in (0b0111, 0b1110))
    for each in (one, other):
        each.days["day"], each.days["songs"] = 9, SONGS[3]
    assert activity_of_both(one, other).days["songs"].tolist() == [SONGS[4]]


def test_a_count_that_is_full_stays_full() -> None:
    full = Activity(np.zeros(1, dtype=DAY))
    full.days["day"], full.days["like"] = 9, 200
    assert activity_of_both(full, full).days["like"].tolist() == [255]
    assert activity_without(full, full).days.tolist() == []
