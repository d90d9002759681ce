"""Artists as they are typed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import redis

from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.artist_aliases import ArtistAliases
from tests.web.served import Served

Run = Callable[[Callable[[AnyRedis], Awaitable[object]]], object]


def completed(served: Served, typed: str, top: int = 10) -> list[str]:
    answer = served.get("/api/v1/artists", params={"name": typed, "top": top}).json()
    return [each["name"] for each in answer]


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("radio", "Radiohead"),
        ("RADIOHEAD", "Radiohead"),
        ("radiohed", "Radiohead"),
        ("raido", "Radiohead"),
        ("sigur ros", "Sigur Rós"),
        ("rós", "Sigur Rós"),
        ("bjork", "[bold]Björk"),
        ("a2", "Sigur Rós"),
    ],
)
def test_what_is_typed_is_completed(typed: str, name: str, served: Served) -> None:
    assert completed(served, typed)[0] == name


def test_what_looks_like_no_name_is_completed_to_none(served: Served) -> None:
    assert completed(served, "zzzzqqqq") == []


def test_whoever_has_more_listeners_comes_first(served: Served) -> None:
    with redis.Redis.from_url(served.settings.redis) as client:
        for artist, name, listeners in (("b1", "Muse", 5), ("b2", "Mumford", 9), ("b3", "Mum", 1)):
            client.hset(keys.artist(artist), mapping={"name": name, "listeners": listeners})
            client.hset(keys.ARTIST_NAMES, name.casefold(), artist)
    assert completed(served, "mu") == ["Mumford", "Muse", "Mum"]
    assert completed(served, "mum") == ["Mum", "Mumford", "Muse"]


def test_an_id_that_stands_for_another_artist_is_completed_to_that_one(
    served: Served, with_redis: Run
) -> None:
    with_redis(lambda redis: ArtistAliases(redis).put({"a2": "a1"}))
    assert completed(served, "sigur")[0] == "Radiohead"


def test_no_letter_asks_redis(served: Served) -> None:
    completed(served, "r")
    with redis.Redis.from_url(served.settings.redis) as client:
        client.delete(keys.ARTIST_NAMES)
    assert completed(served, "radioh") == ["Radiohead"]
