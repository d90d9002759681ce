"""Ids that are part of another listener: whose, since when, and what there was of each.

What is of one id is in one slot of a cluster, so no step touches two. docs/decisions/0023-identity.md has the
order of the steps, and what a crash after each of them leaves.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import msgpack
import numpy as np
from pydantic import TypeAdapter

from models.listener import Click, Listener
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.activity_codec import songs_of
from stream.stores.event_ids import KEPT_SECONDS
from stream.stores.listeners import listener_of
from stream.stores.scripts import Script
from stream.stores.waiting import EXPIRED, click_of
from stream.wire.events import Label

__all__ = ["Forward", "Merges", "Parts"]

_LABELS = TypeAdapter(list[Label])
# The keys that scripts touch. All are named: else a script could end midway while a cluster moves their slot.
MERGED = (keys.user, keys.user_into, keys.user_parts)
RESTORED = (
    *(*MERGED, keys.user_artists, keys.user_taste, keys.user_activity, keys.user_heard),
    *(keys.user_event_ids, keys.user_undone),
)
FENCED = (
    *(*MERGED, keys.user_artists, keys.user_taste, keys.user_activity, keys.user_heard),
    *(keys.user_event_ids, keys.user_waiting, keys.user_redriven, keys.user_traits),
)
AT_ONCE = 1000  # ids whose forwards are asked for in one round trip


@dataclass(frozen=True)
class Forward:
    """An id that is part of a listener.

    Attributes
    ----------
    into
        The listener; they may have become part of another since.
    token
        Of this merge: no other has it.
    merge_id
        As the event says it; "" for none.
    at
        When the event says that it became known, in Unix seconds.
    undoing
        Whether it is being undone.
    done
        Whether all that depends on it has followed.
    offsets
        While it is being undone: how far its clicks are applied, by source.
    labels
        Those that it had of its own.
    labels_at
        When they were read, Unix seconds.
    """

    user_id: str
    into: str
    token: str
    merge_id: str = ""
    at: float = 0.0
    undoing: bool = False
    done: bool = False
    offsets: Mapping[str, int] = field(default_factory=dict)
    labels: Sequence[Label] = ()
    labels_at: float = 0.0


@dataclass(frozen=True)
class Parts:
    """What there was of an id when it became part of a listener.

    Attributes
    ----------
    heard
        The songs heard (`models.active_days.song_number`), shape (n,).
    waiting
        Clicks that waited for their song.
    redriven
        Dead letters that were put back, remembered for `redriven_ms`; a negative number: without end.
    event_ids
        Of the clicks that counted last, as `stream.stores.event_ids` keeps them.
    """

    listener: Listener
    heard: np.ndarray[tuple[int], np.dtype[np.int64]] = field(default_factory=lambda: np.zeros(0, np.int64))
    waiting: Sequence[Click] = ()
    redriven: Collection[bytes] = ()
    redriven_ms: int = -1
    event_ids: bytes = b""


class Merges:
    """The store of ids that are part of another listener."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self._fence, self._read = Script("fence_listener"), Script("read_merge")
        self._change, self._restore = Script("change_merge"), Script("restore_listener")
        self._expire, self._keep_at_least = Script("expire_parts"), Script("keep_at_least")

    async def fence(self, user_id: str, into: str, merge_id: str, at: float) -> bool:
        """Make an id part of a listener, in one step; False: it is part of one already."""
        await self.name(user_id, into)
        token = secrets.token_hex(8)
        named = [key(user_id) for key in FENCED]
        return bool(await self._fence(self._redis, named, into, token, merge_id, repr(at)))

    async def name(self, user_id: str, into: str) -> None:
        """Note with a listener that an id is part of them, or about to be; may be repeated."""
        await self._redis.sadd(keys.user_ids(into), user_id)

    async def read(self, user_id: str) -> tuple[Forward | None, Parts | None]:
        """Return whose part an id is, and what there was of it, while that is kept; as of one moment."""
        pairs, packed = await self._read(self._redis, [key(user_id) for key in MERGED])
        return _forward(user_id, pairs), _parts(user_id, packed) if packed else None

    async def forward(self, user_id: str) -> Forward | None:
        """Return whose part an id is."""
        fields = await self._redis.hgetall(keys.user_into(user_id))
        return _forward(user_id, [part for pair in fields.items() for part in pair])

    async def forwards(self, user_ids: Sequence[str]) -> list[Forward]:
        """Return whose part some ids are; nothing of those that are part of none."""
        found: list[Forward] = []
        for at in range(0, len(user_ids), AT_ONCE):
            some = user_ids[at : at + AT_ONCE]
            pipeline = self._redis.pipeline(transaction=False)
            for user in some:
                pipeline.hgetall(keys.user_into(user))
            for user, fields in zip(some, await pipeline.execute(), strict=True):
                if forward := _forward(user, [part for pair in fields.items() for part in pair]):
                    found.append(forward)
        return found

    async def chain(self, user_id: str) -> list[Forward]:
        """Return whose part an id is, whose part they are, and so on to one who is nobody's; often empty."""
        found: list[Forward] = []
        while forward := await self.forward(found[-1].into if found else user_id):
            if any(forward.user_id == each.user_id for each in found):
                break  # two merges at one moment, of which each is about to be taken back
            found.append(forward)
        return found

    async def roots(self, user_ids: Collection[str]) -> dict[str, str]:
        """Return for each id that is part of a listener who that is by now; nothing of all others."""
        found: dict[str, str] = {}
        asked = dict.fromkeys(user_ids)
        while asked:
            into = await self._into(list(asked))
            found |= into
            asked = dict.fromkeys(other for other in into.values() if other not in found)
        return {user: root for user in user_ids if user in found and (root := _end(user, found))}

    async def _into(self, user_ids: Sequence[str]) -> dict[str, str]:
        found: list[bytes | None] = []
        for at in range(0, len(user_ids), AT_ONCE):
            pipeline = self._redis.pipeline(transaction=False)
            for user in user_ids[at : at + AT_ONCE]:
                pipeline.hget(keys.user_into(user), "into")
            found += await pipeline.execute()
        return {user: into.decode() for user, into in zip(user_ids, found, strict=True) if into}

    async def ids(self, user_ids: Collection[str]) -> dict[str, list[str]]:
        """Return for each listener all ids that are part of them, those that are part of these included."""
        found: dict[str, list[str]] = {user: [] for user in user_ids}
        asked = [(user, user) for user in found]
        while asked:
            pipeline = self._redis.pipeline(transaction=False)
            for _, one in asked:
                pipeline.smembers(keys.user_ids(one))
            named = [
                (user, one, name.decode())
                for (user, one), names in zip(asked, await pipeline.execute(), strict=True)
                for name in names
            ]
            into = await self._into(list({name for _, _, name in named}))
            asked = []
            for user, one, name in named:
                if into.get(name) == one and name != user and name not in found[user]:
                    found[user].append(name)
                    asked.append((user, name))
        return found

    async def point(self, forward: Forward, into: str) -> None:
        """Let an id be part of this listener, of whom its own has become part meanwhile."""
        await self.name(forward.user_id, into)
        await self._changed(forward, "as is", {"into": into})

    async def note_undoing(self, forward: Forward, offsets: Mapping[str, int]) -> bool:
        """Note that a merge is being undone, and how far the id's clicks are applied; False: it cannot be."""
        packed = msgpack.packb([part for pair in offsets.items() for part in pair], use_bin_type=False)
        return await self._changed(forward, "", {"undoing": 1, "offsets": packed})

    async def withdraw_undoing(self, forward: Forward) -> None:
        """Let an id stay part of its listener."""
        await self._changed(forward, "as is", {"undoing": 0})

    async def note_labels(self, forward: Forward, labels: Sequence[Label], now: float) -> None:
        """Note the labels that an id has of its own now, in Unix seconds, before they are its listener's."""
        if labels:
            packed = _LABELS.dump_json(list(labels))
            await self._changed(forward, "as is", {"labels": packed, "labels_at": repr(now)})

    async def finish(self, forward: Forward, keep_seconds: float) -> None:
        """Note that all has followed; what there was of the id is kept for so long from now on."""
        if not forward.done:
            await self._changed(forward, round(1000 * keep_seconds), {"done": 1})

    async def expire(self, user_ids: Collection[str]) -> None:
        """Erase what there was of all ids of listeners who are erased: else their next click brings it back.

        Whose part each is stays; what a merge or an undoing under way is in need of, too.
        """
        ids = [each for own in (await self.ids(user_ids)).values() for each in own]
        await self._expire.each(self._redis, [([key(each) for key in MERGED],) for each in ids])

    async def _changed(
        self, forward: Forward, keep: int | str, fields: Mapping[str, str | bytes | int]
    ) -> bool:
        given = [part for pair in fields.items() for part in pair]
        named = [key(forward.user_id) for key in MERGED]
        return bool(await self._change(self._redis, named, forward.token, keep, *given))

    async def restore(self, forward: Forward) -> None:
        """Make an id a listener of its own again, as it was, in one step."""
        revision = f"{secrets.randbelow(1 << 31) + 1:08x}"
        fields = [part for name, at in forward.offsets.items() for part in (f"o:{name}", str(at))]
        packed = msgpack.packb(fields, use_bin_type=False)
        named = [key(forward.user_id) for key in RESTORED]
        await self._restore(self._redis, named, forward.token, revision, packed, KEPT_SECONDS)

    async def was_undone(self, user_id: str, merge_id: str) -> bool:
        """Say whether a merge of the id was undone."""
        return bool(merge_id and await self._redis.sismember(keys.user_undone(user_id), merge_id))

    async def inherit(self, user_id: str, parts: Parts) -> None:
        """Remember for a listener which dead letters of another id of theirs were put back."""
        await self._remember_redriven(user_id, parts.redriven, parts.redriven_ms)

    async def give_back_redriven(self, forward: Forward) -> None:
        """Remember for an id which dead letters of its listener were put back; may be repeated.

        Which of them are the id's own is not known any more; those of others are never put back to it.
        """
        key = keys.user_redriven(forward.into)
        letters, milliseconds = await self._redis.smembers(key), await self._redis.pttl(key)
        await self._remember_redriven(forward.user_id, letters, milliseconds)

    async def _remember_redriven(self, user_id: str, letters: Collection[bytes], milliseconds: int) -> None:
        if letters:
            key = keys.user_redriven(user_id)
            await self._redis.sadd(key, *letters)
            if milliseconds > 0:
                # Not for less: letters of the listener itself may have been put back since.
                await self._keep_at_least(self._redis, [key], milliseconds)


