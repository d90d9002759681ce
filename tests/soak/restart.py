"""What passes from the start of everything until a first click is applied, step by step.

``python -m tests.soak.restart [TIMES [LISTENERS RATE SECONDS]]``: after a stop in order, and after all was
killed at once, as by a power cut; before each, so many listeners click so often a second, for so long.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import redis

from stream.broker import Child
from tests.soak.listeners import Listeners
from tests.soak.service import Service
from tests.soak.stores import OneRedis
from tests.soak.verdict import clicks_counted
from tests.waiting import wait_for

__all__ = ["first_click", "restarted"]

LISTENERS, RATE, SECONDS = 5000, 500, 15
SEED = 7
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
    ingesters = service.running["ingest"]
    steps["an ingester's first line"] = min(map(_first_line, ingesters)) - began
    steps["an ingester has partitions"] = min(map(_assigned, ingesters)) - began
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


def _first_line(process: Child) -> float:
    """When it logged its first line: by then all is imported."""
    return _time(process.log.read_text().split(maxsplit=1)[:1])


def _assigned(process: Child) -> float:
    found = [match[1] for line in process.log.read_text().splitlines() if (match := ASSIGNED.match(line))]
    return _time(found)


def _time(found: Sequence[str]) -> float:
    return datetime.fromisoformat(found[0]).timestamp() if found else float("inf")


def main(times: int = 1, listeners: int = LISTENERS, rate: int = RATE, seconds: int = SECONDS) -> None:
    """Measure both ends by turns, and print."""
    with (
        tempfile.TemporaryDirectory(prefix="refrain-restart-") as folder,
        Service(Path(folder), SEED, store := OneRedis(Path(folder) / "redis")) as service,
        store.client() as db,
    ):
        service.start()

        for number in range(2 * times):
            with Listeners(service.direct, listeners, rate, SEED + number):
                time.sleep(seconds)
                wait_for(lambda: clicks_counted(db, min(listeners, WATCHED)).any(), "clicks")
                in_order = number % 2 == 0
                if in_order:
                    service.stop()
                else:
                    service.kill_all()
                steps = restarted(service, store, first_click(db, listeners))
            shown = ", ".join(f"{name} {seconds:.1f}" for name, seconds in steps.items())
            print(f"{'stopped in order' if in_order else 'all killed'}: {shown}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
