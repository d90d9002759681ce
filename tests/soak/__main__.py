"""An hour of faults: `make soak`, or ``python -m tests.soak [SECONDS [CLICKS_A_SECOND [LISTENERS]]]``.

Listeners click, releases go out and are reported of. Every minute something is killed, restarted, cut or
slowed, drawn from a deck that is shuffled anew when it is used up. At the end all that was sent is held
against what is in Redis and Kafka. Ends with 1 where anything was lost, doubled or miscounted.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import redis

from stream.stores import keys
from tests.consumers.kafka_log import kafka_log
from tests.soak.listeners import Listeners
from tests.soak.notifier import Notifier
from tests.soak.service import PROCESSES, Service
from tests.soak.verdict import clicks_counted, verdict

FIRST = 20.0  # seconds without a fault
EVERY, FAULTS = 60.0, 10  # seconds between faults; a short run has so many at least
PATIENCE = 1800.0  # seconds, for what is left to be done at the end
LOOK = 1.0
SEED = 7


def soak(seconds: float, rate: int, listeners: int) -> bool:
    """Run it; say what came of it, and whether all is as it should be."""
    with (
        tempfile.TemporaryDirectory(prefix="refrain-soak-") as folder,
        Service(Path(folder), SEED) as service,
    ):
        service.start()
        settings = service.direct
        with redis.Redis.from_url(settings.redis) as db:
            with Notifier(settings, SEED) as notifier:
                with Listeners(settings, listeners, rate, SEED) as clicking:
                    done = disturb(service, seconds)
                notifier.end_publishing()
                wait(lambda: notifier.answered, "all audiences", service)
                wait(lambda: caught_up(service), "all events to be read", service)
            counted = wait_for_clicks(db, clicking)
            # Where the sweep is not through, sets wait for it to follow a move that somebody died over.
            ended = service.stop("train")
            wait(lambda: swept(db), "everybody to be taken over to the last model", service)
            dead = service.dead()
            ended += service.stop()
            found = verdict(db, settings.redis, clicking, notifier)
            restart = restarted(service, db, clicking, rate)
            memory = db.info("memory")["used_memory"] / 1e6
        say(f"{seconds:.0f} s, {listeners:,} listeners, {clicking.sent:,} clicks, {counted.sum():,} count")
        say(f"{len(notifier.published):,} releases, {sum(map(len, notifier.told.values())):,} notifications")
        say("faults: " + ", ".join(f"{name} {number}" for name, number in done.items()))
        say("largest: " + ", ".join(f"{kind} {size:.0f} MB" for kind, size in service.largest.items()))
        say(f"Redis at the end: {memory:.0f} MB; all restarted, first click applied after {restart:.1f} s")
        found |= {"processes that ended by themselves": len(dead)}
        found |= {"ends with another code than 0": sum(code != 0 for code in ended)}
        for name, number in found.items():
            say(f"{'ok' if not number else 'WRONG':>6}  {name}: {number:,}")
        for words in dead:
            say(words)
        return not any(found.values())


def disturb(service: Service, seconds: float) -> Counter[str]:
    """Let things go wrong, one after the other, for so long; return how often which did."""
    kinds: dict[str, Callable[[], None]] = {
        f"{kind} killed": lambda kind=kind: service.kill(kind)  # type: ignore[misc]
        for kind in PROCESSES
    }
    kinds |= {
        "Redis killed": service.restart_redis,
        "Kafka killed": service.restart_kafka,
        "network cut": service.cut,
        "network slow": service.slow,
    }
    # Those that take all of the load are killed more often.
    deck = [*kinds, "ingest killed", "work killed"]
    chance = random.Random(SEED)  # noqa: S311 - what fails next, not a secret
    drawn: list[str] = []
    began, done = time.monotonic(), Counter[str]()
    every = min(EVERY, max(seconds - FIRST, 0.0) / FAULTS)
    due = began + FIRST
    while (now := time.monotonic()) < began + seconds:
        if now < due:
            service.measure()
            time.sleep(min(LOOK, due - now))
            continue
        if not drawn:
            drawn = chance.sample(deck, len(deck))
        name = drawn.pop()
        say(f"{now - began:6.0f} s  {name}")
        kinds[name]()
        done[name] += 1
        due += every
    return done


def caught_up(service: Service) -> bool:
    """Whether all that is in Kafka is read."""
    with kafka_log(service.direct) as log:
        return log.caught_up("ingest", "clicks") and all(
            log.caught_up("work", topic) for topic in ("feedback", "songs")
        )


def swept(db: redis.Redis) -> bool:
    """Whether the sweep of the model that serves is done."""
    return db.hget(keys.MODEL_SWEEP, "done") == db.get(keys.MODEL_CURRENT)


def wait_for_clicks(db: redis.Redis, clicking: Listeners) -> np.ndarray:
    """Wait until all clicks count, those too that waited for their song; return what there is at the end."""
    give_up = time.monotonic() + 60.0
    while True:
        counted = clicks_counted(db, len(clicking.clicks))
        if (counted >= clicking.clicks).all() or time.monotonic() > give_up:
            return counted
        time.sleep(LOOK)


def restarted(service: Service, db: redis.Redis, clicking: Listeners, rate: int) -> float:
    """Start all processes, Redis and Kafka anew; return the seconds until a first click is applied."""
    before = int(clicks_counted(db, len(clicking.clicks)).sum())
    with Listeners(service.direct, len(clicking.clicks), rate, SEED + 1):
        began = time.monotonic()
        service.restart_redis()
        service.restart_kafka()
        service.start()
        while int(clicks_counted(db, len(clicking.clicks)).sum()) == before:
            assert time.monotonic() < began + PATIENCE
            time.sleep(0.1)
        return time.monotonic() - began


def wait(condition: Callable[[], bool], what: str, service: Service) -> None:
    """Wait for a condition."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, f"it never came: {what}; {service.dead()}"
        time.sleep(LOOK)


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - what it is run for


if __name__ == "__main__":
    given = [*sys.argv[1:], "", "", ""]
    well = soak(float(given[0] or 3600), int(given[1] or 5000), int(given[2] or 100_000))
    sys.exit(0 if well else 1)
