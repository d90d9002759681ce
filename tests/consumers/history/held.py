"""What Redis holds of listeners, as it may be compared: without what differs by where clicks came from."""

from __future__ import annotations

from typing import Any

import numpy as np
import redis

from stream.stores.activity_codec import unpack
from stream.stores.waiting import click_of

__all__ = ["held"]

HEARD = 4 * 128
"""Bytes of the songs that are remembered; how many more stand before them depends on batches."""
LATELY = 6 * 86_400  # seconds
PLACES = "o:"
PATTERNS = "user:*", "cohort:*", "cohorts", "waiting", "waiting:{*", "artist-names"


def held(url: str) -> dict[str, Any]:
    """Return every key of listeners, sets and names."""
    with redis.Redis.from_url(url) as db:
        found = {key.decode() for pattern in PATTERNS for key in db.scan_iter(pattern, count=1000)}
        return {key: _value(db, key) for key in sorted(found)}


def _value(db: redis.Redis, key: str) -> Any:
    return {b"hash": _of_hash, b"zset": _of_sorted, b"set": _of_set, b"string": _of_string}[db.type(key)](
        db, key
    )


def _of_hash(db: redis.Redis, key: str) -> Any:
    found = db.hgetall(key)
    if key.endswith(":waiting"):
        clicks = [click_of("", place.decode(), packed).click for place, packed in found.items()]
        return sorted(click[3:] for click in clicks)
    fields = {name.decode(): value.decode() for name, value in found.items()}
    return _record(fields) if key.startswith("user:") else fields


def _of_sorted(db: redis.Redis, key: str) -> Any:
    found = dict(db.zrange(key, 0, -1, withscores=True))
    return sorted(found) if key == "waiting" else found


def _of_set(db: redis.Redis, key: str) -> Any:
    return db.smembers(key)


def _of_string(db: redis.Redis, key: str) -> Any:
    value = db.get(key)
    if key.endswith(":heard"):
        return np.frombuffer(value[-HEARD:], dtype="<u4").tolist()
    if key.endswith(":activity"):
        return _activity(value)
    return value, db.ttl(key) > LATELY


def _record(fields: dict[str, str]) -> dict[str, Any]:
    """Of `state` without the revision, of `moved` where they came from, and no offsets."""
    record: dict[str, Any] = {name: _number(value) for name, value in fields.items() if name[:2] != PLACES}
    record["state"] = fields["state"][8:]
    record["moved"] = fields.get("moved", "").partition(" ")[2]
    return record


def _activity(packed: bytes) -> dict[str, Any]:
    held = unpack(packed)
    return {name: getattr(held, name).tolist() for name in ("days", "hours", "songs")} | {
        name: getattr(held, name) for name in ("sketch", "period", "cities", "devices")
    }


def _number(value: str) -> str | float:
    try:
        return float(value)
    except ValueError:
        return value
