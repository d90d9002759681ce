"""The clicks of listeners, all that there are, as what Redis is to hold: by the code that ingesters run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from consumers.history.columns import coded, in_codes, narrow, whole
from models.active_days import KINDS, song_number
from models.click_columns import NO_MS, ClickColumns, name_places
from models.listener import HISTORY, Click, Listener, OffsetSource, Rules
from models.residents import UNKNOWN_OFFSET, Residents
from models.update import Changes, update_columns
from stream.stores.event_ids import BYTES, number_of, once
from stream.stores.history import MICROSECONDS

__all__ = ["Loaded", "Made", "Songs", "made_of"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

TEXTS = frozenset({"user_id", "song_id", "artist_ids", "city", "device"})
"""Columns of texts that many clicks share."""

UNITS = 60_000_000, 1_000_000, 1_000
"""Microseconds of what files may count their times in, the coarsest first: minutes, seconds, milliseconds."""


@dataclass(frozen=True)
class Songs:
    """What Redis knows of songs and artists.

    Attributes
    ----------
    artists
        Song -> its artists, of those at least that the catalogue knows.
    of_no_length
        Songs that are no music: what is done with them adds to no affinity.
    artist_of
        Returns what the id of an artist stands for.
    """

    artists: Mapping[str, tuple[str, ...]]
    of_no_length: frozenset[str] = frozenset()
    artist_of: Callable[[str], str] = str


@dataclass(frozen=True, eq=False)
class Loaded:
    """The clicks of some listeners, each listener's in the order of their times.

    Attributes
    ----------
    table
        As `columns.CLICKS`, with texts as `columns.CODED` (but those of ``event_id``).
    users, user
        The listeners, and whose each click is, rising.
    repeated
        Clicks that are left out, as they were the same as an earlier one.
    unit
        Microseconds that all times are multiples of (`UNITS`, else 1): in a part, those of all the listeners.
    """

    table: pa.Table
    users: Sequence[str]
    user: Ints
    repeated: int = 0
    unit: int = 1

    @classmethod
    def of(cls, clicks: pa.Table) -> Loaded:
        """Put clicks (`columns.CLICKS`) in order: by listener, time, and the place in the files."""
        column = {name: (in_codes if name in TEXTS else whole)(clicks[name]) for name in clicks.column_names}
        users, code = coded(column["user_id"])
        order = np.lexsort((column["place"].to_numpy(), column["ts"].to_numpy(), narrow(code, len(users))))
        if clicks["same"].null_count < len(clicks):
            same = column["same"].dictionary_encode().indices.take(pa.array(order))
            _, first = np.unique(same.fill_null(-1).to_numpy(), return_index=True)
            kept = same.is_null().to_numpy(zero_copy_only=False)
            kept[first] = True
            order = order[kept]
        table = pa.table(column).take(pa.array(order))
        at = _microseconds(table)
        unit = next((unit for unit in UNITS if not (at % unit).any()), 1)
        return cls(table, users.to_pylist(), code[order], len(clicks) - len(order), unit)

    def parts(self, most: int) -> Iterator[Loaded]:
        """Go through them in parts of so many clicks, or of one listener with more."""
        ends = np.searchsorted(self.user, np.arange(len(self.users)), "right")
        first = begin = 0
        while first < len(self.users):
            behind = max(int(np.searchsorted(ends, begin + most, "right")), first + 1)
            end = int(ends[behind - 1])
            yield Loaded(
                self.table.slice(begin, end - begin),
                self.users[first:behind],
                self.user[begin:end] - first,
                0 if first else self.repeated,
                self.unit,
            )
            first, begin = behind, end

    @property
    def unnamed_songs(self) -> set[str]:
        """Songs of clicks that name no artists."""
        songs, _ = coded(self.table["song_id"].filter(pa.array(~self._named)))
        return set(songs.to_pylist()) - {""}

    def with_songs(self, songs: Collection[str]) -> Bools:
        """Say which clicks are on one of these songs, and name no artists."""
        names, song = coded(self.table["song_id"])
        wanted = np.fromiter((name in songs for name in names.to_pylist()), np.bool_, len(names))[song]
        return wanted & ~self._named

    @property
    def _named(self) -> Bools:
        """Which clicks name artists."""
        named: Bools = whole(self.table["artist_ids"]).value_lengths().fill_null(0).to_numpy() > 0
        return named

    def without_more(self, chosen: Bools, most: int) -> tuple[Loaded, int]:
        """Leave out what is more than `most` of a listener's chosen clicks; return how many that are."""
        nth = np.cumsum(chosen)
        starts = np.searchsorted(self.user, np.arange(len(self.users)))
        before = np.where(starts > 0, nth[starts - 1], 0)
        kept = ~(chosen & (nth - before[self.user] > most))
        if kept.all():
            return self, 0
        return replace(self, table=self.table.filter(pa.array(kept)), user=self.user[kept]), int(
            (~kept).sum()
        )


