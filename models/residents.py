"""Listeners held in memory, in columns: what their next clicks need, without asking the store again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from models.active_days import ActivityColumns
from models.listener import REFRESHED, Aliased, Listener, Move, last_move
from models.model import Model
from models.names import Names, marked, text_bytes, to_keep
from models.rooms import Rooms
from models.taste import root, taste_sums

__all__ = ["BY_A_MODEL", "UNKNOWN_OFFSET", "Residents"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]
Ints = npt.NDArray[np.int64]

FIRST_ROOM = 8
"""Artists that a listener has room for at first; the room doubles."""

GROWTH = 1.1
"""By how much columns grow when they are full: so much of the memory may be unused."""

UNKNOWN_OFFSET = -32768
"""In place of minutes from UTC, where these are not known."""

BY_A_MODEL = -1
"""In place of a source: a model moved the listener, and the offset is its version."""

AS_ON_RECORD = [
    "rev",
    "clicks",
    "hour",
    "hour_clicks",
    "cohort_since",
    "first_seen",
    "last_seen",
    "bot",
    "made_by",
]
ON_RECORD = attrgetter(*AS_ON_RECORD)
"""Of a listener: what columns of the same names hold."""


class Residents:
    """Listeners in columns, one row each; row numbers are used again.

    Parameters
    ----------
    activity
        Whether to record what they do day by day.

    Attributes
    ----------
    index
        Listener -> row.
    rev, clicks, hour, hour_clicks, cohort_since, first_seen, last_seen, bot
        As in `models.listener.Listener`, shape (capacity,).
    utc_offset_min
        The same; `UNKNOWN_OFFSET` for None.
    cohort, cohort_from
        Places in `cohorts`.
    source, offset
        The source (a place in `sources`) that the listener's clicks come from, and the last offset applied
        of it; `other_offsets` holds those of the sources before, row -> source -> offset.
    joined
        Row -> the tags of ids that are part of the listener; nothing of who is one id.
    aliased
        Row -> `models.listener.Listener.aliased`, of those who have any.
    moved_source, moved_offset
        The click, or the model (`BY_A_MODEL`), that moved the listener last.
    made_by
        The version of the model that the taste was summed by; 0 for none.
    doubted
        Whether the store may have another record by now (`doubt`).
    taste
        Shape (capacity, d), single precision. The taste is ``taste * 2 ** exponent``: the stored scale of
        affinities doubles with every half-life and would leave single precision within years.
    short_term
        Shape (capacity, d), half precision, as on record: whoever goes on from the record goes on from
        the very same numbers, and comes to the same moves.
    activity
        What listeners did day by day, a row each; None where that is not recorded.
    begin, count
        The listener's artists and weights are ``artist[begin:begin + count]`` (places in `artists`) and
        ``weight[begin:begin + count]``.

    Examples
    --------
    >>> residents = Residents()
    >>> row, = residents.add([Listener("ana", rev=3, cohort="c1", affinities={"bo": 2.0})], model=None)
    >>> residents.listener(int(row)).affinities, residents.index
    ({'bo': 2.0}, {'ana': 0})
    """

    def __init__(self, *, activity: bool = False) -> None:
        self.activity = ActivityColumns() if activity else None
        self.index: dict[str, int] = {}
        self.users: list[str] = []
        self.cohorts = Names([""])
        self.sources = Names()
        self.artists = Names()
        self.other_offsets: dict[int, dict[int, int]] = {}
        self.joined: dict[int, frozenset[str]] = {}
        self.aliased: dict[int, dict[str, Aliased]] = {}
        self._free: list[int] = []
        self._tick = 0
        self._text_bytes = 0
        self._columns: Mapping[str, type] = {
            "rev": np.int64,
            "clicks": np.int64,
            "hour": np.int64,
            "hour_clicks": np.int64,
            "cohort_since": np.float64,
            "first_seen": np.float64,
            "last_seen": np.float64,
            "bot": np.bool_,
            "utc_offset_min": np.int16,
            "cohort": np.int32,
            "cohort_from": np.int32,
            "source": np.int32,
            "offset": np.int64,
            "moved_source": np.int32,
            "moved_offset": np.int64,
            "made_by": np.int64,
            "doubted": np.bool_,
            "exponent": np.int32,
            "begin": np.int64,
            "count": np.int64,
            "_room": np.int64,
            "_used": np.int64,
        }
        self.rev = self.clicks = self.hour = self.hour_clicks = np.zeros(0, dtype=np.int64)
        self.offset = self.moved_offset = self.made_by = np.zeros(0, dtype=np.int64)
        self.begin = self.count = self._room = self._used = np.zeros(0, dtype=np.int64)
        self.cohort_since = self.first_seen = self.last_seen = np.zeros(0)
        self.bot = self.doubted = np.zeros(0, dtype=bool)
        self.utc_offset_min = np.zeros(0, dtype=np.int16)
        self.cohort = self.cohort_from = self.source = np.zeros(0, dtype=np.int32)
        self.moved_source = self.exponent = np.zeros(0, dtype=np.int32)
        self.taste: Singles = np.zeros((0, 0), dtype=np.float32)
        self.short_term: Halves = np.zeros((0, 0), dtype=np.float16)
        self.artist = np.zeros(0, dtype=np.int32)
        self.weight = np.zeros(0)
        self._rooms = Rooms(FIRST_ROOM)
        self._version = 0
        self._model_index: Mapping[str, int] = {}
        self._model_columns = np.zeros(0, dtype=np.int64)
        self._factors: Singles = np.zeros((0, 0), dtype=np.float32)
        self._grow(64)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def nbytes(self) -> int:
        """Memory in bytes: all columns, and an estimate of the names' Python objects."""
        arrays = [getattr(self, name) for name in (*self._columns, "taste", "short_term", "artist", "weight")]
        activity = self.activity.nbytes if self.activity else 0
        return sum(int(array.nbytes) for array in arrays) + self._shared_bytes + activity

    @property
    def _shared_bytes(self) -> int:
        """Names and what there is once: nothing of it has room to spare."""
        # A dictionary entry takes some 100 bytes with its share of empty places, a list's place 8.
        text = self._text_bytes + 108 * len(self.index) + self.artists.nbytes + self.sources.nbytes
        return text + int(self._model_columns.nbytes)

    @property
    def spare(self) -> int:
        """How many more listeners there is room for before columns grow."""
        return len(self._free)

    def serve(self, model: Model) -> None:
        """Sum tastes by this model from now on."""
        if model.version == self._version:
            return
        self._version = model.version
        self._factors = model.factors
        self._model_columns = np.zeros(0, dtype=np.int64)
        self._model_index = model.index
        if self.taste.shape[1] != model.n_dims:
            shape = (len(self.rev), model.n_dims)
            self.taste, self.short_term = np.zeros(shape, np.float32), np.zeros(shape, np.float16)
            self.made_by[:] = 0

    def model_columns(self, artists: Ints) -> Ints:
        """Return the model's columns of artists (places in `artists`), -1 for those it does not know."""
        if len(self._model_columns) < len(self.artists):
            new = self.artists.names[len(self._model_columns) :]
            columns = np.fromiter((self._model_index.get(name, -1) for name in new), np.int64, len(new))
            self._model_columns = np.concatenate([self._model_columns, columns])
        found: Ints = self._model_columns[artists]
        return found

    def add(self, listeners: Sequence[Listener], model: Model | None) -> Ints:
        """Hold listeners, none of whom is held yet, with tastes summed by the model; return their rows."""
        if model is not None:
            self.serve(model)
        self._reserve(len(listeners))
        rows = np.array([self._free.pop() for _ in listeners], dtype=np.int64)
        if len(rows):
            self._put(rows, listeners)
        self._used[rows] = self._tick
        if model is not None:
            fresh = rows[self.made_by[rows] == model.version]  # `update` sums the others
            self.set_taste(fresh, self.sums(fresh))
            self._put_short_term(rows, listeners)
        return rows

    def _put(self, rows: Ints, listeners: Sequence[Listener]) -> None:
        for name, column in zip(AS_ON_RECORD, zip(*map(ON_RECORD, listeners), strict=True), strict=True):
            getattr(self, name)[rows] = column
        users = [listener.user_id for listener in listeners]
        self.index.update(zip(users, rows.tolist(), strict=True))
        self._text_bytes += sum(map(text_bytes, users))
        self.doubted[rows] = False
        clocks = [listener.utc_offset_min for listener in listeners]
        self.utc_offset_min[rows] = [UNKNOWN_OFFSET if minutes is None else minutes for minutes in clocks]
        self.cohort[rows] = self.cohorts.places([listener.cohort for listener in listeners])
        self.cohort_from[rows] = self.cohorts.places([listener.cohort_from for listener in listeners])
        self.source[rows] = self.offset[rows] = -1
        self.moved_source[rows], self.moved_offset[rows] = self._moved("")
        for row, listener in zip(rows.tolist(), listeners, strict=True):
            self.users[row] = listener.user_id
            if listener.moved or listener.offsets or listener.joined or listener.aliased:
                self._put_rest(row, listener)
        if self.activity is not None:
            self.activity.put(rows, [listener.activity for listener in listeners])
        self._put_affinities(rows, [listener.affinities for listener in listeners])

    def _put_rest(self, row: int, listener: Listener) -> None:
        """Hold what there is of a listener who is on record, and of hardly anybody else."""
        self.moved_source[row], self.moved_offset[row] = self._moved(listener.moved)
        offsets = [(self.sources.place(source), offset) for source, offset in listener.offsets.items()]
        if offsets:
            self.source[row], self.offset[row] = offsets[-1]
        if len(offsets) > 1:
            self.other_offsets[row] = dict(offsets[:-1])
        if listener.joined:
            self.joined[row] = listener.joined
        if listener.aliased:
            self.aliased[row] = listener.aliased

    def _put_affinities(self, rows: Ints, affinities: Sequence[Mapping[str, float]]) -> None:
        counts = np.fromiter(map(len, affinities), np.int64, len(affinities))
        self.begin[rows], self._room[rows] = self._rooms.take(counts)
        self._have_rooms()
        self.count[rows] = counts
        places, _ = self.places(rows, counts)
        self.artist[places] = self.artists.places(list(chain.from_iterable(affinities)))
        weights = chain.from_iterable(held.values() for held in affinities)
        self.weight[places] = np.fromiter(weights, np.float64, len(places))

    def _moved(self, moved: str) -> tuple[int, int]:
        if moved.startswith(REFRESHED):
            return BY_A_MODEL, int(moved[len(REFRESHED) :])
        source, _, offset = moved.rpartition(":")
        return (self.sources.place(source), int(offset)) if source else (BY_A_MODEL, 0)

    def _put_short_term(self, rows: Ints, listeners: Sequence[Listener]) -> None:
        dims = self.short_term.shape[1]
        # Versions are aligned, so what was summed under another goes on; not so in other dimensions.
        held = [entry.short_term for entry in listeners]
        nothing = np.zeros(dims, dtype=np.float16)
        self.short_term[rows] = [
            nothing if each is None or len(each) != dims else each for each in held
        ] or np.zeros((0, dims))

    def moved(self, row: int) -> str:
        """Return the place of the listener's last move, as the store has it; "" for one not there yet."""
        return self.place_of_move(int(self.moved_source[row]), int(self.moved_offset[row]))

    def place_of_move(self, source: int, offset: int) -> str:
        """Return the place of a move as the store has it; of `moved_source` and `moved_offset`."""
        if source == BY_A_MODEL:
            return f"{REFRESHED}{offset}" if offset else ""
        return f"{self.sources.names[source]}:{offset}"

    def offsets(self, row: int) -> dict[str, int]:
        """Return the offsets applied, source by source; the one that clicks come from now is the last."""
        offsets = {self.sources.names[at]: last for at, last in self.other_offsets.get(row, {}).items()}
        if self.source[row] >= 0:
            offsets[self.sources.names[self.source[row]]] = int(self.offset[row])
        return offsets

    def affinities(self, row: int) -> dict[int, float]:
        """Return the numbers of a listener's artists, and their stored weights."""
        part = slice(int(self.begin[row]), int(self.begin[row] + self.count[row]))
        return dict(zip(self.artist[part].tolist(), self.weight[part].tolist(), strict=True))

    def head(self, row: int) -> Listener:
        """Return of one listener no more than their cohort and the move that brought them there."""
        return Listener(
            self.users[row],
            int(self.rev[row]),
            self.cohorts.names[self.cohort[row]],
            self.cohorts.names[self.cohort_from[row]],
            float(self.cohort_since[row]),
            self.moved(row),
        )

    def last_move(self, row: int, model: Model | None) -> Move:
        """Return the listener's last move; see `models.listener.last_move`."""
        return last_move(self.head(row), model)

    def listener(self, row: int) -> Listener:
        """Return what is held of one listener."""
        names = self.artists.names
        return replace(
            self.head(row),
            clicks=int(self.clicks[row]),
            first_seen=float(self.first_seen[row]),
            last_seen=float(self.last_seen[row]),
            bot=bool(self.bot[row]),
            hour=int(self.hour[row]),
            hour_clicks=int(self.hour_clicks[row]),
            offsets=self.offsets(row),
            affinities={names[artist]: weight for artist, weight in self.affinities(row).items()},
            made_by=int(self.made_by[row]),
            short_term=self.short_term[row].astype(np.float64),
            utc_offset_min=self.clock_of(row),
            activity=self.activity.activity(row) if self.activity is not None else None,
            joined=self.joined.get(row, frozenset()),
            aliased=self.aliased.get(row, {}),
        )

    def clock_of(self, row: int) -> int | None:
        """Return how many minutes a listener's clock is ahead of UTC; None where it is not known."""
        minutes = int(self.utc_offset_min[row])
        return None if minutes == UNKNOWN_OFFSET else minutes

    def tastes(self, rows: Ints) -> Floats:
        """Return raw taste sums, shape (n, d), in the stored scale."""
        raw: Floats = np.ldexp(self.taste[rows].astype(np.float64), self.exponent[rows, None])
        return raw

    def set_taste(self, rows: Ints, tastes: Floats) -> None:
        """Set raw taste sums, shape (n, d)."""
        _, exponents = np.frexp(np.abs(tastes).max(axis=1, initial=0.0))
        self.exponent[rows] = exponents
        self.taste[rows] = np.ldexp(tastes, -exponents[:, None])

    def sums(self, rows: Ints) -> Floats:
        """Sum tastes from affinities by the model that serves, shape (n, d); see `models.taste.taste`."""
        counts = self.count[rows]
        places, owner = self.places(rows, counts)
        columns = self.model_columns(self.artist[places].astype(np.int64))
        roots = root(self.weight[places])
        known = (columns >= 0) & (roots > 0)
        return self.weighted(owner[known], columns[known], roots[known], len(rows))

    def weighted(self, owner: Ints, columns: Ints, weights: Floats, number: int) -> Floats:
        """Sum the factors of columns by weight, owner by owner (rising), shape (number, d)."""
        return taste_sums(columns, weights, np.searchsorted(owner, np.arange(number + 1)), self._factors)

    def places(self, rows: Ints, counts: Ints) -> tuple[Ints, Ints]:
        """Return the places of rows' artists in the pool, and which of `rows` each belongs to."""
        ends = np.cumsum(counts)
        owner = np.repeat(np.arange(len(rows)), counts)
        total = int(ends[-1]) if len(ends) else 0
        return np.arange(total) + np.repeat(self.begin[rows] - (ends - counts), counts), owner

    def make_room(self, rows: Ints, numbers: Ints) -> None:
        """Let listeners have room for so many artists."""
        lacking = numbers > self._room[rows]
        if not lacking.any():
            return
        rows = rows[lacking]
        begin, room, old, new = self._rooms.move(
            self.begin[rows], self._room[rows], self.count[rows], numbers[lacking]
        )
        self._have_rooms()
        self.artist[new], self.weight[new] = self.artist[old], self.weight[old]
        self.begin[rows], self._room[rows] = begin, room

    def replace(self, row: int, affinities: dict[int, float]) -> None:
        """Set all artists (places in `artists`) of a listener and their weights."""
        self.count[row] = 0
        self.make_room(np.array([row]), np.array([len(affinities)]))
        begin, number = int(self.begin[row]), len(affinities)
        self.artist[begin : begin + number] = list(affinities)
        self.weight[begin : begin + number] = list(affinities.values())
        self.count[row] = number

    def touch(self, rows: Ints) -> None:
        """Note that these have just clicked."""
        self._tick += 1
        self._used[rows] = self._tick

    def drop(self, users: Iterable[str]) -> None:
        """Hold these no longer."""
        rows = []
        for user in users:
            row = self.index.pop(user, None)
            if row is not None:
                rows.append(row)
                self._text_bytes -= text_bytes(user)
                self.users[row] = ""
                self.other_offsets.pop(row, None)
                self.joined.pop(row, None)
                self.aliased.pop(row, None)
        free = np.array(rows, dtype=np.int64)
        self._rooms.give_back(self.begin[free], self._room[free])
        self.count[free] = self._room[free] = 0
        self.doubted[free] = False
        if self.activity is not None:
            self.activity.drop(free)
        self._free += rows

    def doubt(self) -> None:
        """Let all who are held be `doubted`."""
        self.doubted[np.fromiter(self.index.values(), np.int64, len(self.index))] = True

    def doubtful(self, users: Iterable[str]) -> list[str]:
        """Return who of these is held and doubted."""
        if not self.doubted.any():
            return []
        found = [(user, self.index[user]) for user in users if user in self.index]
        return [user for user, row in found if self.doubted[row]]

    def oldest(self, number: int) -> list[str]:
        """Return the listeners who clicked longest ago."""
        rows = np.fromiter(self.index.values(), np.int64, len(self.index))
        if number < len(rows):
            rows = rows[np.argpartition(self._used[rows], number)[:number]]
        return [self.users[row] for row in rows.tolist()]

    def of_sources(self, sources: Iterable[str]) -> list[str]:
        """Return the listeners whose clicks come from one of these sources."""
        wanted = set(sources)
        places = [at for name, at in self.sources.index.items() if name.partition("~")[0] in wanted]
        rows = np.fromiter(self.index.values(), np.int64, len(self.index))
        return [self.users[row] for row in rows[np.isin(self.source[rows], places)].tolist()]

    @property
    def packed_nbytes(self) -> int:
        """What `nbytes` is after `pack`."""
        rows = np.fromiter(self.index.values(), np.int64, len(self.index))
        columns = [getattr(self, name) for name in (*self._columns, "taste", "short_term")]
        pool = int(self._room[rows].sum()) * (self.artist.itemsize + self.weight.itemsize)
        activity = self.activity.packed_nbytes(rows) if self.activity else 0
        shared = self._shared_bytes
        shared -= self.sources.nbytes - self.sources.bytes_after(self._sources_to_keep(rows))
        places, _ = self.places(rows, self.count[rows])
        if (kept := self._artists_to_keep(places)) is not None:
            columns_left = int(np.count_nonzero(kept < len(self._model_columns)))
            shared -= self.artists.nbytes - self.artists.bytes_of(kept)
            shared -= (len(self._model_columns) - columns_left) * self._model_columns.itemsize
        return len(rows) * sum(map(_row_bytes, columns)) + pool + shared + activity

    def pack(self) -> None:
        """Let columns, pools and names take no more than those need who are held.

        Their rows are others after it, and so are the numbers of artists, sources, cities and devices where
        many of these had nobody left.
        """
        rows = np.sort(np.fromiter(self.index.values(), np.int64, len(self.index)))
        sources = self._sources_to_keep(rows)
        number = len(rows)
        of_row = dict(zip(rows.tolist(), range(number), strict=True))
        begin, old, new = self._rooms.pack(self.begin[rows], self._room[rows], self.count[rows])
        self._keep_artists(old)
        artist, weight = np.zeros(self._rooms.end, dtype=np.int32), np.zeros(self._rooms.end)
        artist[new], weight[new] = self.artist[old], self.weight[old]
        self.artist, self.weight = artist, weight
        for name in (*self._columns, "taste", "short_term"):
            setattr(self, name, getattr(self, name)[rows])
        self.begin = begin
        if self.activity is not None:
            self.activity.pack(rows)
        self.users = [self.users[row] for row in rows.tolist()]
        self.index.update(zip(self.users, range(number), strict=True))  # the same one: others look there
        self.other_offsets = {of_row[row]: each for row, each in self.other_offsets.items()}
        self.joined = {of_row[row]: each for row, each in self.joined.items()}
        self.aliased = {of_row[row]: each for row, each in self.aliased.items()}
        self._free = []
        if sources is not None:
            self._keep_sources(sources)

    def _sources_to_keep(self, rows: Ints) -> Ints | None:
        """Return the sources that these rows name, rising; None where there are few others to give up."""
        others = np.fromiter(chain.from_iterable(self.other_offsets.values()), np.int64)
        named = self.source[rows], self.moved_source[rows], others
        return to_keep(marked(len(self.sources), *named))

    def _keep_sources(self, kept: Ints) -> None:
        """Number the sources anew; all who are held name one of those kept."""
        for places in (self.source, self.moved_source):
            known = places >= 0
            places[known] = np.searchsorted(kept, places[known])
        place = dict(zip(kept.tolist(), range(len(kept)), strict=True))
        self.other_offsets = {
            row: {place[source]: last for source, last in held.items()}
            for row, held in self.other_offsets.items()
        }
        self.sources.keep(kept)

    def _artists_to_keep(self, places: Ints) -> Ints | None:
        """Return whom these places of the pool have, rising; None where there are few others to give up."""
        return to_keep(marked(len(self.artists), self.artist[places]))

    def _keep_artists(self, places: Ints) -> None:
        """Renumber the artists of these places where many others have nobody left."""
        if (kept := self._artists_to_keep(places)) is None:
            return
        self.artist[places] = np.searchsorted(kept, self.artist[places])
        self._model_columns = self._model_columns[kept[kept < len(self._model_columns)]]
        self.artists.keep(kept)

    def _reserve(self, number: int) -> None:
        if len(self._free) < number:
            self._grow(max(int(GROWTH * len(self.rev)), len(self.rev) + number))

    def _grow(self, capacity: int) -> None:
        before = len(self.rev)
        for name, dtype in self._columns.items():
            column: npt.NDArray[Any] = np.zeros(capacity, dtype=dtype)
            column[:before] = getattr(self, name)
            setattr(self, name, column)
        for name in ("taste", "short_term"):
            old = getattr(self, name)
            matrix = np.zeros((capacity, old.shape[1]), dtype=old.dtype)
            matrix[:before] = old
            setattr(self, name, matrix)
        if self.activity is not None:
            self.activity.grow(capacity)
        self.users += [""] * (capacity - before)
        self._free = [*range(capacity - 1, before - 1, -1), *self._free]

    def _have_rooms(self) -> None:
        """Let the pool be as long as the rooms that are taken."""
        if self._rooms.end > len(self.artist):
            before = len(self.artist)
            capacity = max(self._rooms.end, int(GROWTH * before), 1024)
            artist, weight = np.zeros(capacity, dtype=np.int32), np.zeros(capacity)
            artist[:before], weight[:before] = self.artist, self.weight
            self.artist, self.weight = artist, weight


def _row_bytes(column: npt.NDArray[Any]) -> int:
    return column.itemsize * math.prod(column.shape[1:])
