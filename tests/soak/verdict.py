"""What is in Redis and Kafka at the end, held against what was sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from stream.stores import keys
from tests.consumers.redis_state import read_state
from tests.soak.listeners import ARTISTS, Listeners, user_of
from tests.soak.notifier import Notifier

__all__ = ["clicks_counted", "verdict"]

AT_ONCE = 2000
NEAR = 1e-9
SHOWN = 10  # listeners


def clicks_counted(db: Any, number: int) -> np.ndarray:
    """How many clicks are on record of each listener."""
    found: list[bytes | None] = []
    for users in _parts(number):
        pipeline = db.pipeline(transaction=False)
        for user in users:
            pipeline.hget(keys.user(user_of(user)), "clicks")
        found += pipeline.execute()
    return np.array([int(count or 0) for count in found])


def verdict(db: Any, primaries: Sequence[str], listeners: Listeners, notifier: Notifier) -> dict[str, int]:
    """How much of what was to be is not, each kind with a number that should be 0."""
    counted = clicks_counted(db, len(listeners.clicks))
    off = counted - listeners.clicks
    found = {
        "clicks lost": int(-off[off < 0].sum()),
        "clicks doubled": int(off[off > 0].sum()),
        "affinities that differ": _affinities(db, listeners),
    }
    return found | _sets(primaries) | _audiences(notifier) | _feedback(db, notifier)


def _affinities(db: Any, listeners: Listeners) -> int:
    differ = 0
    for users in _parts(len(listeners.clicks)):
        pipeline = db.pipeline(transaction=False)
        for user in users:
            pipeline.zrange(keys.user_artists(user_of(user)), 0, -1, withscores=True)
        for user, pairs in zip(users, pipeline.execute(), strict=True):
            held = np.zeros(ARTISTS)
            for artist, weight in pairs:
                held[int(artist[1:])] = weight
            differ += int((~np.isclose(held, listeners.weights[user], rtol=NEAR, atol=0.0)).sum())
    return differ


def _sets(primaries: Sequence[str]) -> dict[str, int]:
    """How many listeners are not in the one set that their record names, and cohorts of a wrong size."""
    state = read_state(*primaries)
    held: dict[str, list[str]] = defaultdict(list)
    for cohort, users in state.members.items():
        for user in users:
            held[user].append(cohort)
    wrong = [user for user, cohort in state.cohorts.items() if held[user] not in ([], [cohort])]
    sizes = {cohort: len(users) for cohort, users in state.members.items() if cohort}
    living = {cohort: size for cohort, size in state.sizes.items() if size}
    for user in wrong[:SHOWN]:
        print(f"{user} is in {held[user]}: {state.users[user]}")  # noqa: T201 - to find out why
    return {
        "listeners in no member set": sum(not held[user] for user in state.cohorts),
        "listeners in another set than their record's": len(wrong),
        "members without a record": len(held.keys() - state.cohorts.keys()),
        "sizes of cohorts that differ": len(sizes.items() ^ living.items()),
    }


def _audiences(notifier: Notifier) -> dict[str, int]:
    missing = doubled = twice = summaries = 0
    for name in notifier.published:
        pages, summary = notifier.pages[name], notifier.summaries[name]
        summaries += abs(len(summary) - 1)
        expected = range(summary[0]["pages"] if summary else 0)
        missing += len(set(expected) - pages.keys())
        doubled += sum(number - 1 for number in pages.values())
        twice += sum(number - 1 for number in notifier.told[name].values())
    return {
        "releases without one summary": summaries,
        "pages lost": missing,
        "pages doubled": doubled,
        "listeners told twice of a release": twice,
    }


def _feedback(db: Any, notifier: Notifier) -> dict[str, int]:
    wrong = 0
    for name in notifier.published:
        held = db.hgetall(keys.release(name))
        counted = {kind: int(held.get(kind.encode(), 0)) for kind in ("sent", "clicked")}
        wrong += sum(abs(number - counted[kind]) for kind, number in notifier.reports(name).items())
    return {"reports miscounted": wrong}


def _parts(number: int) -> Iterator[range]:
    return (range(at, min(at + AT_ONCE, number)) for at in range(0, number, AT_ONCE))
