"""Listeners written straight into the store, for tests of what comes after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.listener import Click, Listener
from models.residents import Residents
from models.update import Changes
from stream.stores.listeners import Listeners

__all__ = ["VERSION", "listener_of", "put", "read_one", "write"]

VERSION = 7
DIMS = 4


def listener_of(user: str, affinities: Mapping[str, float] | None = None, **fields: Any) -> Listener:
    """A listener as clicks leave them; `fields` are those of `Listener`."""
    usual = {
        "cohort_since": 100.0,
        "moved": "0:1",
        "clicks": 3,
        "first_seen": 50.5,
        "last_seen": 100.25,
        "hour": 4,
        "hour_clicks": 2,
        "offsets": {"0": 1},
    }
    return Listener(user, affinities=dict(affinities or {}), **usual | fields)


async def write(
    store: Listeners,
    listeners: Sequence[Listener],
    tastes: npt.ArrayLike | None = None,
    *,
    dropped: Sequence[str] = (),
    waiting: Sequence[Click] = (),
    described: bool = True,
    version: int = VERSION,
) -> list[str]:
    """Write listeners whose records are at the `rev` that each has; return those refused.

    Parameters
    ----------
    tastes
        Raw sums, shape (n, d), which the model of this version made; None leaves tastes as they are.
    dropped
        Artists that each of them no longer keeps.
    waiting
        Clicks of each of them that now wait for their song.
    """
    residents = Residents(activity=True)
    rows = residents.add(listeners, model=None)
    if tastes is not None:
        _set_tastes(residents, rows, listeners, np.asarray(tastes, dtype=np.float64))
    places, owner = residents.places(rows, residents.count[rows])
    artist, weight = residents.artist[places].astype(np.int64), residents.weight[places]
    changes = Changes(rows, np.full(len(rows), described), owner, artist, weight)
    if dropped:
        gone = [residents.artists.place(name) for name in dropped]
        changes.dropped = dict.fromkeys(rows.tolist(), gone)
    if waiting:
        changes.waiting = {row: list(waiting) for row in rows.tolist()}
    refused = await store.write(residents, changes, 0 if tastes is None else version)
    await _write_other_offsets(store, residents, refused)
    return refused


def _set_tastes(
    residents: Residents,
    rows: npt.NDArray[np.int64],
    listeners: Sequence[Listener],
    tastes: npt.NDArray[np.float64],
) -> None:
    shape = (len(residents.rev), tastes.shape[1])
    residents.taste, residents.short_term = np.zeros(shape, np.float32), np.zeros(shape, np.float16)
    residents.set_taste(rows, tastes)
    for row, listener in zip(rows, listeners, strict=True):
        if listener.short_term is not None:
            residents.short_term[row] = listener.short_term


async def _write_other_offsets(store: Listeners, residents: Residents, refused: Sequence[str]) -> None:
    # One write sets the offset of the source that the last click came from.
    no_number, no_weight = np.zeros(0, dtype=np.int64), np.zeros(0)
    for row, offsets in residents.other_offsets.items():
        for source, offset in offsets.items() if residents.users[row] not in refused else ():
            residents.source[row], residents.offset[row] = source, offset
            once = Changes(np.array([row]), np.array([False]), no_number, no_number, no_weight)
            assert await store.write(residents, once, 0) == []


async def put(
    store: Listeners, *listeners: Listener, tastes: npt.ArrayLike | None = None, **more: Any
) -> None:
    """Write listeners over whatever records of them there are; `more` is what `write` takes."""
    for listener, found in zip(
        listeners, await store.read([each.user_id for each in listeners]), strict=True
    ):
        listener.rev = found.rev
    assert await write(store, listeners, tastes, **more) == []


async def read_one(store: Listeners, user: str) -> Listener:
    (listener,) = await store.read([user])
    return listener
