"""Releases in Redis: who has one in hand, its pages before they go out, and what came of it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

import msgpack

from models.listener import OffsetSource
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.scripts import Script
from stream.wire.events import Feedback, Page, Release, encode

__all__ = ["Audience", "Heard", "Releases"]


@dataclass(frozen=True)
class Audience:
    """Whom to tell of a release.

    Attributes
    ----------
    pages
        Best first.
    play_rate
        Cohort -> predicted share of its members who play the artist.
    reason
        "done", or why there is nobody to tell.
    relied_on
        What the release was known by: its artists, featuring, similar_to, genres, nothing.
    """

    pages: tuple[Page, ...]
    play_rate: Mapping[str, float]
    reason: str
    relied_on: str

    @property
    def users(self) -> int:
        """How many listeners."""
        return sum(len(page.user_ids) for page in self.pages)

    @property
    def cohorts(self) -> int:
        """From how many cohorts."""
        return len({page.cohort_id for page in self.pages})


class Heard(NamedTuple):
    """A feedback event and its place in Kafka."""

    feedback: Feedback
    source: OffsetSource
    offset: int


class Releases:
    """The store of releases."""

    def __init__(self, redis: AnyRedis, keep_seconds: float) -> None:
        self._redis = redis
        self._keep = int(keep_seconds)
        self._claim, self._plan = Script("claim_release"), Script("plan_release")
        self._count_release, self._count_cohort = Script("count_release"), Script("count_cohort")

    async def claim(self, release: Release, holder: str, now: float, seconds: float) -> str:
        """Take a release in hand for some seconds; claim_release.lua says what the answers mean."""
        name = release.release_id
        # Before it is ours: whoever dies now leaves a release open that others look after. When it was first
        # asked for stays: one that every worker fails at waits since then.
        await self._redis.zadd(keys.RELEASES_OPEN, {name: now}, nx=True)
        state = await self._claim(
            self._redis, [keys.release(name)], holder, now, now + seconds, encode(release)
        )
        answer: str = state.decode()
        if answer == "done":
            await self._redis.zrem(keys.RELEASES_OPEN, name)
        return answer

    async def plan(self, release: Release, audience: Audience, holder: str, now: float) -> bool:
        """Fix the pages. False where the release is no longer in our hand, or has its pages."""
        fields: list[str | int | float] = [
            "artist_ids", json.dumps(release.artist_ids), "title", release.title or "",
            "audience", audience.users, "pages", len(audience.pages), "cohorts", audience.cohorts,
            "planned_at", now, "reason", audience.reason, "relied_on", audience.relied_on,
        ]  # fmt: skip
        content = [
            fields,
            [encode(page) for page in audience.pages],
            [part for cohort, rate in audience.play_rate.items() for part in (rate, cohort)],
            [part for page in audience.pages for user in page.user_ids for part in (user, page.cohort_id)],
        ]
        name = release.release_id
        written = [
            keys.release(name),
            keys.release_pages(name),
            keys.release_cohorts(name),
            keys.release_told(name),
        ]
        packed = msgpack.packb(content, use_bin_type=False)
        return bool(await self._plan(self._redis, written, holder, packed))

    async def pages(self, release_id: str) -> list[bytes]:
        """Return the pages as they go to Kafka."""
        return list(await self._redis.lrange(keys.release_pages(release_id), 0, -1))

    async def about(self, release_id: str) -> dict[str, str]:
        """Return the release's hash."""
        found = await self._redis.hgetall(keys.release(release_id))
        return {field.decode(): value.decode() for field, value in found.items() if field != b"event"}

    async def finish(self, release_id: str, latency_ms: float | None) -> None:
        """All pages are out: the release is done, and fades after its days."""
        pipeline = self._redis.pipeline(transaction=False)
        state: dict[str, str | float] = {"state": "done"}
        if latency_ms is not None:
            state["latency_ms"] = round(latency_ms, 1)
        pipeline.hset(keys.release(release_id), mapping=state)
        pipeline.delete(keys.release_pages(release_id))
        kept = keys.release(release_id), keys.release_cohorts(release_id), keys.release_told(release_id)
        for key in kept:
            pipeline.expire(key, self._keep)
        pipeline.hset(keys.release(release_id), "till", 0)  # last: from now on others may ask for it again
        await pipeline.execute()
        await self._redis.zrem(keys.RELEASES_OPEN, release_id)

    async def left_open(self, before: float) -> list[Release]:
        """Return releases that were first taken in hand before a time, and are not done."""
        names = [
            name.decode() for name in await self._redis.zrangebyscore(keys.RELEASES_OPEN, "-inf", before)
        ]
        events = [await self._redis.hget(keys.release(name), "event") for name in names]
        return [Release.model_validate_json(event) for event in events if event]

    async def count(self, heard: Sequence[Heard]) -> int:
        """Count feedback for releases and cohorts, each event once; who opted out is remembered.

        Returns
        -------
        How many events count: the others came before, or from listeners who were not told.
        """
        out = [h.feedback.user_id for h in heard if h.feedback.kind == "opted_out"]
        if out:
            await self._redis.sadd(keys.OPTED_OUT, *out)
        by_release: dict[str, list[Heard]] = defaultdict(list)
        for entry in heard:
            by_release[entry.feedback.release_id].append(entry)
        by_cohort: dict[str, list[tuple[str, int, str]]] = defaultdict(list)
        for release_id, entries in by_release.items():
            for entry, cohort in zip(entries, await self._cohorts_of(release_id, entries), strict=True):
                if cohort:
                    by_cohort[cohort].append((entry.source, entry.offset, entry.feedback.kind))
        for cohort, events in by_cohort.items():
            await self._count_cohort(self._redis, [keys.cohort(cohort)], msgpack.packb(sorted(events)))
        return sum(len(events) for events in by_cohort.values())

    async def _cohorts_of(self, release_id: str, entries: Sequence[Heard]) -> list[str]:
        written = [
            keys.release(release_id), keys.release_told(release_id),
            keys.release_seen(release_id), keys.release_counts(release_id),
        ]  # fmt: skip
        events = [(h.feedback.user_id, h.feedback.kind, f"{h.source}:{h.offset}") for h in entries]
        found = await self._count_release(self._redis, written, msgpack.packb(events, use_bin_type=False))
        for key in (keys.release_seen(release_id), keys.release_counts(release_id)):
            await self._redis.expire(key, self._keep)
        return [cohort.decode() for cohort in found]

    async def opted_out(self, user_ids: Sequence[str]) -> set[str]:
        """Return those of the listeners who want to hear of no release."""
        if not user_ids or not await self._redis.exists(keys.OPTED_OUT):
            return set()
        flags = await self._redis.smismember(keys.OPTED_OUT, list(user_ids))
        return {user for user, flag in zip(user_ids, flags, strict=True) if flag}

    async def forget(self, user_id: str) -> int:
        """Erase that a listener was told of releases, and what they did then; an opt-out stays.

        Goes through all keys of the database: the audiences of releases are kept by release.

        Returns
        -------
        Of how many releases they had been told.
        """
        told = 0
        async for key in self._redis.scan_iter(match=keys.release_told("*"), count=1000):
            told += await self._redis.hdel(key, user_id)
        seen = [f"{user_id}}}{kind}" for kind in get_args(Feedback.model_fields["kind"].annotation)]
        async for key in self._redis.scan_iter(match=keys.release_seen("*"), count=1000):
            await self._redis.hdel(key, *seen)
        return told
