"""What listeners take of Redis's memory, and when it will be full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from redis.exceptions import NoPermissionError

from consumers.runtime.wiring import Stores
from models.affinity import DAY
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.memory import Measured, Memory, Server

__all__ = ["NUMBERS", "MemoryForecast", "read_memory"]

NUMBERS = (10_000, 100_000, 1_000_000)
"""Listeners of whom it is said what they would take."""

SAMPLE = 200  # listeners
SHORTEST = DAY / 2
"""Seconds between two measurements of which anything is said."""

NEW_DAYS = 7.0
"""Listeners seen first within so many days are counted where nothing is measured yet."""


@dataclass(frozen=True)
class MemoryForecast:
    """What Redis's memory holds, in bytes, over all servers; None for what is not known.

    Attributes
    ----------
    listeners
        How many there are.
    listener
        What one takes on average: keys of their own, and their share of member sets.
    used, limit
        What is used, and what there is: `maxmemory`, or the machines' memory.
    total
        Number of listeners -> what all would take, with what is there besides them.
    growth
        By how much it grows in a day: as measured day by day, or as many listeners as were seen first lately.
    measured_days
        Days over which it was measured; 0 where it was not.
    days_left
        Days until the first server is full; None, too, where memory does not grow.
    """

    listeners: int
    listener: float | None
    used: int | None
    limit: int | None
    total: dict[int, float]
    growth: float | None
    measured_days: float
    days_left: float | None


async def read_memory(redis: AnyRedis, settings: Settings, now: float) -> MemoryForecast:
    """Estimate what listeners take, by some of them, and when memory will be full (now: Unix seconds)."""
    stores = Stores.on(redis, settings)
    memory = Memory(redis, stores.cohorts)
    servers = await _servers(memory)
    listeners = await stores.cohorts.listeners()
    sample = await stores.cohorts.drawn(SAMPLE)
    listener = await _of_listener(memory, sample, listeners)
    used = sum(each.used for each in servers) if servers else None
    measured = await memory.measured()
    if used is not None:
        measured = [*measured, Measured(now, used)]
    days = (measured[-1].at - measured[0].at) / DAY if measured else 0.0
    growth: float | None
    if days * DAY >= SHORTEST:
        growth = growth_of(measured)
    else:
        growth, days = await _growth_by_new(stores, sample, listeners, listener, now), 0.0
    return MemoryForecast(
        listeners,
        listener,
        used,
        sum(each.limit for each in servers) if servers and all(each.limit for each in servers) else None,
        {} if listener is None else _totals(listener, listeners, used),
        growth,
        days,
        days_left(servers, growth),
    )


def growth_of(measured: Sequence[Measured]) -> float:
    """Return by how many bytes memory grows in a day: the median of slopes between two measurements.

    So a large import on one day does not go on for ever (Theil-Sen).

    Examples
    --------
    >>> growth_of([Measured(0.0, 100), Measured(DAY, 900), Measured(2 * DAY, 910), Measured(3 * DAY, 920)])
    141.6...
    """
    return median(
        (after.used - before.used) / (after.at - before.at) * DAY
        for before, after in combinations(measured, 2)
        if after.at - before.at >= SHORTEST
    )


def days_left(servers: Sequence[Server], growth: float | None) -> float | None:
    """Return the days until the first server is full; None where that is not known, or nothing grows.

    Examples
    --------
    >>> days_left([Server(60, 100), Server(20, 100)], growth=8.0)
    10.0
    """
    if growth is None or growth <= 0 or not servers or not all(each.limit for each in servers):
        return None
    return min(max(each.limit - each.used, 0) for each in servers) / (growth / len(servers))


async def _servers(memory: Memory) -> list[Server]:
    try:
        return await memory.servers()
    except NoPermissionError:
        return []


async def _of_listener(memory: Memory, sample: Sequence[str], listeners: int) -> float | None:
    if not sample:
        return None
    try:
        return await memory.of_listener(sample, listeners)
    except NoPermissionError:
        return None


async def _growth_by_new(
    stores: Stores, sample: Sequence[str], listeners: int, listener: float | None, now: float
) -> float | None:
    if listener is None:
        return None
    first_seen = (await stores.listeners.activities(sample)).first_seen
    new = float((first_seen >= now - NEW_DAYS * DAY).sum()) / len(sample)
    return new * listeners * listener / NEW_DAYS


def _totals(listener: float, listeners: int, used: int | None) -> dict[int, float]:
    besides = max(used - listener * listeners, 0.0) if used is not None else 0.0
    return {number: besides + number * listener for number in NUMBERS}
