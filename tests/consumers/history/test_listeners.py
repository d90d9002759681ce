"""What is made of the clicks of listeners, before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from consumers.history import columns
from consumers.history.columns import EVENTS, Packets, cut, of_events, pack
from consumers.history.listeners import Loaded, Songs, made_of
from models.affinity import ForwardDecay
from models.listener import HISTORY, Rules
from stream.stores.event_ids import number_of
from tests.consumers.history.years import UNTIL


def test_event_ids_are_looked_at_without_making_each_click_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    each_twice = [
        {
            "user_id": f"u{at % 3}",
            "song_id": "s",
            "artist_ids": ["ana"],
            "ts": UNTIL + at,
            "event_id": f"e{at // 6}",
        }
        for at in range(60)
    ]
    loaded = Loaded.of(of_events(pa.Table.from_pylist(each_twice, schema=EVENTS), np.arange(len(each_twice))))

    def refuse(*_: object) -> None:
        raise AssertionError("a click is made")

    monkeypatch.setattr("consumers.history.listeners._Clicks.__getitem__", refuse)
    rules = Rules(ForwardDecay())
    made = made_of(loaded, Songs({}), rules, UNTIL, HISTORY, activity=False, most_event_ids=64)
    assert made.residents.clicks[made.changes.rows].tolist() == [10, 10, 10]
    assert {len(held) for held in made.changes.event_ids.values()} == {80}


def test_ids_are_remembered_alike_whether_or_not_one_comes_twice() -> None:
    ids = {"once": "abcde", "twice": "abacd", "none": ""}
    clicks = [
        {"user_id": user, "song_id": f"s{at}", "artist_ids": ["ana"] * (at != 1), "ts": UNTIL + at}
        | ({"event_id": letters[at]} if letters else {})
        for user, letters in ids.items()
        for at in range(5)
    ]
    loaded = Loaded.of(of_events(pa.Table.from_pylist(clicks, schema=EVENTS), np.arange(len(clicks))))
    made = made_of(loaded, Songs({}), Rules(ForwardDecay()), UNTIL, HISTORY, activity=False, most_event_ids=3)
    rows = made.residents.index
    remembered = {user: made.changes.event_ids.get(rows[user]) for user in ids}
    expected = {"once": "cde", "twice": "acd", "none": ""}  # what waits for its song is not counted yet
    assert remembered == {
        user: b"".join(map(number_of, letters)) or None for user, letters in expected.items()
    }
    counted = {user: int(made.residents.clicks[rows[user]]) for user in ids}
    assert counted == {"once": 4, "twice": 3, "none": 4}


def test_up_to_when_files_have_a_listeners_clicks_does_not_depend_on_who_is_in_a_part() -> None:
    clicks = [
        {"user_id": user, "song_id": "s", "artist_ids": ["ana"], "ts": UNTIL + at}
        for user, at in (("minutes", 0), ("minutes", 60), ("milliseconds", 0.25))
    ]
    loaded = Loaded.of(of_events(pa.Table.from_pylist(clicks, schema=EVENTS), np.arange(len(clicks))))
    held = {
        user: int(made.residents.offset[row])
        for part in loaded.parts(1)
        for made in [
            made_of(part, Songs({}), Rules(ForwardDecay()), UNTIL, HISTORY, activity=False, most_event_ids=0)
        ]
        for user, row in made.residents.index.items()
    }
    ms = 1_000
    assert held == {
        "minutes": round((UNTIL + 60) * 1e6) + ms - 1,
        "milliseconds": round((UNTIL + 0.25) * 1e6) + ms - 1,
    }


def test_parts_have_all_clicks_of_each_listener_and_as_many_as_are_wanted() -> None:
    loaded = Loaded.of(clicks_of("abbbccccccad"))
    parts = list(loaded.parts(5))
    assert [list(part.users) for part in parts] == [["a", "b"], ["c"], ["d"]]
    assert [part.user.tolist() for part in parts] == [[0, 0, 1, 1, 1], [0] * 6, [0]]
    assert [click for part in parts for click in part.table.to_pylist()] == loaded.table.to_pylist()


def clicks_of(users: str, artists: Sequence[str] = ("ana",)) -> pa.Table:
    """A click of each, with these artists, a second apart."""
    clicks = [
        {"user_id": user, "song_id": f"s {user}", "artist_ids": list(artists), "ts": UNTIL + at}
        for at, user in enumerate(users)
    ]
    return of_events(pa.Table.from_pylist(clicks, schema=EVENTS), np.arange(len(clicks)))


def test_clicks_of_each_listener_are_counted_only_where_one_may_have_more_than_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(columns, "MOST_OF_ONE", 5)
    counted = list[bytes]()
    count = Packets._count
    monkeypatch.setattr(
        Packets, "_count", lambda held, packed: counted.append(packed) or count(held, packed), raising=True
    )
    held = Packets()
    for users in ("xxyz", "abxxy", "xvyw"):
        assert not counted
        held.add(*[pack(part) for _, part in cut(clicks_of(users), 1)])
    assert (held.shortened, len(held.clicks())) == ({}, 13)
    held.add(*[pack(part) for _, part in cut(clicks_of("x"), 1)])
    assert len(counted) == 4
    assert held.shortened == {"x": 6}
    assert Counter(held.clicks()["user_id"].to_pylist())["x"] == 5


def test_listeners_songs_and_artists_are_those_of_the_clicks_that_are_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unnamed = clicks_of("uvuvu", artists=())
    loaded = Loaded.of(pa.concat_tables([clicks_of("vw"), unnamed]))
    assert loaded.users == ["v", "w", "u"]
    assert loaded.unnamed_songs == {"s u", "s v"}
    late = loaded.with_songs({"s u", "s w"})
    assert loaded.table.filter(pa.array(late))["user_id"].to_pylist() == ["u"] * 3
    left, refused = loaded.without_more(late, 0)
    assert refused == 3
    assert left.unnamed_songs == {"s v"}


def test_a_click_that_names_an_artist_twice_is_of_that_artist_once() -> None:
    loaded = Loaded.of(clicks_of("u", artists=("ana", "bo", "ana")))
    rules = Rules(ForwardDecay())
    made = made_of(loaded, Songs({}), rules, UNTIL, HISTORY, activity=False, most_event_ids=0)
    alone = made_of(
        Loaded.of(clicks_of("u", artists=("ana", "bo"))),
        *(Songs({}), rules, UNTIL, HISTORY),
        activity=False,
        most_event_ids=0,
    )
    for each in (made, alone):
        assert sorted(each.residents.artists.names) == ["ana", "bo"]
    assert made.residents.count.tolist() == alone.residents.count.tolist()
