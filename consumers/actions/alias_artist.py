"""Lets an id of an artist stand for another one, or for itself again: says so to Kafka, and waits."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from pydantic import ValidationError

from stream.connect import AnyRedis
from stream.errors import NotAliased, WrongUse
from stream.settings import Settings
from stream.stores.artist_aliases import ArtistAliases
from stream.wire.events import ArtistAlias, encode
from stream.wire.parsing import why
from stream.wire.sender import Message, open_sender
from stream.wire.topics import create_topics

__all__ = ["Alias", "alias_artist", "undo_alias"]

LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Alias:
    """What an id of an artist stands for by now: itself, where that was undone."""

    alias: str
    artist_id: str


async def alias_artist(redis: AnyRedis, settings: Settings, alias: str, artist_id: str, wait: float) -> Alias:
    """Let an id stand for an artist.

    Parameters
    ----------
    wait
        Seconds for an ingester to do it.

    Raises
    ------
    WrongUse
        Where it cannot be: the artist stands for the alias.
    NotAliased
        Where no ingester has done it in time.
    Unreachable
        Where Kafka does not answer.
    """
    aliases = ArtistAliases(redis)
    await aliases.refresh()
    if aliases.leads_to(artist_id, alias, {}):
        reason = "the same id" if alias == artist_id else f"{artist_id!r} stands for {alias!r} already"
        raise WrongUse(f"{alias!r} cannot stand for {artist_id!r}: {reason}")
    try:
        event = ArtistAlias(alias=alias, artist_id=artist_id)
    except ValidationError as error:
        raise WrongUse(f"{alias!r} cannot stand for {artist_id!r}: {why(error)[1]}") from error
    return await _say(settings, aliases, event, wait)


async def undo_alias(redis: AnyRedis, settings: Settings, alias: str, wait: float) -> Alias:
    """Let an id stand for itself again.

    Raises
    ------
    WrongUse
        Where it stands for no other.
    NotAliased
        Where no ingester has done it in time.
    Unreachable
        Where Kafka does not answer.
    """
    aliases = ArtistAliases(redis)
    if not await aliases.said(alias):
        raise WrongUse(f"{alias!r} stands for no other artist")
    return await _say(settings, aliases, ArtistAlias(alias=alias, undo=True), wait)


async def _say(settings: Settings, aliases: ArtistAliases, event: ArtistAlias, seconds: float) -> Alias:
    await asyncio.to_thread(create_topics, settings)
    async with open_sender(settings) as sender:
        await sender.deliver([Message("artist-aliases", event.alias.encode(), encode(event))])
    give_up = time.monotonic() + seconds
    while await aliases.said(event.alias) != (event.artist_id or ""):
        if time.monotonic() > give_up:
            raise NotAliased(
                f"no ingester has done it within {seconds:g} s; it is in the topic artist-aliases, and will "
                "be done, or become a dead letter where it cannot be by then",
                hint="`refrain doctor` says whether an ingester runs.",
            )
        await asyncio.sleep(LOOK_SECONDS)
    await aliases.refresh()
    return Alias(event.alias, aliases.of(event.alias))
