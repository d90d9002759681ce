"""Clicks in Arrow columns, cut into buckets by listener, and packed for the way to whoever applies them."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.active_days import KINDS
from models.click_columns import NO_MS
from models.residents import UNKNOWN_OFFSET

__all__ = [
    "CLICKS",
    "CODED",
    "EVENTS",
    "Packets",
    "coded",
    "cut",
    "in_codes",
    "lists",
    "narrow",
    "of_events",
    "pack",
    "sampled",
    "unpack",
    "whole",
]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

EVENTS = pa.schema(
    [
        ("user_id", pa.string()),
        ("song_id", pa.string()),
        ("ts", pa.float64()),
        ("artist_ids", pa.list_(pa.string())),
        ("action", pa.string()),
        ("ms_played", pa.int64()),
        ("utc_offset_min", pa.int64()),
        ("city", pa.string()),
        ("device", pa.string()),
        ("event_id", pa.string()),
        ("query", pa.string()),
    ]
)
"""Clicks as `stream.files` makes them (`stream.wire.events.ClickEvent`)."""

CLICKS = pa.schema(
    [
        ("user_id", pa.string()),
        ("song_id", pa.string()),
        ("ts", pa.float64()),
        ("artist_ids", pa.list_(pa.string())),
        ("kind", pa.int8()),
        ("ms_played", pa.int64()),
        ("utc_offset_min", pa.int16()),
        ("city", pa.string()),
        ("device", pa.string()),
        ("event_id", pa.string()),
        ("place", pa.int64()),
        ("same", pa.binary()),
    ]
)
"""The same as they are applied: `kind` is a place in `models.active_days.KINDS`, `place` their order.
Those that have the same in `same` are one click, where that is not null."""

CODED = pa.dictionary(pa.int32(), pa.string())
"""Texts each of them once, and of each row its place among them. Clicks are so where they are applied: such
places are sorted and counted sooner. In a packet they are not, it is mostly too short for that."""

MOST_OF_ONE = 1_000_000
"""Clicks of a listener that count, the latest ones: each listener is held in memory as a whole, and so many
take as much as a bucket of others."""

KINDS_OF_ARROW = pa.array(KINDS)
MOST = b"most"
"""What says, in the head of a packet, how many clicks one listener has in it at most."""

USER_ALONE = pa.ipc.IpcReadOptions(included_fields=[CLICKS.get_field_index("user_id")])
SHARES = 1 << 32


def of_events(events: pa.Table, places: Ints, same: Sequence[bytes] | None = None) -> pa.Table:
    """Return clicks as they are applied; `places` are theirs."""
    kind = pc.fill_null(pc.index_in(events["action"], KINDS_OF_ARROW), KINDS.index("play"))
    columns = {
        **{name: events[name] for name in ("user_id", "ts", "artist_ids")},
        **{name: pc.fill_null(events[name], "") for name in ("song_id", "city", "device")},
        "kind": kind.cast(pa.int8()),
        "ms_played": pc.fill_null(events["ms_played"], NO_MS),
        "utc_offset_min": pc.fill_null(events["utc_offset_min"], UNKNOWN_OFFSET).cast(pa.int16()),
        "event_id": events["event_id"],
        "place": pa.array(places),
        "same": pa.nulls(len(events), pa.binary()) if same is None else pa.array(same, pa.binary()),
    }
    return pa.table([columns[name] for name in CLICKS.names], schema=CLICKS)


def whole(column: pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece: as it is where it is one, where `combine_chunks` would copy it."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def in_codes(column: pa.ChunkedArray) -> pa.Array:
    """Return a column of texts, or of lists of such, in one piece and with these as `CODED`.

    Examples
    --------
    >>> in_codes(pa.chunked_array([["a", "b"], ["a"]])).indices.tolist()
    [0, 1, 0]
    """
    if pa.types.is_list(column.type):
        lengths = whole(pc.list_value_length(column))
        texts = whole(pc.list_flatten(column).dictionary_encode())
        return lists(
            lengths.fill_null(0).to_numpy(), texts, lengths.is_null() if lengths.null_count else None
        )
    return whole(column.dictionary_encode())


def coded(column: pa.ChunkedArray | pa.DictionaryArray) -> tuple[pa.StringArray, Ints]:
    """Return the texts of a `CODED` column, and the place of each row's among them.

    They are those that rows have, each once, in the order in which they come: a part of a column carries the
    texts of all of it.

    Examples
    --------
    >>> texts, places = coded(pa.array(["a", "c", "b", "c"]).dictionary_encode()[1:])
    >>> texts.to_pylist(), places.tolist()
    (['c', 'b'], [0, 1, 0])
    """
    array = whole(column) if isinstance(column, pa.ChunkedArray) else column
    used = array.indices.dictionary_encode()
    return array.dictionary.take(used.dictionary), used.indices.to_numpy().astype(np.int64)


def narrow(places: npt.NDArray[Any], below: int) -> npt.NDArray[Any]:
    """Return numbers from 0 on as they are sorted soonest: 16 bits are, by radix, in a tenth of the time."""
    return places.astype(np.min_scalar_type(below))


def lists(lengths: Ints, values: pa.Array, missing: pa.Array | None = None) -> pa.ListArray:
    """Return lists of so many values each, one after the other; null where one is missing."""
    ends = pa.array(np.cumsum(np.concatenate([[0], lengths]), dtype=np.int32))
    return pa.ListArray.from_arrays(ends, values, mask=missing)


def _of_users(clicks: pa.Table) -> tuple[list[str], Ints]:
    users = in_codes(clicks["user_id"])
    return users.dictionary.to_pylist(), users.indices.to_numpy().astype(np.int64)


def sampled(clicks: pa.Table, share: float) -> pa.Table:
    """Return the clicks of a share of the listeners: the same of them whatever else is read.

    Examples
    --------
    >>> users = pa.array([f"u{number}" for number in range(1000)])
    >>> len(sampled(pa.table({"user_id": users}), 0.1))
    105
    """
    if share >= 1.0:
        return clicks
    users, code = _of_users(clicks)
    chosen = np.fromiter((_share_of(user) < share for user in users), np.bool_, len(users))
    return clicks.filter(pa.array(chosen[code]))


def _share_of(user_id: str) -> float:
    return int.from_bytes(blake2b(user_id.encode(), digest_size=4, person=b"sample").digest(), "big") / SHARES


def cut(clicks: pa.Table, buckets: int) -> Iterator[tuple[int, pa.Table]]:
    """Cut clicks into buckets: all of a listener's are in one. Each says how many a listener has at most."""
    users, code = _of_users(clicks)
    of_user = np.fromiter((zlib.crc32(user.encode()) % buckets for user in users), np.int32, len(users))
    bucket = narrow(of_user[code], buckets)
    order = np.argsort(bucket, kind="stable")
    ends = np.cumsum(np.bincount(bucket, minlength=buckets))
    most = np.bincount(code).max(initial=0)  # of all buckets: to count in each would take longer
    ordered = clicks.take(pa.array(order)).replace_schema_metadata({MOST: str(most)})
    begin = 0
    for number, end in enumerate(ends.tolist()):
        if end > begin:
            yield number, ordered.slice(begin, end - begin)
        begin = end


