"""Ids of artists that stand for another: what listeners have of them, and the topic they come by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from consumers.ingest.aliases import AliasReader
from consumers.ingest.apply import Applier
from models.listener import Aliased, Click, Listener, OffsetSource
from stream.connect import AnyRedis, open_redis
from stream.retry import Retry
from stream.settings import Settings
from stream.stores import keys
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.heartbeats import Heartbeat
from stream.stores.listeners import Listeners
from stream.wire.events import ArtistAlias, encode
from stream.wire.record import Record
from tests.consumers.durable import durable
from tests.consumers.ingest.test_apply import NOW, RULES, Died, Mortal, by_user
from tests.consumers.ingest.test_identities import MODEL
from tests.consumers.ingest.test_identities import Process as Ingester
from tests.consumers.producer import Producer

APART, TOGETHER = "Zoe\N{COMBINING DIAERESIS}", "Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}"


class Process:
    """An ingester that knows aliases as of the last `refresh`."""

    def __init__(self, redis: Any) -> None:
        self.aliases = ArtistAliases(redis)
        self.listeners = Listeners(redis, self.aliases)
        self.applier = Applier(self.listeners, RULES, aliases=self.aliases)

    async def say(self, **artist_of: str) -> None:
        await self.aliases.put(artist_of)
        await self.aliases.refresh()

    async def click(self, *clicks: Click) -> None:
        await self.applier.apply(by_user(clicks), MODEL, NOW)

    async def of(self, user: str = "u") -> Listener:
        (listener,) = await self.listeners.read([user], activity=True)
        return listener


def click(artist: str, offset: int, user: str = "u", partition: int = 0) -> Click:
    return Click(user, OffsetSource(partition), offset, NOW, f"s{offset}", (artist,), "play")


async def of_all(redis: AnyRedis, artists: str) -> Listener:
    """What a listener would be who had played these artists and no alias."""
    process = Process(redis)
    await process.listeners.forget("control")
    await process.click(*(click(artist, at, "control") for at, artist in enumerate(artists.split())))
    return await process.of("control")


async def taste(process: Process, user: str) -> np.ndarray[Any, Any]:
    (row,) = (await process.listeners.tastes([user], MODEL.n_dims))[1]
    return np.asarray(row)


def alike(found: Listener, expected: Listener) -> bool:
    """Cohorts apart: which of two near ones it is goes by the way there."""
    return found.affinities == pytest.approx(expected.affinities)


async def test_clicks_of_an_alias_count_for_the_artist(redis: AnyRedis) -> None:
    process = Process(redis)
    await process.say(a2="a1")
    await process.click(click("a2", 0), click("a1", 1))
    assert alike(await process.of(), await of_all(redis, "a1 a1"))
    assert not (await process.of()).aliased


@pytest.mark.parametrize("held", [True, False], ids=["in memory", "read again"])
async def test_what_was_there_of_an_alias_is_the_artists_at_the_next_click(
    redis: AnyRedis, held: bool
) -> None:
    process = Process(redis)
    await process.click(click("a2", 0), click("a2", 1), click("a1", 2))
    if not held:
        process = Process(redis)
    await process.say(a2="a1")
    await process.click(click("a3", 3))
    found, expected = await process.of(), await of_all(redis, "a1 a1 a1 a3")
    assert alike(found, expected)
    assert found.aliased["a2"].artist == "a1"
    assert np.allclose(await taste(process, "u"), await taste(process, "control"), rtol=2e-3)
    assert found.offsets == {"0": 3}
    assert (found.clicks, found.rev) == (4, (await process.of()).rev)


async def test_a_sweep_lets_those_follow_who_do_not_click(redis: AnyRedis) -> None:
    process = Process(redis)
    await process.click(click("a2", 0))
    await process.say(a2="a1")
    await process.applier.migrate(["u"], MODEL, NOW)
    assert alike(await process.of(), await of_all(redis, "a1"))


async def test_what_is_read_to_learn_from_is_of_artists_before_that(redis: AnyRedis) -> None:
    process = Process(redis)
    await process.click(click("a2", 0), click("a1", 1), click("a3", 2), click("a3", 3), click("a3", 4))
    before = await process.listeners.rows(["u"], 10)
    await process.say(a2="a1")
    ((artists, weights),) = await process.listeners.rows(["u"], 10)
    assert (artists, sum(weights)) == (["a3", "a1"], pytest.approx(sum(before[0][1])))
    assert await process.listeners.artists(["u"], 10) == [["a3", "a1"]]


async def test_an_undoing_gives_back_what_was_there_before_and_not_what_came_since(redis: AnyRedis) -> None:
    process = Process(redis)
    await process.click(click("a2", 0), click("a2", 1), click("a1", 2))
    await process.say(a2="a1")
    await process.click(click("a2", 3))
    await process.say(a2="")
    await process.click(click("a3", 4))
    found = await process.of()
    assert alike(found, await of_all(redis, "a2 a2 a1 a1 a3"))
    assert not found.aliased
    assert [field async for field in redis.hscan_iter(keys.user("u"), "a:*")] == []


async def test_an_alias_of_another_artist_takes_what_it_had_with_it(redis: AnyRedis) -> None:
    process = Process(redis)
    await process.click(click("a2", 0), click("a1", 1))
    await process.say(a2="a1")
    await process.click(click("a1", 2))
    await process.say(a2="a4", a4="a5")  # a chain
    await process.click(click("a3", 3))
    found = await process.of()
    assert alike(found, await of_all(redis, "a5 a1 a1 a3"))
    assert {alias: held.artist for alias, held in found.aliased.items()} == {"a2": "a5"}


async def test_ids_that_stand_for_each_other_are_one_artist(redis: AnyRedis) -> None:
    process = Process(redis)
    await process.say(a2="a1", a1="a2")
    assert {process.aliases.of(artist) for artist in ("a1", "a2")} == {"a1"}


async def test_an_id_that_an_earlier_version_kept_decomposed_stands_for_its_composed_form(
    redis: AnyRedis,
) -> None:
    process = Process(redis)
    await process.click(click("a1", 0))
    await redis.zadd(keys.user_artists("u"), {APART: 1.0, TOGETHER: 2.0})
    process = Process(redis)
    await process.click(click("a1", 1))
    found = await process.of()
    assert found.affinities[TOGETHER] == 3.0
    assert found.aliased == {APART: Aliased(TOGETHER, 1.0)}


async def test_two_ids_of_one_listener_are_merged_and_parted_under_an_alias(redis: AnyRedis) -> None:
    process = Ingester(redis)
    aliases = process.applier._aliases
    await process.click(click("a2", 0, "a"), click("a2", 1, "b"), click("a1", 2, "b"))
    await aliases.put({"a2": "a1"})
    await aliases.refresh()
    await process.merge("a", "b")
    assert alike(await process.of("b"), await of_all(redis, "a1 a1 a1"))
    await process.undo("a")
    await process.click(click("a3", 3, "a"), click("a3", 4, "b"))
    assert alike(await process.of("a"), await of_all(redis, "a1 a3"))
    assert alike(await process.of("b"), await of_all(redis, "a1 a1 a3"))


async def test_a_death_before_any_round_trip_loses_and_doubles_nothing(settings: Settings) -> None:
    redis = await open_redis(settings)
    deaths = 0
    expected = await of_all(redis, "a1 a1 a1 a3 a1 a5")
    first = [click("a2", 0), click("a2", 1), click("a1", 2)]
    second, third = [click("a3", 3), click("a2", 4)], [click("a5", 5)]
    for trips in range(60):
        await redis.flushdb()
        await Process(redis).click(*first)
        await Process(redis).say(a2="a1")
        frail = Process(Mortal(redis, trips))
        await frail.aliases.refresh()
        try:
            await frail.click(*second)
            await frail.click(*third)
        except Died:
            deaths += 1
            other = Process(redis)
            await other.aliases.refresh()
            await other.click(*second, *third)
            assert alike(await other.of(), expected)
            continue
        break
    await redis.aclose()
    assert deaths > 3


async def test_two_processes_of_which_one_knows_of_the_alias_lose_nothing(redis: AnyRedis) -> None:
    late, early = Process(redis), Process(redis)
    await late.click(click("a2", 0))
    await early.say(a2="a1")
    await asyncio.gather(early.click(click("a1", 1)), late.click(click("a2", 2, partition=1)))
    await late.aliases.refresh()
    await late.click(click("a3", 3))
    await early.click(click("a3", 4))
    assert alike(await late.of(), await of_all(redis, "a1 a1 a1 a3 a3"))


# The topic


class Topic:
    """The consumer of a topic, as far as the reader asks it."""

    def __init__(self) -> None:
        self.commits = 0

    def subscribe(self, topics: list[str], listener: AliasReader) -> None:
        """It has no partitions that could be another's."""

    async def commit(self) -> None:
        self.commits += 1


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Any]:
    redis = await open_redis(settings)
    aliases, producer, stop = ArtistAliases(redis), Producer(), asyncio.Event()
    reader = AliasReader(
        Topic(),  # type: ignore[arg-type]
        aliases,
        await durable(redis),
        producer,  # type: ignore[arg-type]
        Heartbeat(redis, "ingest"),
        Retry(stop),
        stop,
    )
    yield SimpleNamespace(redis=redis, aliases=aliases, producer=producer, reader=reader)
    await redis.aclose()


