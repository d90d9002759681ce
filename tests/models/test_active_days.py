"""What listeners did day by day: counted once, whatever the batches, in any order within a day."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.active_days import PERIOD_DAYS, PLACES, TAIL, Activity, song_number
from models.affinity import ForwardDecay
from models.listener import Click, Listener, OffsetSource, Rules
from models.residents import Residents
from models.traits.activity import DAYS
from models.update import update

SOURCE = OffsetSource(0)
RULES = Rules(ForwardDecay())
DAY = 86_400.0
START = 20_000 * DAY  # in the middle of no period: 20,000 is 20 days after the last began
ACTIONS = "play", "complete", "like", "download", "search", "skip"


def click(offset: int, ts: float, **fields: Any) -> Click:
    return Click("u", SOURCE, offset, ts, "s", ("a",), "play")._replace(**fields)


def after(*batches: list[Click], rules: Rules = RULES) -> Residents:
    residents = Residents(activity=True)
    residents.add([Listener("u")], None)
    for batch in batches:
        update(residents, batch, [], None, rules, now=0.0)
    return residents


def said(residents: Residents) -> dict[int, dict[str, int]]:
    """The days, each with what there is of it that is not 0."""
    activity = residents.listener(0).activity
    assert activity is not None
    names = activity.days.dtype.names or ()
    days = [dict(zip(names, day.tolist(), strict=True)) for day in activity.days]
    return {day.pop("day"): {name: number for name, number in day.items() if number} for day in days}


def everything(residents: Residents) -> tuple[Any, ...]:
    activity = residents.listener(0).activity
    assert activity is not None
    fields = activity.days.tolist(), activity.sketch, activity.period, activity.hours.tolist()
    return *fields, activity.cities, activity.devices


def rest(residents: Residents) -> Listener:
    return replace(residents.listener(0), activity=None, short_term=None)


def songs_after(*batches: list[Click], before: tuple[int, ...] = ()) -> tuple[list[int], list[int]]:
    """Songs heard that are to be written apart, and those that are held."""
    residents = Residents(activity=True)
    songs = np.array(before, dtype=np.uint32)
    residents.add([Listener("v"), Listener("u", activity=Activity(songs=songs))], None)
    apart: list[int] = []
    for batch in batches:
        others = [click(each.offset, each.ts, user_id="v", song_id="x") for each in batch[::2]]
        changes = update(residents, [*batch, *others], [], None, RULES, now=0.0)
        assert (np.diff(changes.heard_by) >= 0).all()
        apart += changes.heard[changes.rows[changes.heard_by] == residents.index["u"]].tolist()
    activity = residents.listener(residents.index["u"]).activity
    assert activity is not None
    return apart, activity.songs.tolist()


def numbered(songs: range) -> list[Click]:
    return [click(at, START + at, song_id=f"s{at}") for at in songs]


moments = st.builds(
    lambda day, second, action, song, ms, city: {
        "ts": START + day * DAY + second,
        "action": action,
        "song_id": song,
        "ms_played": ms,
        "city": city,
    },
    st.integers(0, 130),
    st.integers(0, 86_399),
    st.sampled_from(ACTIONS),
    st.sampled_from([f"s{number}" for number in range(30)]),
    st.none() | st.integers(0, 400_000),
    st.sampled_from(["", "Pune", "Delhi"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(moments, min_size=1, max_size=40), st.data())
def test_it_is_the_same_however_clicks_are_cut_into_batches(
    events: list[dict[str, Any]], data: st.DataObject
) -> None:
    clicks = [click(offset, **event) for offset, event in enumerate(events)]
    cut = data.draw(st.integers(0, len(clicks)))
    assert everything(after(clicks)) == everything(after(clicks[:cut], clicks[cut:]))
    assert everything(after(clicks)) == everything(after(*([each] for each in clicks)))


close_moments = st.builds(
    lambda second, clock, **fields: {"ts": START + second, "utc_offset_min": clock, **fields},
    st.integers(0, 7_200),
    st.sampled_from([None, 0, 330]),
    action=st.sampled_from(ACTIONS),
    song_id=st.sampled_from(["", *(f"s{number}" for number in range(30))]),
    ms_played=st.none() | st.sampled_from([1_000, 40_000_000]),
    city=st.sampled_from(["", "Pune", "Delhi", "Goa", "Agra", "Ooty"]),
    device=st.sampled_from(["", "phone"]),
    repeated=st.booleans(),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(close_moments, min_size=1, max_size=40), st.booleans(), st.integers(1, 8))
def test_clicks_within_an_hour_that_come_together_count_as_if_each_came_alone(
    events: list[dict[str, Any]], rising: bool, most: int
) -> None:
    events = sorted(events, key=lambda event: event["ts"]) if rising else events
    clicks = [click(offset, **event) for offset, event in enumerate(events)]
    rules = replace(RULES, bot_clicks_per_hour=3 * most, bot_plays_per_day=2 * most)
    together, alone = after(clicks, rules=rules), after(*([each] for each in clicks), rules=rules)
    assert everything(together) == everything(alone)
    assert rest(together) == rest(alone)


@settings(max_examples=40, deadline=None)
@given(st.lists(moments, min_size=1, max_size=30), st.randoms())
def test_it_is_the_same_in_any_order_within_a_day(events: list[dict[str, Any]], random: Any) -> None:
    events = [event | {"ts": START + event["ts"] % DAY} for event in events]
    others = random.sample(events, len(events))
    first = after([click(offset, **event) for offset, event in enumerate(events)])
    assert everything(first) == everything(after([click(at, **event) for at, event in enumerate(others)]))


@given(st.lists(moments, min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_what_is_delivered_again_counts_once(events: list[dict[str, Any]]) -> None:
    clicks = [click(offset, **event) for offset, event in enumerate(events)]
    assert everything(after(clicks)) == everything(after(clicks, clicks[-5:], clicks))


@settings(max_examples=60, deadline=None)
@given(st.lists(moments, min_size=1, max_size=60), st.data())
def test_songs_heard_are_held_and_given_up_in_their_order_however_clicks_are_cut_into_batches(
    events: list[dict[str, Any]], data: st.DataObject
) -> None:
    clicks = [click(offset, **event) for offset, event in enumerate(events)]
    cut = data.draw(st.integers(0, len(clicks)))
    heard = [song_number(e["song_id"]) for e in events if e["action"] not in ("skip", "search")]
    for batches in ([clicks], [clicks[:cut], clicks[cut:]], [[each] for each in clicks]):
        apart, held = songs_after(*batches)
        assert apart + held == heard
        assert len(held) == len(heard) % TAIL


def test_songs_that_are_on_record_are_gone_on_from() -> None:
    assert songs_after(numbered(range(3)), before=(7, 8)) == (
        [],
        [7, 8, *(song_number(f"s{at}") for at in range(3))],
    )


def test_songs_of_clicks_that_are_delivered_again_are_there_once() -> None:
    clicks = numbered(range(TAIL + 2))
    assert songs_after(clicks, clicks[-5:], clicks) == songs_after(clicks)


def test_each_action_is_counted_on_its_day() -> None:
    clicks = [click(at, START + at, action=action) for at, action in enumerate((*ACTIONS, "play"))]
    assert said(after([*clicks, click(9, START + DAY)])) == {
        20_000: {"play": 2, "complete": 1, "like": 1, "download": 1, "search": 1, "skip": 1, "songs": 1},
        20_001: {"play": 1, "songs": 1},
    }


def test_a_day_is_one_of_the_listeners_own_clock() -> None:
    late = click(0, START + DAY - 60, utc_offset_min=120)
    residents = after([late])
    assert list(said(residents)) == [20_001]
    assert np.flatnonzero(residents.listener(0).activity.hours).tolist() == [1]  # type: ignore[union-attr]


def test_milliseconds_add_up() -> None:
    clicks = [click(0, START, ms_played=200_000), click(1, START, ms_played=1), click(2, START)]
    assert said(after(clicks))[20_000]["ms"] == 200_001


def test_a_play_of_more_than_a_day_in_one_go_is_another_unit_and_no_bot() -> None:
    residents = after([click(0, START, ms_played=200_000_000)])
    assert "ms" not in said(residents)[20_000]
    assert not residents.bot[0]


@pytest.mark.parametrize("number", [1, 3, 10, 40])
def test_distinct_songs_are_estimated(number: int) -> None:
    clicks = [click(at, START + at, song_id=f"s{at % number}") for at in range(3 * number)]
    assert said(after(clicks))[20_000]["songs"] == pytest.approx(number, rel=0.25)


def test_a_search_without_a_song_is_activity_and_no_affinity() -> None:
    residents = after([click(0, START, action="search", song_id="", artist_ids=())])
    assert said(residents) == {20_000: {"search": 1}}
    assert residents.affinities(0) == {}
    assert residents.clicks[0] == 1


def test_only_the_last_days_are_kept() -> None:
    clicks = [click(day, START + day * DAY) for day in range(DAYS + 5)]
    assert list(said(after(clicks))) == list(range(20_005, 20_005 + DAYS))


def test_a_click_from_before_the_kept_days_is_no_activity() -> None:
    residents = after([click(0, START + DAYS * DAY), click(1, START)])
    assert list(said(residents)) == [20_000 + DAYS]


def test_a_late_click_counts_on_its_own_day() -> None:
    days = said(after([click(0, START), click(1, START + 5 * DAY), click(2, START + 2 * DAY)]))
    assert {day: counts["play"] for day, counts in days.items()} == {20_000: 1, 20_002: 1, 20_005: 1}


def test_hours_cities_and_devices_halve_with_each_period() -> None:
    before = [click(at, START, city="Pune", device="tv") for at in range(8)]
    later = click(8, START + 2 * PERIOD_DAYS * DAY)
    activity = after([*before, later]).listener(0).activity
    assert activity is not None
    assert (activity.cities, activity.devices) == ({"Pune": 2}, {"tv": 2})
    assert activity.hours[0] == 2 + 1


def test_the_frequent_city_stays_where_more_are_met_than_are_kept() -> None:
    often = [click(at, START, city="Pune") for at in range(20)]
    others = [click(20 + at, START, city=f"c{at}") for at in range(PLACES + 3)]
    activity = after(often, others).listener(0).activity
    assert activity is not None
    assert activity.cities["Pune"] == 20
    assert len(activity.cities) == PLACES


def test_counts_stop_at_the_largest_number_that_is_held() -> None:
    clicks = [click(at, START + at, action="like") for at in range(300)]
    assert said(after(clicks))[20_000]["like"] == 255


# Bots by the day


def test_more_plays_than_a_day_holds_make_a_bot() -> None:
    rules = Rules(ForwardDecay(), bot_plays_per_day=50)
    clicks = [click(at, START + at * 1000) for at in range(51)]
    assert not after(clicks[:50], rules=rules).bot[0]
    assert after(clicks, rules=rules).bot[0]


def test_more_than_a_day_of_playing_in_a_day_makes_a_bot() -> None:
    hours = [click(at, START + at, ms_played=3_600_000) for at in range(25)]
    assert not after(hours[:24]).bot[0]
    assert after(hours).bot[0]


def test_plays_of_several_days_make_no_bot() -> None:
    rules = Rules(ForwardDecay(), bot_plays_per_day=50)
    assert not after([click(at, START + at * DAY / 50) for at in range(200)], rules=rules).bot[0]


# Plays that are too short


def test_a_play_that_is_too_short_is_activity_and_no_affinity() -> None:
    rules = Rules(ForwardDecay(), least_ms_played=30_000)
    residents = after([click(0, START, ms_played=29_999)], rules=rules)
    assert residents.affinities(0) == {}
    assert said(residents)[20_000]["play"] == 1
    assert list(after([click(0, START, ms_played=30_000)], rules=rules).affinities(0)) == [0]


def test_a_play_that_does_not_say_how_long_adds_to_its_artist() -> None:
    rules = Rules(ForwardDecay(), least_ms_played=30_000)
    assert list(after([click(0, START)], rules=rules).affinities(0)) == [0]


def test_a_short_skip_still_takes_away() -> None:
    rules = Rules(ForwardDecay(), least_ms_played=30_000)
    residents = after([click(0, START, ms_played=1000, action="skip")], rules=rules)
    assert residents.affinities(0)[0] < 0
