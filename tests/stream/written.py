"""Listeners written straight into the store, for tests of what comes after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.listener import Listener
from models.update import Digest
from stream.stores.listeners import Listeners, Want

__all__ = ["VERSION", "digest_of", "put", "read_whole"]

VERSION = 7
DIMS = 4


def digest_of(
    user: str,
    affinities: Mapping[str, float] | None = None,
    *,
    rev: int = 0,
    cohort: str = "",
    bot: bool = False,
    offsets: Mapping[str, int] | None = None,
    dropped: Sequence[str] = (),
    taste: Sequence[float] | None = None,
) -> Digest:
    """A listener as digesting left them."""
    listener = Listener(
        user,
        rev=rev,
        cohort=cohort,
        cohort_since=100.0,
        moved="0:1",
        clicks=3,
        first_seen=50.5,
        last_seen=100.25,
        bot=bot,
        hour=4,
        hour_clicks=2,
        offsets=dict(offsets or {}),
    )
    row = None if taste is None else np.array(taste)
    return Digest(listener, True, dict(affinities or {}), list(dropped), row, [])


async def put(store: Listeners, *digests: Digest) -> None:
    """Write listeners who are not there yet, or are at the `rev` that the digest says."""
    assert await store.write(list(digests), VERSION) == []


async def read_whole(store: Listeners, user: str, partitions: Sequence[str] = ()) -> Listener:
    """Read one listener with all artists."""
    # A model that made nobody's taste: every row is whole.
    (listener,), _ = await store.read([Want(user, tuple(partitions))], (VERSION + 1, DIMS))
    return listener
