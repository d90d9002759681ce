"""Whether what listeners did is on record, or history is on its way: some of them are looked at twice."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from models.traits.activity import Activities, day_of
from models.traits.today import changed, is_current

__all__ = ["LOOK_SECONDS", "Looks", "ReadsActivities", "Sample"]

LOOK_SECONDS = 60.0
"""From one look to the next."""
OUTDATED_SECONDS = 600.0  # after which a look says no more whether anything comes now
MOVING = 0.005  # of listeners, of whom something long ago may come between two looks: a phone was offline

Sample = Callable[[int], Awaitable[Sequence[str]]]
"""Draws about so many listeners, each as likely as any other."""


class ReadsActivities(Protocol):
    """What reads what listeners did day by day (`stream.stores.listeners.Listeners`)."""

    async def activities(self, user_ids: Sequence[str]) -> Activities: ...


class _Seen(NamedTuple):
    at: float
    users: list[str]
    read: Activities


class Looks:
    """Looks at listeners now and then, and at the same ones again.

    While clicks are on their way, as after ingest was down for days, who clicked looks as if gone. And while
    history is replayed beside live clicks, one live click says nothing of all others: of them, days that were
    over before the first look are other ones at the second.

    Parameters
    ----------
    listeners
        Reads what they did.
    sample
        Draws listeners.
    number
        How many are drawn for a look, about.

    Attributes
    ----------
    missing
        What speaks for history being on its way, by the last look, in words; "" where nothing does.
    """

    def __init__(self, listeners: ReadsActivities, sample: Sample, number: int) -> None:
        self._listeners = listeners
        self._sample = sample
        self._number = number
        self._seen: _Seen | None = None
        self._next = -math.inf
        self.missing = ""

    def due(self, now: float) -> bool:
        """Say whether it is time for a look.

        Parameters
        ----------
        now
            Unix seconds.
        """
        return now >= self._next

    async def look(self, now: float) -> tuple[list[str], Activities] | None:
        """Return listeners drawn at the last look, and what they did.

        Returns
        -------
        None where nobody of them did anything lately, where what they did long ago has changed since, and
        where there was no look shortly before.
        """
        self.missing = ""
        before, users = self._seen, list(await self._sample(self._number))
        self._seen = _Seen(now, users, await self._listeners.activities(users))
        self._next = now + LOOK_SECONDS if users else now  # of nobody the next one could say nothing
        if before is None or not before.users or now - before.at > OUTDATED_SECONDS:
            return None
        read = await self._listeners.activities(before.users)
        self.missing = _missing(before, read, day_of(now))
        return None if self.missing else (before.users, read)


def _missing(before: _Seen, read: Activities, today: int) -> str:
    number = len(before.users)
    if not is_current(read.active, today):
        return f"none of {number:,} listeners looked at has activity of yesterday or today on record"
    if (others := changed(before.read, read, today)) > max(1, MOVING * number):
        return f"what {others:,} of {number:,} listeners looked at did before yesterday has changed lately"
    return ""
