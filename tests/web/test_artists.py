"""Artists as they are typed."""

from __future__ import annotations

import pytest
import redis

from consumers.queries.artist_names import KEPT_SECONDS, ArtistNames
from consumers.runtime.live_model import LiveModel
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.catalogue import Catalogue
from stream.stores.snapshots import Snapshots
from stream.wire.events import Song
from tests.apart import WithRedis
from tests.web.served import Served


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


def test_all_artists_of_the_very_name_go_before_those_whose_name_begins_so(
    served: Served, with_redis: WithRedis
) -> None:
    names = {"b1": "Muse", "b2": "Muse", "b3": "Museum", "b4": "Musette"}
    songs = [Song(song_id=f"of {a}", artist_ids=[a], artist_names=[name]) for a, name in names.items()]
    with_redis(lambda redis: Catalogue(redis).put(songs))
    with_redis(lambda redis: Catalogue(redis).count({"b1": 1, "b2": 2, "b3": 9, "b4": 8}))
    answer = served.get("/api/v1/artists", params={"name": "muse", "top": 3}).json()
    assert [each["artist_id"] for each in answer] == ["b2", "b1", "b3"]


def test_an_artist_who_comes_to_a_name_that_another_has_is_completed_too(
    with_redis: WithRedis, service: Settings
) -> None:
    async def come(redis: AnyRedis) -> None:
        names = ArtistNames(redis, LiveModel(Snapshots(redis)))
        assert [each.artist_id for each in await names.complete("radiohead", 3)] == ["a1"]
        song = Song(song_id="of b1", artist_ids=["b1"], artist_names=["Radiohead"])
        await Catalogue(redis).put([song])
        names._asked_at = -KEPT_SECONDS
        names.begin()
        assert names._reading is not None
        await names._reading
        assert {each.artist_id for each in await names.complete("radiohead", 3)} == {"a1", "b1"}

    with_redis(come)


def test_an_id_that_stands_for_another_artist_is_completed_to_that_one(
    served: Served, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: ArtistAliases(redis).put({"a2": "a1"}))
    assert completed(served, "sigur")[0] == "Radiohead"


def test_no_letter_asks_redis(served: Served) -> None:
    completed(served, "r")
    with redis.Redis.from_url(served.settings.redis) as client:
        client.delete(keys.ARTIST_NAMES)
    assert completed(served, "radioh") == ["Radiohead"]
