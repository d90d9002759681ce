"""What passes from the start of everything, each a program of its own, until a first click is applied.

`tests.soak.up` measures the same of `refrain up`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import redis

from tests.soak.service import Service
from tests.soak.stores import OneRedis
from tests.soak.verdict import clicks_counted
from tests.waiting import wait_for

__all__ = ["APPLIED", "PATIENCE", "assigned", "first_click", "restarted"]

WATCHED = 1000  # listeners: to ask for all takes processor time from those who start
PATIENCE = 300.0  # seconds
APPLIED = "first click applied"
ASSIGNED = re.compile(r"^(\S+) .*reading [1-9]\d* partitions of clicks")


def restarted(service: Service, store: OneRedis, applied: Callable[[], bool]) -> dict[str, float]:
    """Kill Redis and Kafka, start them and all processes at once; return the seconds until each step.

    Parameters
    ----------
    applied
        Whether a click has been applied since.
    """
    store.kill()
    service.kill_kafka()
    began, steps = time.time(), dict[str, float]()

    def step(name: str, start: Callable[[], object]) -> None:
        start()
        steps[name] = time.time() - began

    with ThreadPoolExecutor(2) as pool:
        servers = [
            pool.submit(step, "Redis answers", store.start),
            pool.submit(step, "Kafka answers", service.start_kafka),
        ]
        service.start()
        wait_for(applied, APPLIED, PATIENCE)
        steps[APPLIED] = time.time() - began
        for server in servers:
            server.result()
    logs = [ingester.log.read_text() for ingester in service.running["ingest"]]
    # By its first line it has imported all it needs.
    steps["an ingester's first line"] = min(_seconds(log.split(maxsplit=1)[0]) for log in logs if log) - began
    steps["an ingester has partitions"] = min(at for log in logs for at in assigned(log)) - began
    return dict(sorted(steps.items(), key=lambda each: each[1]))


def first_click(db: Any, listeners: int) -> Callable[[], bool]:
    """Return what says whether a click of some of so many listeners has been applied since now."""
    some = min(listeners, WATCHED)
    before = clicks_counted(db, some).sum()

    def applied() -> bool:
        try:
            return bool(clicks_counted(db, some).sum() > before)
        except redis.RedisError:  # it does not answer yet
            return False

    return applied


def assigned(log: str) -> list[float]:
    """Return when an ingester of this log got partitions, in Unix seconds."""
    return [_seconds(match[1]) for line in log.splitlines() if (match := ASSIGNED.match(line))]


def _seconds(shown: str) -> float:
    return datetime.fromisoformat(shown).timestamp()
