"""What listeners who are held did, day by day and hour by hour, kept current click by click."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from models.names import Names, marked, to_keep
from models.rooms import Rooms
from models.traits.activity import DAY, DAYS

__all__ = [
    "HOURS",
    "KINDS",
    "MS_A_DAY",
    "NAME_BYTES",
    "PERIOD_DAYS",
    "PLACES",
    "SKETCH_BITS",
    "TAIL",
    "Activity",
    "ActivityColumns",
    "Deeds",
    "place_name",
    "song_number",
]

Ints = npt.NDArray[np.int64]
Songs = npt.NDArray[np.uint32]
Bits = npt.NDArray[np.uint64]

KINDS = "play", "complete", "like", "download", "search", "skip"
"""What a listener may do; fields of `DAY`."""

PLAYED = "play", "complete"
MOST = np.iinfo(DAY["play"]).max

HOURS = 24
PLACES = 4
"""Cities, and devices, that are kept of a listener: those where they do most."""

NAME_BYTES = 255
"""Of a city or a device, in UTF-8."""

PERIOD_DAYS = 30
"""What is counted by hour, city and device halves with each period of so many days, the same for all."""

MS_A_DAY = 86_400_000
"""A play that is said to be longer is of another unit: how long it was is not known."""

TAIL = 16
"""Songs heard: so many, once they are there, are written apart from the days; fewer are held beside them."""

SKETCH_BITS = 64
FIRST_ROOM = 4
GROWTH = 1.1

# Linear counting: of m bits, n songs leave m e^(-n/m) unset (Whang, Vander-Zanden and Taylor, 1990).
_UNSET = np.maximum(SKETCH_BITS - np.arange(SKETCH_BITS + 1), 0.5)
SONGS = np.minimum(np.rint(SKETCH_BITS * np.log(SKETCH_BITS / _UNSET)), 255).astype(np.uint8)
"""Bits that are set -> distinct songs, estimated."""


@lru_cache(maxsize=1 << 16)
def song_number(song_id: str) -> int:
    """Return what a song is remembered by, 32 bits: its CRC-32.

    Who has heard 128 songs takes one in 30 million for heard that they have not.

    Examples
    --------
    >>> song_number("s1")
    336935152
    """
    return zlib.crc32(song_id.encode())


@lru_cache(maxsize=10_000)
def place_name(name: str) -> str:
    """Return the name of a city or a device as it is kept: no more than `NAME_BYTES` of it in UTF-8.

    It is cut before it is counted: cut only where it is stored, it would be another name once it is read.

    Examples
    --------
    >>> place_name("Oslo"), len(place_name("日" * 100))
    ('Oslo', 85)
    """
    return name.encode()[:NAME_BYTES].decode(errors="ignore")


@dataclass(eq=False)
class Activity:
    """What is kept of one listener.

    Attributes
    ----------
    days
        Shape (m,) of type `DAY`, the days rising, `DAYS` at most.
    sketch
        Of which songs there were on the latest day: one bit each, of 64.
    period
        The period (of `PERIOD_DAYS`) that what follows has faded to.
    hours
        Shape (24,): clicks by hour of the listener's day, fading.
    cities, devices
        Clicks by city and by device, fading; `PLACES` at most.
    songs
        The songs heard last (`song_number`), the newest last, fewer than `TAIL`: those that are not written
        apart yet.
    """

    days: npt.NDArray[Any] = field(default_factory=lambda: np.zeros(0, dtype=DAY))
    sketch: int = 0
    period: int = 0
    hours: npt.NDArray[np.uint16] = field(default_factory=lambda: np.zeros(HOURS, dtype=np.uint16))
    cities: dict[str, int] = field(default_factory=dict)
    devices: dict[str, int] = field(default_factory=dict)
    songs: Songs = field(default_factory=lambda: np.zeros(0, dtype=np.uint32))


@dataclass(frozen=True, eq=False)
class Deeds:
    """What was done in each of some clicks, in columns.

    Attributes
    ----------
    day, hour
        By the clock that the click came with, UTC without one.
    kind
        A place in `KINDS`.
    ms
        Milliseconds played, 0 where not known.
    song
        A bit number, 0 to 63, by the song's id; -1 for none.
    city, device
        Places in `ActivityColumns.names`; -1 for none.
    """

    day: Ints
    hour: Ints
    kind: Ints
    ms: Ints
    song: Ints
    city: Ints
    device: Ints


class ActivityColumns:
    """The activity of listeners in columns, a row each, beside `models.residents.Residents`.

    Attributes
    ----------
    names
        Cities and devices, by number.
    begin, count
        The days of a row are ``days[begin:begin + count]``.
    newest
        Shape (capacity,): the latest day of each, -1 for none.
    sketch, period, hours
        As in `Activity`.
    city, city_clicks, device, device_clicks
        Shape (capacity, PLACES): a place in `names`, and how many clicks; 0 clicks is an empty place.
    songs, song_count
        Shape (capacity, TAIL), and how many of them there are; as in `Activity`.
    """

    def __init__(self) -> None:
        self.names = Names()
        self.days = np.zeros(0, dtype=DAY)
        self._rooms = Rooms(FIRST_ROOM)
        self._columns: dict[str, tuple[type, int]] = {
            "begin": (np.int64, 0),
            "count": (np.int64, 0),
            "_room": (np.int64, 0),
            "newest": (np.int64, 0),
            "sketch": (np.uint64, 0),
            "period": (np.uint16, 0),
            "hours": (np.uint16, HOURS),
            "city": (np.int32, PLACES),
            "city_clicks": (np.uint16, PLACES),
            "device": (np.int32, PLACES),
            "device_clicks": (np.uint16, PLACES),
            "songs": (np.uint32, TAIL),
            "song_count": (np.uint8, 0),
        }
        self.begin = self.count = self._room = self.newest = np.zeros(0, dtype=np.int64)
        self.sketch = np.zeros(0, dtype=np.uint64)
        self.period = np.zeros(0, dtype=np.uint16)
        self.hours = self.city_clicks = self.device_clicks = np.zeros((0, 0), dtype=np.uint16)
        self.city = self.device = np.zeros((0, 0), dtype=np.int32)
        self.songs, self.song_count = np.zeros((0, TAIL), dtype=np.uint32), np.zeros(0, dtype=np.uint8)
        for name, (dtype, width) in self._columns.items():
            setattr(self, name, np.zeros((0, width) if width else 0, dtype=dtype))

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        columns = sum(int(getattr(self, name).nbytes) for name in self._columns)
        return columns + int(self.days.nbytes) + self.names.nbytes

    def grow(self, capacity: int) -> None:
        """Have so many rows."""
        before = len(self.begin)
        for name, (dtype, width) in self._columns.items():
            column: npt.NDArray[Any] = np.zeros((capacity, width) if width else capacity, dtype=dtype)
            column[:before] = getattr(self, name)
            setattr(self, name, column)

    def packed_nbytes(self, rows: Ints) -> int:
        """What `nbytes` is after `pack`."""
        columns = [getattr(self, name) for name in self._columns]
        a_row: int = sum(column.itemsize * math.prod(column.shape[1:]) for column in columns)
        names = self.names.bytes_after(self._names_to_keep(rows))
        return len(rows) * a_row + int(self._room[rows].sum()) * self.days.itemsize + names

    def pack(self, rows: Ints) -> None:
        """Hold these rows alone, in their order, in no more memory than they need.

        The numbers of `names` are others after it where many of these had nobody left.
        """
        kept = self._names_to_keep(rows)
        begin, old, new = self._rooms.pack(self.begin[rows], self._room[rows], self.count[rows])
        days = np.zeros(self._rooms.end, dtype=DAY)
        days[new] = self.days[old]
        self.days = days
        for name in self._columns:
            setattr(self, name, getattr(self, name)[rows])
        self.begin = begin
        if kept is not None:
            for places, clicks in ((self.city, self.city_clicks), (self.device, self.device_clicks)):
                places[:] = np.where(clicks > 0, np.searchsorted(kept, places), 0)
            self.names.keep(kept)

    def _names_to_keep(self, rows: Ints) -> Ints | None:
        """Return the numbers of the names that these rows have; None: there are few others to give up."""
        said = ((self.city, self.city_clicks), (self.device, self.device_clicks))
        here = [places[rows][clicks[rows] > 0] for places, clicks in said]
        return to_keep(marked(len(self.names), *here))

    def put(self, rows: Ints, listeners: Sequence[Activity | None]) -> None:
        """Let rows, which hold nothing, hold what is on record of listeners; None: nothing."""
        for name in self._columns:
            getattr(self, name)[rows] = 0
        self.newest[rows] = -1
        there = [(row, held) for row, held in zip(rows.tolist(), listeners, strict=True) if held]
        if not there:
            return
        numbers = np.array([len(held.days) for _, held in there])
        self._make_room(np.array([row for row, _ in there]), numbers)
        for row, held in there:
            number, begin = len(held.days), int(self.begin[row])
            self.days[begin : begin + number] = held.days
            self.count[row] = number
            self.newest[row] = held.days["day"][-1] if number else -1
            self.sketch[row], self.period[row], self.hours[row] = held.sketch, held.period, held.hours
            for places, clicks, said in (
                (self.city, self.city_clicks, held.cities),
                (self.device, self.device_clicks, held.devices),
            ):
                places[row, : len(said)] = [self.names.place(name) for name in said]
                clicks[row, : len(said)] = list(said.values())
            self.songs[row, : len(held.songs)] = held.songs
            self.song_count[row] = len(held.songs)

    def drop(self, rows: Ints) -> None:
        """Let rows hold nothing."""
        self._rooms.give_back(self.begin[rows], self._room[rows])
        self.count[rows] = self._room[rows] = 0

    def activity(self, row: int) -> Activity:
        """Return what is held of one listener."""
        begin = int(self.begin[row])
        return Activity(
            self.days[begin : begin + int(self.count[row])].copy(),
            int(self.sketch[row]),
            int(self.period[row]),
            self.hours[row].copy(),
            self._said(self.city[row], self.city_clicks[row]),
            self._said(self.device[row], self.device_clicks[row]),
            self.songs[row, : self.song_count[row]].copy(),
        )

    def _said(self, places: npt.NDArray[np.int32], clicks: npt.NDArray[np.uint16]) -> dict[str, int]:
        pairs = zip(places.tolist(), clicks.tolist(), strict=True)
        return {self.names.names[place]: number for place, number in pairs if number}

    def record(self, rows: Ints, deeds: Deeds, chosen: Ints, owner: Ints) -> tuple[Ints, Ints]:
        """Record clicks of some listeners, each listener's of one day, hour, city and device.

        Parameters
        ----------
        rows
            Shape (k,), no row twice.
        deeds, chosen
            Their clicks are ``chosen``, shape (n,), of `deeds`.
        owner
            Shape (n,): whose each click is, a place in `rows`, rising; each row has one at least.

        Returns
        -------
        What the day of each click holds after it, shape (n,): plays, and milliseconds played. Zeros where the
        day is no longer kept.
        """
        number = len(rows)
        first = np.searchsorted(owner, np.arange(number))
        day = deeds.day[chosen[first]]
        later = day > self.newest[rows]
        if later.any():
            self._begin_days(rows[later], day[later])
        slot = self.begin[rows] + self.count[rows] - 1
        late = day < self.newest[rows]
        for at in np.flatnonzero(late).tolist():
            slot[at] = self._slot_of_late_day(int(rows[at]), int(day[at]))
        kept = slot >= 0
        before = self.days[np.where(kept, slot, 0)]
        kind, ms = deeds.kind[chosen], deeds.ms[chosen]
        by_kind = np.bincount(owner * len(KINDS) + kind, minlength=number * len(KINDS)).reshape(number, -1)
        for name, clicks in zip(KINDS, by_kind.T, strict=True):
            if clicks.any():
                _add(self.days[name], slot[kept], clicks[kept])
        _add(self.days["ms"], slot[kept], np.add.reduceat(ms, first)[kept])
        self._note_songs(rows, slot, _bits(deeds.song[chosen], first), ~late)
        clicks = by_kind.sum(axis=1)
        _add(self.hours, (rows, deeds.hour[chosen[first]]), clicks)
        _count_places(self.city, self.city_clicks, rows, deeds.city[chosen[first]], clicks)
        _count_places(self.device, self.device_clicks, rows, deeds.device[chosen[first]], clicks)
        plays = sum(
            np.minimum(
                before[name].astype(np.int64)[owner] + _so_far(kind == KINDS.index(name), first, owner), MOST
            )
            for name in PLAYED
        )
        played = before["ms"].astype(np.int64)[owner] + _so_far(ms, first, owner)
        return np.where(kept[owner], plays, 0), np.where(kept[owner], played, 0)

    def hear(self, rows: Ints, songs: Ints, owner: Ints) -> tuple[Ints, Ints]:
        """Remember songs that were heard; of who has `TAIL` of them by now, the first `TAIL` are given up.

        Parameters
        ----------
        rows
            Shape (n,), no row twice.
        songs, owner
            Shape (k,): songs in their order, `song_number` each; whose each is, a place in `rows`, rising.

        Returns
        -------
        Those to be written apart, and whose each is; the oldest first, `TAIL` of a row or a multiple of that.
        """
        apart, whose = [], []
        while len(owner):
            heard = np.bincount(owner, minlength=len(rows))
            before = self.song_count[rows].astype(np.int64)
            place = np.arange(len(owner)) + (before - np.cumsum(heard) + heard)[owner]
            fits = place < TAIL
            self.songs[rows[owner[fits]], place[fits]] = songs[fits]
            count = np.minimum(before + heard, TAIL)
            full = np.flatnonzero(count == TAIL)
            self.song_count[rows] = count % TAIL
            apart.append(self.songs[rows[full]].ravel())
            whose.append(np.repeat(full, TAIL))
            songs, owner = songs[~fits], owner[~fits]
        if not apart:
            return songs, owner
        numbers, owner = np.concatenate(apart).astype(np.int64), np.concatenate(whose)
        order = np.argsort(owner, kind="stable")
        return numbers[order], owner[order]

    def _note_songs(self, rows: Ints, slot: Ints, bits: Bits, of_newest: npt.NDArray[np.bool_]) -> None:
        named = of_newest & (bits > 0)
        rows, slot = rows[named], slot[named]
        self.sketch[rows] |= bits[named]
        self.days["songs"][slot] = SONGS[np.bitwise_count(self.sketch[rows])]

    def _begin_days(self, rows: Ints, day: Ints) -> None:
        """Begin a day that is later than all that these have; drop those that are too long ago by then."""
        some = np.flatnonzero(self.count[rows] > 0)
        oldest = self.days["day"][self.begin[rows[some]]]
        for at in some[oldest <= day[some] - DAYS].tolist():
            self._drop_days(int(rows[at]), int(day[at]) - DAYS)
        self._make_room(rows, self.count[rows] + 1)
        slot = self.begin[rows] + self.count[rows]
        self.days[slot] = np.zeros(1, dtype=DAY)
        self.days["day"][slot] = day
        self.count[rows] += 1
        self.newest[rows], self.sketch[rows] = day, 0
        self._fade(rows, day // PERIOD_DAYS)

    def _fade(self, rows: Ints, period: Ints) -> None:
        behind = np.minimum(np.maximum(period - self.period[rows], 0), 16)
        self.period[rows] = np.maximum(self.period[rows], period)
        rows, halvings = rows[behind > 0], behind[behind > 0].astype(np.uint16)[:, None]
        for counts in (self.hours, self.city_clicks, self.device_clicks):
            counts[rows] = counts[rows] >> np.minimum(halvings, 15)
        for places, clicks in ((self.city, self.city_clicks), (self.device, self.device_clicks)):
            # Those left come first, as they do in who is read again: the next one takes the same place.
            order = np.argsort(clicks[rows] == 0, axis=1, kind="stable")
            places[rows] = np.take_along_axis(places[rows], order, axis=1)
            clicks[rows] = np.take_along_axis(clicks[rows], order, axis=1)

    def _drop_days(self, row: int, until: int) -> None:
        begin, count = int(self.begin[row]), int(self.count[row])
        held = self.days[begin : begin + count]
        left = held[held["day"] > until].copy()
        self.days[begin : begin + len(left)] = left
        self.count[row] = len(left)

    def _slot_of_late_day(self, row: int, day: int) -> int:
        """Return the slot of a day before the latest, -1 for one that is no longer kept."""
        if day <= self.newest[row] - DAYS:
            return -1
        begin, count = int(self.begin[row]), int(self.count[row])
        at = begin + int(np.searchsorted(self.days["day"][begin : begin + count], day))
        if self.days["day"][at] == day:
            return at
        offset = at - begin
        self._make_room(np.array([row]), np.array([count + 1]))
        begin = int(self.begin[row])
        at = begin + offset
        self.days[at + 1 : begin + count + 1] = self.days[at : begin + count].copy()
        self.days[at] = np.zeros(1, dtype=DAY)[0]
        self.days["day"][at] = day
        self.count[row] += 1
        return at

    def _make_room(self, rows: Ints, numbers: Ints) -> None:
        """Let rows have room for so many days."""
        lacking = numbers > self._room[rows]
        if not lacking.any():
            return
        rows = rows[lacking]
        begin, room, old, new = self._rooms.move(
            self.begin[rows], self._room[rows], self.count[rows], numbers[lacking]
        )
        if self._rooms.end > len(self.days):
            days = np.zeros(max(self._rooms.end, int(GROWTH * len(self.days)), 1024), dtype=DAY)
            days[: len(self.days)] = self.days
            self.days = days
        self.days[new] = self.days[old]
        self.begin[rows], self._room[rows] = begin, room


def _bits(song: Ints, first: Ints) -> Bits:
    """Return one bit for each bit number, -1 for none, those from each of `first` on together."""
    bits = np.left_shift(np.uint64(1), np.maximum(song, 0).astype(np.uint64))
    bits[song < 0] = 0
    together: Bits = np.bitwise_or.reduceat(bits, first)
    return together


def _so_far(numbers: npt.NDArray[Any], first: Ints, owner: Ints) -> Ints:
    """Return the sum up to each number, of those of its owner, whose first is in `first`."""
    sums = np.cumsum(numbers, dtype=np.int64)
    so_far: Ints = sums - (sums - numbers)[first][owner]
    return so_far


def _add(column: npt.NDArray[Any], at: Any, numbers: Ints | int) -> None:
    """Add to places, each there once; what does not fit stays at the largest number."""
    largest = np.iinfo(column.dtype).max
    column[at] = np.minimum(column[at].astype(np.int64) + numbers, largest)


def _count_places(
    places: npt.NDArray[np.int32], clicks: npt.NDArray[np.uint16], rows: Ints, place: Ints, numbers: Ints
) -> None:
    """Count clicks in a city or on a device; where there is no room for it, it takes the place of the rarest.

    That is Space-Saving: it takes over its count, too, and what is frequent stays (Metwally, Agrawal and El
    Abbadi, 2005).
    """
    named = place >= 0
    if not named.any():
        return
    rows, place, numbers = rows[named], place[named].astype(np.int32), numbers[named]
    counts = clicks[rows]
    same = (places[rows] == place[:, None]) & (counts > 0)
    at = np.where(same.any(axis=1), same.argmax(axis=1), counts.argmin(axis=1))
    places[rows, at] = place
    _add(clicks, (rows, at), numbers)
