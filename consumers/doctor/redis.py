"""What the doctor looks at in Redis: one server, or every primary of a cluster."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import NoPermissionError

from consumers.doctor.check import Check
from consumers.terminal.format import size
from stream.connect import AnyRedis
from stream.errors import Unreachable
from stream.redis_url import shown
from stream.settings import Settings

__all__ = ["check_redis", "no_redis"]

RIGHTS = "as in scripts/redis-users.acl"
TIGHT, FULL = 0.75, 0.9  # of the memory there is
APART, FAR_APART = 1.0, 60.0  # seconds between two clocks


async def check_redis(redis: AnyRedis, settings: Settings) -> list[Check]:
    """Look at replicas, persistence, eviction, memory and the clock of every server."""
    checks: list[Check] = []
    for of, node in _nodes(redis):
        checks += await _by_info(redis, settings, of, node)
        checks.append(await _by_time(redis, of, node))
    return checks


def no_redis(settings: Settings, error: Unreachable) -> Check:
    """Say that Redis does not answer."""
    hint = "start it, or set REFRAIN_REDIS to where it is, with user and password where it wants them"
    return Check.wrong("Redis", f"none at {shown(settings.redis)} ({error.__cause__})", hint)


def _nodes(redis: AnyRedis) -> list[tuple[str, dict[str, Any]]]:
    """Return of each server what it is called in a sentence, and how a command is sent there."""
    if not isinstance(redis, RedisCluster):
        return [("", {})]
    return [(f" of {node.name}", {"target_nodes": node}) for node in redis.get_primaries()]


async def _by_info(redis: AnyRedis, settings: Settings, of: str, node: dict[str, Any]) -> list[Check]:
    where = shown(settings.redis)
    try:
        info = await redis.info(**node)
    except NoPermissionError:
        found = "its user may not ask INFO: replicas, persistence, eviction and memory are not looked at"
        return [Check.warning(f"Redis{of}", f"{where}{of}; {found}", f"give it the right `+info`, {RIGHTS}")]
    replicas = _replicas(info, of, settings.redis_replicas)
    return [
        _server(info, of, where),
        *([replicas] if replicas else []),
        _persistence(info, of),
        _eviction(info, of),
        _memory(info, of),
    ]


async def _by_time(redis: AnyRedis, of: str, node: dict[str, Any]) -> Check:
    before = time.time()
    try:
        seconds, micros = await redis.time(**node)
    except NoPermissionError:
        found = "Redis's user may not ask TIME: it is not looked at"
        return Check.warning(f"clock{of}", found, f"give it the right `+time`, {RIGHTS}")
    return _clock(seconds + micros / 1e6 - (before + time.time()) / 2, of)


def _replicas(info: Mapping[str, Any], of: str, asked: int) -> Check | None:
    name, there = f"replicas{of}", int(info.get("connected_slaves", 0))
    if there < asked:
        return Check.wrong(
            name,
            f"{there} connected, REFRAIN_REDIS_REPLICAS waits for {asked}: no offset is committed until then",
            "start them, or lower the setting",
        )
    if asked:
        return Check.fine(
            name, f"{there} connected, {asked} have what was written before offsets are committed"
        )
    if there:
        return Check.warning(
            name,
            f"{there} connected and not waited for: a failover loses what Redis acknowledged last",
            "set REFRAIN_REDIS_REPLICAS=1 for all processes: then it is read again from Kafka",
        )
    return None


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
    found = f"{size(used)} of {size(total)}"
    if not limit:
        found += " that the machine has; maxmemory is not set"
    hint = "give it more (maxmemory), or keep less: REFRAIN_MAX_ARTISTS, REFRAIN_DIMS"
    share = used / total if total else 0.0
    if share > FULL:
        return Check.wrong(name, found, f"{hint}. When it is full, clicks wait in Kafka")
    if share > TIGHT:
        return Check.warning(name, found, hint)
    return Check.fine(name, found)


def _clock(offset: float, of: str) -> Check:
    name, hint = f"clock{of}", "let both machines keep time by NTP"
    ahead = "ahead of" if offset > 0 else "behind"
    found = f"Redis's is {abs(offset):,.1f} s {ahead} this machine's"
    if abs(offset) > FAR_APART:
        return Check.wrong(name, found, f"{hint}: clicks more than five minutes ahead go to the dead letters")
    if abs(offset) > APART:
        return Check.warning(name, found, hint)
    return Check.fine(name, "the same as here")
