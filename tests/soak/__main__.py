"""An hour of faults: `make soak`, or ``python -m tests.soak [SECONDS [CLICKS_A_SECOND [LISTENERS]]]``.

``--cluster``: Redis is a Cluster of three primaries with replicas; primaries die, and slots move.
``--from REVISION``: all processes begin with the code of an older commit, and are replaced one after another.

Listeners click, releases go out and are reported of. Every minute something is killed, restarted, cut or
slowed, drawn from a deck that is shuffled again when it is used up. At the end all that was sent is held
against what is in Redis and Kafka. Ends with 1 where anything was lost, doubled or miscounted.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from stream.stores import keys
from tests.consumers.kafka_log import kafka_log
from tests.soak import up
from tests.soak.listeners import Listeners
from tests.soak.notifier import Notifier
from tests.soak.old_version import old_version
from tests.soak.restart import first_click, restarted
from tests.soak.service import Service
from tests.soak.stores import ClusterStore, OneRedis, Store
from tests.soak.verdict import clicks_counted, verdict

FIRST = 20.0  # seconds without a fault
EVERY, FAULTS = 60.0, 10  # seconds between faults; a short run has so many at least
PATIENCE = 1800.0  # seconds, for what is left to be done at the end
LOOK = 1.0
SEED = 7
UPGRADED = 0.25  # of the run: from then on a process is replaced after each fault
MOST_GROWTH = 0.05  # of a process's memory


def soak(seconds: float, rate: int, listeners: int, *, cluster: bool, revision: str) -> bool:
    """Run it; say what came of it, and whether all is as it should be."""
    with tempfile.TemporaryDirectory(prefix="refrain-soak-") as name:
        folder = Path(name)
        old = old_version(revision, folder / "old") if revision else None
        store: Store = ClusterStore(folder / "redis", SEED) if cluster else OneRedis(folder / "redis")
        with Service(folder, SEED, store, old) as service:
            well = run(service, seconds, rate, listeners)
        if not well:
            kept = shutil.copytree(
                folder / "logs", tempfile.mkdtemp(prefix="refrain-soak-logs-"), dirs_exist_ok=True
            )
            say(f"logs: {kept}")
        return well


def run(service: Service, seconds: float, rate: int, listeners: int) -> bool:
    """Let it run; say what came of it, and whether all is as it should be."""
    service.start()
    settings = service.direct
    with service.store.client() as db:
        with Notifier(settings, SEED) as notifier:
            with Listeners(settings, listeners, rate, SEED) as clicking:
                done = disturb(service, seconds)
            notifier.end_publishing()
            wait(lambda: notifier.answered, "all audiences", service)
            wait(lambda: caught_up(service), "all events to be read", service)
        counted = wait_for_clicks(db, clicking)
        # Where the sweep is not through, sets wait for it to follow a move that somebody died over.
        service.stop("train")
        wait(lambda: swept(db), "everybody to be migrated to the last model", service)
        dead = service.dead()
        service.stop()
        found = verdict(db, service.store.primaries, clicking, notifier)
        again = restarts(service, db, clicking, rate)
    say(f"{seconds:.0f} s, {listeners:,} listeners, {clicking.sent:,} clicks, {counted.sum():,} count")
    say(f"{len(notifier.published):,} releases, {sum(map(len, notifier.told.values())):,} notifications")
    say("faults: " + ", ".join(f"{name} {number}" for name, number in done.items()))
    growth = service.memory.growth(seconds)
    for kind, size in service.memory.largest.items():
        grown = f"{growth[kind]:+.1%} once warm" if kind in growth else "none lived long enough to be warm"
        say(f"memory of {kind}: {size:.0f} MB at most, {grown}")
        course = " ".join(map(str, service.memory.course(kind)))
        say(f"    its oldest process, every 5 minutes and at the end: {course}")
    for line in again:
        say(line)
    found |= {"processes that ended by themselves": len(dead)}
    badly = [f"{process} ended with {code}" for process, code in service.ended if code]
    found |= {"ends with another code than 0": len(badly)}
    if service.memory.is_judged(seconds):
        found["kinds of processes whose memory grew by 5 %"] = sum(
            grown >= MOST_GROWTH for grown in growth.values()
        )
    for name, number in found.items():
        say(f"{'ok' if not number else 'WRONG':>6}  {name}: {number:,}")
    for words in dead + badly:
        say(words)
    return not any(found.values())


def disturb(service: Service, seconds: float) -> Counter[str]:
    """Let things go wrong, one after the other, for so long; return how often which did."""
    kinds = service.faults()
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
        if now > began + UPGRADED * seconds and (kind := service.upgrade_one()):
            say(f"{now - began:6.0f} s  {kind} upgraded")
            done["upgraded"] += 1
    while kind := service.upgrade_one():
        say(f"{time.monotonic() - began:6.0f} s  {kind} upgraded")
        done["upgraded"] += 1
    return done


def caught_up(service: Service) -> bool:
    """Whether all that is in Kafka is read."""
    with kafka_log(service.direct) as log:
        return log.caught_up("ingest", "clicks") and all(
            log.caught_up("work", topic) for topic in ("feedback", "songs")
        )


def swept(db: Any) -> bool:
    """Whether the sweep of the model that serves is done."""
    return db.hget(keys.MODEL_SWEEP, "done") == db.get(keys.MODEL_CURRENT)


def wait_for_clicks(db: Any, clicking: Listeners) -> np.ndarray:
    """Wait until all clicks count, those too that waited for their song; return what there is at the end."""
    give_up = time.monotonic() + 60.0
    while True:
        counted = clicks_counted(db, len(clicking.clicks))
        if (counted >= clicking.clicks).all() or time.monotonic() > give_up:
            return counted
        time.sleep(LOOK)


def restarts(service: Service, db: Any, clicking: Listeners, rate: int) -> list[str]:
    """Start everything again, in two ways; say how long each step took to a first click applied."""
    if not isinstance(store := service.store, OneRedis):
        return ["restart: measured with one Redis"]
    listeners = len(clicking.clicks)
    with Listeners(service.direct, listeners, rate, SEED + 1):
        each = restarted(service, store, first_click(db, listeners))
    with (
        up.machine(up.settings_in(service.data), service.data / "logs-of-up") as machine,
        Listeners(service.direct, listeners, up.RATE, SEED + 2),
    ):
        service.kill_everything()
        store.kill()
        store.folder.rename(service.data / "redis")
        by_up = machine.restarted(db, listeners)
    return [
        f"restarted, {how}: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in steps.items())
        for how, steps in {
            f"each process a program of its own, {rate:,} clicks/s": each,
            f"`refrain up`, {up.RATE:,} clicks/s": by_up,
        }.items()
    ]


def wait(condition: Callable[[], bool], what: str, service: Service) -> None:
    """Wait for a condition."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, f"it never came: {what}; {service.dead()}"
        time.sleep(LOOK)


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - what it is run for


def main() -> int:
    """Read the arguments, and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="An hour of faults.")
    parser.add_argument("seconds", nargs="?", type=float, default=3600.0)
    parser.add_argument("rate", nargs="?", type=int, default=5000, help="clicks a second")
    parser.add_argument("listeners", nargs="?", type=int, default=100_000)
    parser.add_argument("--cluster", action="store_true", help="a Redis Cluster, failovers, slots that move")
    parser.add_argument("--from", dest="revision", default="", help="the commit that processes begin with")
    given = parser.parse_args()
    well = soak(given.seconds, given.rate, given.listeners, cluster=given.cluster, revision=given.revision)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
