"""Topics as they were when a process began: one that is recreated or gets partitions is noticed.

Offsets of a topic that was deleted and recreated begin at 0 again, under the same name. Whoever goes on as
before takes events of the new topic for events of the old one. So a process that notices begins again: it
asks for the topics' ids and epochs (`stream.stores.guards.topic_epoch`), and reads new partitions, too.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from threading import Lock
from typing import NamedTuple

from aiokafka.consumer.subscription_state import TopicPartitionState
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from stream.errors import Unreachable
from stream.retry import Warnings
from stream.settings import Settings
from stream.wire.topics import open_admin

__all__ = ["TopicChanged", "TopicShape", "TopicWatch", "topic_shapes"]

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
PATIENCE = 3.0  # seconds for an answer: a process that is to end waits for it
MISSING_SECONDS = 30.0  # that others which are missing are waited for, once a topic has changed
CHECK_SECONDS = 0.2  # between two looks at what other threads have noticed


class TopicChanged(Exception):
    """A topic is not the one that the process began with: it has to begin again."""


class TopicShape(NamedTuple):
    """The id that Kafka gave a topic when it was made, and how many partitions it has."""

    topic_id: str
    partitions: int


def topic_shapes(admin: KafkaAdminClient, topics: Collection[str]) -> dict[str, TopicShape]:
    """Return the shapes of those topics that are there."""
    return {
        topic["name"]: TopicShape(str(topic["topic_id"]), len(topic["partitions"]))
        for topic in admin.describe_topics(list(topics))
        if topic["partitions"]
    }


class TopicWatch:
    """Watches the topics that a process reads or writes, by a connection that stays until `close`.

    Methods may be called from any thread; `run` belongs to the process's event loop.

    Parameters
    ----------
    shapes
        The topics as they are now, when the process begins.
    """

    def __init__(self, settings: Settings, shapes: Mapping[str, TopicShape]) -> None:
        self._settings = settings
        self.shapes = shapes
        self.changed = ""
        """What has changed; empty while nothing has."""
        self._missing: set[str] = set()
        self._held_back: list[TopicPartitionState] = []
        self._connected = ExitStack()
        self._admin: KafkaAdminClient | None = None
        self._asking = Lock()

    def look(self) -> None:
        """Compare the topics with what they were; see `changed`.

        Raises
        ------
        KafkaError, Unreachable, OSError
            Where no broker answers, or nobody gives a token for it.
        """
        now = self._ask()
        self._tell_missing(self.shapes.keys() - now.keys())
        changes = [_change(name, self.shapes[name], shape) for name, shape in now.items()]
        self.changed = "; ".join(filter(None, changes)) or self.changed

    def _ask(self) -> dict[str, TopicShape]:
        with self._asking:
            if self._admin is None:
                self._admin = self._connected.enter_context(open_admin(self._settings, PATIENCE))
            try:
                return topic_shapes(self._admin, self.shapes)
            except Exception:
                self._disconnect()
                raise

    def _disconnect(self) -> None:
        self._admin = None
        self._connected.close()

    def close(self) -> None:
        """Close the connection; waits for an answer that is under way."""
        with self._asking:
            self._disconnect()

    def _tell_missing(self, missing: set[str]) -> None:
        for name in sorted(missing - self._missing):
            logger.warning("the topic %s is gone: it is read again once it is there", name)
        self._missing = missing

    def hold_back(self, state: TopicPartitionState) -> None:
        """Let nothing of a partition be read that is shorter than what was read, until that is explained."""
        state.pause()
        self._held_back.append(state)

    async def run(self) -> None:
        """Watch for as long as the process runs.

        Raises
        ------
        TopicChanged
            When a topic was recreated or has got partitions.
        """
        next_look, give_up = time.monotonic() + LOOK_SECONDS, math.inf
        warnings = Warnings("looking at its topics")
        # Who recreates several topics is let finish: a process that begins creates those that are missing.
        while not self.changed or (self._missing and time.monotonic() < give_up):
            await asyncio.sleep(CHECK_SECONDS)
            if self.changed and give_up == math.inf:
                give_up = time.monotonic() + MISSING_SECONDS
            if self._held_back or time.monotonic() >= next_look:
                held_back = list(self._held_back)
                try:
                    await asyncio.to_thread(self.look)
                except (KafkaError, Unreachable, OSError) as error:  # OSError: no token to be had now
                    # The one step of an idle process that fails where Kafka is away: its consumers only wait.
                    warnings.warn(error)
                else:
                    if not self.changed:
                        self._go_on(held_back)
                next_look = time.monotonic() + LOOK_SECONDS
        raise TopicChanged(self.changed)

    def _go_on(self, held_back: Collection[TopicPartitionState]) -> None:
        for state in held_back:
            self._held_back.remove(state)
            if state.resume_fut:
                state.resume_fut.get_loop().call_soon_threadsafe(state.resume)


def _change(name: str, before: TopicShape, now: TopicShape) -> str:
    if now.topic_id != before.topic_id:
        return f"the topic {name} was recreated"
    if now.partitions != before.partitions:
        return f"the topic {name} has {now.partitions} partitions, {before.partitions} before"
    return ""
