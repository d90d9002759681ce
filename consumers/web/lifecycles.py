"""The lifecycle of all listeners, which takes long to add up: an answer serves for some minutes."""

from __future__ import annotations

import time

from consumers.queries.lifecycle import Lifecycle, read_lifecycles
from consumers.web.shared import Shared
from stream.connect import AnyRedis
from stream.settings import Settings

__all__ = ["Lifecycles"]

KEPT_SECONDS = 600.0


class Lifecycles:
    """Adds up when asked, once for everybody who asks meanwhile, however many weeks ahead each looks."""

    def __init__(self, redis: AnyRedis, settings: Settings) -> None:
        self._by_weeks = Shared(lambda: read_lifecycles(redis, settings, time.time()), KEPT_SECONDS)

    async def of(self, weeks: int) -> Lifecycle:
        """Return the answer, at most `KEPT_SECONDS` after it was added up; see
        `consumers.queries.lifecycle.read_lifecycle`."""
        return (await self._by_weeks.get())[weeks]

    def at_hand(self, weeks: int) -> Lifecycle | None:
        """Return the answer where there is one already; else begin to add it up.

        Raises
        ------
        Exception
            Whatever adding up has failed with; the next to ask begins again.
        """
        found = self._by_weeks.at_hand()
        return found[weeks] if found is not None else None

    async def close(self) -> None:
        """Add up nothing more."""
        await self._by_weeks.close()
