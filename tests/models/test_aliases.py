from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.aliases import settled
from models.listener import Aliased, Listener

IDS = st.sampled_from("abcdef")
MAPS = st.dictionaries(IDS, IDS, max_size=4)


def end(said: dict[str, str], artist: str) -> str:
    """What an id stands for in one step: maps here have no chains."""
    return said.get(artist, artist)


def flat(said: dict[str, str]) -> dict[str, str]:
    return {alias: artist for alias, artist in said.items() if artist not in said and artist != alias}


@given(st.dictionaries(IDS, st.floats(0.125, 8).map(lambda x: round(8 * x) / 8)), MAPS, MAPS)
def test_whatever_was_said_between_everything_is_given_back(
    weights: dict[str, float], first: dict[str, str], second: dict[str, str]
) -> None:
    listener = Listener("u", affinities=dict(weights))
    for said in (flat(first), flat(second), flat(first)):
        listener = settled(listener, lambda artist, said=said: end(said, artist))
        assert sum(listener.affinities.values()) == sum(weights.values())
        assert not said.keys() & listener.affinities.keys()
    back = settled(listener, lambda artist: artist)
    assert (back.affinities, back.aliased) == (weights, {})


def test_who_has_nothing_of_an_alias_is_the_same_listener() -> None:
    listener = Listener("u", affinities={"a": 1.0}, aliased={"b": Aliased("a", 0.5)})
    assert settled(listener, lambda artist: {"b": "a", "c": "d"}.get(artist, artist)) is listener


def test_what_is_played_under_an_alias_later_on_is_remembered_with_the_rest() -> None:
    held = Listener("u", affinities={"a": 1.0, "b": 2.0}, aliased={"b": Aliased("a", 0.5)})
    joined = settled(held, lambda artist: {"b": "a"}.get(artist, artist))
    assert (joined.affinities, joined.aliased) == ({"a": 3.0}, {"b": Aliased("a", 2.5)})


def test_an_affinity_that_is_gone_meanwhile_is_given_back_to_the_alias_alone() -> None:
    listener = Listener("u", affinities={"c": 1.0}, aliased={"b": Aliased("a", 2.0)})
    assert settled(listener, lambda artist: artist).affinities == {"c": 1.0, "b": 2.0}
