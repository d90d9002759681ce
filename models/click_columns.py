"""Clicks in columns: what `models.update` needs of each, whether it came from Kafka or from files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.active_days import KINDS, place_name, song_number
from models.affinity import ACTION_WEIGHTS
from models.listener import Click
from models.residents import UNKNOWN_OFFSET, Residents

__all__ = ["NO_MS", "ClickColumns", "click_columns", "name_places"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NO_MS = -1
"""In place of milliseconds played, where these are not known."""

WEIGHTS = np.array([ACTION_WEIGHTS[kind] for kind in KINDS])


@dataclass(frozen=True, eq=False)
class ClickColumns:
    """Clicks of listeners who are held, in the order of each source.

    Attributes
    ----------
    row
        Shape (n,): whose each is, a row of `Residents`.
    source, offset
        Where it stands: a place in `Residents.sources`, and the offset there.
    ts
        Unix seconds.
    kind
        A place in `models.active_days.KINDS`.
    song
        Its number (`models.active_days.song_number`), -1 where the click names no song.
    artist, artists
        The artists of all clicks one after the other, places in `Residents.artists`; and how many each has,
        shape (n,).
    utc_offset_min, ms_played
        As in `Click`; `UNKNOWN_OFFSET` and `NO_MS` where it is not known.
    city, device
        Places in the names of `Residents.activity`, -1 for none.
    waited, repeated
        As in `Click`.
    clicks
        The same as they came, where some may wait for their song, or have done so.
    """

    row: Ints
    source: Ints
    offset: Ints
    ts: Floats
    kind: Ints
    song: Ints
    artist: Ints
    artists: Ints
    utc_offset_min: npt.NDArray[np.int16]
    ms_played: Floats
    city: Ints
    device: Ints
    waited: Bools
    repeated: Bools
    clicks: Sequence[Click] = ()

    def __len__(self) -> int:
        return len(self.row)

    @property
    def weight(self) -> Floats:
        """What each weighs (`ACTION_WEIGHTS`)."""
        weights: Floats = WEIGHTS[self.kind]
        return weights

    @property
    def waits(self) -> Bools:
        """Which of them cannot count before their song is known."""
        waits: Bools = (self.song >= 0) & (self.artists == 0)
        return waits


def click_columns(residents: Residents, clicks: Sequence[Click]) -> ClickColumns:
    """Return clicks of listeners who are held in columns."""
    number = len(clicks)
    columns: Iterable[Any] = zip(*clicks, strict=True) if clicks else ((),) * len(Click._fields)
    users, sources, offsets, times, songs, artists, actions, waited, clocks, ms, *rest = columns
    cities, devices, _, repeated = rest
    place = {source: residents.sources.place(source) for source in set(sources)}
    minutes = (UNKNOWN_OFFSET if clock is None else clock for clock in clocks)
    numbers = (song_number(song) if song else -1 for song in songs)
    return ClickColumns(
        row=np.fromiter(map(residents.index.__getitem__, users), np.int64, number),
        source=np.fromiter(map(place.__getitem__, sources), np.int64, number),
        offset=np.fromiter(offsets, np.int64, number),
        ts=np.fromiter(times, np.float64, number),
        kind=np.fromiter(map(KINDS.index, actions), np.int64, number),
        song=np.fromiter(numbers, np.int64, number),
        artist=residents.artists.places([name for names in artists for name in names]),
        artists=np.fromiter(map(len, artists), np.int64, number),
        utc_offset_min=np.fromiter(minutes, np.int16, number),
        ms_played=np.fromiter((NO_MS if each is None else each for each in ms), np.float64, number),
        city=name_places(residents, cities),
        device=name_places(residents, devices),
        waited=np.fromiter(waited, np.bool_, number),
        repeated=np.fromiter(repeated, np.bool_, number),
        clicks=clicks,
    )


def name_places(residents: Residents, said: Sequence[str]) -> Ints:
    """Return the numbers of cities, or devices, -1 for "", and for all where activity is not recorded."""
    if residents.activity is None or not any(said):
        return np.full(len(said), -1, dtype=np.int64)
    place = residents.activity.names.place
    return np.fromiter((place(place_name(name)) if name else -1 for name in said), np.int64, len(said))
