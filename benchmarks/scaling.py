"""What grows with listeners, cohorts, artists, clicks, releases and ingesters: one of them at a time.

Redis is filled with made-up listeners (`benchmarks.filled`), and each process does there what it does all
day: clicks are applied, a model is learned and everybody migrated to it, releases are answered, traits are
made.
Processor time and memory are what other work on the machine touches least.

    python -m benchmarks.scaling listeners|cohorts|artists|clicks|releases|ingesters|cluster [NUMBER...]
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from confluent_kafka import Producer
from kafka import KafkaConsumer

from benchmarks.filled import ARTISTS, artist, fill, listener
from benchmarks.house import House, house
from benchmarks.latency import reader
from benchmarks.used import cpu, largest, redis_bytes, redis_cpu
from stream.broker import Child
from stream.connect import open_redis
from stream.stores import keys
from tests.redis_cluster import RedisCluster

LISTENERS, COHORTS = 100_000, 100
CLICKS = 200_000  # measured
FEW = 2_000  # listeners who click often
RELEASES, AUDIENCE = 10, 5_000
AT_ONCE = 100_000  # clicks
PATIENCE = 3600.0  # seconds
MS, US = 1e3, 1e6

Row = dict[str, float]


def listeners(number: int) -> Row:
    """Everything, with so many listeners; their traits, too, which grow with nothing else."""
    return everything(listeners=number, also_traits=True)


def cohorts(number: int) -> Row:
    """Everything, with so many cohorts."""
    return everything(cohorts=number)


def artists(number: int) -> Row:
    """Everything, with so many artists."""
    return everything(artists=number)


def cluster(primaries: int) -> Row:
    """Everything, on one Redis or on a Cluster of three primaries."""
    if primaries == 1:
        return everything()
    with tempfile.TemporaryDirectory(prefix="refrain-cluster-") as folder, RedisCluster(Path(folder)) as own:
        return everything(redis=own.url)


def clicks(number: int) -> Row:
    """What is kept of listeners of whom each clicks so often, on one day."""
    with filled(FEW, 10, ARTISTS) as place:
        before, ingester = kafka_bytes(place), place.start("ingest")
        sent = send(place, number * FEW, FEW, ARTISTS)
        place.wait(lambda: place.count(ingester) >= sent, "the clicks", PATIENCE)
        sample = range(0, FEW, 10)
        kinds = (keys.user, keys.user_artists, keys.user_taste, keys.user_activity, keys.user_heard)
        held = [place.redis.memory_usage(kind(listener(user))) or 0 for user in sample for kind in kinds]
        return {
            "Kafka, bytes a click": (kafka_bytes(place) - before) / sent,
            "Redis, bytes a listener": sum(held) / len(sample),
        }


def releases(number: int) -> Row:
    """So many releases at once."""
    with filled(LISTENERS, COHORTS, ARTISTS) as place:
        worker = place.start("work")
        answered(place, ["warm"])
        used = cpu(worker.pid)
        _, seconds, _ = answered(place, [f"release-{at}" for at in range(number)])
        return {
            "s to the last page of the last": seconds,
            "CPU of a release, ms": MS * (cpu(worker.pid) - used) / number,
            "worker, MB": largest(worker),
        }


def ingesters(number: int) -> Row:
    """So many ingesters beside each other, on the processors that there are."""
    with filled(LISTENERS, COHORTS, ARTISTS) as place:
        children = [place.start("ingest") for _ in range(number)]
        place.wait(lambda: all(reads(place, each) for each in children), "all to have partitions")
        applied(place, children, LISTENERS, ARTISTS, seed=0)
        return applied(place, children, LISTENERS, ARTISTS, seed=1)


def everything(
    listeners: int = LISTENERS,
    cohorts: int = COHORTS,
    artists: int = ARTISTS,
    *,
    also_traits: bool = False,
    **settings: object,
) -> Row:
    """What each process takes."""
    with filled(listeners, cohorts, artists, **settings) as place:
        row = printed({"Redis, bytes a listener": redis_bytes(place) / listeners})
        ingester = place.start("ingest")
        place.wait(lambda: reads(place, ingester), "the ingester")
        for whose, seed in (("of those met first", 0), ("again", 1)):
            took = applied(place, [ingester], listeners, artists, seed)
            row |= printed({f"{kind}, {whose}": figure for kind, figure in took.items()})
        row |= printed(new_model(place, ingester, listeners, artists))
        row |= printed({"ingester, MB": largest(ingester)})
        ingester.stop()
        row |= printed(audiences(place))
        return row | printed(traits(place, listeners)) if also_traits else row


def printed(row: Row) -> Row:
    """Print figures as soon as they are there: all of them may take an hour."""
    print(json.dumps({kind: round(figure, 1) for kind, figure in row.items()}), file=sys.stderr, flush=True)
    return row


def applied(place: House, ingesters: Sequence[Child], listeners: int, artists: int, seed: int) -> Row:
    """Let ingesters work off clicks that wait."""

    def count() -> int:
        return sum(map(place.count, ingesters))

    for each in ingesters:
        os.kill(each.pid, signal.SIGSTOP)
    wanted = count() + send(place, CLICKS, listeners, artists, seed)
    own, theirs, began = sum(cpu(each.pid) for each in ingesters), redis_cpu(place), time.monotonic()
    for each in ingesters:
        os.kill(each.pid, signal.SIGCONT)
    place.wait(lambda: count() >= wanted, "the clicks", PATIENCE)
    seconds = time.monotonic() - began
    return {
        "clicks/s": CLICKS / seconds,
        "own µs a click": US * (sum(cpu(each.pid) for each in ingesters) - own) / CLICKS,
        "Redis's µs a click": US * (redis_cpu(place) - theirs) / CLICKS,
    }


def new_model(place: House, ingester: Child, listeners: int, artists: int) -> Row:
    """Let a trainer learn from clicks until a new model serves, and everybody be migrated to it."""
    before, trainer = place.redis.get(keys.MODEL_CURRENT), place.start("train")
    place.wait(lambda: bool(place.heartbeat(trainer)), "the trainer")
    send(place, CLICKS, listeners, artists, seed=2)
    place.wait(lambda: place.redis.get(keys.MODEL_CURRENT) != before, "a model", PATIENCE)
    row = {"trainer to a model, s of CPU": cpu(trainer.pid), "trainer, MB": largest(trainer)}
    trainer.stop()
    used, began = cpu(ingester.pid), time.monotonic()
    place.wait(
        lambda: place.redis.hget(keys.MODEL_SWEEP, "done") == place.redis.get(keys.MODEL_CURRENT),
        "the sweep",
        PATIENCE,
    )
    return row | {
        "sweep, s": time.monotonic() - began,
        "sweep, own µs a listener": US * (cpu(ingester.pid) - used) / listeners,
    }


def audiences(place: House) -> Row:
    """Let releases be answered, one after the other."""
    worker = place.start("work")
    answered(place, ["warm"])
    used, taken = cpu(worker.pid), [answered(place, [f"release-{at}"]) for at in range(RELEASES)]
    first, last, told = np.median(taken, axis=0)
    row = {
        "listeners told of a release": told,
        "release, ms to the first page": MS * first,
        "ms to the last": MS * last,
        "CPU of a release, ms": MS * (cpu(worker.pid) - used) / RELEASES,
        "worker, MB": largest(worker),
    }
    worker.stop()
    return row


def traits(place: House, listeners: int) -> Row:
    """Let everybody's traits be made once."""
    process, began = place.start("traits"), time.monotonic()
    place.wait(lambda: place.count(process, "rounds") > 0, "a round", PATIENCE)
    row = {
        "traits of all, s": time.monotonic() - began,
        "traits, own µs a listener": US * cpu(process.pid) / listeners,
        "traits, MB": largest(process),
    }
    process.stop()
    return row