def pack(clicks: pa.Table) -> bytes:
    """Return the bytes of clicks."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(sink, clicks.schema, options=options) as stream:
        stream.write_table(clicks.combine_chunks())
    return bytes(sink.getvalue())


def unpack(packed: Iterable[bytes]) -> pa.Table:
    """Return the clicks of all bytes together."""
    tables: Sequence[pa.Table] = [pa.ipc.open_stream(each).read_all() for each in packed]
    return pa.concat_tables(tables) if tables else CLICKS.empty_table()


class Packets:
    """The packets of a bucket, as they come: of each listener the latest `MOST_OF_ONE` clicks."""

    def __init__(self) -> None:
        self._packed: list[bytes] = []
        self._most = 0  # clicks of one listener
        self._uncounted: list[bytes] = []
        self._of_each: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._packed)

    @property
    def shortened(self) -> dict[str, int]:
        """Listeners with more clicks than count, and how many they have."""
        return {user: clicks for user, clicks in self._of_each.items() if clicks > MOST_OF_ONE}

    def add(self, packed: bytes) -> None:
        """Take one."""
        self._packed.append(packed)
        self._uncounted.append(packed)
        said = pa.ipc.open_stream(packed).schema.metadata or {}
        self._most += int(said.get(MOST, MOST_OF_ONE + 1))
        if self._most <= MOST_OF_ONE:
            return  # to count each listener's takes long, and hardly anybody has so many
        full = False
        for each in self._uncounted:
            full |= self._count(each)
        self._uncounted.clear()
        if full:
            self._packed = [pack(self.clicks())]

    def _count(self, packed: bytes) -> bool:
        """Count the clicks of each listener in a packet; say whether it is time to leave out early ones."""
        users = pa.ipc.open_stream(packed, options=USER_ALONE).read_all()["user_id"].value_counts()
        found = zip(users.field("values").to_pylist(), users.field("counts").to_pylist(), strict=True)
        full = False
        for user, clicks in found:
            before = self._of_each[user]
            self._of_each[user] = before + clicks
            # Twice as many as count are held, at most.
            full |= (before + clicks) // MOST_OF_ONE > max(1, before // MOST_OF_ONE)
        return full

    def clicks(self) -> pa.Table:
        """Return all clicks that count."""
        clicks = unpack(self._packed)
        if not (shortened := self.shortened):
            return clicks
        users, code = _of_users(clicks)
        ts, place = clicks["ts"].to_numpy(), clicks["place"].to_numpy()
        kept = np.ones(len(clicks), dtype=bool)
        for user in shortened:
            own = np.flatnonzero(code == users.index(user))
            kept[own[np.lexsort((place[own], ts[own]))[:-MOST_OF_ONE]]] = False
        return clicks.filter(pa.array(kept))
