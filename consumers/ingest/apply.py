"""One step of a listener's life: read, digest, write."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice

from models.listener import Click, Move, Rules
from models.model import Model
from models.update import Digest, digest
from stream.stores.listeners import Listeners, Want

__all__ = ["Applier"]

AT_ONCE = 500  # listeners: while Redis works on some, the next are digested


class Applier:
    """Applies clicks to listeners, each click once whatever is delivered twice.

    Parameters
    ----------
    listeners
        The store.
    rules
        What a digest goes by.
    """

    def __init__(self, listeners: Listeners, rules: Rules) -> None:
        self._listeners = listeners
        self._rules = rules

    async def apply(
        self, clicks: Mapping[str, Sequence[Click]], model: Model | None, now: float
    ) -> list[Move]:
        """Apply clicks, by listener.

        Returns
        -------
        The moves between cohorts, births among them, on record; member sets and sizes are to `follow`.
        """
        parts = await asyncio.gather(
            *(self.digest(dict(part), model, now) for part in _parts(clicks, AT_ONCE))
        )
        return [move for digests in parts for entry in digests for move in entry.moves]

    async def digest(
        self, clicks: Mapping[str, Sequence[Click]], model: Model | None, now: float
    ) -> list[Digest]:
        """Change listeners' records, not yet the member sets. One without a click only meets the model."""
        done: list[Digest] = []
        while clicks:
            wants = [_want(user, own) for user, own in clicks.items()]
            made_by = (model.version, model.n_dims) if model else None
            found, tastes = await self._listeners.read(wants, made_by)
            digests = digest(found, tastes, list(clicks.values()), model, self._rules, now)
            changed = [entry for entry in digests if entry.changed]
            again = await self._listeners.write(changed, model.version if model else 0)
            refused = {entry.listener.user_id for entry in again}
            done += [entry for entry in digests if entry.listener.user_id not in refused]
            clicks = {user: clicks[user] for user in refused}
        return done


def _want(user: str, clicks: Sequence[Click]) -> Want:
    partitions = tuple(dict.fromkeys(click.partition for click in clicks))
    artists = tuple(dict.fromkeys(artist for click in clicks for artist in click.artist_ids))
    return Want(user, partitions, artists)


def _parts(clicks: Mapping[str, Sequence[Click]], size: int) -> list[list[tuple[str, Sequence[Click]]]]:
    items = iter(clicks.items())
    return list(iter(lambda: list(islice(items, size)), []))
