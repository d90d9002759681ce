from __future__ import annotations

import asyncio
from typing import Any

import pytest

from stream.connect import AnyRedis
from stream.stores import catalogue as catalogue_module
from stream.stores import keys
from stream.stores.catalogue import REMEMBERED_SECONDS, Catalogue
from stream.wire.events import Song


def song(song_id: str, *artists: str, **more: Any) -> Song:
    return Song(song_id=song_id, artist_ids=list(artists), **more)


async def test_a_song_gives_its_artists_each_once_in_their_order(catalogue: Catalogue) -> None:
    await catalogue.put([song("s1", "b", "a", "b"), song("s2", "c")])
    assert await catalogue.artists_of(["s2", "s1", "s1"]) == {"s1": ("b", "a"), "s2": ("c",)}


async def test_an_unknown_song_is_left_out_and_found_once_it_is_entered(catalogue: Catalogue) -> None:
    assert await catalogue.artists_of(["s1"]) == {}
    await catalogue.put([song("s1", "a")])
    assert await catalogue.artists_of(["s1"]) == {"s1": ("a",)}


async def test_a_song_may_be_entered_anew(redis: AnyRedis, catalogue: Catalogue) -> None:
    await catalogue.put([song("s1", "a", title="Old", genres=["pop"])])
    await catalogue.put([song("s1", "b", title="New", genres=["rock"])])
    assert await Catalogue(redis).artists_of(["s1"]) == {"s1": ("b",)}
    assert await redis.hget(keys.song("s1"), "title") == b"New"


async def test_a_song_entered_anew_keeps_nothing_that_is_not_said_of_it_any_more(
    redis: AnyRedis, catalogue: Catalogue
) -> None:
    await catalogue.put([song("s1", "a", title="T", label="l", genres=["pop"], duration_ms=0, released_at=5)])
    await catalogue.put([song("s1", "a")])
    found = {k.decode(): v.decode() for k, v in (await redis.hgetall(keys.song("s1"))).items()}
    assert found == {"artist_ids": '["a"]', "genres": "[]"}
    assert (await catalogue.described(["s1"]))["s1"].duration_ms is None
    assert await catalogue.artists_of_label("l") == ["a"], "other songs may say the same"


async def test_what_is_asked_of_many_is_asked_some_at_a_time_and_answered_for_all(
    redis: AnyRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_module, "AT_ONCE", 2)
    catalogue = Catalogue(redis)
    songs = [f"s{n}" for n in range(5)]
    await catalogue.put(
        [song(f"s{n}", f"a{n}", artist_names=[f"Artist {n}"], title=f"T{n}") for n in range(5)]
    )
    assert await catalogue.artists_of(["none", *songs]) == {f"s{n}": (f"a{n}",) for n in range(5)}
    described = await catalogue.described(["none", *songs])
    assert {name: each.title for name, each in described.items()} == {f"s{n}": f"T{n}" for n in range(5)}
    assert await catalogue.names(["a9", *[f"a{n}" for n in range(5)]]) == {
        "a9": "a9",
        **{f"a{n}": f"Artist {n}" for n in range(5)},
    }


async def test_a_song_taken_off_is_unknown_as_soon_as_it_is_no_longer_remembered(redis: AnyRedis) -> None:
    now = 0.0
    catalogue = Catalogue(redis, lambda: now)
    await catalogue.put([song("s1", "a")])
    assert await catalogue.artists_of(["s1"]) == {"s1": ("a",)}
    await catalogue.remove(["s1", "never there"])
    now = REMEMBERED_SECONDS
    assert await catalogue.artists_of(["s1"]) == {}
    now = 2 * REMEMBERED_SECONDS
    await catalogue.put([song("s1", "b")])
    assert await catalogue.artists_of(["s1"]) == {"s1": ("b",)}


async def test_what_is_known_of_a_song_is_kept(redis: AnyRedis, catalogue: Catalogue) -> None:
    await catalogue.put([song("s1", "a", title="T", genres=["pop"], duration_ms=9, released_at=-5.5)])
    found = {k.decode(): v.decode() for k, v in (await redis.hgetall(keys.song("s1"))).items()}
    assert found == {
        "artist_ids": '["a"]',
        "genres": '["pop"]',
        "title": "T",
        "duration_ms": "9",
        "released_at": "-5.5",
    }


async def test_artists_are_called_by_name_or_by_id_where_none_is_known(catalogue: Catalogue) -> None:
    await catalogue.put([song("s1", "a1", "a2", "a3", artist_names=["Ana", "Bø"])])
    assert await catalogue.names(["a3", "a2", "a1"]) == {"a1": "Ana", "a2": "Bø", "a3": "a3"}
    assert await catalogue.names([]) == {}


