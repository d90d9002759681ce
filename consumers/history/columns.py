"""Clicks in Arrow columns, cut into buckets by listener, and packed for the way to whoever applies them."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.active_days import KINDS
from models.click_columns import NO_MS
from models.residents import UNKNOWN_OFFSET

__all__ = ["CLICKS", "EVENTS", "Packets", "cut", "of_events", "pack", "sampled", "unpack"]

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

MOST_OF_ONE = 1_000_000
"""Clicks of a listener that count, the latest ones: each listener is held in memory as a whole, and so many
take as much as a bucket of others."""

KINDS_OF_ARROW = pa.array(KINDS)
USER_ALONE = pa.ipc.IpcReadOptions(included_fields=[CLICKS.get_field_index("user_id")])
SHARES = 1 << 32


def of_events(events: pa.Table, first_place: int, same: Sequence[bytes] | None = None) -> pa.Table:
    """Return clicks as they are applied; `first_place` is the place of the first."""
    kind = pc.fill_null(pc.index_in(events["action"], KINDS_OF_ARROW), KINDS.index("play"))
    places = pa.array(np.arange(first_place, first_place + len(events)))
    columns = {
        **{name: events[name] for name in ("user_id", "ts", "artist_ids")},
        **{name: pc.fill_null(events[name], "") for name in ("song_id", "city", "device")},
        "kind": kind.cast(pa.int8()),
        "ms_played": pc.fill_null(events["ms_played"], NO_MS),
        "utc_offset_min": pc.fill_null(events["utc_offset_min"], UNKNOWN_OFFSET).cast(pa.int16()),
        "event_id": events["event_id"],
        "place": places,
        "same": pa.nulls(len(events), pa.binary()) if same is None else pa.array(same, pa.binary()),
    }
    return pa.table([columns[name] for name in CLICKS.names], schema=CLICKS)


def _of_users(clicks: pa.Table) -> tuple[list[str], Ints]:
    users = clicks["user_id"].combine_chunks().dictionary_encode()
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
    """Cut clicks into buckets: all of a listener's are in one."""
    users, code = _of_users(clicks)
    of_user = np.fromiter((zlib.crc32(user.encode()) % buckets for user in users), np.int32, len(users))
    bucket = of_user[code]
    order = np.argsort(bucket, kind="stable")
    ends = np.cumsum(np.bincount(bucket, minlength=buckets))
    ordered = clicks.take(pa.array(order))
    begin = 0
    for number, end in enumerate(ends.tolist()):
        if end > begin:
            yield number, ordered.slice(begin, end - begin)
        begin = end


def pack(clicks: pa.Table) -> bytes:
    """Return the bytes of clicks."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(sink, CLICKS, options=options) as stream:
        stream.write_table(clicks.combine_chunks())
    return bytes(sink.getvalue())


def unpack(packed: Iterable[bytes]) -> pa.Table:
    """Return the clicks of all bytes together."""
    tables: Sequence[pa.Table] = [pa.ipc.open_stream(each).read_all() for each in packed]
    return pa.concat_tables(tables).combine_chunks() if tables else CLICKS.empty_table()


class Packets:
    """The packets of a bucket, as they come: of each listener the latest `MOST_OF_ONE` clicks."""

    def __init__(self) -> None:
        self._packed: list[bytes] = []
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
        users = pa.ipc.open_stream(packed, options=USER_ALONE).read_all()["user_id"].value_counts()
        found = zip(users.field("values").to_pylist(), users.field("counts").to_pylist(), strict=True)
        full = False
        for user, clicks in found:
            before = self._of_each[user]
            self._of_each[user] = before + clicks
            # Twice as many as count are held, at most.
            full |= (before + clicks) // MOST_OF_ONE > max(1, before // MOST_OF_ONE)
        if full:
            self._packed = [pack(self.clicks())]

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