@dataclass(eq=False)
class Made:
    """What is to be written.

    Attributes
    ----------
    residents, changes
        As of `models.update`.
    late
        Clicks that wait for their song.
    """

    residents: Residents
    changes: Changes
    late: list[Click]


def made_of(
    loaded: Loaded,
    songs: Songs,
    rules: Rules,
    now: float,
    source: OffsetSource,
    *,
    activity: bool,
    most_event_ids: int,
) -> Made:
    """Say what clicks make of listeners who are not there yet.

    Parameters
    ----------
    source
        That of the load (`stream.stores.history.load_source`).
    activity, most_event_ids
        As of `consumers.ingest.apply.Applier`.
    """
    residents = Residents(activity=activity)
    rows = residents.add([Listener(user) for user in loaded.users], None)
    columns = _columns(residents, rows, loaded, songs, source)
    named = loaded.table["event_id"].null_count < len(loaded.table)
    event_ids = _once(columns, loaded, most_event_ids) if named and most_event_ids else {}
    changes = update_columns(residents, columns, np.zeros(0, dtype=np.int64), None, rules, now)
    changes.event_ids = {int(rows[user]): held for user, held in event_ids.items()}
    residents.offset[changes.rows] = _until(loaded, len(rows))[changes.rows]
    return Made(residents, changes, [click for own in changes.waiting.values() for click in own])


def _until(loaded: Loaded, users: int) -> Ints:
    """Return up to when files have the clicks of each listener, in microseconds.

    Where all times are whole seconds, to the end of a listener's last one: Kafka may have the same click with
    its milliseconds. (`last_seen` would not do either: it knows nothing of clicks that wait.)
    """
    last = np.full(users, np.iinfo(np.int64).min)
    np.maximum.at(last, loaded.user, _microseconds(loaded.table))
    return last + loaded.unit - 1


def _microseconds(table: pa.Table) -> Ints:
    at: Ints = np.rint(table["ts"].to_numpy() * MICROSECONDS).astype(np.int64)
    return at


def _columns(
    residents: Residents, rows: Ints, loaded: Loaded, songs: Songs, source: OffsetSource
) -> ClickColumns:
    table, number = loaded.table, len(loaded.table)
    column = {name: whole(table[name]) for name in table.column_names}
    said, song = coded(column["song_id"])
    names = said.to_pylist()
    silent = np.fromiter((not name or name in songs.of_no_length for name in names), np.bool_, len(names))
    numbers = np.fromiter(map(song_number, names), np.int64, len(names))
    numbers[silent] = -1
    artist, artists = _artists(residents, column["artist_ids"], song, names, songs)
    no_music = np.fromiter((name in songs.of_no_length for name in names), np.bool_, len(names))[song]
    artist, artists = artist[np.repeat(~no_music, artists)], np.where(no_music, 0, artists)
    starts = np.flatnonzero(np.diff(loaded.user, prepend=-1))
    rank = np.arange(number) - np.repeat(starts, np.diff(starts, append=number))
    return ClickColumns(
        row=rows[loaded.user],
        source=np.full(number, residents.sources.place(source), dtype=np.int64),
        offset=rank,
        ts=column["ts"].to_numpy(),
        kind=column["kind"].to_numpy().astype(np.int64),
        song=numbers[song],
        artist=artist,
        artists=artists,
        utc_offset_min=column["utc_offset_min"].to_numpy(),
        ms_played=column["ms_played"].to_numpy().astype(np.float64),
        city=_places(residents, column["city"]),
        device=_places(residents, column["device"]),
        waited=np.zeros(number, dtype=bool),
        repeated=np.zeros(number, dtype=bool),
        clicks=_Clicks(table, rank, source),
    )


