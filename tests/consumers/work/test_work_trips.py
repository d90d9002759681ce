"""How often a worker waits for Redis before the first page of a release is out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from redis.asyncio import Redis
from redis.asyncio.connection import Connection, ConnectionPool

from consumers.work.click_habits import ClickHabits
from consumers.work.emitter import Emitter
from consumers.work.gate import Gate
from consumers.work.member_cache import MemberCache
from consumers.work.planner import Planner
from models.audience_size import Worth
from models.control import Groups
from stream.settings import Settings
from stream.stores.catalogue import Catalogue
from stream.stores.cohorts import Cohorts
from stream.stores.ctr_models import CtrModels
from stream.stores.erased import Erased
from stream.stores.erased_lately import ErasedLately
from stream.stores.listeners import Listeners
from stream.stores.opted_out import OptedOut
from stream.stores.release_traces import ReleaseTraces
from stream.stores.releases import Asked, Releases
from stream.stores.told import Caps, Told
from stream.stores.traits import Traits
from stream.wire.events import Release, Song
from tests.consumers.durable import durable
from tests.consumers.placed import names, place
from tests.consumers.small_model import small_model

MODEL = small_model()
MEMBERS = {"c1": names("c1", 3000), "c2": names("c2", 20), "c5": names("c5", 10)}


class Trips:
    """Counts round trips: all that is sent before the next answer comes is one, on any connection."""

    def __init__(self) -> None:
        self.count = 0
        self._answered = True

    def sent(self) -> None:
        self.count += self._answered
        self._answered = False

    def answered(self) -> None:
        self._answered = True


class CountedConnection(Connection):
    """A connection that counts."""

    def __init__(self, *, trips: Trips, **options: Any) -> None:
        self._trips = trips
        super().__init__(**options)

    async def send_packed_command(self, *given: Any, **named: Any) -> None:
        self._trips.sent()
        await super().send_packed_command(*given, **named)

    async def read_response(self, *given: Any, **named: Any) -> Any:
        answer = await super().read_response(*given, **named)
        self._trips.answered()
        return answer


class Model:
    model = MODEL


class FirstPage:
    """Stands for the producer: notes how many round trips there were when the first page was sent."""

    def __init__(self, producer: AIOKafkaProducer, trips: Trips) -> None:
        self._producer, self._trips = producer, trips
        self.after: list[int] = []

    async def send(self, topic: str, **event: Any) -> Awaitable[object]:
        self.after.append(self._trips.count)
        sent: Awaitable[object] = await self._producer.send(topic, **event)
        return sent


Answer = Callable[[Release], Awaitable[int]]


@pytest.fixture
async def redis(topics: Settings) -> AsyncIterator[tuple[Redis, Trips]]:
    trips = Trips()
    pool = ConnectionPool.from_url(topics.redis, connection_class=CountedConnection, trips=trips)
    client = Redis(connection_pool=pool)
    await asyncio.gather(*[client.ping() for _ in range(8)])  # connections that release may take
    yield client, trips
    await client.aclose()
    await pool.aclose()


@pytest.fixture
async def opted_out(redis: tuple[Redis, Trips]) -> OptedOut:
    return OptedOut(redis[0])


@pytest.fixture
async def answer(
    request: pytest.FixtureRequest, topics: Settings, redis: tuple[Redis, Trips], opted_out: OptedOut
) -> AsyncIterator[Answer]:
    """Answers a release by a worker with all members in memory; returns the trips before its first page."""
    client, trips = redis
    await asyncio.to_thread(place, topics, MEMBERS, MODEL)
    await Catalogue(client).put([Song(song_id="s", artist_ids=["a2"], genres=["x", "y"], label="l")])
    listeners = Listeners(client)
    member_cache = MemberCache(listeners, Cohorts(client, listeners), Told(client))
    for _ in range(len(MODEL.cohort_ids)):
        await member_cache.refresh(MODEL)
    releases, caps = Releases(client, 3600), getattr(request, "param", Caps())
    gate = Gate(Told(client, caps), Groups(control=0.1), caps, erased=ErasedLately(Erased(client)))
    planner = Planner(
        member_cache,
        Catalogue(client),
        opted_out,
        2500,
        gate,
        ClickHabits(Cohorts(client, listeners), CtrModels(client)),
        Worth(1.0, 0.02, 20.0),
        Traits(client, listeners),
    )
    async with AIOKafkaProducer(bootstrap_servers=topics.kafka) as producer:
        page = FirstPage(producer, trips)
        durability, live = await durable(client), Model()
        erased, traces = Erased(client), ReleaseTraces(client)
        emitter = Emitter(topics, releases, erased, traces, durability, planner, live, page, "w1")  # type: ignore[arg-type]

        async def answered(release: Release) -> int:
            release = release.model_copy(update={"max_audience": 2500})
            page.after.clear()
            before = trips.count
            assert await emitter.answer([Asked(release, "0", 0, time.time())])
            assert len(page.after) == 4, "three pages and a summary"
            return page.after[0] - before

        await answered(Release(release_id="the first: scripts are sent in full", artist_ids=["a1"]))
        yield answered


async def test_a_release_is_answered_after_two(answer: Answer) -> None:
    assert await answer(Release(release_id="r1", artist_ids=["a1"])) == 2


async def test_one_with_genres_and_a_label_is_answered_after_two(answer: Answer) -> None:
    release = Release(release_id="r1", artist_ids=["new"], genres=["x", "y"], label="l", similar_to=["a1"])
    assert await answer(release) == 2


async def test_where_somebody_has_just_opted_out_it_is_answered_after_three(
    answer: Answer, opted_out: OptedOut
) -> None:
    await opted_out.add([MEMBERS["c1"][0]])
    assert await answer(Release(release_id="r1", artist_ids=["a1"])) == 3
    await opted_out.refresh()
    assert await answer(Release(release_id="r2", artist_ids=["a1"])) == 2


@pytest.mark.parametrize("answer", [Caps(a_day=100)], indirect=True)
async def test_where_listeners_have_caps_it_is_answered_after_three(answer: Answer) -> None:
    assert await answer(Release(release_id="r1", artist_ids=["a1"])) == 3


async def test_with_conditions_on_traits_it_is_answered_after_three(
    answer: Answer, redis: tuple[Redis, Trips]
) -> None:
    client, _ = redis
    everybody = [user for users in MEMBERS.values() for user in users]
    await Traits(client, Listeners(client)).write({user: {"stage": "new"} for user in everybody})
    where = {"stage": "new"}
    await answer(Release(release_id="the script that reads traits", artist_ids=["a1"], where=where))
    assert await answer(Release(release_id="r1", artist_ids=["a1"], where=where)) == 3