@pytest.mark.parametrize(
    "asked",
    ["a2", "Sigur Rós", "SIGUR RÓS", "sigur ros", "Sigur Ro\N{COMBINING ACUTE ACCENT}s", " sigur  rós"],
)
async def test_an_artist_is_found_by_id_or_name_without_case_accents_and_unicode_form(
    catalogue: Catalogue, asked: str
) -> None:
    await catalogue.put([song("s1", "a1", "a2", artist_names=["Ana", "Sigur Rós"])])
    assert await catalogue.find(asked) == ("a2",)


async def test_a_name_with_the_accents_that_were_typed_goes_before_one_without(catalogue: Catalogue) -> None:
    await catalogue.put([song("s1", "a1", "a2", "a3", artist_names=["Mø", "Mo", "Mó"])])
    assert [await catalogue.find(name) for name in ("mø", "MO", "mó")] == [
        ("a1",),
        ("a2",),
        ("a3",),
    ]


async def named(redis: AnyRedis, **names: str) -> None:
    """Let a song of its own name each artist."""
    await Catalogue(redis).put([song(f"of {a}", a, artist_names=[name]) for a, name in names.items()])


@pytest.mark.parametrize("at_once", [True, False])
async def test_all_artists_of_one_name_are_found_by_it(
    at_once: bool, redis: AnyRedis, catalogue: Catalogue
) -> None:
    if at_once:
        await named(redis, a1="Nirvana", a2="Muse", a3="nirvana", a4="NIRVANA")
    else:
        for artist, name in (("a1", "Nirvana"), ("a2", "Muse"), ("a3", "nirvana"), ("a4", "NIRVANA")):
            await named(redis, **{artist: name})
    assert sorted(await catalogue.find(" Nirvana")) == ["a1", "a3", "a4"]
    assert await catalogue.find("Muse") == ("a2",)
    assert await catalogue.called() == {
        ("nirvana", "a1"),
        ("nirvana", "a3"),
        ("nirvana", "a4"),
        ("muse", "a2"),
    }


async def test_all_artists_of_one_name_are_found_without_its_accents(
    redis: AnyRedis, catalogue: Catalogue
) -> None:
    await named(redis, a1="Beyoncé", a2="Beyoncé")
    assert sorted(await catalogue.find("beyonce")) == ["a1", "a2"]
    await named(redis, a3="Beyonce")
    assert await catalogue.find("beyonce") == ("a3",)
    assert sorted(await catalogue.find("beyoncé")) == ["a1", "a2"]


async def test_artists_whose_names_differ_in_accents_alone_are_all_found_without_any(
    redis: AnyRedis, catalogue: Catalogue
) -> None:
    await named(redis, a1="Mø", a2="Mó")
    assert sorted(await catalogue.find("mo")) == ["a1", "a2"]


async def test_no_artist_of_a_name_is_lost_where_many_enter_it_at_once(
    redis: AnyRedis, catalogue: Catalogue
) -> None:
    ids = [f"a{n}" for n in range(20)]
    await asyncio.gather(*(named(redis, **{artist: "Nirvana"}) for artist in ids))
    assert sorted(await catalogue.find("nirvana")) == sorted(ids)


async def test_an_artist_who_is_renamed_has_the_old_name_in_common_with_nobody(
    redis: AnyRedis, catalogue: Catalogue
) -> None:
    await named(redis, a1="Nirvana", a2="Nirvana")
    await named(redis, a1="Nirvana UK")
    assert await catalogue.find("nirvana") == ("a2",)
    await named(redis, a2="Fecal Matter")
    assert len(await catalogue.find("nirvana")) == 1, "whoever had it last, while nobody has it"


async def test_an_artist_entered_again_has_a_name_in_common_with_nobody(
    redis: AnyRedis, catalogue: Catalogue
) -> None:
    for _ in range(2):
        await named(redis, a1="Beyoncé", a2="Muse")
    assert await redis.exists(keys.ARTIST_NAMESAKES) == 0
    assert await catalogue.find("beyonce") == ("a1",)


async def test_an_artist_that_an_earlier_version_entered_is_found_beside_one_who_comes(
    redis: AnyRedis, catalogue: Catalogue
) -> None:
    await redis.hset(keys.ARTIST_NAMES, "nirvana", "a1")
    await redis.hset(keys.artist("a1"), "name", "Nirvana")
    await named(redis, a2="Nirvana")
    assert sorted(await catalogue.find("nirvana")) == ["a1", "a2"]


async def test_more_namesakes_than_are_asked_for_at_once_are_all_called(
    redis: AnyRedis, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_module, "AT_ONCE", 2)
    await named(redis, **{f"a{n}": "Nirvana" for n in range(7)})
    assert len(await catalogue.called()) == 7