def said(alias: str, artist: str | None = None, *, undo: bool = False) -> Record:
    event = ArtistAlias(alias=alias, artist_id=artist, undo=True if undo else None)
    return Record("artist-aliases", 0, 0, alias.encode(), encode(event))


async def test_the_latest_word_on_an_alias_holds_whatever_is_delivered_twice(desk: Any) -> None:
    records = [said("x", "a"), said("y", "a"), said("x", "b"), said("z", "a"), said("z", undo=True)]
    for _ in range(2):
        await desk.reader._take(records)
    assert [desk.aliases.of(alias) for alias in "xyz"] == ["b", "a", "z"]
    assert desk.producer.sent == []


async def test_an_event_without_a_value_lets_an_id_stand_for_itself(desk: Any) -> None:
    await desk.reader._take([said("x", "a"), said(TOGETHER, "a")])
    gone = [Record("artist-aliases", 0, 1, key, None) for key in (b"x", APART.encode(), b"{changes}", None)]
    await desk.reader._take(gone)
    assert desk.aliases.empty
    assert desk.aliases.changes == 2


async def test_what_would_go_round_in_a_circle_is_a_dead_letter(desk: Any) -> None:
    await desk.reader._take([said("x", "a")])
    await desk.reader._take([said("a", "b"), said("b", "x"), said("c", "x")])
    assert [value for _, value in desk.producer.sent] == [said("b", "x").value]
    assert desk.aliases.of("c") == "b"


@pytest.mark.parametrize(
    "value", [b'{"alias": "x"}', b'{"alias": "x", "artist_id": "x"}', b'{"artist_id": "x"}', b"{"]
)
async def test_an_event_that_says_nothing_is_a_dead_letter(desk: Any, value: bytes) -> None:
    await desk.reader._take([Record("artist-aliases", 0, 0, b"x", value)])
    assert len(desk.producer.sent) == 1
    assert desk.aliases.empty
