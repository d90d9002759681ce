"""An audience of everybody: from the release event to the last page, and the worker's memory above idle.

A Redis of made-up listeners is filled, and a worker reads them; then releases go out, one after the other,
that ask for as many listeners as there are. Memory is the worker's resident set, looked at while it answers,
less what it was before the first release.

    python -m benchmarks.audience [LISTENERS]
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from threading import Event, Thread

import numpy as np
import psutil
from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.filled import artist, fill
from benchmarks.house import House, house
from benchmarks.used import cpu, redis_cpu
from stream.broker import Child
from stream.connect import open_redis
from stream.settings import Settings

LISTENERS, COHORTS = 1_000_000, 200
RELEASES = 5
SETTLED = 0.02  # of its memory that a worker grows by in `LOOK` seconds, at most, when it has read everybody
LOOK = 5.0
SAMPLE = 0.02  # seconds from one look at the memory to the next
PATIENCE = 600.0
MB = 1e6
NAMES = ("first page", "last page", "summary", "CPU", "of Redis", "memory", "listeners")


def main(listeners: int = LISTENERS) -> None:
    """Measure and print."""
    with house(first_wave=1.0, members_mb=4000.0) as place:
        began = time.monotonic()
        asyncio.run(filled(place.settings, listeners))
        print(f"{listeners:,} listeners filled in {time.monotonic() - began:.0f} s")
        worker = place.start("work")
        began = time.monotonic()
        idle = settled(place, worker)
        print(f"the worker has read them in {time.monotonic() - began:.0f} s, and takes {idle / MB:.0f} MB")
        print(("{:>14}" * len(NAMES)).format(*NAMES))
        found = [released(place, worker, number, listeners, idle) for number in range(RELEASES)]
        row = "{:>12.2f} s" * 5 + "{:>11.0f} MB{:>14,.0f}"
        for each in found:
            print(row.format(*each))
        print("median:")
        print(row.format(*np.median(found, axis=0)))


async def filled(settings: Settings, listeners: int) -> None:
    """Fill Redis."""
    redis = await open_redis(settings)
    await fill(redis, settings, listeners, min(COHORTS, max(listeners // 500, 2)))
    await redis.aclose()


def settled(place: House, worker: Child) -> float:
    """Wait until the worker has read everybody; return its memory in bytes."""
    place.wait(lambda: bool(place.heartbeat(worker)), "the worker")
    sizes = [0.0, memory(worker)]
    while sizes[-1] - sizes[-2] > SETTLED * sizes[-1] or len(sizes) < 4:
        time.sleep(LOOK)
        sizes.append(memory(worker))
    return sizes[-1]


def memory(worker: Child) -> float:
    """Return the resident set of a process, in bytes."""
    return float(psutil.Process(worker.pid).memory_info().rss)


class Highest:
    """The most memory that a process takes in the ``with`` block, in bytes."""

    def __init__(self, worker: Child) -> None:
        self._worker, self._ended = worker, Event()
        self._thread = Thread(target=self._look)
        self.most = memory(worker)

    def _look(self) -> None:
        while not self._ended.wait(SAMPLE):
            self.most = max(self.most, memory(self._worker))

    def __enter__(self) -> Highest:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def released(place: House, worker: Child, number: int, listeners: int, idle: float) -> tuple[float, ...]:
    """Publish a release for everybody; return when its pages came, what it took, and who was told."""
    servers = {"bootstrap.servers": place.settings.kafka}
    reader = Consumer(servers | {"group.id": f"audience-{number}"})
    reader.assign(_ends(reader))  # else it reads the pages of the releases before first
    name = f"everybody-{number}"
    event = {"release_id": name, "artist_ids": [artist(37 * number)], "max_audience": listeners}
    producer = Producer(servers | {"linger.ms": 0})
    used, used_by_redis = cpu(worker.pid), redis_cpu(place)
    came: list[float] = []
    users, pages, ended = 0, set[int](), False
    waiting: list[bytes] = []
    with Highest(worker) as highest:
        began = time.perf_counter()
        producer.produce("releases", json.dumps(event).encode(), name)
        producer.flush()
        while not ended:
            if time.perf_counter() - began > PATIENCE:
                raise TimeoutError(f"{name} has no summary after {PATIENCE:.0f} s")
            for message in reader.consume(100, 0.05):
                if message.key() != name.encode():
                    continue
                came.append(time.perf_counter() - began)
                waiting.append(message.value())
                ended = b'"done":true' in message.value()[-2000:].replace(b" ", b"")
    reader.close()
    for value in waiting:
        page = json.loads(value)
        users += len(page.get("user_ids", ()))
        pages |= {page["page"]} if "page" in page else set()
    if len(pages) != len(came) - 1:
        raise RuntimeError(f"{name} has {len(came) - 1} pages, of which {len(pages)} are different")
    spent = cpu(worker.pid) - used, redis_cpu(place) - used_by_redis
    return came[0], came[-2], came[-1], *spent, (highest.most - idle) / MB, users


def _ends(reader: Consumer) -> list[TopicPartition]:
    """Return the ends of the partitions of `audiences`."""
    numbers = reader.list_topics("audiences").topics["audiences"].partitions
    places = [TopicPartition("audiences", number) for number in numbers]
    return [TopicPartition(at.topic, at.partition, reader.get_watermark_offsets(at)[1]) for at in places]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