async def test_a_name_that_an_earlier_version_entered_is_found(redis: AnyRedis, catalogue: Catalogue) -> None:
    decomposed = "Beyonce\N{COMBINING ACUTE ACCENT}"
    await redis.hset(keys.ARTIST_NAMES, mapping={"sigur rós": "a1", decomposed.casefold(): "a2"})
    assert [await catalogue.find(name) for name in ("Sigur Rós", decomposed)] == [("a1",), ("a2",)]


async def test_nobody_is_found_by_a_name_that_is_not_there(catalogue: Catalogue) -> None:
    assert await catalogue.find("Nobody") == ()


async def test_the_nearest_names_come_first(catalogue: Catalogue) -> None:
    await catalogue.put([song("s1", "a1", "a2", artist_names=["Radiohead", "Portishead"])])
    assert (await catalogue.nearest("radiohed", others=["Motorhead"]))[0] == "Radiohead"


@pytest.mark.parametrize(
    ("typed", "meant"), [("mse", "Muse"), ("gaga", "Lady Gaga"), ("lady gga", "Lady Gaga")]
)
async def test_a_slip_in_a_short_name_or_a_part_of_a_long_one_is_near(
    catalogue: Catalogue, typed: str, meant: str
) -> None:
    names = ["M", "Gala", "Shirley Rumsey", "Themselves", "Our Lady Peace", "Lady", "Muse", "Lady Gaga"]
    await catalogue.put([song("s1", *[f"a{n}" for n in range(len(names))], artist_names=names)])
    assert (await catalogue.nearest(typed))[0] == meant


async def test_artists_are_found_by_genre_in_any_case(catalogue: Catalogue) -> None:
    await catalogue.put([song("s1", "b", "a", genres=["Post-Rock"]), song("s2", "c", genres=["pop"])])
    found = await catalogue.artists_of_genres(["POP", "Post-Rock", "none"])
    assert found == {"POP": ["c"], "Post-Rock": ["a", "b"], "none": []}


async def test_artists_are_found_by_label(redis: AnyRedis, catalogue: Catalogue) -> None:
    await catalogue.put([song("s1", "b", "a", label="L 1"), song("s2", "c", label="L 2"), song("s3", "d")])
    assert await catalogue.artists_of_label("L 1") == ["a", "b"]
    assert await catalogue.artists_of_label("none") == []
    assert await redis.hget(keys.song("s2"), "label") == b"L 2"


async def test_genres_of_artists_are_those_of_all_their_songs(catalogue: Catalogue) -> None:
    await catalogue.put([song("s1", "b", "a", genres=["Post-Rock", "live"]), song("s2", "a", genres=["Pop"])])
    await catalogue.put([song("s3", "c")])
    assert await catalogue.genres(["a", "b", "c"]) == {
        "a": ["live", "pop", "post-rock"],
        "b": ["live", "post-rock"],
    }
    assert await catalogue.genres([]) == {}


async def test_listeners_of_artists_are_counted(redis: AnyRedis, catalogue: Catalogue) -> None:
    await catalogue.count({"a": 5, "b": 1})
    await catalogue.count({"a": 6})
    assert [await redis.hget(keys.artist(a), "listeners") for a in "ab"] == [b"6", b"1"]


async def test_thousands_of_songs_are_entered_at_once(catalogue: Catalogue) -> None:
    songs = [song(f"s{i}", f"a{i % 7}", artist_names=[f"Artist {i % 7}"]) for i in range(3000)]
    await catalogue.put(songs)
    assert await catalogue.artists_of(f"s{i}" for i in range(3000)) == {
        f"s{i}": (f"a{i % 7}",) for i in range(3000)
    }


async def test_an_artist_that_a_click_names_is_found_in_any_case_before_the_catalogue_knows_it(
    redis: AnyRedis, catalogue: Catalogue
) -> None:
    assert await catalogue.find("raftaar") == ()
    await catalogue.note(["Raftaar"])
    assert await Catalogue(redis).find("raftaar") == ("Raftaar",)


async def test_an_id_that_clicks_name_takes_no_name_from_another_artist(catalogue: Catalogue) -> None:
    await catalogue.put([song("s1", "a7", artist_names=["Raftaar"])])
    await catalogue.note(["RAFTAAR"])
    assert await catalogue.find("raftaar") == ("a7",)


async def test_an_id_that_clicks_named_first_takes_no_name_from_another_artist(
    catalogue: Catalogue,
) -> None:
    await catalogue.note(["Raftaar"])
    await catalogue.put([song("s1", "a7", artist_names=["Raftaar"])])
    assert await catalogue.find("raftaar") == ("a7",)