@contextmanager
def filled(listeners: int, cohorts: int, artists: int, **settings: object) -> Iterator[House]:
    """Start servers, with a Redis that is full of listeners."""

    async def filling() -> None:
        async with await open_redis(place.settings) as client:
            await fill(client, place.settings, listeners, cohorts, artists)

    with house(cohorts=cohorts, first_wave=1.0, publish_every=5.0, **settings) as place:
        asyncio.run(filling())
        yield place


def send(place: House, number: int, listeners: int, artists: int, seed: int = 0) -> int:
    """Produce clicks of listeners and artists drawn evenly; return how many."""
    random = np.random.default_rng(seed)
    producer = Producer(
        {
            "bootstrap.servers": place.settings.kafka,
            "linger.ms": 20,
            "queue.buffering.max.messages": 2 * AT_ONCE,
        }
    )
    users, played = random.integers(0, listeners, number), random.integers(0, artists, number)
    for sent, (user, at) in enumerate(zip(users.tolist(), played.tolist(), strict=True)):
        if sent % AT_ONCE == 0:
            producer.flush()
        song = {"song_id": f"song-{at}", "artist_ids": [artist(at)], "ts": round(time.time(), 3)}
        event = {"user_id": listener(user)} | song
        producer.produce("clicks", json.dumps(event).encode(), listener(user).encode())
    producer.flush()
    return number


