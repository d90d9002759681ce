"""What Redis holds of listeners and cohorts: to compare two runs, and to see that it agrees with itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import redis

from models.taste import unit
from stream.stores import activity_codec
from stream.stores import taste_codec as tastes
from stream.stores.activity_codec import SONG, songs_of
from stream.stores.listeners import STATE

__all__ = ["HALF", "State", "assert_agrees", "assert_same", "read_state"]

WRITES = {"rev"}  # how often and in which steps is not what clicks say
HALF = 2e-3  # tastes are held in half precision


@dataclass
class State:
    """By listener and by cohort."""

    users: dict[str, dict[str, str]] = field(default_factory=dict)
    artists: dict[str, dict[str, float]] = field(default_factory=dict)
    tastes: dict[str, bytes] = field(default_factory=dict)
    activities: dict[str, bytes] = field(default_factory=dict)
    heard: dict[str, bytes] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    sizes: dict[str, float] = field(default_factory=dict)
    hashes: dict[str, int] = field(default_factory=dict)

    @property
    def clicks(self) -> int:
        """How many clicks were applied, over all listeners."""
        return sum(int(fields["clicks"]) for fields in self.users.values())

    @property
    def cohorts(self) -> dict[str, str]:
        """The cohort in each listener's own record."""
        return {user: fields["cohort"] for user, fields in self.users.items()}


def read_state(*urls: str) -> State:
    """What one Redis holds, or all primaries of a cluster."""
    state = State()
    for url in urls:
        with redis.Redis.from_url(url) as client:
            for key in client.scan_iter(count=5000):
                _read(client, key.decode(), state)
    return state


def _read(client: redis.Redis, key: str, state: State) -> None:
    kind, _, rest = key.partition(":{")
    name, _, part = rest.rpartition("}")
    if kind == "user" and not part:
        state.users[name] = _text(client.hgetall(key))
    elif kind == "user" and part == ":artists":
        state.artists[name] = {a.decode(): w for a, w in client.zrange(key, 0, -1, withscores=True)}
    elif kind == "user" and part == ":taste":
        state.tastes[name] = client.get(key)
    elif kind == "user" and part == ":activity":
        state.activities[name] = client.get(key)
    elif kind == "user" and part == ":heard":
        state.heard[name] = client.get(key)
    elif kind == "cohort" and part == ":users":
        state.members[name] = {user.decode() for user in client.smembers(key)}
    elif kind == "cohort" and not part:
        state.hashes[name] = int(client.hget(key, "size") or 0)
    elif key == "cohorts":
        state.sizes = {c.decode(): size for c, size in client.zrange(key, 0, -1, withscores=True)}


def _text(fields: dict[bytes, bytes]) -> dict[str, str]:
    state = np.frombuffer(bytes.fromhex(fields.pop(b"state").decode()), dtype=STATE)[0]
    text = {name.decode(): value.decode() for name, value in fields.items()}
    text |= {name: str(state[name]) for name in STATE.names or ()}
    if "moved" in text:  # where from depends on how clicks were cut into batches
        text["moved"] = text["moved"].partition(" ")[0]
    return text


def _living(cohorts: dict[str, Any]) -> dict[str, Any]:
    """Without those that nobody is in: whether anybody ever was depends on the order of partitions."""
    return {cohort: members for cohort, members in cohorts.items() if members}


def assert_agrees(state: State) -> None:
    """Member sets, sizes and cohorts' hashes say what the listeners' own records say."""
    expected: dict[str, set[str]] = {}
    for user, cohort in state.cohorts.items():
        expected.setdefault(cohort, set()).add(user)
    assert _living(state.members) == expected
    sizes = {cohort: len(members) for cohort, members in expected.items() if cohort}
    assert _living(state.sizes) == sizes
    assert _living(state.hashes) == sizes


def assert_same(state: State, other: State) -> None:
    """Every record, every sorted set to a relative 1e-9, every set exactly, unit tastes to `HALF`.

    So are activities, byte by byte, but for the songs heard, which may stand in any order: one that waited
    comes later.
    """
    records, others = _records(state), _records(other)
    assert records.keys() == others.keys()
    differ = {user: (records[user], others[user]) for user in records if records[user] != others[user]}
    assert not differ, str(differ)
    assert state.artists.keys() == other.artists.keys()
    for user, affinities in state.artists.items():
        assert affinities == pytest.approx(other.artists[user], rel=1e-9, abs=0), user
    assert _living(state.members) == _living(other.members)
    assert _living(state.sizes) == _living(other.sizes)
    assert _without_songs(state) == _without_songs(other)
    assert _sorted_songs(state) == _sorted_songs(other)
    assert state.tastes.keys() == other.tastes.keys()
    for user, taste in state.tastes.items():
        assert tastes.version(taste) == tastes.version(other.tastes[user])
        assert np.allclose(*_unit(taste, other.tastes[user]), rtol=0, atol=HALF), user


def _without_songs(state: State) -> dict[str, bytes]:
    return {
        user: packed[: len(packed) - SONG * len(activity_codec.unpack(packed).songs)]
        for user, packed in state.activities.items()
    }


def _sorted_songs(state: State) -> dict[str, list[int]]:
    assert state.heard.keys() <= state.activities.keys()
    return {
        user: sorted([*songs_of(state.heard.get(user, b"")), *activity_codec.unpack(packed).songs])
        for user, packed in state.activities.items()
    }


def _records(state: State) -> dict[str, dict[str, Any]]:
    return {u: {n: v for n, v in fields.items() if n not in WRITES} for u, fields in state.users.items()}


def _unit(*packed: bytes) -> list[np.ndarray]:
    dims = int.from_bytes(packed[0][2:4], "little")
    return list(unit(tastes.unpack(packed, dims)))
