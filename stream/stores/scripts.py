"""Lua scripts of the folder lua/, run on a Redis or a Redis Cluster."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from redis import exceptions
from redis.asyncio.cluster import RedisCluster

from stream.connect import AnyRedis

__all__ = ["Call", "Script", "call_all"]


class Script:
    """One Lua script: sent by its digest, and in full where the server has not seen it yet."""

    def __init__(self, name: str) -> None:
        self._text, self.digest = _read(name)

    async def __call__(
        self, redis: AnyRedis, keys: Sequence[str | bytes], *arguments: bytes | str | float
    ) -> Any:
        """Run it on the node that holds `keys`, which must be in one slot of a cluster."""
        try:
            return await redis.evalsha(self.digest, len(keys), *keys, *arguments)
        except exceptions.NoScriptError:
            return await redis.eval(self._text, len(keys), *keys, *arguments)

    async def each(
        self, redis: AnyRedis, calls: Sequence[tuple[Sequence[str], *tuple[bytes | int | str, ...]]]
    ) -> list[Any]:
        """Run it once for each keys and arguments, all at once: in one round trip, to each node of a cluster.

        Redis answers others in between: it reads some 16 KB of what a client has sent, and turns to the next.
        Where a connection is lost, or a server does not know the script, it may be run again where it was run
        already: it must bear that.
        """
        every = [Call(self, keys, arguments) for keys, *arguments in calls]
        try:
            return await _pipelined(redis, every)
        except exceptions.NoScriptError:
            await self.load(redis)
            return await _pipelined(redis, every)

    async def load(self, redis: AnyRedis) -> None:
        """Let the server know it."""
        await redis.script_load(self._text)


@cache
def _read(name: str) -> tuple[str, str]:
    """Return a script's text and digest, read once: some queries create all stores again."""
    text = files("stream.stores").joinpath(f"lua/{name}.lua").read_text(encoding="utf-8")
    return text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class Call(NamedTuple):
    """A script, or a command by its name, and what it is given."""

    what: Script | str
    keys: Sequence[str]
    arguments: Sequence[bytes | str | float]

    @property
    def command(self) -> tuple[bytes | str | float, ...]:
        """The command as it goes to Redis."""
        if isinstance(self.what, Script):
            return "EVALSHA", self.what.digest, len(self.keys), *self.keys, *self.arguments
        return self.what, *self.keys, *self.arguments


async def call_all(redis: AnyRedis, calls: Sequence[Call]) -> list[Any]:
    """Call one after the other: in one round trip, but for a cluster, whose nodes do not wait for each other.

    Where the server does not know a script, all are called again: they must bear that.
    """
    if isinstance(redis, RedisCluster):
        return [await _call(redis, call) for call in calls]
    try:
        return await _pipelined(redis, calls)
    except exceptions.NoScriptError:
        for script in {call.what for call in calls if isinstance(call.what, Script)}:
            await script.load(redis)
        return await _pipelined(redis, calls)


async def _call(redis: RedisCluster, call: Call) -> Any:
    if isinstance(call.what, Script):
        return await call.what(redis, call.keys, *call.arguments)
    return await redis.execute_command(*call.command)


async def _pipelined(redis: AnyRedis, calls: Sequence[Call]) -> list[Any]:
    pipeline = redis.pipeline(transaction=False)
    for call in calls:
        pipeline.execute_command(*call.command)
    answers: list[Any] = await pipeline.execute()
    return answers
