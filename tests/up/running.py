"""Which processes of a `refrain up` run."""

from __future__ import annotations

import redis

from tests.waiting import wait_for

__all__ = ["KINDS", "only", "processes", "started"]

KINDS = {"ingest", "train", "work", "traits", "serve"}


def processes(url: str) -> dict[str, int]:
    """The processes that give a sign of life: kind -> process id."""
    with redis.Redis.from_url(url) as client:
        names = [name.decode() for name in client.zrange("processes", 0, -1)]
        alive = [name for name in names if client.exists(f"process:{{{name}}}")]
    return {name.partition("-")[0]: int(name.rpartition("-")[2]) for name in alive}


def started(url: str, kinds: set[str] = KINDS) -> dict[str, int]:
    """The same, once all of these kinds run, and no others."""

    def all_of_them() -> dict[str, int]:
        found = processes(url)
        return found if found.keys() == kinds else {}

    return wait_for(all_of_them, "all processes")


def only(*kinds: str) -> list[str]:
    """Options by which the others do not run: each takes seconds to start."""
    return [part for kind in sorted(KINDS - set(kinds)) for part in ("--without", kind)]
