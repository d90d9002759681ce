"""How what a listener did day by day is held in ``user:{ID}:activity``.

A head of 62 bytes (`HEAD`), 15 bytes for each day on which they did something (`models.traits.activity.DAY`),
then cities and devices: clicks (u16), bytes of the name (u8), the name in UTF-8; what is left are the songs
heard last, 4 bytes each, of which an earlier version wrote none. Little-endian.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from models.active_days import HOURS, TAIL, Activity, ActivityColumns
from models.traits.activity import DAY

__all__ = ["HEAD", "SONG", "pack", "songs_of", "unpack"]

FORMAT = 1
SONG = 4
"""Bytes of a song."""

HEAD = np.dtype(
    [
        ("format", "u1"),
        ("days", "u1"),
        ("cities", "u1"),
        ("devices", "u1"),
        ("period", "<u2"),
        ("sketch", "<u8"),
        ("hours", "<u2", HOURS),
    ]
)


def pack(columns: ActivityColumns, rows: npt.NDArray[np.int64]) -> list[bytes]:
    """Return what is to be stored of some rows."""
    heads = np.zeros(len(rows), dtype=HEAD)
    heads["format"] = FORMAT
    for name in ("period", "sketch", "hours"):
        heads[name] = getattr(columns, name)[rows]
    heads["days"] = columns.count[rows]
    heads["cities"] = (columns.city_clicks[rows] > 0).sum(axis=1)
    heads["devices"] = (columns.device_clicks[rows] > 0).sum(axis=1)
    head, days = heads.tobytes(), memoryview(columns.days.view(np.uint8).data)
    songs = columns.songs[rows].astype("<u4", copy=False).tobytes()
    size, each = HEAD.itemsize, DAY.itemsize
    begin = (each * columns.begin[rows]).tolist()
    end = (each * (columns.begin[rows] + columns.count[rows])).tolist()
    named = (heads["cities"] | heads["devices"]) > 0
    places = _places(columns, rows[named])
    starts = range(0, len(songs), SONG * TAIL)
    ends = (SONG * (TAIL * np.arange(len(rows)) + columns.song_count[rows])).tolist()
    return [
        b"".join(
            (
                head[size * at : size * (at + 1)],
                days[first:last],
                next(places) if has_place else b"",
                songs[start:stop],
            )
        )
        for at, (first, last, has_place, start, stop) in enumerate(
            zip(begin, end, named.tolist(), starts, ends, strict=True)
        )
    ]


def _places(columns: ActivityColumns, rows: npt.NDArray[np.int64]) -> Iterator[bytes]:
    """Go through the cities and devices of rows."""
    names = columns.names.names
    said = (columns.city, columns.city_clicks, columns.device, columns.device_clicks)
    for cities, in_cities, devices, on_devices in zip(*(each[rows].tolist() for each in said), strict=True):
        pairs = zip(cities + devices, in_cities + on_devices, strict=True)
        yield b"".join(
            [number.to_bytes(2, "little") + _name(names[place]) for place, number in pairs if number]
        )


@lru_cache(maxsize=10_000)
def _name(name: str) -> bytes:
    encoded = name.encode()
    return bytes([len(encoded)]) + encoded


def unpack(packed: bytes) -> Activity:
    """Return what is stored of a listener; nothing where there is nothing, or another format."""
    if len(packed) < HEAD.itemsize or packed[0] != FORMAT:
        return Activity()
    head = np.frombuffer(packed, dtype=HEAD, count=1)[0]
    number = int(head["days"])
    days = np.frombuffer(packed, dtype=DAY, count=number, offset=HEAD.itemsize).copy()
    rest = memoryview(packed)[HEAD.itemsize + DAY.itemsize * number :]
    cities, rest = _read_places(rest, int(head["cities"]))
    devices, rest = _read_places(rest, int(head["devices"]))
    hours = head["hours"].copy()
    return Activity(days, int(head["sketch"]), int(head["period"]), hours, cities, devices, songs_of(rest))


def songs_of(packed: bytes | memoryview) -> npt.NDArray[np.uint32]:
    """Return the songs (`models.active_days.song_number`) that are stored; one cut off is left out."""
    return np.frombuffer(packed, dtype="<u4", count=len(packed) // SONG).astype(np.uint32)


def _read_places(packed: memoryview, number: int) -> tuple[dict[str, int], memoryview]:
    said = {}
    for _ in range(number):
        clicks, length = int.from_bytes(packed[:2], "little"), packed[2]
        said[bytes(packed[3 : 3 + length]).decode()] = clicks
        packed = packed[3 + length :]
    return said, packed
