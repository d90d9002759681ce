"""What one `refrain ingest` does with 500,000 clicks of 100,000 listeners who clicked 600,000 times before.

Measured against a plain batched consumer (`benchmarks.batched`) on the same clicks, in the same run: clicks a
second by the clock, and processor time a click, which other work on the machine touches least.

    python -m benchmarks.ingest [LISTENERS [alone]]    (alone: without the reference)
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from confluent_kafka import Producer

from benchmarks.house import House, house
from benchmarks.used import cpu, redis_cpu
from stream.stores import keys

LISTENERS, ARTISTS, ZIPF = 100_000, 20_000, 1.3
BEFORE, CLICKS = 6, 5  # clicks a listener
FLUSH_EVERY = 500_000  # clicks
AT_ONCE = 10_000  # listeners


def main(listeners: int = LISTENERS, *, alone: bool = False) -> None:
    """Measure and print; `alone` leaves out the reference, which takes long for many listeners."""
    before, clicks = BEFORE * listeners, CLICKS * LISTENERS
    with house(first_model_listeners=min(20_000, listeners // 5)) as place:
        ours = ingest(place, listeners, before, clicks)
        size = bytes_a_listener(place, listeners)
        place.redis.flushall(asynchronous=True)
        reference = None if alone else batched(place, before, clicks)
    print(f"{listeners} listeners, {before} clicks before, {clicks} measured")
    print(f"{'':22} {'clicks/s':>9} {'own CPU':>9} {'Redis CPU':>10}   (µs a click)")
    show("refrain ingest", ours)
    if reference:
        show("batched reference", reference)
        print(f"ratio by the clock     {ours['rate'] / reference['rate']:>9.2f}")
    print(f"bytes a listener       {size:>9,.0f}")


def show(name: str, figures: dict[str, float]) -> None:
    """Print a line of the table."""
    print(f"{name:22} {figures['rate']:>9,.0f} {figures['own_us']:>9.1f} {figures['redis_us']:>10.1f}")


def ingest(place: House, listeners: int, before: int, clicks: int) -> dict[str, float]:
    """Let an ingester that has met all listeners apply the clicks."""
    ingester, trainer = place.start("ingest"), place.start("train")
    send(place, listeners, before, seed=0)
    place.wait(lambda: place.count(ingester) == before, "the clicks before", patience=3600.0)
    place.wait(lambda: place.redis.get(keys.MODEL_CURRENT) is not None, "a model")
    trainer.stop()
    place.wait(
        lambda: place.redis.hget(keys.MODEL_SWEEP, "done") == place.redis.get(keys.MODEL_CURRENT), "the sweep"
    )
    os.kill(ingester.pid, signal.SIGSTOP)  # so that there is a backlog
    send(place, listeners, clicks, seed=1)
    own, theirs = cpu(ingester.pid), redis_cpu(place)
    os.kill(ingester.pid, signal.SIGCONT)
    place.wait(lambda: place.count(ingester) > before + clicks // 10, "the first clicks")
    start, first = time.monotonic(), place.count(ingester)
    place.wait(lambda: place.count(ingester) >= before + clicks * 9 // 10, "the clicks")
    rate = (place.count(ingester) - first) / (time.monotonic() - start)
    place.wait(lambda: place.count(ingester) == before + clicks, "the last click")
    figures = {
        "rate": rate,
        "own_us": 1e6 * (cpu(ingester.pid) - own) / clicks,
        "redis_us": 1e6 * (redis_cpu(place) - theirs) / clicks,
    }
    check(place, listeners, before + clicks)
    ingester.stop()
    return figures


def batched(place: House, before: int, clicks: int) -> dict[str, float]:
    """Let the reference do the same."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.batched"),
            *(place.settings.kafka, place.settings.redis, str(before), str(clicks)),
        ],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def send(place: House, listeners: int, number: int, seed: int) -> None:
    """Produce clicks of listeners drawn evenly, of artists drawn by Zipf's law."""
    random = np.random.default_rng(seed)
    shares = np.cumsum(np.arange(1, ARTISTS + 1) ** -ZIPF)
    artists = np.searchsorted(shares, random.random(number) * shares[-1])
    producer = Producer(
        {
            "bootstrap.servers": place.settings.kafka,
            "linger.ms": 20,
            "queue.buffering.max.messages": FLUSH_EVERY,
        }
    )
    now = time.time() - 1.0
    users = random.integers(0, listeners, number).tolist()
    for sent, (user, artist) in enumerate(zip(users, artists.tolist(), strict=True)):
        if sent % FLUSH_EVERY == 0:
            producer.flush()  # its queue holds not many more
        event = f'{{"user_id":"u{user}","song_id":"s{artist}","artist_ids":["a{artist}"],"ts":{now:.3f}}}'
        producer.produce("clicks", event.encode(), f"u{user}".encode())
    producer.flush()


def check(place: House, listeners: int, sent: int) -> None:
    """Say so where clicks are lost or doubled."""
    applied = 0
    for first in range(0, listeners, AT_ONCE):
        pipeline = place.redis.pipeline(transaction=False)
        for number in range(first, min(first + AT_ONCE, listeners)):
            pipeline.hget(keys.user(f"u{number}"), "clicks")
        applied += sum(int(count or 0) for count in pipeline.execute())
    print(f"clicks sent {sent}, applied {applied}")


def bytes_a_listener(place: House, listeners: int) -> float:
    """Return what Redis holds of a listener with all keys, the mean of some with some ten artists."""
    sizes = []
    for number in range(0, listeners, max(1, listeners // 5000)):
        user = f"u{number}"
        if 8 <= place.redis.zcard(keys.user_artists(user)) <= 12:
            held = [keys.user(user), keys.user_artists(user), keys.user_taste(user)]
            held += [keys.user_activity(user), keys.user_heard(user)]
            sizes.append(sum(place.redis.memory_usage(key) or 0 for key in held))
    return float(np.mean(sizes)) if sizes else float("nan")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), alone="alone" in sys.argv[2:])
