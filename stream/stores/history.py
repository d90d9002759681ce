"""How far topics were when history was loaded from files: which clicks may be in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from models.listener import HISTORY, Click
from stream.connect import AnyRedis
from stream.stores import keys

__all__ = ["MICROSECONDS", "History", "once_with_files"]

MICROSECONDS = 1e6
"""Of a second: the offset of a listener in `HISTORY` counts them."""


class History:
    """The store of that.

    A click of Kafka that came before the load, and is not later than the last click that files had of its
    listener (the offset of `models.listener.HISTORY` in their record), was in the files.
    """

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def begin(self, ends: Mapping[str, int]) -> None:
        """Note that a load begins.

        Parameters
        ----------
        ends
            Source (`models.listener.OffsetSource`) -> the offset that the next click in it gets.
        """
        if ends:
            await self._redis.hset(keys.HISTORY, mapping=dict(ends))

    async def ends(self) -> dict[str, int]:
        """Return for each source the offset before which a click may have been in files."""
        found = await self._redis.hgetall(keys.HISTORY)
        return {source.decode(): int(end) for source, end in found.items()}


def once_with_files(
    clicks: Sequence[Click], applied: Mapping[str, int], ends: Mapping[str, int]
) -> Sequence[Click]:
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
    >>> [each.repeated for each in once_with_files(clicks, {"-1": 20_000_000}, {"0": 9})]
    [True, False, False]
    """
    return [
        click._replace(repeated=True) if _was_in_files(click, applied, ends) else click for click in clicks
    ]


def _was_in_files(click: Click, applied: Mapping[str, int], ends: Mapping[str, int]) -> bool:
    source, mark, tag = click.partition.partition("~")
    if click.waited or click.offset >= ends.get(source, 0):
        return False
    until = applied.get(f"{HISTORY}{mark}{tag}")
    return until is not None and round(click.ts * MICROSECONDS) <= until
