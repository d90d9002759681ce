"""Listeners in Redis: what they are, and one step that changes one of them wholly or not at all."""

from __future__ import annotations

import itertools
import math
import secrets
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgpack
import numpy as np
import numpy.typing as npt
from redis.asyncio.cluster import RedisCluster
from redis.crc import key_slot

from models.active_days import HOURS
from models.listener import Aliased, Click, Listener
from models.residents import UNKNOWN_OFFSET, Residents
from models.traits.activity import DAY, ActiveDays, Activities
from models.update import Changes
from stream.connect import AnyRedis
from stream.stores import activity_codec, keys, taste_codec
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.event_ids import KEPT_SECONDS
from stream.stores.scripts import Script
from stream.stores.waiting import pack, place_of

__all__ = ["Activeness", "Keys", "Listeners", "listener_of"]

Keys: TypeAlias = "Sequence[Callable[[str], str]]"
"""What makes a listener's keys, of `stream.stores.keys`."""

IN_A_SCRIPT = 40  # listeners: a script of so many holds Redis up for 0.3 to 0.5 ms; a release waits for it
WRITTEN_AT_ONCE = 2000  # listeners, by a pipeline: some 4 MB where they have 200 artists each
TASTES_IN_A_SCRIPT = 250  # one after the other: a click or a release that comes waits for one of them
READ = (keys.user, keys.user_into, keys.user_artists, keys.user_taste, keys.user_activity)
WRITTEN = (*READ, keys.user_waiting, keys.user_heard, keys.user_event_ids)
EXPIRED = (
    *(keys.user, keys.user_artists, keys.user_taste, keys.user_activity, keys.user_heard, keys.user_waiting),
    *(keys.user_event_ids, keys.user_traits, keys.user_redriven, keys.recommended),
)
EACH = 14  # elements that `write_listeners.lua` takes of a listener
STATE = np.dtype([("rev", "<u4"), ("hour", "<u4"), ("hour_clicks", "<u4")])
"""The field `state`, in hexadecimal: what is Refrain's own and changes with every click."""


class Activeness(NamedTuple):
    """What tells whether a listener has done anything.

    Attributes
    ----------
    state
        Another one after each write; empty where there is no such listener.
    clicks
        How many were applied.
    last_seen
        When the latest of them was, Unix seconds; -inf where they all wait for their song.
    """

    state: bytes = b""
    clicks: int = 0
    last_seen: float = -math.inf


