"""What the doctor looks at in Redis: one server, or every primary of a cluster."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from redis.asyncio.cluster import RedisCluster

from consumers.doctor.check import Check
from stream.connect import AnyRedis
from stream.redis_url import shown
from stream.settings import Settings

__all__ = ["check_redis"]

TIGHT, FULL = 0.75, 0.9  # of the memory there is
APART, FAR_APART = 1.0, 60.0  # seconds between two clocks


async def check_redis(redis: AnyRedis, settings: Settings) -> list[Check]:
    """Look at persistence, eviction, memory and the clock of every server."""
    checks: list[Check] = []
    async for node, info, offset in _nodes(redis):
        of = f" of {node}" if node else ""
        checks += [
            _server(info, of, shown(settings.redis)),
            _persistence(info, of),
            _eviction(info, of),
            _memory(info, of),
            _clock(offset, of),
        ]
    return checks


async def _nodes(redis: AnyRedis) -> AsyncIterator[tuple[str, Mapping[str, Any], float]]:
    """Go through the servers: name ("" for a single one), INFO, and how far its clock is ahead of ours."""
    if not isinstance(redis, RedisCluster):
        info, before = await redis.info(), time.time()
        seconds, micros = await redis.time()
        yield "", info, seconds + micros / 1e6 - (before + time.time()) / 2
        return
    for node in redis.get_primaries():
        info = await redis.info(target_nodes=node)
        before = time.time()
        seconds, micros = await redis.time(target_nodes=node)
        yield node.name, info, seconds + micros / 1e6 - (before + time.time()) / 2


def _server(info: Mapping[str, Any], of: str, where: str) -> Check:
    name, found = f"Redis{of}", f"{where}{of}, version {info['redis_version']}"
    if info.get("role", "master") != "master":
        return Check.wrong(
            name, f"{found}, is a replica: it takes no writes", "set REFRAIN_REDIS to the primary"
        )
    return Check.fine(name, found)


def _persistence(info: Mapping[str, Any], of: str) -> Check:
    name = f"persistence{of}"
    if info.get("loading"):
        return Check.wrong(name, "it still loads its data", "wait until it has; processes do the same")
    if info.get("rdb_last_bgsave_status", "ok") != "ok" or info.get("aof_last_write_status", "ok") != "ok":
        return Check.wrong(
            name,
            "the last write to disk failed",
            "give it disk space or write access; until then it may refuse clicks, which wait in Kafka",
        )
    if not info.get("aof_enabled"):
        return Check.wrong(
            name,
            "no append-only file: clicks that Kafka takes for done would be lost with a crash",
            "`redis-cli config set appendonly yes`, and in its configuration",
        )
    return Check.fine(name, "append-only file on, last write succeeded")


def _eviction(info: Mapping[str, Any], of: str) -> Check:
    policy, limit = info.get("maxmemory_policy", "noeviction"), int(info.get("maxmemory", 0))
    if policy != "noeviction" and limit:
        return Check.wrong(
            f"eviction{of}",
            f"{policy}: when memory is full, listeners vanish without a word",
            "`redis-cli config set maxmemory-policy noeviction`, and in its configuration",
        )
    return Check.fine(f"eviction{of}", policy if limit else f"{policy}, and no limit that would start it")


def _memory(info: Mapping[str, Any], of: str) -> Check:
    name, used = f"memory{of}", int(info["used_memory"])
    limit, machine = int(info.get("maxmemory", 0)), int(info.get("total_system_memory", 0))
    total = limit or machine
    found = f"{_size(used)} of {_size(total)}"
    if not limit:
        found += " that the machine has; maxmemory is not set"
    hint = "give it more (maxmemory), or keep less: REFRAIN_MAX_ARTISTS, REFRAIN_DIMS"
    share = used / total if total else 0.0
    if share > FULL:
        return Check.wrong(name, found, f"{hint}. When it is full, clicks wait in Kafka")
    if share > TIGHT:
        return Check.odd(name, found, hint)
    return Check.fine(name, found)


def _size(number: float) -> str:
    return f"{number / 2**30:,.1f} GB" if number >= 2**30 else f"{number / 2**20:,.0f} MB"


def _clock(offset: float, of: str) -> Check:
    name, hint = f"clock{of}", "let both machines keep time by NTP"
    ahead = "ahead of" if offset > 0 else "behind"
    found = f"Redis's is {abs(offset):,.1f} s {ahead} this machine's"
    if abs(offset) > FAR_APART:
        return Check.wrong(name, found, f"{hint}: clicks more than five minutes ahead go to the dead letters")
    if abs(offset) > APART:
        return Check.odd(name, found, hint)
    return Check.fine(name, "the same as here")
