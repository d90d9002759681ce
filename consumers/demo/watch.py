"""What an onlooker can know of Refrain: by its topics, its Redis keys and its signs of life."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from consumers.demo.world import World
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.heartbeats import heartbeats
from stream.wire.consumer import Consumer

__all__ = ["TOPICS", "CohortRow", "Vitals", "Watch"]

WINDOW = 4.0  # seconds that a rate is taken over
SHOWN = 24  # cohorts looked into
TOPICS = ("clicks", "dead-letters", "cohort-changes")
"""Whose ends it asks for."""


@dataclass(frozen=True)
class CohortRow:
    """A cohort, and which scene its members truly like best."""

    cohort_id: str
    label: str
    size: int
    scene: str
    share: float


@dataclass(frozen=True)
class Vitals:
    """How Refrain is at a moment. Rates are per second."""

    clicks_in: float = 0.0
    applied: float = 0.0
    lag: int = 0
    dead_letters: int = 0
    moves: int = 0
    model: int | None = None
    model_age: float = 0.0
    cohorts: tuple[CohortRow, ...] = ()
    n_cohorts: int = 0
    members: int = 0
    waiting: int = 0
    bots: int = 0
    predicted: float | None = None
    """The lift at 5 % of listeners' scores for what they discovered last."""
    catalogued: bool = False
    working: bool = False
    """Whether there is a worker, who answers releases."""


@dataclass
class Watch:
    """Looks at Kafka and Redis.

    Parameters
    ----------
    redis
        Where Refrain's state is.
    consumer
        Started, of no group: asked for the ends of topics alone.
    admin
        Started: asked how far the ingesters are.
    group
        Their consumer group.
    places
        The partitions of `TOPICS`.
    world
        Tells what the members of a cohort truly like.
    """

    redis: AnyRedis
    consumer: Consumer
    admin: AIOKafkaAdminClient
    group: str
    places: Sequence[TopicPartition]
    world: World
    _counts: deque[tuple[float, int, int]] = field(default_factory=deque)
    _model: tuple[int | None, float] = (None, 0.0)

    async def look(self, clicks: int, now: float) -> Vitals:
        """Return how Refrain is now.

        Parameters
        ----------
        clicks
            How many clicks were sent so far.
        now
            Seconds on any clock.
        """
        processes = list((await heartbeats(self.redis)).values())
        applied = sum(int(p.get("clicks", 0)) for p in processes if p["kind"] == "ingest")
        clicks_in, applied_rate = self._rates(clicks, applied, now)
        ends: dict[TopicPartition, int] = await self.consumer.end_offsets(self.places)
        model = await self.redis.get(keys.MODEL_CURRENT)
        version = int(model) if model else None
        if version != self._model[0]:
            self._model = version, now
        sizes = await self.redis.zrange(keys.COHORTS, 0, -1, desc=True, withscores=True)
        living = [(cohort.decode(), int(size)) for cohort, size in sizes if size]
        bots = [await self.redis.hget(keys.user(bot), "bot") for bot in self.world.people.bots]
        trainer = next((p for p in processes if "lift_listener" in p), None)
        return Vitals(
            clicks_in=clicks_in,
            applied=applied_rate,
            lag=max(sum(_of("clicks", ends)) - await self._committed(), 0),
            dead_letters=sum(_of("dead-letters", ends)),
            moves=sum(_of("cohort-changes", ends)),
            model=version,
            model_age=now - self._model[1] if version else 0.0,
            cohorts=tuple([await self._cohort(cohort, size) for cohort, size in living[:SHOWN]]),
            n_cohorts=len(living),
            members=sum(size for _, size in living),
            waiting=await self.redis.scard(keys.cohort_users("")),
            bots=sum(bot == b"1" for bot in bots),
            predicted=float(trainer["lift_listener"]) if trainer else None,
            catalogued=bool(await self.redis.exists(keys.song(self.world.music.songs[-1].song_id))),
            working=any(process["kind"] == "work" for process in processes),
        )

    def _rates(self, clicks: int, applied: int, now: float) -> tuple[float, float]:
        if self._counts and applied < self._counts[-1][2]:
            self._counts.clear()  # an ingester died, and what it had counted with it
        self._counts.append((now, clicks, applied))
        while len(self._counts) > 2 and self._counts[1][0] <= now - WINDOW:  # noqa: PLR2004 - two make a rate
            self._counts.popleft()
        before, clicks_before, applied_before = self._counts[0]
        passed = now - before
        if not passed:
            return 0.0, 0.0
        return (clicks - clicks_before) / passed, (applied - applied_before) / passed

    async def _committed(self) -> int:
        offsets = await self.admin.list_consumer_group_offsets(self.group)
        return sum(found.offset for place, found in offsets.items() if place.topic == "clicks")

    async def _cohort(self, cohort: str, size: int) -> CohortRow:
        label = await self.redis.hget(keys.cohort(cohort), "label")
        members = await self.redis.smembers(keys.cohort_users(cohort))
        people, scenes = self.world.people, self.world.music.scenes
        liked = Counter(people.main_scene(user.decode()) for user in members)
        (scene, number), *_ = liked.most_common(1) or [(0, 0)]
        return CohortRow(
            cohort,
            label.decode() if label else "",
            size,
            scenes[scene] if number else "",
            number / max(len(members), 1),
        )


def _of(topic: str, ends: Mapping[TopicPartition, int]) -> Iterator[int]:
    return (end for place, end in ends.items() if place.topic == topic)