class Listeners:
    """The store of listeners. Works on a Redis and on a Redis Cluster.

    Parameters
    ----------
    redis
        The server.
    aliases
        What ids of artists stand for: `rows` and `artists` go by it. None: for themselves.
    """

    def __init__(self, redis: AnyRedis, aliases: ArtistAliases | None = None) -> None:
        self.redis = redis
        self._aliases = ArtistAliases(redis) if aliases is None else aliases
        self._read, self._write = Script("read_listeners"), Script("write_listeners")
        self._rows, self._named = Script("read_rows"), Script("read_fields")
        self._tastes, self._artists = Script("read_tastes"), Script("read_artists")
        self._activities = Script("read_activities")
        self._expire = Script("expire_listeners")

    def groups(self, user_ids: Sequence[str]) -> list[list[int]]:
        """Positions that one script may take together: on a cluster those in one slot."""
        positions = range(len(user_ids))
        if not isinstance(self.redis, RedisCluster):
            return [list(positions[at : at + IN_A_SCRIPT]) for at in range(0, len(user_ids), IN_A_SCRIPT)]
        slots = [key_slot(keys.user(user_id).encode()) for user_id in user_ids]
        ordered = sorted(positions, key=slots.__getitem__)
        return [list(group) for _, group in itertools.groupby(ordered, key=slots.__getitem__)]

    def touched(self, of_each: Keys, user_ids: Sequence[str]) -> list[str]:
        """Return the KEYS of a script: on a cluster all that it touches of these listeners.

        Where their slot is moved to another node, Redis looks at KEYS before it runs the script, and at any
        other key only once the script comes to it: what was written by then would stay. On one Redis a key
        stands for all: many would take it longer than what is done with them.
        """
        if isinstance(self.redis, RedisCluster):
            return [key(user) for user in user_ids for key in of_each]
        return [of_each[0](user_ids[0])]

    async def ask(
        self, script: Script, touched: Keys, user_ids: Sequence[str], *arguments: int | str
    ) -> list[Any]:
        """Return what a script that reads says of each listener.

        Parameters
        ----------
        touched
            All keys that it may touch of a listener.
        """
        groups = self.groups(user_ids)
        calls = []
        for group in groups:
            asked = [user_ids[at] for at in group]
            packed = msgpack.packb(asked, use_bin_type=False)
            calls.append((self.touched(touched, asked), packed, *arguments))
        said: list[Any] = [None] * len(user_ids)
        for group, answer in zip(groups, await script.each(self.redis, calls), strict=True):
            for at, held in zip(group, msgpack.unpackb(answer, raw=True), strict=True):
                said[at] = held
        return said

    async def read(self, user_ids: Sequence[str], *, activity: bool = False) -> list[Listener]:
        """Read listeners, with what they did day by day or without; one not there has ``rev`` 0.

        Of one who is part of another listener there is no more than whose part they are.
        """
        answers = await self.ask(self._read, READ, user_ids, int(activity))
        return [listener_of(user, held) for user, held in zip(user_ids, answers, strict=True)]

    async def write(self, residents: Residents, changes: Changes, version: int) -> list[str]:
        """Write what changed, each listener in one atomic step, and give those written a new ``rev``.

        Where they are held without what they do day by day, what there is of that is erased, and until
        when it is missing is noted.

        Parameters
        ----------
        version
            The model that made their tastes; 0 for none.

        Returns
        -------
        Those that somebody else has changed since they were read: they are to be read again.
        """
        users = [residents.users[row] for row in changes.rows.tolist()]
        groups = self.groups(users)
        values = _values(residents, changes, version)
        answers: list[Any] = []
        # Of a large pipeline not all would be sent before a connection's time is up.
        scripts = WRITTEN_AT_ONCE // max(map(len, groups), default=1)
        for at in range(0, len(groups), scripts):
            calls = [
                (
                    self.touched(WRITTEN, [users[position] for position in group]),
                    KEPT_SECONDS,
                    int(residents.activity is None),
                    _packed(values, group),
                )
                for group in groups[at : at + scripts]
            ]
            answers += await self._write.each(self.redis, calls)
        refused = zip(groups, answers, strict=True)
        return [users[group[position - 1]] for group, positions in refused for position in positions]

    async def rows(self, user_ids: Sequence[str], top: int) -> list[tuple[list[str], list[float]]]:
        """Return the `top` strongest artists of listeners and their stored weights; nothing of a bot's."""
        return [
            self._aliases.row(
                [name.decode() for name in pairs[::2]], [float(weight) for weight in pairs[1::2]]
            )
            for pairs in await self.ask(self._rows, (keys.user, keys.user_artists), user_ids, top)
        ]

    async def artists(self, user_ids: Sequence[str], top: int, above: float = 0.0) -> list[list[str]]:
        """Return the `top` strongest artists of listeners, those with a stored weight above `above`."""
        return [
            list(dict.fromkeys(self._aliases.of(artist.decode()) for artist in artists))
            for artists in await self.ask(self._artists, [keys.user_artists], user_ids, top, repr(above))
        ]

    async def tastes(self, user_ids: Sequence[str], dims: int) -> tuple[list[str], npt.NDArray[np.float64]]:
        """Return the tastes (n, d) of those listeners who have one of these dimensions, and who they are.

        Models are aligned, so a taste that an earlier one made may stand beside the others.
        """
        length, size = taste_codec.length(dims), taste_codec.size(dims)
        if not isinstance(self.redis, RedisCluster):
            users, parts = [], []
            for at in range(0, len(user_ids), TASTES_IN_A_SCRIPT):
                asked = list(user_ids[at : at + TASTES_IN_A_SCRIPT])
                packed, positions = await self._tastes(
                    self.redis, [], msgpack.packb(asked, use_bin_type=False), length, size
                )
                users += [asked[position - 1] for position in msgpack.unpackb(positions)]
                parts.append(packed)
            return users, taste_codec.sums(b"".join(parts), dims)
        pipeline = self.redis.pipeline(transaction=False)
        for user_id in user_ids:
            pipeline.get(keys.user_taste(user_id))
        found = await pipeline.execute() if user_ids else []
        held = [(user, taste) for user, taste in zip(user_ids, found, strict=True) if taste]
        held = [(user, taste) for user, taste in held if len(taste) == length]
        return [user for user, _ in held], taste_codec.unpack([taste for _, taste in held], dims)

    async def about(self, user_id: str) -> dict[str, str]:
        """Return the listener's hash, empty where there is no such listener."""
        found = await self.redis.hgetall(keys.user(user_id))
        found.pop(b"state", None)
        return {field.decode(): value.decode() for field, value in found.items()}

    async def strongest(self, user_id: str, top: int) -> tuple[list[tuple[str, float]], int]:
        """Return the listener's `top` artists and their stored weights, best first, and how many are kept."""
        found = await self.redis.zrange(keys.user_artists(user_id), 0, top - 1, desc=True, withscores=True)
        return [(artist.decode(), weight) for artist, weight in found], await self.redis.zcard(
            keys.user_artists(user_id)
        )

    async def forget(self, user_id: str) -> bool:
        """Erase a listener's own keys, all in one step. False: there were none."""
        every = (
            *(keys.user, keys.user_artists, keys.user_taste, keys.user_activity, keys.user_heard),
            *(keys.user_waiting, keys.user_redriven, keys.user_ids, keys.user_event_ids),
            *(keys.user_into, keys.user_parts, keys.user_undone, keys.recommended),
        )
        return bool(await self.redis.delete(*(key(user_id) for key in every)))

    async def fields(self, user_ids: Sequence[str], names: Sequence[str]) -> list[list[str]]:
        """Return some fields of listeners' own hashes, "" for what is not there."""
        found = await self.ask(self._named, [keys.user], user_ids, "", *names)
        return [[(value or b"").decode() for value in values] for values in found]

    async def note_unrecorded(self, user_id: str, until: float) -> None:
        """Note until when what a listener did was not recorded, where that is not known, or less long."""
        ((state, noted),) = await self.fields([user_id], ["state", "unrecorded"])
        if state and until > float(noted or "-inf"):
            await self.redis.hset(keys.user(user_id), "unrecorded", repr(until))

    async def activeness(self, user_ids: Sequence[str]) -> list[Activeness]:
        """Return what tells of each listener, a bot too, whether they have done anything."""
        found = await self.ask(self._named, [keys.user], user_ids, "", "state", "clicks", "last_seen")
        return [
            Activeness(state, int(clicks), float(last_seen)) if state else Activeness()
            for state, clicks, last_seen in found
        ]

    async def expire(self, states: Mapping[str, bytes]) -> None:
        """Erase listeners' own keys, each wholly, or not at all where they were written since.

        What stays is whose part which id is, and that they have opted out.

        Parameters
        ----------
        states
            Listener -> `Activeness.state`.
        """
        users = list(states)
        calls = []
        for group in self.groups(users):
            given = [part for at in group for part in (users[at], states[users[at]].decode())]
            named = self.touched(EXPIRED, [users[at] for at in group])
            calls.append((named, msgpack.packb(given, use_bin_type=False)))
        await self._expire.each(self.redis, calls)

    async def clocks(self, user_ids: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return when listeners were seen last, and by how many minutes their clocks are ahead of UTC.

        Returns
        -------
        Shape (n, 2), Unix seconds and minutes; NaN for what is not known.
        """
        found = await self.ask(self._named, [keys.user], user_ids, "", "last_seen", "utc_offset_min")
        rows = [[float(value or "nan") for value in each] for each in found]
        return np.array(rows, dtype=np.float64).reshape(-1, 2)

    async def activities(self, user_ids: Sequence[str]) -> Activities:
        """Read what listeners did day by day; nothing of who is not there, and of bots.

        Nor of days that are over since before something was not recorded: late clicks alone are there.
        """
        answers = await self.ask(self._activities, (keys.user, keys.user_activity), user_ids)
        held = [activity_codec.unpack(packed) for packed, *_ in answers]
        counts = [len(each.days) for each in held]
        days = np.concatenate([np.zeros(0, dtype=DAY), *(each.days for each in held)])
        seen = np.array([[float(at or "nan") for at in each[1:]] for each in answers]).reshape(-1, 3)
        owner = np.repeat(np.arange(len(held)), counts)
        known = ~(days["day"] < seen[owner, 2] // 86_400)  # all of them where it is NaN
        return Activities(
            ActiveDays(len(held), owner[known], days[known]),
            seen[:, 0],
            seen[:, 1],
            np.array([each.hours for each in held], dtype=np.float64).reshape(-1, HOURS),
            [each.cities for each in held],
            [each.devices for each in held],
            seen[:, 2],
        )

    async def placed(self, user_ids: Sequence[str]) -> list[Listener]:
        """Read of listeners no more than their cohort and the move that brought them there."""
        found = [Listener(user) for user in user_ids]
        answers = await self.ask(
            self._named, [keys.user], user_ids, "", "state", "rev", "cohort", "cohort_since", "moved"
        )
        for at, (state, rev, cohort, since, moved) in enumerate(answers):
            if (state or rev) and moved:
                place, _, origin = moved.decode().partition(" ")
                number = _state(state)[0] if state else -int(rev)
                found[at] = Listener(user_ids[at], number, cohort.decode(), origin, float(since), place)
        return found


def _state(state: bytes) -> tuple[int, int, int]:
    rev, hour, hour_clicks = struct.unpack("<III", bytes.fromhex(state.decode()))
    return rev, hour, hour_clicks


def listener_of(user_id: str, held: Sequence[Any]) -> Listener:
    """Read a listener of what `read_listeners.lua` says of them, or what `fence_listener.lua` has packed."""
    if not held:
        return Listener(user_id)
    if len(held) == 1:
        return Listener(user_id, into=held[0].decode())
    pairs, weights, taste, activity = held
    return _listener(user_id, pairs, weights, taste, activity)


def _listener(
    user_id: str, pairs: list[bytes], weights: list[bytes], taste: bytes, activity: bytes
) -> Listener:
    fields = dict(zip(pairs[::2], pairs[1::2], strict=True))
    if state := fields.get(b"state"):
        rev, hour, hour_clicks = _state(state)
    else:  # written by an earlier version
        rev = -int(fields[b"rev"])
        hour, hour_clicks = (int(number) for number in fields[b"hour"].split())
    place, _, origin = fields.get(b"moved", b"").decode().partition(" ")
    return Listener(
        user_id,
        rev,
        fields.get(b"cohort", b"").decode(),
        origin,
        float(fields.get(b"cohort_since", 0.0)),
        place,
        int(fields.get(b"clicks", 0)),
        float(fields.get(b"first_seen", "inf")),
        float(fields.get(b"last_seen", "-inf")),
        fields.get(b"bot") == b"1",
        hour,
        hour_clicks,
        {name[2:].decode(): int(offset) for name, offset in fields.items() if name.startswith(b"o:")},
        {name.decode(): float(weight) for name, weight in zip(weights[::2], weights[1::2], strict=True)},
        taste_codec.version(taste),
        taste_codec.short_term(taste),
        int(clock) if (clock := fields.get(b"utc_offset_min")) is not None else None,
        activity_codec.unpack(activity) if activity else None,
        frozenset(name[2:].decode() for name in fields if name.startswith(b"m:")),
        "",
        {name[2:].decode(): _aliased(held) for name, held in fields.items() if name.startswith(b"a:")},
        float(fields.get(b"unrecorded", "-inf")),
    )


def _aliased(held: bytes) -> Aliased:
    weight, _, artist = held.decode().partition(" ")
    return Aliased(artist, float(weight))


def _packed(values: Sequence[Any], group: Sequence[int]) -> bytes:
    """Pack what is to be written of a group of rows."""
    first, last = group[0], group[-1]
    # But for a cluster a group is one stretch.
    theirs = (
        values[EACH * first : EACH * (last + 1)]
        if last - first + 1 == len(group)
        else [value for at in group for value in values[EACH * at : EACH * (at + 1)]]
    )
    packed: bytes = msgpack.packb(theirs, use_bin_type=False)
    return packed


def _values(residents: Residents, changes: Changes, version: int) -> list[Any]:
    """Return what `write_listeners.lua` asks for, `EACH` elements a row; give the rows their next ``rev``."""
    rows = changes.rows
    before = residents.rev[rows]
    # A first number by chance: one who is forgotten and comes back is not taken for who they were.
    after = np.where(before > 0, before + 1, secrets.randbelow(1 << 31)) % (1 << 32)
    after[after == 0] = 1
    residents.rev[rows] = after
    users, sources, names = residents.users, residents.source[rows].tolist(), residents.sources.names
    offset_fields = {source: f"o:{names[source]}" for source in set(sources)}
    # Column by column, each at its place in the flat array. Numbers go as text: Redis takes five times as
    # long to write them out as Python does.
    values: list[Any] = [0] * (EACH * len(rows))
    values[0::EACH] = [users[row] for row in rows.tolist()]
    values[1::EACH] = _revisions(before)
    values[2::EACH] = _tastes(residents, rows, version)
    values[3::EACH] = _states(residents, rows)
    values[4::EACH] = map(str, residents.clicks[rows].tolist())
    values[5::EACH] = map(repr, residents.last_seen[rows].tolist())
    values[6::EACH] = [offset_fields[source] for source in sources]
    values[7::EACH] = map(str, residents.offset[rows].tolist())
    weights = list(map(repr, changes.weight.tolist()))
    artists = [residents.artists.names[artist] for artist in changes.artist.tolist()]
    pairs = [part for pair in zip(weights, artists, strict=True) for part in pair]
    first = np.searchsorted(changes.owner, np.arange(len(rows) + 1))
    numbers = np.diff(first)
    begins = first[:-1].tolist()
    values[8::EACH] = [weights[at] if n else "" for at, n in zip(begins, numbers.tolist(), strict=True)]
    values[9::EACH] = [artists[at] if n else "" for at, n in zip(begins, numbers.tolist(), strict=True)]
    values[10::EACH] = _activities(residents, changes)
    values[11::EACH] = _heard(changes)
    values[12::EACH] = [changes.event_ids.get(row, b"") for row in rows.tolist()]
    rare = changes.described | (before < 0) | (numbers > 1)
    if named := [*changes.turned, *changes.dropped, *changes.waiting, *changes.waited, *changes.gone]:
        rare |= np.isin(rows, named)
    described = dict(
        zip(
            np.flatnonzero(changes.described).tolist(),
            _described(residents, rows[changes.described]),
            strict=True,
        )
    )
    # The first pair of each is in the columns above.
    others_begin, others_end = (2 * first[:-1] + 2).tolist(), (2 * first[1:]).tolist()
    for at in np.flatnonzero(rare).tolist():
        row = int(rows[at])
        values[EACH * at + 13] = [
            described.get(at, []) + (_offsets(residents, row) if row in changes.turned else []),
            [residents.artists.names[artist] for artist in changes.dropped.get(row, ())],
            pairs[others_begin[at] : others_end[at]],
            _waiting(changes.waiting.get(row, ()), changes.now),
            [place_of(click) for click in changes.waited.get(row, ())],
            changes.gone.get(row, []),
        ]
    return values


def _tastes(residents: Residents, rows: npt.NDArray[np.int64], version: int) -> list[bytes]:
    if not version:
        return [b""] * len(rows)
    packed = (residents.taste[rows], residents.exponent[rows], residents.short_term[rows])
    return taste_codec.pack(*packed, version)


def _activities(residents: Residents, changes: Changes) -> list[bytes]:
    packed = [b""] * len(changes.rows)
    if residents.activity is not None:
        active = np.flatnonzero(changes.active)
        written = activity_codec.pack(residents.activity, changes.rows[active])
        for at, each in zip(active.tolist(), written, strict=True):
            packed[at] = each
    return packed


def _heard(changes: Changes) -> list[bytes]:
    numbers = changes.heard.astype("<u4").tobytes()
    ends = (4 * np.searchsorted(changes.heard_by, np.arange(len(changes.rows) + 1))).tolist()
    return [numbers[first:last] for first, last in itertools.pairwise(ends)]


def _states(residents: Residents, rows: npt.NDArray[np.int64]) -> list[str]:
    states = np.empty(len(rows), dtype=STATE)
    for name in STATE.names or ():
        states[name] = getattr(residents, name)[rows]
    # In hexadecimal: whoever reads the hash as text finds text.
    return _cut(states.tobytes().hex(), 2 * STATE.itemsize)


def _cut(joined: str, step: int) -> list[str]:
    return [joined[at : at + step] for at in range(0, len(joined), step)]


def _revisions(revs: npt.NDArray[np.int64]) -> list[str]:
    revisions = _cut(revs.astype("<u4").tobytes().hex(), 8)
    for at in np.flatnonzero(revs <= 0).tolist():
        revisions[at] = f"rev:{-revs[at]}" if revs[at] else ""
    return revisions


def _described(residents: Residents, rows: npt.NDArray[np.int64]) -> list[list[str]]:
    """Return, of each row, the fields that seldom change and their values."""
    names, joined, aliased = residents.cohorts.names, residents.joined, residents.aliased
    columns = [
        getattr(residents, name)[rows].tolist()
        for name in (
            *("cohort", "cohort_since", "moved_source", "moved_offset", "cohort_from"),
            *("clicks", "first_seen", "bot", "utc_offset_min"),
        )
    ]
    described = []
    for row, cohort, since, source, offset, origin, clicks, first_seen, bot, minutes in zip(
        rows.tolist(), *columns, strict=True
    ):
        moved = residents.place_of_move(source, offset)
        fields = ["cohort", names[cohort], "cohort_since", repr(since), "moved", f"{moved} {names[origin]}"]
        if clicks:  # else all that there is waits for its song
            fields += ["first_seen", repr(first_seen), "bot", "1" if bot else "0"]
        if minutes != UNKNOWN_OFFSET:
            fields += ["utc_offset_min", str(minutes)]
        fields += [part for tag in joined.get(row, ()) for part in (f"m:{tag}", "1")]
        for alias, (artist, weight) in aliased.get(row, {}).items():
            fields += [f"a:{alias}", f"{weight!r} {artist}"]
        described.append(fields)
    return described


def _offsets(residents: Residents, row: int) -> list[str]:
    pairs = residents.offsets(row).items()
    return [part for source, offset in pairs for part in (f"o:{source}", str(offset))]


def _waiting(clicks: Sequence[Click], since: float) -> list[Any]:
    return [part for click in clicks for part in (place_of(click), pack(click, since))]