@pytest.mark.parametrize("at_once", [True, False])
async def test_all_ids_that_clicks_name_and_differ_in_case_alone_are_found(
    at_once: bool, redis: AnyRedis, catalogue: Catalogue
) -> None:
    for names in [["Nirvana", "NIRVANA"]] if at_once else [["Nirvana"], ["NIRVANA"]]:
        await Catalogue(redis).note(names)
    assert sorted(await catalogue.find("nirvana")) == ["NIRVANA", "Nirvana"]
    assert [await catalogue.find(name) for name in ("NIRVANA", "Nirvana")] == [("NIRVANA",), ("Nirvana",)]
    assert await catalogue.called() == {("nirvana", "NIRVANA"), ("nirvana", "Nirvana")}


async def test_of_ids_that_clicks_name_the_one_with_the_accents_that_were_typed_goes_first(
    catalogue: Catalogue,
) -> None:
    await catalogue.note(["Mø", "Mo", "Mó", "Bø", "Bó"])
    assert [await catalogue.find(name) for name in ("MØ", "mo", "mó")] == [("Mø",), ("Mo",), ("Mó",)]
    assert sorted(await catalogue.find("bo")) == ["Bó", "Bø"]


async def test_an_id_that_clicks_name_again_has_a_name_in_common_with_nobody(redis: AnyRedis) -> None:
    for _ in range(2):
        await Catalogue(redis).note(["Beyoncé", "Muse"])
    assert await redis.exists(keys.ARTIST_NAMESAKES) == 0


async def test_the_nearest_names_are_names_and_no_ids_that_clicks_name(catalogue: Catalogue) -> None:
    await catalogue.put([song("s1", "a7", artist_names=["Raftaar"])])
    await catalogue.note(["a7"])
    assert await catalogue.nearest("raftar") == ["Raftaar"]


async def test_the_songs_released_or_entered_last_are_new_those_to_come_are_not(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_module, "NEW", 2)
    await catalogue.put([song("old", "a", released_at=1.0), song("entered", "b")])
    await catalogue.put([song("released", "a", released_at=2.0), song("to come", "a", released_at=4e9)])
    assert await catalogue.new_songs() == {"released": ("a",), "entered": ("b",)}


async def test_songs_to_come_push_out_none_that_are_out(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_module, "NEW", 2)
    await catalogue.put([song(f"out {n}", "a", released_at=float(n)) for n in range(3)])
    await catalogue.put([song(f"to come {n}", "a", released_at=4e9 + n) for n in range(3)])
    assert set(await catalogue.new_songs()) == {"out 1", "out 2"}


async def test_of_songs_to_come_the_next_are_kept(
    catalogue: Catalogue, redis: AnyRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_module, "AHEAD", 2)
    await catalogue.put([song("out", "a", released_at=1.0)])
    await catalogue.put([song(f"to come {n}", "a", released_at=4e9 + n) for n in range(5)])
    assert await redis.zrange(keys.SONGS_NEW, 0, -1) == [b"out", b"to come 0", b"to come 1"]


async def test_songs_without_a_date_that_are_sent_again_are_not_new(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_module, "NEW", 2)
    nightly = [song(f"s{n}", "a") for n in range(4)]
    for each in nightly:
        await catalogue.put([each])
    await catalogue.put([song("newest", "a")])
    await catalogue.put(nightly)
    assert set(await catalogue.new_songs()) == {"s3", "newest"}


async def test_a_song_whose_date_to_come_is_withdrawn_is_out(catalogue: Catalogue) -> None:
    await catalogue.put([song("s1", "a", released_at=4e9)])
    assert await catalogue.new_songs() == {}
    await catalogue.put([song("s1", "a")])
    assert set(await catalogue.new_songs()) == {"s1"}


async def test_a_song_is_taken_off_until_it_is_entered_again(catalogue: Catalogue) -> None:
    await catalogue.put([song("s1", "a"), song("s2", "a")])
    await catalogue.remove(["s1"])
    assert await catalogue.taken_off(["s1", "s2", "never there"]) == {"s1"}
    assert "s1" not in await catalogue.new_songs()
    await catalogue.put([song("s1", "a")])
    assert await catalogue.taken_off(["s1", "s2"]) == set()


async def test_a_song_stays_taken_off_when_many_others_are_taken_off_after_it(
    redis: AnyRedis, catalogue: Catalogue
) -> None:
    await catalogue.remove(["s1"])
    for begin in range(0, 150_000, 10_000):  # a label that goes, with all it has
        await redis.zadd(keys.SONGS_GONE, {f"other {n}": 4e9 for n in range(begin, begin + 10_000)})
    await catalogue.remove(["s2"])
    assert await catalogue.taken_off(["s1", "s2"]) == {"s1", "s2"}


async def test_of_very_many_songs_taken_off_the_last_are_remembered(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_module, "GONE", 2)
    for song_id in ("s1", "s2", "s3"):
        await catalogue.remove([song_id])
    assert await catalogue.taken_off(["s1", "s2", "s3"]) == {"s2", "s3"}
