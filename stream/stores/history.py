"""How far topics were when history was loaded from files: which clicks may be in both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypeAlias

from models.listener import HISTORY, Click, OffsetSource
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.heartbeats import heartbeats

__all__ = [
    "AFTER_LOADS",
    "LOAD",
    "MICROSECONDS",
    "UNTIL_REPEATED",
    "Ends",
    "History",
    "LoadState",
    "load_source",
    "load_state",
    "once_with_files",
]

LOAD = "history"
"""Kind of process (`stream.stores.heartbeats`) that loads history."""

AFTER_LOADS = "ingest", "train"
"""Kinds of process that hold in memory who there is: they wait for the end of a load, and none begins while
they run."""

UNTIL_REPEATED = "until the same files are loaded once more, or it is given up (`refrain history abandon`)"
"""How long they wait where it did not end, in words."""

MICROSECONDS = 1e6
"""Of a second: the offset of a listener in `HISTORY` counts them."""

Ends: TypeAlias = Mapping[str, Mapping[str, int]]
"""Partition of `clicks` -> source of a load -> the offset that the next click had when it began."""


def load_source(load: int) -> OffsetSource:
    """Return what stands in place of a partition for the listeners of a load, by its number.

    Examples
    --------
    >>> load_source(0), load_source(2)
    ('-1', '-1.2')
    """
    return OffsetSource(HISTORY.number, load)


UNFINISHED = "unfinished"
"""Field of `keys.HISTORY`: the number of the load that began last, until it has ended as it should."""


class LoadState(StrEnum):
    """Whether a load of history keeps those of `AFTER_LOADS` waiting.

    ``unfinished`` is one that has failed or was killed: its listeners are not all there, and whoever clicked
    meanwhile would be created, and not be loaded when it is repeated. Also one that lives, and whose sign of
    life Redis did not get for a while.
    """

    NONE = ""
    RUNS = "runs"
    UNFINISHED = "unfinished"


class History:
    """The store of that.

    A click of Kafka that came before the load, and is not later than the last click that files had of its
    listener (the offset of `load_source` in their record), was in the files.

    Each load has ends of its own, the repeat of an interrupted one too, and a listener goes by those of the
    load that wrote them: with the ends of a later one, what came in between would be taken for clicks that
    their files had, and would never count.
    """

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def begin(self, ends: Mapping[str, int]) -> int:
        """Note that a load begins, and return its number, which no other has: how many there were before.

        Parameters
        ----------
        ends
            Source (`models.listener.OffsetSource`) -> the offset that the next click in it gets.
        """
        number = len({load for of_loads in (await self.ends()).values() for load in of_loads})
        while ends:
            before = f"{load_source(number)}:" if number else ""
            noted = {f"{before}{source}": end for source, end in ends.items()}
            first = min(noted)
            # Of two loads that begin at once one is the first to take the number; the other takes the next.
            if await self._redis.hsetnx(keys.HISTORY, first, noted[first]):
                await self._redis.hset(keys.HISTORY, mapping=noted)
                break
            number += 1
        await self._redis.hset(keys.HISTORY, UNFINISHED, number)
        return number

    async def end(self, number: int) -> None:
        """Note that a load has ended; where another began after it, that one keeps others waiting."""
        if await self._redis.hget(keys.HISTORY, UNFINISHED) == b"%d" % number:
            await self.give_up()

    async def give_up(self) -> bool:
        """Let nobody wait any more; say whether there was a load to wait for."""
        return bool(await self._redis.hdel(keys.HISTORY, UNFINISHED))

    async def ends(self) -> Ends:
        """Return the offsets before which a click may have been in files."""
        ends: dict[str, dict[str, int]] = {}
        for field, end in (await self._redis.hgetall(keys.HISTORY)).items():
            load, _, source = field.decode().rpartition(":")
            if source != UNFINISHED:
                ends.setdefault(source, {})[load or HISTORY] = int(end)
        return ends


async def load_state(redis: AnyRedis) -> LoadState:
    """Say whether a load lives, or one that began has not ended as it should."""
    if any(state["kind"] == LOAD for state in (await heartbeats(redis)).values()):
        return LoadState.RUNS
    unfinished = await redis.hexists(keys.HISTORY, UNFINISHED)
    return LoadState.UNFINISHED if unfinished else LoadState.NONE


def once_with_files(clicks: Sequence[Click], applied: Mapping[str, int], ends: Ends) -> Sequence[Click]:
    """Say of the clicks of a listener which were counted before, as files had them.

    Parameters
    ----------
    applied
        Source -> offset up to which clicks of it are applied.
    ends
        As `History.ends` returns them.

    Examples
    --------
    >>> from models.listener import OffsetSource
    >>> click = Click("u", OffsetSource(0), 7, 20.0, "s", ("a",), "play")
    >>> clicks = [click, click._replace(ts=20.5), click._replace(offset=9)]
    >>> [each.repeated for each in once_with_files(clicks, {"-1": 20_000_000}, {"0": {"-1": 9}})]
    [True, False, False]
    """
    return [
        click._replace(repeated=True) if _was_in_files(click, applied, ends) else click for click in clicks
    ]


def _was_in_files(click: Click, applied: Mapping[str, int], ends: Ends) -> bool:
    source, mark, tag = click.partition.partition("~")
    if click.waited:
        return False
    at = round(click.ts * MICROSECONDS)
    return any(
        click.offset < end and at <= applied.get(f"{load}{mark}{tag}", -math.inf)
        for load, end in ends.get(source, {}).items()
    )
