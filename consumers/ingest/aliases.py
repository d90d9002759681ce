"""Reads the topic `artist-aliases`: what ids of artists stand for, into Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from consumers.runtime.topic_reader import TopicReader
from stream.retry import Retry
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.durability import Durability
from stream.stores.heartbeats import Heartbeat
from stream.wire.composed import nfc
from stream.wire.consumer import Consumer
from stream.wire.dead_letter import DeadLetter, Reason
from stream.wire.events import ArtistAlias
from stream.wire.parsing import parse
from stream.wire.record import Record
from stream.wire.sender import Sender

__all__ = ["AliasReader"]


class AliasReader(TopicReader):
    """Takes aliases until the process is to end; what is delivered twice changes nothing."""

    topic, name, together = "artist-aliases", "aliases", 1_000

    def __init__(
        self,
        consumer: Consumer,
        aliases: ArtistAliases,
        durability: Durability,
        producer: Sender,
        heartbeat: Heartbeat,
        retry: Retry,
        stop: asyncio.Event,
    ) -> None:
        super().__init__(consumer, producer, heartbeat, retry, stop)
        self._aliases = aliases
        self._durability = durability

    async def _apply(self, records: Sequence[Record]) -> list[DeadLetter]:
        await self._retry("reading aliases of artists", self._aliases.refresh)
        said: dict[str, str] = {}
        dead: list[DeadLetter] = []
        for record in records:
            found = self._read(record, said)
            if isinstance(found, DeadLetter):
                dead.append(found)
            else:
                said |= found

        async def put() -> None:
            await self._aliases.put(said)

        await self._retry("writing aliases of artists", self._durability.kept, put)
        await self._retry("reading aliases of artists", self._aliases.refresh)
        return dead

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
