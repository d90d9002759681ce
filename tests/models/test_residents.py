"""Listeners in columns: who has to go first, and that a row that is used again remembers nothing."""

from __future__ import annotations

import numpy as np
import pytest

from models.affinity import ForwardDecay
from models.listener import Click, Listener, OffsetSource, Rules
from models.residents import Residents
from models.update import update
from tests.consumers.small_model import made_up_model

RULES = Rules(ForwardDecay())
MODEL = made_up_model(version=1, seed=1, artists=("a", "x3", "y950"), n_dims=2, cohorts=("c1",))


def click(residents: Residents, user: str, offset: int) -> None:
    one = Click(user, OffsetSource(0), offset, 1_700_000_000.0, "s", ("a",), "play")
    update(residents, [one], [], None, RULES, now=0.0)


def test_who_clicked_longest_ago_goes_first() -> None:
    residents = Residents()
    residents.add([Listener(user) for user in "abc"], None)
    for offset, user in enumerate("abca"):
        click(residents, user, offset)
    assert residents.oldest(1) == ["b"]
    assert sorted(residents.oldest(2)) == ["b", "c"]


def test_who_is_only_migrated_to_a_model_has_not_clicked() -> None:
    residents = Residents()
    residents.add([Listener(user, rev=1) for user in "ab"], None)
    for offset, user in enumerate("ab"):
        click(residents, user, offset)
    update(residents, [], ["a"], None, RULES, now=0.0)
    assert residents.oldest(1) == ["a"]


def test_a_row_that_is_used_again_remembers_nothing() -> None:
    residents = Residents()
    (row,) = residents.add(
        [Listener("a", rev=7, cohort="c1", affinities={"x": 2.0}, offsets={"0": 5, "1": 6})], None
    )
    residents.drop(["a"])
    (again,) = residents.add([Listener("b")], None)
    assert again == row
    found = residents.listener(int(again))
    assert (found.user_id, found.rev, found.cohort, found.affinities, found.offsets) == ("b", 0, "", {}, {})


def test_artists_stay_with_their_listener_when_room_grows() -> None:
    residents = Residents()
    residents.add([Listener(user) for user in "ab"], None)
    for offset in range(40):
        for user in "ab":
            one = Click(user, OffsetSource(0), offset, 1_700_000_000.0, "s", (f"{user}{offset}",), "play")
            update(residents, [one], [], None, RULES, now=0.0)
    for user in "ab":
        assert set(residents.listener(residents.index[user]).affinities) == {
            f"{user}{at}" for at in range(40)
        }


def met(at: int) -> Listener:
    affinities = {f"x{n}": n + 1.0 for n in range(at % 7)}
    return Listener(f"u{at}", rev=1, affinities=affinities, offsets={"0": 5, "1": at})


def test_names_of_artists_whom_nobody_has_any_more_are_given_up_by_packing() -> None:
    residents = Residents()
    residents.add([met(at) for at in range(50)], None)
    for at in range(1000):
        one = Click("u7", OffsetSource(0), 6 + at, 1_700_000_000.0, "s", (f"y{at}",), "play")
        update(residents, [one], [], MODEL, RULES, now=0.0)
    before = {user: residents.listener(row) for user, row in residents.index.items()}
    residents.model_columns(np.arange(len(residents.artists)))
    wanted = residents.packed_nbytes
    residents.pack()
    assert residents.nbytes == wanted
    assert set(residents.artists.names) == {name for each in before.values() for name in each.affinities}
    assert repr({user: residents.listener(row) for user, row in residents.index.items()}) == repr(before)
    places = np.arange(len(residents.artists))
    known = [MODEL.index.get(name, -1) for name in residents.artists.names]
    assert residents.model_columns(places).tolist() == known
    click(residents, "u0", 10)
    assert residents.listener(residents.index["u0"]).affinities.keys() == {"a"}


def test_names_of_sources_and_of_cities_that_nobody_has_any_more_are_given_up_by_packing() -> None:
    residents = Residents(activity=True)
    for at in range(100):
        quiet = Listener(f"q{at}", rev=1, cohort="c1", moved=f"4~was{at}:7")
        residents.add([Listener(f"u{at}", rev=1, offsets={"2": 1}), quiet], None)
        merged = OffsetSource(3, of=f"id{at}")
        place = {"city": f"town{at}", "device": f"d{at}"}
        one = Click(f"u{at}", merged, at, 1_700_000_000.0, "s", ("a",), "play", **place)
        update(residents, [one], [], None, RULES, now=0.0)
    residents.drop(f"{kind}{at}" for kind in "uq" for at in range(100) if at % 10)
    before = {user: residents.listener(row) for user, row in residents.index.items()}
    wanted = residents.packed_nbytes
    residents.pack()
    assert residents.nbytes == wanted
    tens = range(0, 100, 10)
    merged_ids = {OffsetSource(3, of=f"id{at}") for at in tens}
    assert set(residents.sources.names) == {"2", *merged_ids, *(f"4~was{at}" for at in tens)}
    assert residents.activity is not None
    assert set(residents.activity.names.names) == {name for at in tens for name in (f"town{at}", f"d{at}")}
    assert repr({user: residents.listener(row) for user, row in residents.index.items()}) == repr(before)
    click(residents, "u0", 10)
    assert residents.offsets(residents.index["u0"]) == {"2": 1, OffsetSource(3, of="id0"): 0, "0": 10}


def test_who_is_held_is_the_same_in_no_more_memory_than_it_takes_after_packing() -> None:
    residents = Residents(activity=True)
    residents.add([met(at) for at in range(300)], None)
    for day in range(30):
        for user in ("u7", "u8", "u9"):
            ts = 1_700_000_000.0 + 86_400 * day
            one = Click(user, OffsetSource(0), 6 + day, ts, "s", (f"y{day}",), "play")
            update(residents, [one], [], None, RULES, now=0.0)
    residents.drop([f"u{at}" for at in range(10, 290)])
    before = {user: residents.listener(row) for user, row in residents.index.items()}
    wanted = residents.packed_nbytes
    residents.pack()
    assert repr({user: residents.listener(row) for user, row in residents.index.items()}) == repr(before)
    assert residents.nbytes == pytest.approx(wanted, rel=0.01)
    residents.add([Listener("new", affinities={"z": 1.0})], None)
    click(residents, "new", 1)
    assert set(residents.listener(residents.index["new"]).affinities) == {"z", "a"}
    assert repr(residents.listener(residents.index["u7"])) == repr(before["u7"])


def test_who_is_doubted_is_said_until_they_are_held_again() -> None:
    residents = Residents()
    residents.add([Listener(user) for user in "abc"], None)
    residents.doubt()
    residents.drop("c")
    residents.add([Listener(user) for user in "cd"], None)
    assert residents.doubtful("abcdx") == ["a", "b"]
    residents.drop("ab")
    residents.add([Listener("a")], None)
    assert not residents.doubted.any()  # nobody need be looked for any more
