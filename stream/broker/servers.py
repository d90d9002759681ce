"""The Kafka and the Redis that Refrain's processes use: given ones, or our own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from stream.broker import kafka, redis
from stream.broker.child import Child
from stream.broker.folder import State, hold
from stream.broker.own import OwnServer
from stream.errors import Unreachable
from stream.settings import Settings

__all__ = ["Servers", "servers"]


@dataclass(frozen=True)
class Servers:
    """A Kafka and a Redis that answer."""

    kafka: str
    """Bootstrap servers, "host:port,host:port"."""
    redis: str
    """A Redis URL."""
    children: tuple[Child, ...] = ()
    """Those that are ours."""

    def check(self) -> None:
        """Raise where one of our own has ended.

        Raises
        ------
        Unreachable
            With the name of the server, and its last words.
        """
        for child in self.children:
            if not child.alive:
                raise Unreachable(
                    f"{child.name} has ended with code {child.wait()}. Its log, {child.log}, ends with:\n"
                    f"{child.last_words()}"
                )


@contextmanager
def servers(settings: Settings, *, say: Callable[[str], None] = lambda _: None) -> Iterator[Servers]:
    """Start what the settings give no address of, and wait until all answers; ours stop with the block.

    Both calls that wait (entering and leaving) block: an asyncio program makes them before and after its
    loop, or in a thread.

    Parameters
    ----------
    settings
        `kafka` and `redis` (given addresses), `broker`, `data`, `connect_timeout`.
    say
        Is told what people would want to know, one line at a time.

    Raises
    ------
    CannotStart
        Where something is missing on this machine, or somebody else holds the data folder.
    Unreachable
        Where a server does not answer within `connect_timeout` seconds.
    """
    running = Servers(settings.kafka, settings.redis)
    if settings.kafka and settings.redis:
        _wait(running, settings, say)
        yield running
        return
    with hold(settings.data, say=say) as folder, ExitStack() as stack:
        state = State(pid=os.getpid(), broker=folder.last.broker if folder.last else "")
        folder.write(state)  # the addresses of the run before are no longer true
        own: list[OwnServer] = []
        if not settings.kafka:
            state = replace(state, broker=kafka.choose(settings.broker, state.broker))
            own.append(kafka.start(state.broker, folder, say=say))
            stack.enter_context(own[-1].child)
            running = replace(running, kafka=own[-1].address)
        folder.write(state)
        if not settings.redis:
            own.append(redis.start(folder))
            stack.enter_context(own[-1].child)
            stack.callback(redis.write_snapshot, own[-1].address)
            running = replace(running, redis=own[-1].address)
        running = replace(running, children=tuple(server.child for server in own))
        _wait(running, settings, say)
        for server in own:
            say(server.about)
        folder.write(replace(state, kafka=running.kafka, redis=running.redis))
        yield running


def _wait(running: Servers, settings: Settings, say: Callable[[str], None]) -> None:
    # Clients of both are imported while our own servers start.
    from stream.broker.ready import wait_for_kafka, wait_for_redis  # noqa: PLC0415
    from stream.wire.connection import security  # noqa: PLC0415

    timeout = settings.connect_timeout
    wait_for_redis(running.redis, timeout=timeout, say=say, check=running.check)
    wait_for_kafka(
        running.kafka, timeout=timeout, say=say, check=running.check, **security(settings, blocking=True)
    )
