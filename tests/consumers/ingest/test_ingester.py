"""What would take luck to meet on a real broker: the ingester's loop, with a consumer that the test leads."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaConnectionError
from redis.exceptions import OutOfMemoryError

from consumers.ingest import ingester as ingester_module
from consumers.ingest.apply import Applier
from consumers.ingest.ingester import Ingester
from consumers.runtime.live_model import LiveModel
from consumers.runtime.moves import Moves
from models.affinity import ForwardDecay
from models.listener import Click, Move, OffsetSource, Rules
from models.model import Model
from stream.connect import AnyRedis, open_redis
from stream.retry import Retry
from stream.settings import Settings
from stream.stores import keys
from stream.stores.catalogue import Catalogue
from stream.stores.cohorts import Cohorts
from stream.stores.heartbeats import Heartbeat
from stream.stores.listeners import Listeners
from stream.stores.released_songs import ReleasedSongs
from stream.stores.snapshots import Snapshots
from stream.stores.waiting import Waiting, pack, place_of
from tests.consumers.crowd import click
from tests.consumers.durable import durable
from tests.consumers.ingest.test_sweep import House, model
from tests.consumers.losing_redis import LosingRedis
from tests.consumers.own_redis import OwnRedis
from tests.consumers.producer import Producer
from tests.consumers.redis_state import assert_agrees, read_state
from tests.waiting import wait_for_it

PLACE = TopicPartition("clicks", 0)
NOW = 1_600_000_000.0


@dataclass
class Message:
    value: bytes
    offset: int
    headers: tuple[()] = ()
    topic: str = "clicks"
    partition: int = 0
    key: bytes | None = None
    timestamp: int = 1_600_000_000_000


@dataclass
class Consumer:
    """Hands over the batches that the test puts into it; remembers what is committed."""

    batches: asyncio.Queue[list[Message]] = field(default_factory=asyncio.Queue)
    asked: list[int] = field(default_factory=list)
    committed: list[int] = field(default_factory=list)
    commits: list[dict[TopicPartition, int]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    registry: asyncio.Event = field(default_factory=asyncio.Event)
    decoding: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()
        self.registry.set()

    async def fetch(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Message]]:
        self.asked.append(max_records)
        if not timeout_ms and self.batches.empty():
            return {}
        messages = await self.batches.get()
        return {TopicPartition("clicks", messages[0].partition): messages}

    async def decoded(
        self, fetched: dict[TopicPartition, list[Message]]
    ) -> dict[TopicPartition, list[Message]]:
        self.decoding.set()
        await self.registry.wait()
        return fetched

    def assignment(self) -> set[TopicPartition]:
        return {PLACE}

    def highwater(self, place: TopicPartition) -> int:
        return 10

    async def position(self, place: TopicPartition) -> int:
        return 3

    async def commit(self, offsets: Mapping[TopicPartition, Any]) -> None:
        await self.open.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.commits.append({place: each.offset for place, each in offsets.items()})
        self.committed.append(offsets[PLACE].offset)


class Slow(Applier):
    """An applier in whose midst something happens once: when it has a model, before clicks of u are written.

    Of two batches in hand either may come so far first; u is in the first of every test.
    """

    meanwhile: Any = None

    async def _update(self, clicks: Mapping[str, Sequence[Click]], model: Model | None, now: float) -> Any:
        if self.meanwhile is not None and "u" in clicks:
            happening, self.meanwhile = self.meanwhile, None
            await happening()
        return await super()._update(clicks, model, now)


@dataclass
class Stage:
    """An ingester that runs."""

    redis: AnyRedis
    applier: Slow
    consumer: Consumer
    producer: Producer
    ingester: Ingester
    stop: asyncio.Event
    running: asyncio.Task[None]
    offset: int = 0

    def deliver(self, *events: dict[str, Any]) -> None:
        messages = []
        for event in events:
            messages.append(Message(json.dumps(event).encode(), self.offset))
            self.offset += 1
        self.consumer.batches.put_nowait(messages)

    async def until_committed(self, offset: int) -> None:
        async def committed() -> bool:
            if self.running.done():
                self.running.result()
            return offset in self.consumer.committed

        await wait_for_it(committed, f"offset {offset} to be committed")


@pytest.fixture
async def stage(settings: Settings) -> AsyncIterator[Stage]:
    async with staged(settings) as stage:
        yield stage


@asynccontextmanager
async def staged(settings: Settings) -> AsyncIterator[Stage]:
    redis = await open_redis(settings)
    listeners = Listeners(redis)
    applier = Slow(listeners, Rules(ForwardDecay(), max_artists=50))
    consumer, producer, stop = Consumer(), Producer(), asyncio.Event()
    live = LiveModel(Snapshots(redis))
    await live.refresh()
    durability = await durable(redis)
    ingester = Ingester(
        consumer,
        producer,
        applier,
        Moves(Cohorts(redis, listeners), producer, Retry(stop)),
        Catalogue(redis),
        Waiting(redis),
        ReleasedSongs(redis, 86_400.0),
        durability,
        live,
        Heartbeat(redis, "ingest"),
        batch_clicks=100,
        epoch=0,
        stop=stop,
        retry=Retry(stop),
    )
    running = asyncio.create_task(ingester.run())
    try:
        yield Stage(redis, applier, consumer, producer, ingester, stop, running)
        stop.set()
        ended, _ = await asyncio.wait({running}, timeout=30)
        assert ended, "it does not end"
        running.result()
    finally:
        running.cancel()
        await redis.aclose()


@pytest.fixture
def _small_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingester_module, "FIRST_CLICKS", 30)


@pytest.mark.usefixtures("_small_beginning")
async def test_the_first_batch_is_small_and_each_that_is_done_lets_the_next_be_twice_as_large(
    stage: Stage,
) -> None:
    for number in range(1, 6):
        stage.deliver(click("u", "artist 1"))
        await stage.until_committed(number)
    asked = stage.consumer.asked
    assert asked[:2] == [30, 30]  # one is fetched while the other is applied
    assert set(asked) == {30, 60, 100}
    assert asked == sorted(asked)


async def test_who_is_written_under_an_old_model_after_the_sweep_passed_is_migrated(
    stage: Stage, settings: Settings
) -> None:
    house = House(stage.redis, settings)

    async def a_model_and_its_sweep() -> None:
        await house.snapshots.publish(model(2))
        await house.sweep(2)

    stage.applier.meanwhile = a_model_and_its_sweep
    stage.deliver(click("u", "artist 1"), click("v", "artist 2"))
    await stage.until_committed(2)
    state = await asyncio.to_thread(read_state, settings.redis)
    assert all(state.cohorts.values())
    assert {int.from_bytes(taste[4:8], "little") for taste in state.tastes.values()} == {2}
    assert_agrees(state)
    said = stage.producer.said()
    assert {(change["user_id"], change["to"]) for change in said} == set(state.cohorts.items())


async def test_offsets_are_committed_after_all_is_written_and_said(stage: Stage) -> None:
    stage.producer.errors = [KafkaConnectionError()]
    stage.deliver(click("u", "artist 1"), {"user_id": "u"})
    await stage.until_committed(2)
    assert await stage.redis.hget("user:{u}", "clicks") == b"1"
    assert [topic for topic, _ in stage.producer.sent] == ["dead-letters"]
    assert stage.consumer.committed == [2]


async def test_a_batch_waits_for_the_one_before_only_with_listeners_of_both(stage: Stage) -> None:
    go_on = asyncio.Event()
    stage.applier.meanwhile = go_on.wait
    stage.deliver(click("u", "artist 1"))
    stage.deliver(click("u", "artist 2"), click("v", "artist 2"))

    async def second() -> bool:
        return bool(await stage.redis.exists("user:{v}"))

    await wait_for_it(second, "the second batch to be written, while the first is not")
    assert not await stage.redis.exists("user:{u}")
    assert stage.consumer.committed == []
    go_on.set()
    await stage.until_committed(3)
    assert stage.consumer.committed == [1, 3]
    assert await stage.redis.hget("user:{u}", "clicks") == b"2"


async def test_who_was_just_moved_is_not_moved_again_before_all_has_followed(stage: Stage) -> None:
    async def clicks_of(user: str, number: bytes) -> bool:
        return bool(await stage.redis.hget(f"user:{{{user}}}", "clicks") == number)

    stage.consumer.open.clear()
    stage.deliver(click("u", "artist 1"))
    stage.deliver(click("u", "artist 2"), click("v", "artist 2"))
    await wait_for_it(lambda: clicks_of("v", b"1"), "the second batch, while the first is not committed")
    assert await clicks_of("u", b"1")
    stage.consumer.open.set()
    await stage.until_committed(3)
    assert await clicks_of("u", b"2")


async def test_a_commit_is_tried_until_kafka_answers(stage: Stage) -> None:
    stage.consumer.errors = [KafkaConnectionError(), KafkaConnectionError()]
    stage.deliver(click("u", "artist 1"))
    await stage.until_committed(1)


async def test_offsets_that_are_somebody_elses_by_now_are_left_alone(stage: Stage) -> None:
    stage.consumer.errors = [CommitFailedError()]
    stage.deliver(click("u", "artist 1"))
    stage.deliver(click("u", "artist 1"))
    await stage.until_committed(2)
    assert stage.consumer.committed == [2]


async def test_what_was_fetched_before_a_rebalance_is_the_next_owners(stage: Stage) -> None:
    held, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        held.set()
        await go_on.wait()

    stage.applier.meanwhile = hold
    stage.deliver(click("u", "artist 1"))
    await held.wait()
    stage.deliver(click("v", "artist 1"))
    await wait_for_it(_empty(stage), "the second to be fetched")
    stage.deliver(click("w", "artist 1"))  # fetched while two are in hand
    await wait_for_it(_empty(stage), "the third to be fetched")
    revoking = asyncio.create_task(stage.ingester.on_partitions_revoked({PLACE}))
    await asyncio.sleep(0)
    assert not revoking.done()  # the batches in hand are finished first
    go_on.set()
    await revoking
    assert stage.consumer.committed == [1, 2]
    stage.deliver(click("x", "artist 1"))
    await stage.until_committed(4)
    assert await stage.redis.exists("user:{v}", "user:{w}") == 1


async def test_what_waited_for_the_schema_registry_over_a_rebalance_is_the_next_owners(
    stage: Stage,
) -> None:
    stage.consumer.registry.clear()
    stage.deliver(click("v", "artist 1"))
    await stage.consumer.decoding.wait()
    await stage.ingester.on_partitions_revoked({PLACE})
    stage.consumer.registry.set()
    stage.deliver(click("x", "artist 1"))
    await stage.until_committed(2)
    assert stage.consumer.committed == [2]
    assert not await stage.redis.exists("user:{v}")


async def test_what_waits_for_the_schema_registry_is_in_the_lag(stage: Stage) -> None:
    stage.consumer.registry.clear()
    stage.deliver(click("v", "artist 1"))
    await stage.consumer.decoding.wait()
    assert stage.ingester._heartbeat.gauges["lag:clicks"] == 8  # and 7 in Kafka
    stage.consumer.registry.set()
    await stage.until_committed(1)


@pytest.fixture
def _one_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingester_module, "AT_ONCE", 1)


@pytest.mark.usefixtures("_one_at_once")
async def test_a_large_batch_is_read_in_parts_and_applied_and_committed_as_one(stage: Stage) -> None:
    for user in "uvu":
        stage.deliver(click(user, "artist 1"))
    await stage.until_committed(3)
    assert stage.consumer.committed == [3]
    assert await stage.redis.hget("user:{u}", "clicks") == b"2"
    assert stage.ingester._last.size == 3
    assert stage.ingester._lag.left == 7


@pytest.mark.usefixtures("_one_at_once")
async def test_in_a_later_part_of_a_batch_a_click_waits_for_its_song_and_what_is_no_click_is_dead(
    stage: Stage,
) -> None:
    late = {"user_id": "w", "song_id": "late", "ts": NOW}
    for event in (click("u", "artist 1"), late, {"user_id": "u"}):
        stage.deliver(event)
    await stage.until_committed(3)
    (waits,) = (await Waiting(stage.redis).clicks(["w"]))["w"]
    assert (waits.click.offset, waits.click.song_id) == (1, "late")
    letters = [json.loads(value) for topic, value in stage.producer.sent if topic == "dead-letters"]
    assert letters == [{"user_id": "u"}]


@pytest.mark.usefixtures("_one_at_once")
async def test_the_parts_of_a_batch_may_be_of_several_partitions(stage: Stage) -> None:
    other = TopicPartition("clicks", 1)
    stage.deliver(click("u", "artist 1"))
    stage.consumer.batches.put_nowait([Message(json.dumps(click("v", "artist 1")).encode(), 7, partition=1)])
    stage.deliver(click("u", "artist 1"))
    await stage.until_committed(2)
    assert stage.consumer.commits == [{PLACE: 2, other: 8}]


@pytest.mark.usefixtures("_one_at_once")
async def test_parts_of_a_batch_that_were_read_before_a_rebalance_are_the_next_owners(stage: Stage) -> None:
    stage.consumer.registry.clear()
    stage.deliver(click("v", "artist 1"))
    await stage.consumer.decoding.wait()
    await stage.ingester.on_partitions_revoked({PLACE})
    stage.deliver(click("x", "artist 1"))
    stage.consumer.registry.set()
    await stage.until_committed(2)
    assert stage.consumer.committed == [2]
    assert not await stage.redis.exists("user:{v}")
    assert await stage.redis.hget("user:{x}", "clicks") == b"1"


def _empty(stage: Stage) -> Any:
    async def empty() -> bool:
        return stage.consumer.batches.empty()

    return empty


async def test_a_click_is_expected_again_when_its_write_failed_until_its_song_was_forgotten(
    stage: Stage,
) -> None:
    waiting = Waiting(stage.redis)
    failed_at = []

    async def another_forgets_it() -> None:
        await waiting.forget_song("late")
        failed_at.append(time.time())
        raise OutOfMemoryError("OOM command not allowed")

    stage.applier.meanwhile = another_forgets_it
    stage.deliver({"user_id": "u", "song_id": "late", "ts": NOW})
    await stage.until_committed(1)
    assert [user async for users in waiting.listeners("late") for user in users] == ["u"]
    assert (await waiting.songs())["late"] > failed_at[0]


@pytest.mark.parametrize("losses", [1, 2])
async def test_a_click_that_may_not_wait_any_more_once_redis_lost_it_is_a_dead_letter(
    settings: Settings, own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch, losses: int
) -> None:
    monkeypatch.setattr(ingester_module, "MOST_WAITING", 1)
    own_redis.start()
    end = own_redis.appended()

    def another_comes_first() -> None:
        own_redis.lose(end)
        other = Click("u", OffsetSource(3), 0, NOW, "another", (), "play")
        with own_redis.client() as client:
            client.hset(keys.user_waiting("u"), place_of(other), pack(other, NOW))

    unusable, late = {"user_id": "u"}, {"user_id": "u", "song_id": "late", "ts": NOW}
    async with staged(settings.model_copy(update={"redis": own_redis.url})) as stage:
        losing = stage.ingester._durability = LosingRedis(stage.redis, *[another_comes_first] * losses)
        losing.when_lost(stage.applier.forget)
        await losing.begin()
        stage.deliver(unusable, late)
        await stage.until_committed(2)
    letters = [json.loads(value) for topic, value in stage.producer.sent if topic == "dead-letters"]
    assert letters == [unusable, late]


async def test_what_a_redis_lost_when_it_was_killed_is_applied_once_more(
    settings: Settings, own_redis: OwnRedis
) -> None:
    own_redis.start()
    async with staged(settings.model_copy(update={"redis": own_redis.url})) as stage:
        stage.deliver(click("u", "artist 1"))
        await stage.until_committed(1)
        losing = stage.ingester._durability = LosingRedis(
            stage.redis, partial(own_redis.lose, own_redis.appended())
        )
        losing.when_lost(stage.applier.forget)
        await losing.begin()
        stage.deliver(click("u", "artist 2"), click("v", "artist 1"))
        await stage.until_committed(3)
        stage.deliver(click("u", "artist 2"), click("v", "artist 1"))
        await stage.until_committed(5)
    state = read_state(own_redis.url)
    assert state.clicks == 5
    assert_agrees(state)


async def test_who_was_moved_by_a_model_is_moved_in_the_sets_too_where_redis_lost_only_these(
    settings: Settings, own_redis: OwnRedis
) -> None:
    own_redis.start()
    users = ["u", *(f"u{number}" for number in range(59))]
    events = [click(user, f"artist {number % 20}") for number, user in enumerate(users)]
    async with staged(settings.model_copy(update={"redis": own_redis.url})) as stage:
        live, moves = stage.ingester._live, stage.ingester._moves
        snapshots, follow, end = Snapshots(stage.redis), moves.follow, 0

        async def note_end(said: Sequence[Move], under: Model | None) -> None:
            nonlocal end
            end = end or own_redis.appended()
            await follow(said, under)

        await snapshots.publish(model(1))
        await live.refresh()
        stage.deliver(*events)
        await stage.until_committed(60)
        stage.applier.meanwhile = partial(snapshots.publish, model(2))
        moves.follow = note_end  # type: ignore[method-assign]
        losing = stage.ingester._durability = LosingRedis(stage.redis, lambda: own_redis.lose(end))
        losing.when_lost(stage.applier.forget)
        await losing.begin()
        stage.deliver(*events)
        await stage.until_committed(120)
    state = read_state(own_redis.url)
    assert sum(fields["moved"] == "model:2" for fields in state.users.values()) > 5
    assert_agrees(state)


async def test_the_batch_in_hand_is_finished_when_asked_to_end(stage: Stage) -> None:
    async def asked() -> None:
        stage.stop.set()

    stage.applier.meanwhile = asked
    stage.deliver(click("u", "artist 1"))
    await stage.until_committed(1)
    await asyncio.wait_for(stage.running, 60)
    assert await stage.redis.hget("user:{u}", "clicks") == b"1"
