"""`refrain demo`: everything on one machine, and a world that uses it as a music service would."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from consumers.demo.feed import Feed
from consumers.demo.ground import clear_folder, clear_servers
from consumers.demo.ledger import Ledger
from consumers.demo.notifier import Notifier
from consumers.demo.screen import Screen, open_screen
from consumers.demo.view import Picture
from consumers.demo.watch import TOPICS, Vitals, Watch
from consumers.demo.world import World
from consumers.local.demo_settings import demo_settings
from consumers.local.up import all_processes, signals_interrupt
from consumers.runtime.process import together
from consumers.runtime.supervisor import Supervisor
from consumers.runtime.web_address import web_address
from stream.broker import Servers
from stream.connect import open_redis
from stream.errors import RefrainError
from stream.retry import Retry
from stream.settings import Settings
from stream.wire.connection import connection
from stream.wire.consumer import Consumer
from stream.wire.groups import GROUPS
from stream.wire.sender import Sender

__all__ = ["demo"]

SEED = 24
LOOK_EVERY = 0.5  # seconds
HINT = "Ctrl-C ends it"
FIRST_KEY = "The demo begins without keys each time: let it listen on 127.0.0.1. `refrain up` keeps its keys."
SAID_SECONDS = 15.0  # that a word of the processes stands in the view
HISTORY_DAYS = 180.0  # so far behind ours the world's clock begins: for five hours it can run faster


def demo(
    settings: Settings,
    for_seconds: float | None = None,
    *,
    as_json: bool = False,
    screen: Screen | None = None,
) -> None:
    """Run the demo, until asked to stop.

    It begins again each time, in a folder of its own within the data folder; servers that are given are used
    where they hold no data, or a demo's.

    Parameters
    ----------
    settings
        `kafka` and `redis` may be empty.
    for_seconds
        How long to run once the servers answer; None: until Ctrl-C or SIGTERM.
    as_json
        Whether to write JSON lines.
    screen
        Where to show it; None: on standard output.

    Raises
    ------
    CannotStart
        Where something is missing on this machine, or a process dies again and again.
    Unreachable
        Where a server does not answer, or one of ours has ended.
    RefrainError
        Where given servers hold somebody's data, or no audience came.
    """
    stage = _Stage(demo_settings(settings), screen or open_screen(as_json=as_json), for_seconds)
    try:
        with signals_interrupt():
            stage.run(given=settings)
    except KeyboardInterrupt:
        stage.interrupted = True
    finally:
        stage.end()
    stage.judge()


@dataclass
class _Stage:
    """One run of the demo."""

    settings: Settings
    screen: Screen
    for_seconds: float | None
    began_at: float = field(default_factory=time.monotonic)
    interrupted: bool = False
    _last: Picture | None = None
    _said: tuple[str, float] = ("", 0.0)
    _hint: str = HINT

    def __post_init__(self) -> None:
        self._world = World(SEED, time.time() - HISTORY_DAYS * 86_400.0)
        self._ledger = Ledger(self.began_at)

    def say(self, line: str) -> None:
        self._said = line, time.monotonic()
        self.screen.say(line)

    def run(self, given: Settings) -> None:
        """Start everything, play, and stop everything."""
        clear_folder(self.settings, self.say)
        with all_processes(
            self.settings,
            self.say,
            prepare=lambda addressed: clear_servers(given, addressed),
            first_key=FIRST_KEY,
        ) as (running, supervisor, addressed):
            # Nothing that a client library has to say may run into the view.
            logging.basicConfig(filename=self.settings.data / "logs" / "demo.log", level=logging.WARNING)
            self._hint = f"page on {web_address(addressed)}; {HINT}"
            self.say(f"page on {web_address(addressed)}")
            asyncio.run(self._play(addressed, running, supervisor))

    async def _play(self, settings: Settings, running: Servers, supervisor: Supervisor) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with AsyncExitStack() as stack:
            redis = await open_redis(settings)
            stack.push_async_callback(redis.aclose)
            sender = Sender(settings, linger_ms=2)
            pages = Consumer(settings, "audiences", auto_offset_reset="latest")
            ends = Consumer(settings)
            admin = AIOKafkaAdminClient(**connection(settings))
            for client in (sender, pages, ends):
                await client.start()
                stack.push_async_callback(client.stop)
            await admin.start()
            stack.push_async_callback(admin.close)
            places = [
                TopicPartition(topic, number)
                for topic in TOPICS
                for number in sorted(await sender.partitions_for(topic))
            ]
            feed = Feed(sender, self._world, self._ledger, run=f"{int(time.time()):x}")
            watch = Watch(redis, ends, admin, GROUPS["ingest"].full_name(settings), places, self._world)
            await feed.send_catalogue()
            await together(
                self._until(stop),
                self._tend(running, supervisor),
                self._look(watch, feed, Retry(stop)),
                Notifier(pages, sender, self._world, feed, self._ledger).run(time.monotonic),
                feed.click_on(),
                feed.release_on(time.monotonic),
            )

    async def _until(self, stop: asyncio.Event) -> None:
        with suppress(TimeoutError):
            self.interrupted = await asyncio.wait_for(stop.wait(), self.for_seconds)

    async def _tend(self, running: Servers, supervisor: Supervisor) -> None:
        while True:
            running.check()
            supervisor.tend(time.monotonic())
            await asyncio.sleep(LOOK_EVERY)

    async def _look(self, watch: Watch, feed: Feed, retry: Retry) -> None:
        since = time.monotonic()
        while True:
            now = time.monotonic()
            vitals = await retry("looking at Refrain", watch.look, feed.clicks, now)
            feed.catalogued = feed.catalogued or vitals.catalogued
            if vitals.working and vitals.members > vitals.waiting:
                feed.audience_ready.set()
            said, at = self._said
            last_line = said if since < at and now - at < SAID_SECONDS else self._hint
            self._last = Picture(
                now - since, self.for_seconds, self._about(), vitals, self._ledger, last_line
            )
            self.screen.show(self._last)
            await asyncio.sleep(LOOK_EVERY)

    def _about(self) -> str:
        people, music = self._world.people, self._world.music
        artists = len({artist for song in music.songs for artist in song.artist_ids})
        return f"{len(people.listeners):,} listeners, {artists} artists in {len(music.scenes)} scenes"

    def end(self) -> None:
        """Show the last moment, and say what remains to be said."""
        last = replace(self._last, said="") if self._last else None
        words = []
        if last and (came_after := self._ledger.first_audience_after):
            words = [
                f"The first audience came {came_after:.1f} s after the start. "
                f"{last.vitals.dead_letters:,} clicks were broken on purpose, and are dead letters now.",
                f"What it wrote to {self.settings.data} stays until the next demo begins again.",
            ]
        self.screen.end(last, words)

    def judge(self) -> None:
        """Say whether the demo has shown what it is there to show.

        Raises
        ------
        RefrainError
            Where no audience came, and nobody cut it short.
        """
        if self._ledger.first_audience_after is None and not self.interrupted:
            missing = self._missing(self._last.vitals if self._last else Vitals())
            raise RefrainError(f"no audience came: {missing}. The logs are in {self.settings.data / 'logs'}.")

    def _missing(self, vitals: Vitals) -> str:
        if vitals.model is None:
            return (
                f"{vitals.waiting:,} listeners were heard, and no model was published yet (that takes "
                f"{self.settings.first_model_listeners:,} of them, and some ten seconds: --for)"
            )
        if not self._ledger.entries:
            return f"the first model had just come, with {vitals.members:,} listeners; run it longer (--for)"
        reasons = sorted({entry.reason for entry in self._ledger.entries.values() if entry.reason})
        if reasons:
            return f"Refrain found nobody to tell ({'; '.join(reasons)})"
        return f"{len(self._ledger.entries)} releases were published and none was answered"
