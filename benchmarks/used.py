"""What processes and Redis have used so far."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import redis

from benchmarks.house import House
from stream.broker import Child

__all__ = ["cpu", "largest", "nodes", "redis_bytes", "redis_cpu"]

TICKS = os.sysconf("SC_CLK_TCK")
MB = 1e6


def cpu(pid: int) -> float:
    """Return the processor time of a process, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def largest(process: Child) -> float:
    """Return the most memory that a process has had, in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / MB


def nodes(place: House) -> Iterator[redis.Redis]:
    """Return a client of each Redis."""
    with ExitStack() as stack:
        if isinstance(place.redis, redis.RedisCluster):
            for node in place.redis.get_primaries():
                yield stack.enter_context(redis.Redis(host=node.host, port=node.port))
        else:
            yield place.redis


def redis_bytes(place: House) -> float:
    """Return what Redis holds, in bytes."""
    return float(sum(node.info("memory")["used_memory"] for node in nodes(place)))


def redis_cpu(place: House) -> float:
    """Return the processor time of Redis, in seconds."""
    said = [node.info("cpu") for node in nodes(place)]
    return float(sum(each["used_cpu_user"] + each["used_cpu_sys"] for each in said))