def _artists(
    residents: Residents, lists: pa.ListArray, song: Ints, names: Sequence[str], songs: Songs
) -> tuple[Ints, Ints]:
    """Return the artists of all clicks, and how many each has; those of the catalogue where it names none."""
    said, code = coded(lists.flatten())
    artist = _artist_places(residents, said.to_pylist(), songs)[code]
    count = lists.value_lengths().fill_null(0).to_numpy().astype(np.int64)
    begin = np.cumsum(count) - count
    unnamed = count == 0
    if songs.artists and unnamed.any():
        known = [songs.artists.get(name, ()) for name in names]
        theirs = np.fromiter(map(len, known), np.int64, len(known))
        first = len(artist) + np.cumsum(theirs) - theirs
        of_known = _artist_places(residents, [name for entry in known for name in entry], songs)
        artist = np.concatenate([artist, of_known])
        begin, count = np.where(unnamed, first[song], begin), np.where(unnamed, theirs[song], count)
    total = np.cumsum(count)
    within = np.arange(total[-1] if len(total) else 0) - np.repeat(total - count, count)
    return _each_once(artist[np.repeat(begin, count) + within], count)


def _artist_places(residents: Residents, names: Sequence[str], songs: Songs) -> Ints:
    return residents.artists.places([songs.artist_of(name) for name in names])


def _each_once(artist: Ints, count: Ints) -> tuple[Ints, Ints]:
    """Leave out an artist whom a click names twice."""
    if count.max(initial=0) <= 1:
        return artist, count
    click = np.repeat(np.arange(len(count)), count)
    _, first = np.unique(click << 32 | artist, return_index=True)
    if len(first) == len(artist):
        return artist, count
    first.sort()
    return artist[first], np.bincount(click[first], minlength=len(count))


def _places(residents: Residents, said: pa.Array) -> Ints:
    names, code = coded(said)
    of_each: Ints = name_places(residents, names.to_pylist())[code]
    return of_each


def _once(columns: ClickColumns, loaded: Loaded, most: int) -> dict[int, bytes]:
    """Mark clicks that repeat the `event_id` of an earlier one; return what is to be remembered, by user."""
    said = loaded.table["event_id"]
    at = np.flatnonzero(pc.fill_null(pc.not_equal(said, ""), False).to_numpy())
    event_ids = said.take(pa.array(at)).to_pylist()
    numbers = np.frombuffer(b"".join(map(number_of, event_ids)), np.uint64)
    user, waits = loaded.user[at], columns.waits[at]
    _, which, times = np.unique(numbers, return_inverse=True, return_counts=True)
    # Hardly anybody has an id twice: of the others all that do not wait are counted, and remembered.
    again = np.unique(user[times[which] > 1])
    counted = ~waits & ~np.isin(user, again)
    held = numbers[counted].tobytes()
    ends = np.searchsorted(user[counted], np.arange(len(loaded.users)), "right")
    begins = np.maximum(np.append(0, ends[:-1]), ends - most)
    remembered = {
        each: held[BYTES * begin : BYTES * end]
        for each, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True))
        if begin < end
    }
    for each in again.tolist():
        own = slice(*np.searchsorted(user, (each, each + 1)).tolist())
        # `once` looks at no more of them, and to make whole clicks takes many times as long.
        clicks, of_user = once(
            [
                Click("", HISTORY, 0, 0.0, "waits" if late else "", (), "play", event_id=event_id)
                for event_id, late in zip(event_ids[own], waits[own].tolist(), strict=True)
            ],
            {},
            b"",
            most,
        )
        columns.repeated[at[own]] = [click.repeated for click in clicks]
        if of_user:
            remembered[each] = of_user
    return remembered


class _Clicks(Sequence[Click]):
    """Clicks of a table, made when they are asked for."""

    def __init__(self, table: pa.Table, offset: Ints, source: OffsetSource) -> None:
        self._table, self._offset, self._source = table, offset, source

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, at: int) -> Click:  # type: ignore[override]
        held = {name: self._table[name][at].as_py() for name in self._table.column_names}
        minutes, ms = held["utc_offset_min"], held["ms_played"]
        return Click(
            held["user_id"],
            self._source,
            int(self._offset[at]),
            held["ts"],
            held["song_id"],
            tuple(held["artist_ids"] or ()),
            KINDS[held["kind"]],
            utc_offset_min=None if minutes == UNKNOWN_OFFSET else minutes,
            ms_played=None if ms == NO_MS else ms,
            city=held["city"],
            device=held["device"],
            event_id=held["event_id"] or "",
        )