def _end(user: str, into: Mapping[str, str]) -> str:
    passed = {user}
    while (user := into.get(user, "")) and user not in passed:
        passed.add(user)
        last = user
    return last


def _forward(user_id: str, pairs: Sequence[bytes]) -> Forward | None:
    if not pairs:
        return None
    fields = dict(zip(pairs[::2], pairs[1::2], strict=True))
    offsets = msgpack.unpackb(fields[b"offsets"]) if b"offsets" in fields else []
    return Forward(
        user_id,
        fields[b"into"].decode(),
        fields[b"token"].decode(),
        fields[b"merge_id"].decode(),
        float(fields[b"at"]),
        fields.get(b"undoing") == b"1",
        b"done" in fields,
        dict(zip(offsets[::2], offsets[1::2], strict=True)),
        _LABELS.validate_json(fields.get(b"labels", b"[]")),
        float(fields.get(b"labels_at", fields[b"at"])),  # earlier versions did not note it
    )


def _parts(user_id: str, packed: bytes) -> Parts:
    held, heard, waiting, redriven, milliseconds, *event_ids = msgpack.unpackb(packed, raw=True)
    # One that has waited for too long, and is no dead letter yet, waits once more.
    places = [place.decode().removeprefix(EXPIRED) for place in waiting[::2]]
    pairs = zip(places, waiting[1::2], strict=True)
    listener = listener_of(user_id, held)
    return Parts(
        listener,
        np.concatenate([songs_of(heard), listener.activity.songs if listener.activity else []]).astype(
            np.int64
        ),
        [click_of(user_id, place, each).click for place, each in pairs],
        redriven or (),
        milliseconds,
        *event_ids,
    )
