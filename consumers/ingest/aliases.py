"""Reads the topic `artist-aliases`: what ids of artists stand for, into Redis."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Sequence

from aiokafka.errors import CommitFailedError, IllegalStateError

from stream.retry import Retry, Stopped
from stream.settings import Settings
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.heartbeats import Heartbeat
from stream.stores.replication import Replication
from stream.wire.composed import nfc
from stream.wire.consumer import Consumer
from stream.wire.events import ArtistAlias, DeadLetter, Reason, Record, parse
from stream.wire.sender import Sender, dead_letter
from stream.wire.topic_watch import TopicWatch

__all__ = ["AliasReader", "aliases_consumer"]

logger = logging.getLogger(__name__)

WAIT_MS = 500  # for an event to come, before it is asked whether the process is to end
TOGETHER = 1_000


def aliases_consumer(settings: Settings, watch: TopicWatch) -> Consumer:
    """Return the consumer of the topic; several share its partitions."""
    return Consumer(
        settings,
        "artist-aliases",
        watch=watch,
        group_id=f"{settings.group}-aliases",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )


class AliasReader:
    """Takes aliases until the process is to end; what is delivered twice changes nothing."""

    def __init__(
        self,
        consumer: Consumer,
        aliases: ArtistAliases,
        replication: Replication,
        producer: Sender,
        heartbeat: Heartbeat,
        retry: Retry,
        stop: asyncio.Event,
    ) -> None:
        self._consumer = consumer
        self._aliases = aliases
        self._replication = replication
        self._producer = producer
        self._heartbeat = heartbeat
        self._retry = retry
        self._stop = stop

    async def run(self) -> None:
        """Read for as long as the process runs."""
        with contextlib.suppress(Stopped):
            while not self._stop.is_set():
                fetched = await self._consumer.getmany(timeout_ms=WAIT_MS, max_records=TOGETHER)
                if fetched:
                    await self._take(
                        [Record(m.topic, m.partition, m.offset, m.key, m.value, m.headers)
                         for m in itertools.chain.from_iterable(fetched.values())]
                    )  # fmt: skip

    async def _take(self, records: Sequence[Record]) -> None:
        await self._retry("reading aliases of artists", self._aliases.refresh)
        said: dict[str, str] = {}
        dead = []
        for record in records:
            found = self._read(record, said)
            if isinstance(found, DeadLetter):
                dead.append(found)
            else:
                said |= found

        async def put() -> None:
            await self._aliases.put(said)

        await self._retry("writing aliases of artists", self._replication.kept, put)
        await self._retry("reading aliases of artists", self._aliases.refresh)
        await self._retry("emitting dead letters", self._producer.deliver, list(map(dead_letter, dead)))
        await self._retry("committing offsets", self._commit)
        self._heartbeat.add("aliases", len(records) - len(dead))
        for letter in dead:
            self._heartbeat.add(f"dead:{letter.reason.value}")

    def _read(self, record: Record, said: dict[str, str]) -> dict[str, str] | DeadLetter:
        """Return what an event says: alias -> the artist, "" for none; nothing, of a key that is no alias."""
        if record.value is None:
            alias = (record.key or b"").decode(errors="replace")
            return {nfc(alias): ""} if "{" not in alias else {}
        event = parse(ArtistAlias, record)
        if isinstance(event, DeadLetter):
            return event
        artist = "" if event.undo else event.artist_id or ""
        if artist and self._aliases.leads_to(artist, event.alias, said):
            return DeadLetter(
                record, Reason.BAD_VALUE, f"artist_id: {artist!r} stands for {event.alias!r} already"
            )
        return {event.alias: artist}

    async def _commit(self) -> None:
        try:
            await self._consumer.commit()
        except (CommitFailedError, IllegalStateError):
            logger.info("offsets are not ours to commit any more: the partitions have another owner")
