"""Clicks earlier than their song: each counts once, whatever crashes, is delivered again and comes when."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import redis as redis_py
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from consumers.ingest import ingester as ingester_module
from consumers.ingest.apply import Applier
from consumers.ingest.ingester import Batch, Ingester, ingest
from consumers.ingest.late_songs import CHECK_SECONDS, QUIET_SECONDS, LateSongs
from consumers.runtime.live_model import LiveModel
from consumers.runtime.moves import Moves
from consumers.work.worker import work
from models.affinity import ForwardDecay
from models.listener import Click, Move, OffsetSource, Rules
from stream.retry import Retry
from stream.settings import Settings
from stream.stores import catalogue as catalogue_module
from stream.stores import keys
from stream.stores import waiting as waiting_module
from stream.stores.catalogue import Catalogue
from stream.stores.cohorts import Cohorts
from stream.stores.durability import Durability
from stream.stores.heartbeats import Heartbeat
from stream.stores.listeners import Listeners
from stream.stores.released_songs import ReleasedSongs
from stream.stores.snapshots import Snapshots
from stream.stores.waiting import PUT_BACK, Waiting
from stream.wire.events import Song
from stream.wire.parsing import parse_clicks
from stream.wire.record import Record
from tests.consumers.crowd import NOW, click
from tests.consumers.durable import durable
from tests.consumers.ingest.test_identities import Process
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.producer import Producer
from tests.consumers.redis_state import assert_agrees, read_state
from tests.consumers.running import Running
from tests.consumers.small_model import small_model
from tests.waiting import wait_for

HOUR = 3600.0
USERS, SONGS, SOURCES = 3, 3, 2


class Crashed(BaseException):
    """The process has died here."""


class Mortal(Redis):
    """A client whose process dies at one of its commands, before Redis has it or after."""

    dies_at, after, number = 0, False, 0

    async def _step(self, command: Any) -> Any:
        self.number += 1
        if self.number == self.dies_at and not self.after:
            raise Crashed
        answer = await command()
        if self.number == self.dies_at:
            raise Crashed
        return answer

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        whole = super().execute_command
        return await self._step(lambda: whole(*args, **options))

    def pipeline(self, *args: Any, **options: Any) -> Any:
        made = super().pipeline(*args, **options)
        execute = made.execute
        made.execute = lambda *a, **o: self._step(lambda: execute(*a, **o))
        return made


class House:
    """One process after the other before the same Redis: each dies where it is told to, or not."""

    def __init__(self, redis: Mortal, durability: Durability, now: float = NOW) -> None:
        self.redis = redis
        self.durability = durability
        self.now = now
        self.producer = Producer()
        self.begin()

    def begin(self) -> None:
        """Let another process begin, which remembers nothing."""
        redis, stop = self.redis, asyncio.Event()
        listeners, live, retry = Listeners(redis), LiveModel(Snapshots(redis)), Retry(stop)
        applier = Applier(listeners, Rules(ForwardDecay(), max_artists=50))
        moves, heartbeat = Moves(Cohorts(redis, listeners), self.producer, retry), Heartbeat(redis, "ingest")
        self.ingester = Ingester(
            None,
            self.producer,
            applier,
            moves,
            Catalogue(redis),
            Waiting(redis),
            ReleasedSongs(redis, 86_400.0),
            self.durability,
            live,
            heartbeat,
            batch_clicks=100,
            epoch=0,
            stop=stop,
            retry=retry,
        )
        self.late = LateSongs(
            redis,
            applier,
            listeners,
            moves,
            self.durability,
            live,
            self.producer,
            heartbeat,
            wait_seconds=24 * HOUR,
            stop=stop,
            retry=retry,
            clock=lambda: self.now,
        )

    async def deliver(self, records: list[Record]) -> list[str]:
        """Apply clicks as an ingester does; return the reasons of those that are none."""
        clicks, dead = parse_clicks(records, self.now)
        batch = Batch(0, dead=dead)
        by_listener: dict[str, list[Any]] = {}
        for each in await self.ingester._with_artists(batch, clicks, records):
            by_listener.setdefault(each.user_id, []).append(each)
        await self.ingester._under_one_model(batch, by_listener)
        return [letter.reason.value for letter in batch.dead]

    async def enter(self, song: str, *artists: str) -> None:
        """Enter a song into the catalogue, as a worker does."""
        await Catalogue(self.redis).put([Song(song_id=song, artist_ids=list(artists))])

    async def later(self, seconds: float) -> None:
        """Look, after a time."""
        self.now += seconds
        await self.late.look()


@asynccontextmanager
async def house_of(url: str) -> AsyncIterator[House]:
    redis = Mortal.from_url(url)
    await redis.flushall()
    try:
        yield House(redis, await durable(redis))
    finally:
        await redis.aclose()


def record(user: str, song: str, offset: int = 0, partition: int = 0, at: float = NOW) -> Record:
    event = {"user_id": user, "song_id": song, "ts": at}
    return Record("clicks", partition, offset, user.encode(), json.dumps(event).encode())


async def counted(redis: Redis, user: str) -> tuple[int, set[str]]:
    """How many clicks of a listener are applied, and their artists."""
    clicks = await redis.hget(f"user:{{{user}}}", "clicks")
    artists = await redis.zrange(f"user:{{{user}}}:artists", 0, -1)
    return int(clicks or 0), {artist.decode() for artist in artists}


async def left(house: House) -> tuple[int, int]:
    """How many clicks wait, for how many songs."""
    waiting = Waiting(house.redis)
    return await waiting.count(await waiting.songs())


async def test_a_click_waits_and_counts_once_its_song_has_come(redis_url: str) -> None:
    async with house_of(redis_url) as house:
        assert await house.deliver([record("u", "s")]) == []
        await house.late.look()
        assert await counted(house.redis, "u") == (0, set())
        assert await left(house) == (1, 1)
        await house.enter("s", "ana", "bo")
        await house.late.look()
        assert await counted(house.redis, "u") == (1, {"ana", "bo"})
        assert await left(house) == (0, 0)


async def test_what_waits_is_counted_and_its_songs_are_read_some_at_a_time(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_module, "AT_ONCE", 2)
    monkeypatch.setattr(waiting_module, "SONGS", 2)
    async with house_of(redis_url) as house:
        began: dict[str, float] = {}
        for at, number in enumerate((1, 5, 2, 1)):  # more at one moment than are read at once
            songs = [f"s{at} {each}" for each in range(number)]
            house.now += 1.5
            began |= dict.fromkeys(songs, house.now)
            waits = [Click(f"u{song}", OffsetSource(0), 0, NOW, song, (), "play") for song in songs]
            await Waiting(house.redis).expect(waits, house.now)
        assert await Waiting(house.redis).songs() == began
        assert await house.deliver([record(f"u{n}", f"s{n % 4}", n) for n in range(7)]) == []
        assert await left(house) == (7, 4)
        assert await Waiting(house.redis).count({"s0", "s1"}) == (4, 2)
        await Waiting(house.redis).forget("us1 4")
        assert not await house.redis.exists("waiting:{s1 4}")


async def test_no_more_than_some_songs_are_asked_for_in_one_go_by_the_ingester(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_module, "AT_ONCE", 3)
    async with house_of(redis_url) as house:
        for number in range(8):
            await house.deliver([record(f"u{number}", f"s{number}")])
        for number in (0, 7):
            await Catalogue(house.redis).put([Song(song_id=f"s{number}", artist_ids=["ana"])])
        await house.redis.delete("waiting:came")  # nobody was told
        asked: list[int] = []
        made = house.redis.pipeline

        def counted_pipeline(*args: Any, **options: Any) -> Any:
            pipeline = made(*args, **options)
            execute = pipeline.execute

            async def counting(*a: Any, **o: Any) -> Any:
                asked.append(len(pipeline.command_stack))
                return await execute(*a, **o)

            pipeline.execute = counting
            return pipeline

        monkeypatch.setattr(house.redis, "pipeline", counted_pipeline)
        known = await Catalogue(house.redis).artists_of(await Waiting(house.redis).songs())
        assert known == {"s0": ("ana",), "s7": ("ana",)}
        assert asked == [3, 3, 2]
        monkeypatch.undo()
        await house.late.look()
        assert [(await counted(house.redis, f"u{n}"))[0] for n in range(8)] == [1, 0, 0, 0, 0, 0, 0, 1]


async def test_a_click_that_is_delivered_again_waits_once(redis_url: str) -> None:
    async with house_of(redis_url) as house:
        for _ in range(2):
            await house.deliver([record("u", "s")])
        await house.enter("s", "ana")
        await house.late.look()
        await house.deliver([record("u", "s")])
        await house.later(CHECK_SECONDS)
        assert await counted(house.redis, "u") == (1, {"ana"})


async def test_a_song_that_comes_untold_is_found_all_the_same(redis_url: str) -> None:
    async with house_of(redis_url) as house:
        await house.deliver([record("u", "s")])
        await house.late.look()
        await house.enter("s", "ana")
        await house.redis.delete("waiting:came")
        await house.later(CHECK_SECONDS)
        assert await counted(house.redis, "u") == (1, {"ana"})


async def test_a_click_on_a_song_that_turns_out_to_have_no_length_waits_no_longer_and_adds_to_no_affinity(
    redis_url: str,
) -> None:
    async with house_of(redis_url) as house:
        await house.deliver([record("u", "jingle")])
        song = Song(song_id="jingle", artist_ids=["ana"], duration_ms=0)
        await Catalogue(house.redis).put([song])
        await house.late.look()
        assert await counted(house.redis, "u") == (1, set())
        assert await left(house) == (0, 0)


async def test_what_a_waiting_click_says_of_its_listener_is_recorded_when_it_is_applied(
    redis_url: str,
) -> None:
    async with house_of(redis_url) as house:
        said = {"user_id": "u", "song_id": "s", "ts": NOW, "ms_played": 7000, "city": "Pune"}
        await house.deliver([Record("clicks", 0, 0, b"u", json.dumps(said).encode())])
        assert len((await Listeners(house.redis).activities(["u"])).active.days) == 0
        await house.enter("s", "ana")
        await house.late.look()
        found = await Listeners(house.redis).activities(["u"])
        assert (found.active.days["ms"].tolist(), found.cities) == ([7000], [{"Pune": 1}])


async def test_a_click_that_has_waited_for_too_long_is_a_dead_letter_once_and_counts_no_more(
    redis_url: str,
) -> None:
    async with house_of(redis_url) as house:
        await house.deliver([record("u", "never", offset=7, partition=1)])
        await house.later(23 * HOUR)
        assert house.producer.sent == []
        await house.later(2 * HOUR)
        await house.later(2 * HOUR)
        ((topic, value),) = house.producer.sent
        assert topic == "dead-letters"
        assert json.loads(value) == {"user_id": "u", "song_id": "never", "ts": NOW, "action": "play"}
        await house.enter("never", "ana")
        await house.later(CHECK_SECONDS)
        assert await counted(house.redis, "u") == (0, set())


async def test_the_dead_letter_of_a_click_that_has_waited_says_all_that_is_used_of_it(
    redis_url: str,
) -> None:
    said = {
        **{"user_id": "u", "song_id": "never", "ts": NOW, "action": "skip", "event_id": "e1"},
        **{"ms_played": 0, "utc_offset_min": 0, "city": "Pune", "device": "phone"},
    }
    async with house_of(redis_url) as house:
        await house.deliver([Record("clicks", 0, 0, b"u", json.dumps(said).encode())])
        await house.later(25 * HOUR)
        ((_, value),) = house.producer.sent
        assert json.loads(value) == said


async def test_nothing_is_left_of_a_song_for_which_nobody_waits_any_more(redis_url: str) -> None:
    async with house_of(redis_url) as house:
        await house.deliver([record("u", "came"), record("u", "never", offset=1)])
        await house.enter("came", "ana")
        await house.later(QUIET_SECONDS + 1)
        await house.later(25 * HOUR)
        await house.later(25 * HOUR)
        assert [key async for key in house.redis.scan_iter("waiting*")] in ([], [b"waiting:lease"])
        assert not await house.redis.exists("user:{u}:waiting")


async def test_more_clicks_of_a_listener_than_may_wait_are_dead_letters(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingester_module, "MOST_WAITING", 2)
    async with house_of(redis_url) as house:
        records = [record("u", "s", offset) for offset in range(3)]
        assert await house.deliver(records) == ["unknown-song"]
        assert await house.deliver(records) == ["unknown-song"]
        await house.enter("s", "ana")
        await house.late.look()
        assert (await counted(house.redis, "u"))[0] == 2


STEPS = st.one_of(
    st.tuples(st.just("deliver"), st.integers(0, SOURCES - 1), st.integers(0, 9), st.integers(1, 5)),
    st.tuples(st.just("enter"), st.integers(0, SONGS - 1), st.just(0), st.just(0)),
    st.tuples(st.just("look"), st.just(0), st.just(0), st.just(0)),
)
DEATHS = st.one_of(st.none(), st.tuples(st.integers(1, 12), st.booleans()))


@given(
    clicks=st.lists(st.tuples(st.integers(0, USERS - 1), st.integers(0, SONGS - 1)), min_size=4, max_size=10),
    steps=st.lists(st.tuples(STEPS, DEATHS), max_size=12),
)
@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_click_counts_once_whatever_is_delivered_again_crashes_and_comes_when(
    redis_url: str, clicks: list[tuple[int, int]], steps: list[tuple[Any, Any]]
) -> None:
    asyncio.run(_play(redis_url, clicks, steps))


async def _play(url: str, clicks: list[tuple[int, int]], steps: list[tuple[Any, Any]]) -> None:
    sources = [
        [
            record(f"u{user}", f"s{song}", at, source)
            for at, (user, song) in enumerate(clicks[source::SOURCES])
        ]
        for source in range(SOURCES)
    ]
    done = [0] * SOURCES  # as far as Kafka knows
    async with house_of(url) as house:
        for (what, which, back, number), death in steps:
            house.redis.number = 0
            house.redis.dies_at, house.redis.after = death or (0, False)
            with suppress(Crashed):
                if what == "enter":
                    await house.enter(f"s{which}", f"a{which}")
                elif what == "look":
                    await house.later(CHECK_SECONDS)
                else:
                    first = max(done[which] - back, 0)
                    await house.deliver(sources[which][first : first + number])
                    done[which] = max(done[which], first + number)
                continue
            house.redis.dies_at = 0
            await house.redis.delete("waiting:lease")
            house.begin()
        house.redis.dies_at = 0
        for source, records in enumerate(sources):
            await house.deliver(records[done[source] :])
        for song in range(SONGS):
            await house.enter(f"s{song}", f"a{song}")
        await house.later(CHECK_SECONDS)
        expected = Counter(user for user, _ in clicks)
        for user in range(USERS):
            number, artists = await counted(house.redis, f"u{user}")
            assert number == expected[user]
            assert artists == {f"a{song}" for who, song in clicks if who == user}
        assert await left(house) == (0, 0)
        assert house.producer.said() == []


@pytest.mark.parametrize("dies_at", range(1, 6))
@pytest.mark.parametrize("after", [False, True])
async def test_a_dead_letter_is_put_back_once_whatever_that_crashes_at(
    redis_url: str, dies_at: int, after: bool
) -> None:
    letter = Click("u", OffsetSource(0), 7, NOW, "nobody knows it", ("ana",), "play")
    async with house_of(redis_url) as house:
        house.redis.dies_at, house.redis.after = dies_at, after
        with suppress(Crashed):
            await Waiting(house.redis).put_back({"clicks:0:7": letter}, NOW, 60.0)
        house.redis.dies_at = 0
        await house.later(CHECK_SECONDS)
        for _ in range(2):
            await Waiting(house.redis).put_back({"clicks:0:7": letter}, NOW, 60.0)
            await house.later(CHECK_SECONDS)
        assert await counted(house.redis, "u") == (1, {"ana"})


async def test_a_dead_letter_that_is_put_back_while_the_index_is_cleared_up_counts(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (Click("u", OffsetSource(0), at, NOW, "", ("ana",), "play") for at in (7, 8))
    async with house_of(redis_url) as house:
        waiting, settle = Waiting(house.redis), house.late._settle_for_good
        await waiting.put_back({"clicks:0:7": first}, NOW, 60.0)
        await house.later(CHECK_SECONDS)
        assert await counted(house.redis, "u") == (1, {"ana"})

        async def settled_just_before(song: str, *, again: bool) -> bool:
            done = await settle(song, again=again)
            await waiting.put_back({"clicks:0:8": second}, house.now, 60.0)
            return done

        with monkeypatch.context() as patch:
            patch.setattr(house.late, "_settle_for_good", settled_just_before)
            await house.later(QUIET_SECONDS + 1)
        await house.later(CHECK_SECONDS)
        assert await counted(house.redis, "u") == (2, {"ana"})


async def test_a_dead_letter_counts_though_the_index_is_cleared_up_in_the_middle_of_entering_it(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = Click("u", OffsetSource(0), 7, NOW, "", ("ana",), "play")
    async with house_of(redis_url) as house:
        waiting, zadd, cleared_up = Waiting(house.redis), house.redis.zadd, list[str]()

        async def zadd_when_it_is_cleared_up(*given: Any, **options: Any) -> Any:
            if not cleared_up:
                cleared_up.append(PUT_BACK)
                await waiting.forget_song(PUT_BACK)
            return await zadd(*given, **options)

        monkeypatch.setattr(house.redis, "zadd", zadd_when_it_is_cleared_up)
        await waiting.put_back({"clicks:0:7": letter}, NOW, 60.0)
        assert cleared_up
        await house.late.look()
        assert await counted(house.redis, "u") == (1, {"ana"})


async def test_a_dead_letter_that_is_put_back_before_its_listener_is_part_of_another_counts_for_that(
    redis_url: str,
) -> None:
    letter = Click("a", OffsetSource(0), 7, NOW, "nobody knows it", ("ana",), "play")
    async with house_of(redis_url) as house:
        await Waiting(house.redis).put_back({"clicks:0:7": letter}, NOW, 60.0)
        await Process(house.redis).merge("a", "b")
        await house.later(CHECK_SECONDS)
        assert await counted(house.redis, "b") == (1, {"ana"})
        assert await left(house) == (0, 0)


@pytest.mark.parametrize("moved_on", [False, True], ids=["waits on", "moved on"])
async def test_of_two_songs_the_first_moves_who_waits_for_both_though_whoever_applied_it_died_at_once(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, moved_on: bool
) -> None:
    place = Cohorts.place

    async def die(cohorts: Cohorts, moves: Sequence[Move]) -> None:
        if any(move.to == "c2" for move in moves):
            raise Crashed
        await place(cohorts, moves)

    async def sets(house: House) -> list[str]:
        cohorts = small_model().cohort_ids
        return [each for each in cohorts if await house.redis.sismember(keys.cohort_users(each), "u")]

    async with house_of(redis_url) as house:
        listeners = Listeners(house.redis)
        await Snapshots(house.redis).publish(small_model())
        await house.ingester._live.refresh()
        await house.enter("known", "a1")
        await house.deliver([record("u", song, at) for at, song in enumerate(["known", "s0", *3 * ["s1"]])])
        await house.late._say_last_moves(["u"])
        await house.enter("s0", "a0")
        monkeypatch.setattr(Cohorts, "place", die)
        with suppress(Crashed):
            await house.late.look()
        monkeypatch.undo()
        assert ((await listeners.about("u"))["cohort"], await sets(house)) == ("c2", ["c5"])
        if moved_on:
            await house.enter("s1", "a2")
        await house.redis.delete("waiting:lease")
        house.begin()
        await house.later(CHECK_SECONDS)
        way = ["c5", "c2", "c1"] if moved_on else ["c5", "c2"]
        assert ((await listeners.about("u"))["cohort"], await sets(house)) == (way[-1], way[-1:])
        assert list(dict.fromkeys(change["to"] for change in house.producer.said())) == way


async def test_a_click_that_is_found_in_nobodys_hash_any_more_is_not_applied(redis_url: str) -> None:
    async with house_of(redis_url) as house:
        await house.deliver([record("u", "s")])
        (held,) = (await Waiting(house.redis).clicks(["u"]))["u"]
        await house.enter("s", "ana")
        await house.late.look()
        await house.late._apply({"u": [held.click._replace(artist_ids=("ana",))]})
        assert await counted(house.redis, "u") == (1, {"ana"})


@pytest.fixture
def both(settings: Settings, log: KafkaLog) -> Iterator[Settings]:
    """Two ingesters and a worker."""
    with Running(ingest, settings), Running(ingest, settings), Running(work, settings):
        yield settings


def test_fresh_topics_full_of_songs_and_clicks_lose_nothing(
    both: Settings, log: KafkaLog, db: redis_py.Redis
) -> None:
    songs, listeners, number = 400, 150, 6000
    events = [
        {"user_id": f"u{at % listeners}", "song_id": f"s{at * 7 % songs}", "ts": NOW - at % 1000}
        for at in range(number)
    ]
    log.send("clicks", events)
    log.send("songs", [{"song_id": f"s{at}", "artist_ids": [f"a{at % 50}"]} for at in range(songs)])
    log.wait_until_caught_up("ingest", "clicks")
    wait_for(lambda: sum(int(db.hget(key, "clicks") or 0) for key in users(db)) == number, "all to count")
    wait_for(lambda: not db.keys("user:*:waiting"), "nothing to wait")
    assert log.count("dead-letters") == 0
    assert {int(db.hget(key, "clicks")) for key in users(db)} == {number // listeners}
    assert_agrees(read_state(both.redis))


def users(db: redis_py.Redis) -> list[str]:
    return [key for key in db.keys("user:{*}") if key.endswith("}")]


def test_what_waits_is_said_of_no_listener_twice(both: Settings, log: KafkaLog, db: redis_py.Redis) -> None:
    log.send("clicks", [click("u", song_id="late")])
    log.wait_until_caught_up("ingest", "clicks")
    assert db.hlen("user:{u}:waiting") == 1
    log.send("songs", [{"song_id": "late", "artist_ids": ["ana"]}])
    wait_for(lambda: db.zscore("user:{u}:artists", "ana"), "the click to count")
    assert db.hget("user:{u}", "clicks") == "1"
