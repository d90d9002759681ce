"""Clicks of files as the days on which listeners did something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from consumers.evaluate.lowest_hashes import LowestHashes
from models.active_days import KINDS, MS_A_DAY, song_number
from models.traits.activity import DAY, ActiveDays, day_of

__all__ = ["ActivityLog"]

Records = npt.NDArray[np.void]

RECORD = np.dtype([("listener", "i4"), ("day", "i4"), ("kind", "i1"), ("ms", "i8"), ("song", "i8")])
BUFFER = 1 << 16
NO_SONG = -1


class ActivityLog:
    """What a sample of listeners did, 25 bytes a click in memory.

    Where more listeners come than fit, those of the lowest hashes stay, each with all clicks or with none.

    Attributes
    ----------
    clicks
        Those of the sample.
    first, last
        The earliest and the latest day, of all clicks.

    Examples
    --------
    >>> log = ActivityLog(max_listeners=10)
    >>> log.put("u1", {"ts": 5.0, "song_id": "s", "action": "complete"}, copies=2)
    >>> log.put("u1", {"ts": 90_000.0, "action": "search"})
    >>> found = log.active_days()
    >>> found.days["day"].tolist(), found.days["complete"].tolist(), found.days["songs"].tolist()
    ([0, 1], [2, 0], [1, 0])
    """

    def __init__(self, max_listeners: int) -> None:
        self.first, self.last = 1 << 30, -1
        self.clicks = 0
        self._sample = LowestHashes(max_listeners)
        self._buffer: list[tuple[int, int, int, int, int]] = []
        self._parts: list[Records] = []

    def put(self, listener: str, click: Mapping[str, Any], copies: int = 1) -> None:
        """Note a click, as often as it happened; its day is by the clock that it came with."""
        day = max(day_of(float(click["ts"]), click.get("utc_offset_min")), 0)
        self.first, self.last = min(self.first, day), max(self.last, day)
        number = self._sample.number(listener)
        if number is None:
            return
        song, ms = click.get("song_id"), int(click.get("ms_played") or 0)
        record = (
            number,
            day,
            KINDS.index(click.get("action", "play")),
            ms if ms <= MS_A_DAY else 0,
            song_number(song) if song else NO_SONG,
        )
        self.clicks += copies
        self._buffer += [record] * copies
        if len(self._buffer) >= BUFFER:
            self._flush()

    def active_days(self) -> ActiveDays:
        """Return all days of the listeners of the sample."""
        self._flush()
        found = np.concatenate([np.zeros(0, dtype=RECORD), *self._parts])
        owner = self._sample.renumbered()[found["listener"]]
        found, owner = found[owner >= 0], owner[owner >= 0]
        order = np.lexsort((found["song"], found["day"], owner))
        found, owner = found[order], owner[order]
        new_day = np.ones(len(found), dtype=bool)
        new_day[1:] = (owner[1:] != owner[:-1]) | (found["day"][1:] != found["day"][:-1])
        new_song = new_day.copy()
        new_song[1:] |= found["song"][1:] != found["song"][:-1]
        new_song &= found["song"] != NO_SONG
        place = np.cumsum(new_day) - 1
        days = np.zeros(int(new_day.sum()), dtype=DAY)
        days["day"] = found["day"][new_day]
        sums = {kind: (found["kind"] == at).astype(np.float64) for at, kind in enumerate(KINDS)}
        sums |= {"ms": found["ms"].astype(np.float64), "songs": new_song.astype(np.float64)}
        for name, values in sums.items():
            most = np.iinfo(DAY[name]).max
            days[name] = np.minimum(np.bincount(place, values, len(days)), most)
        return ActiveDays(len(self._sample), owner[new_day], days)

    def _flush(self) -> None:
        self._parts.append(np.array(self._buffer, dtype=RECORD))
        self._buffer.clear()
