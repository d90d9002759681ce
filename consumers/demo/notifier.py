"""The demo's notifier: tells audiences, and reports what they did. Their taste decides, not Refrain."""

from __future__ import annotations

import time
from collections.abc import Callable

from consumers.demo.feed import Feed
from consumers.demo.ledger import Entry, Ledger, Tally, policies_of
from consumers.demo.world import Play, World
from stream.wire.consumer import Consumer
from stream.wire.events import Feedback, Page, Summary, encode
from stream.wire.parsing import parse_audience
from stream.wire.record import Record
from stream.wire.sender import Message, Sender

__all__ = ["Notifier"]


class Notifier:
    """Consumes audience pages and produces feedback.

    Beside each audience it asks as many listeners drawn at random from all, without telling Refrain.

    Parameters
    ----------
    consumer, sender
        Started; the consumer reads `audiences` from now on.
    world
        Who knows what listeners do.
    feed
        Sends the plays of those who click.
    ledger
        Where it is counted.
    """

    def __init__(
        self,
        consumer: Consumer,
        sender: Sender,
        world: World,
        feed: Feed,
        ledger: Ledger,
    ) -> None:
        self._consumer = consumer
        self._sender = sender
        self._world = world
        self._feed = feed
        self._ledger = ledger

    async def run(self, clock: Callable[[], float]) -> None:
        """Tell listeners for ever."""
        async for message in self._consumer:
            received = clock()
            part = parse_audience(Record.of(message))
            if isinstance(part, Page):
                await self._tell(part, received)
            elif isinstance(part, Summary) and part.release_id in self._ledger.entries:
                entry = self._ledger.entries[part.release_id]
                entry.reason, entry.left_out = part.reason, part.left_out or {}

    async def _tell(self, page: Page, received: float) -> None:
        entry = self._ledger.entries.get(page.release_id)
        if entry is None:
            return  # of a release that this demo did not publish
        if entry.first_page_at is None:
            entry.first_page_at = received
        people, in_scenes = self._world.people, self._world.music.scenes_of(entry.release.artist_ids[0])
        told = people.react(page.user_ids, in_scenes)
        by_chance = people.react(people.anybody(len(told)), in_scenes)
        entry.wave = page.wave or entry.wave
        for policy, reaction in zip(policies_of(page), told, strict=True):
            entry.add(policy, Tally(1, int(reaction.clicked)))
        entry.at_random += Tally(len(by_chance), sum(reaction.clicked for reaction in by_chance))
        kinds = ("opened", "clicked", "opted_out")
        happened = [
            (reaction.user_id, kind)
            for reaction in told
            for kind in ("sent", *(kind for kind in kinds if getattr(reaction, kind)))
        ]
        await self._report(entry, happened)

    async def _report(self, entry: Entry, happened: list[tuple[str, str]]) -> None:
        now = time.time()
        events = [
            Feedback.model_validate(
                {"release_id": entry.release.release_id, "user_id": user, "kind": kind, "ts": now}
            )
            for user, kind in happened
        ]
        messages = [Message("feedback", event.user_id.encode(), encode(event)) for event in events]
        # Who clicks hears the song.
        plays = [Play(e.user_id, entry.song, self._world.now, "play") for e in events if e.kind == "clicked"]
        await self._sender.deliver([*messages, *self._feed.clicks_of(plays, new=True)])