def answered(place: House, names: Sequence[str]) -> tuple[float, float, float]:
    """Publish releases; return the seconds to the first page of any, and to the last of all.

    The third is how many listeners each is for, on average.
    """
    consumer: KafkaConsumer = reader(place, "audiences")
    told = 0
    producer = Producer({"bootstrap.servers": place.settings.kafka, "linger.ms": 0})
    began, first, open_ = time.monotonic(), 0.0, set(names)
    for at, name in enumerate(names):
        event = {"release_id": name, "artist_ids": [artist(37 * at)], "max_audience": AUDIENCE}
        producer.produce("releases", json.dumps(event).encode(), name.encode())
    producer.flush()
    for message in consumer:
        said = json.loads(message.value)
        if said["release_id"] in names and "page" in said:
            first = first or time.monotonic() - began
        elif said["release_id"] in open_:
            open_.remove(said["release_id"])
            told += said["users"]
            if not open_:
                break
    consumer.close()
    return first, time.monotonic() - began, told / len(names)


def reads(place: House, ingester: Child) -> bool:
    """Whether an ingester has partitions."""
    return int(place.heartbeat(ingester).get("partitions", 0)) > 0


def kafka_bytes(place: House) -> float:
    """Return what the broker has written of clicks, in bytes."""
    return float(sum(log.stat().st_size for log in place.folder.rglob("clicks-*/*.log")))


KINDS: dict[str, tuple[Callable[[int], Row], tuple[int, ...]]] = {
    "listeners": (listeners, (10_000, 100_000, 1_000_000)),
    "cohorts": (cohorts, (50, 200, 1000)),
    "artists": (artists, (2_000, 20_000, 200_000)),
    "clicks": (clicks, (10, 100, 1000)),
    "releases": (releases, (1, 10, 100)),
    "ingesters": (ingesters, (1, 2, 3, 4)),
    "cluster": (cluster, (1, 3)),
}


def main(kind: str, numbers: Sequence[int]) -> None:
    """Measure and print, a column for each number."""
    measure, usual = KINDS[kind]
    numbers = numbers or usual
    rows = []
    for number in numbers:
        rows.append(measure(number))
        print(number, json.dumps(rows[-1]), flush=True)
    print(f"{kind:44}" + "".join(f"{number:>12,}" for number in numbers))
    for name in rows[0]:
        print(f"{name:44}" + "".join(f"{row[name]:>12,.1f}" for row in rows))


if __name__ == "__main__":
    if sys.argv[1:2] == [] or sys.argv[1] not in KINDS:
        sys.exit(__doc__)
    main(sys.argv[1], [int(number.replace("_", "")) for number in sys.argv[2:]])
