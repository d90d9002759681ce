"""What `refrain traits` is made of, and an ingester that writes listeners; a clock one can move."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

from consumers.ingest.apply import Applier
from consumers.runtime.moves import Moves
from consumers.runtime.wiring import Stores
from consumers.traits.churn import Churn
from consumers.traits.looks import LOOK_SECONDS, Looks
from consumers.traits.next_week import NextWeekTrait
from consumers.traits.scorer import Scorer
from consumers.traits.segments import SegmentTraits
from models.affinity import DAY, ForwardDecay
from models.listener import Click, OffsetSource, Rules
from models.model import Model
from models.traits.churn_span import Span
from models.traits.lifecycle import STAGES, Limits
from stream.connect import AnyRedis
from stream.retry import Retry
from stream.settings import Settings
from stream.stores.heartbeats import Heartbeat
from stream.stores.next_week_model import NextWeekModel
from tests.consumers.producer import Producer

__all__ = ["NOW", "RULES", "Bureau"]

RULES = Rules(ForwardDecay(), max_artists=50)
NOW = 20_100 * DAY + 43_200.0


@dataclass
class Bureau:
    """What `refrain traits` is made of, and an ingester that writes listeners; a clock one can move."""

    redis: AnyRedis
    settings: Settings
    now: float = NOW
    producer: Producer = field(default_factory=Producer)
    clicked: Producer = field(default_factory=Producer)
    offset: int = 0
    model: Model | None = None
    looked_at: float = 0.0

    def __post_init__(self) -> None:
        self.stores = Stores.on(self.redis, self.settings)
        self.applier = Applier(self.stores.listeners, RULES)
        self.next_week = self.another_next_week()
        self.churn = Churn(self.stores.churn, self.stores.listeners, self.stores.cohorts.drawn, Span(), 2000)
        self.scorer = self.another()

    def another_next_week(self) -> NextWeekTrait:
        looks = Looks(self.stores.listeners, self.stores.cohorts.drawn, 2000)
        return NextWeekTrait(NextWeekModel(self.redis), looks)

    async def look(self) -> None:
        """Let what learns look at listeners once."""
        self.looked_at = max(self.now, self.looked_at + LOOK_SECONDS)
        await self.next_week.look(self.looked_at)

    async def look_twice(self) -> None:
        """Let what learns see that no history is on its way."""
        for _ in range(2):
            await self.look()

    def another(self) -> Scorer:
        retry, heartbeat = Retry(asyncio.Event()), Heartbeat(self.redis, "traits")
        return Scorer(
            self.stores.listeners,
            self.stores.traits,
            self.next_week,
            self.churn,
            SegmentTraits(self.stores.listeners, self.stores.segments, lambda: self.model, 200),
            Limits(),
            self.producer,
            heartbeat,
            retry,
            lambda: self.now,
        )

    async def click(self, user: str, *days_ago: float, utc_offset_min: int | None = None) -> None:
        """Apply a click so many days before now, each."""
        times = [self.now - DAY * ago for ago in sorted(days_ago, reverse=True)]
        clicks = [
            Click(user, OffsetSource(0), offset, ts, "s", ("a0",), "play", utc_offset_min=utc_offset_min)
            for offset, ts in enumerate(times, start=self.offset)
        ]
        self.offset += len(clicks)
        moves = await self.applier.apply({user: clicks}, self.model, self.now)
        await Moves(self.stores.cohorts, self.clicked, Retry(asyncio.Event())).follow(moves, self.model)

    async def stage(self, user: str) -> str:
        return (await self.stores.traits.about(user)).get("stage", "")

    async def members(self) -> dict[str, set[str]]:
        found = {stage: await self.redis.smembers(f"stage:{{{stage}}}:users") for stage in STAGES}
        return {stage: {user.decode() for user in users} for stage, users in found.items() if users}

    def said(self) -> list[tuple[str, str, str]]:
        events = [json.loads(value) for topic, value in self.producer.sent if topic == "stage-changes"]
        return [(event["user_id"], event["from"], event["to"]) for event in events]
